//! Who may do what: the rules of one server.

mod decision;
mod pattern;

pub use decision::{Decision, Denied, Permit};
pub use pattern::Pattern;

use crate::mcp::Call;
use crate::oauth::{Identity, Scopes};

/// The rules of one server, compiled.
#[derive(Clone, Debug)]
pub struct Policy {
    base: Scopes,
}

impl Policy {
    /// Decides on one call.
    pub fn decide(&self, identity: &Identity, call: &Call<'_>) -> Decision {
        let _ = (&self.base, identity, call);
        Decision::Deny(Denied::Unknown { rule: None })
    }
}
