//! What the rows of a flow hold, sealed. All of its state is there: a restart,
//! or another replica, goes on where the last one stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::grants::Needed;

/// What came of the sources so far, and where the way ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journey {
    /// The address from the allow-list to go to in the end.
    pub(super) redirect_url: Option<String>,
    /// The base URL of the gateway that the user comes through, which the
    /// resource of a token can depend on.
    pub(super) gateway_url: Option<String>,
    /// What the call that the link is for needs.
    #[serde(default)]
    pub(super) needed: Vec<Needed>,
    /// What went wrong the last time, by the id of the source.
    #[serde(default)]
    pub(super) trouble: BTreeMap<String, Trouble>,
}

/// Why a source is not connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trouble {
    /// The person did not agree.
    Denied,
    /// The provider answered with this error code.
    Refused(String),
    /// The provider's answer was not to be trusted or not understood.
    Unusable,
    /// The provider could not be reached.
    Unreachable,
    /// The key that the person entered cannot be one.
    BadKey,
    /// The provider gave less than the call needs.
    NotEnough,
}

impl Trouble {
    /// The trouble that an error code of the authorization endpoint (RFC 6749,
    /// section 4.1.2.1) tells of. Of a code only what a code can be is kept.
    pub(super) fn of_code(code: &str) -> Self {
        match code {
            "access_denied" => Self::Denied,
            "temporarily_unavailable" => Self::Unreachable,
            _ => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                let is_code = (1..=64).contains(&code.len()) && code.bytes().all(allowed);
                if is_code {
                    Self::Refused(code.to_owned())
                } else {
                    Self::Unusable
                }
            }
        }
    }

    /// In words for the person.
    pub(super) fn words(&self, name: &str) -> String {
        match self {
            Self::Denied => format!("You did not agree, so {name} is not connected."),
            Self::Refused(code) => {
                format!("{name} is not connected: its sign-in answered \"{code}\".")
            }
            Self::Unusable => {
                format!("{name} is not connected: its sign-in gave an answer that cannot be used.")
            }
            Self::BadKey => {
                format!(
                    "{name} is not connected: what you entered is empty or has characters that no \
                     key has."
                )
            }
            Self::NotEnough => {
                format!(
                    "{name} is connected, but its sign-in did not give all the permissions that \
                     your application needs."
                )
            }
            Self::Unreachable => {
                format!("{name} is not connected: its sign-in did not answer. Try again later.")
            }
        }
    }

    /// The outcome in the audit record.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Refused(_) | Self::Unusable | Self::Unreachable | Self::BadKey => "failed",
            Self::NotEnough => "finished",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_providers_words_only_an_error_code_is_kept() {
        assert_eq!(Trouble::of_code("access_denied"), Trouble::Denied);
        assert_eq!(
            Trouble::of_code("invalid_scope"),
            Trouble::Refused("invalid_scope".to_owned())
        );
        for text in ["", "<b>call this number</b>", &"a".repeat(65), "a b", "é"] {
            assert_eq!(Trouble::of_code(text), Trouble::Unusable);
        }
    }
}
