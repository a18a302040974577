//! Task ids and request states in what comes back: bound to the caller.

use super::expected::AskedKind;
use super::splice::Splice;
use super::withheld::Withheld;
use crate::continuity::{Owner, StateKeys};
use crate::json::raw::RawObject;

/// Binds what a result (or the parameters of a notification) gives out, as
/// edits of the message that it stands in. `asked` is the request that it
/// answers, or whose stream it is on. Without keys nothing is bound.
///
/// # Errors
/// [`Withheld::Unbound`], [`Withheld::NotUnderstood`]
pub(super) fn bind(
    _members: &RawObject<'_>,
    _asked: Option<&AskedKind>,
    _owner: &Owner<'_>,
    _keys: &StateKeys,
    _splice: &mut Splice<'_>,
) -> Result<(), Withheld> {
    Ok(())
}
