//! Lists: what of them the caller could use.

use super::splice::Splice;
use super::withheld::Withheld;
use crate::json::raw::RawObject;
use crate::oauth::Identity;
use crate::site::Site;

/// The lists of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl ListKind {
    /// The list that a method asks for.
    pub fn of(method: &str) -> Option<Self> {
        Some(match method {
            "tools/list" => Self::Tools,
            "prompts/list" => Self::Prompts,
            "resources/list" => Self::Resources,
            "resources/templates/list" => Self::Templates,
            _ => return None,
        })
    }
}

/// Filters every list in a result (or in the parameters of a notification),
/// as edits of the message that it stands in. `asked` is the list that was
/// asked for, which then has to be there. The number of entries that were
/// taken out.
///
/// # Errors
/// [`Withheld::NotUnderstood`]
pub(super) fn filter(
    _members: &RawObject<'_>,
    _asked: Option<ListKind>,
    _identity: &Identity,
    _site: &Site,
    _splice: &mut Splice<'_>,
) -> Result<u32, Withheld> {
    Err(Withheld::NotUnderstood)
}
