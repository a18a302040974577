//! What the policy says of a call.

use std::rc::Rc;

use crate::oauth::Scopes;

/// What the policy says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Permit(Permit),
    /// It may not.
    Deny(Denied),
}

/// The proof that the policy was asked and lets a call go on. Only
/// [`Policy::decide`](super::Policy::decide) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    pub(super) rule: Option<Rc<str>>,
    pub(super) unenforced: Option<Denied>,
}

/// Why a call may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// With these scopes (all that are needed, not only the missing ones)
    /// this very call would be permitted, and the caller can obtain them.
    MissingScopes {
        /// The rule that would then allow it. `None`: scopes that every
        /// request needs.
        rule: Option<Rc<str>>,
        /// The scopes to ask for.
        scopes: Scopes,
    },
    /// For this caller the target does not exist. Which of the reasons it is
    /// stays between policy and audit.
    Unknown {
        /// A rule that names the target and is not for this caller, or that
        /// denies it. `None`: no rule names it.
        rule: Option<Rc<str>>,
    },
    /// The caller may use the target, but not with these arguments.
    Argument {
        /// The rule whose conditions do not hold.
        rule: Rc<str>,
        /// What the rule wants, for a person or a model to read. Never what
        /// the caller sent.
        expectation: String,
    },
    /// A deny rule forbids this call.
    Rule {
        /// The rule.
        rule: Rc<str>,
    },
}

impl Permit {
    /// The `id` of the rule that allows the call, if one does.
    pub const fn rule(&self) -> Option<&Rc<str>> {
        self.rule.as_ref()
    }

    /// What would have been denied if nothing were audit-only.
    pub const fn unenforced(&self) -> Option<&Denied> {
        self.unenforced.as_ref()
    }
}

impl Denied {
    /// A short name, one of a fixed set.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MissingScopes { .. } => "insufficient_scope",
            Self::Unknown { rule: None } => "no_rule",
            Self::Unknown { rule: Some(_) } => "hidden",
            Self::Argument { .. } => "arguments",
            Self::Rule { .. } => "denied_by_rule",
        }
    }

    /// The rule that it comes from, if any.
    pub const fn rule(&self) -> Option<&Rc<str>> {
        match self {
            Self::MissingScopes { rule, .. } | Self::Unknown { rule } => rule.as_ref(),
            Self::Argument { rule, .. } | Self::Rule { rule } => Some(rule),
        }
    }
}
