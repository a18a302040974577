//! What is known of a credential, and what became of asking for it.

use core::fmt;
use std::rc::Rc;

use super::headers::{HeaderProblem, InjectedHeaders};
use super::key::CredentialKey;
use crate::oauth::Scopes;

/// What is known of a user's credential for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is there.
    Ready(Rc<Credential>),
    /// The server needs none.
    NotNeeded,
    /// The user has to give consent first.
    Consent(Rc<ConsentNeeded>),
    /// There is none to be had.
    Refused(CredentialFailure),
    /// It is being asked for: ask again when this is settled. The caller
    /// bounds the wait.
    Pending(CredentialKey),
}

/// A user's credential for a server. Its `Debug` form shows no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub(super) key: CredentialKey,
    pub(super) headers: InjectedHeaders,
    pub(super) version: Option<String>,
}

/// That the user has to give consent, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentNeeded {
    /// The page for the user's browser: an http or https URL. It is for this
    /// user alone.
    pub url: Option<String>,
    /// Why, in the words of the token service: visible ASCII.
    pub reason: Option<String>,
    /// The token service's name for this request for consent.
    pub elicitation_id: Option<String>,
    /// How the upstream authenticates.
    pub auth_type: AuthType,
    /// The app whose credential is missing, for types without a URL (seed
    /// 003).
    pub app_uuid: Option<String>,
    /// How long `url` works, in seconds.
    pub expires_in: Option<u64>,
}

/// `authType` of seed 003's structured detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthType {
    /// The user signs in at the upstream's authorization server.
    #[default]
    OAuth,
    /// The user links an account directly.
    DirectAuth,
    /// The user enters a key.
    ApiKey,
}

/// Why there is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFailure {
    /// The token service does not accept the user's token.
    InvalidSubjectToken,
    /// The user may not have one.
    AccessDenied,
    /// What was asked makes no sense to the token service, or its answer is
    /// one that the configuration does not allow.
    Configuration,
    /// The token service does not accept the gate itself.
    ServiceRefusesUs,
    /// Not now.
    Busy {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The upstream's authorization server is in trouble.
    Upstream,
    /// The token service gave no answer that can be understood.
    Unavailable,
}

/// That an upstream has refused a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The upstream's status: 401 or 403.
    pub status: u16,
    /// The `error` of its challenge (RFC 6750, section 3.1).
    pub error: Option<String>,
    /// The scopes that the challenge of a 403 asks for.
    pub scopes: Scopes,
}

/// What an answer to a call has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledCredential {
    /// What nobody needs to wait for any longer; `None` where the call is made
    /// again.
    pub awaited: Option<CredentialKey>,
    /// For the log, where something went wrong.
    pub event: Option<CredentialEvent>,
}

/// Something for the log; no secrets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialEvent {
    /// The `id` of the token service's entry.
    pub service_id: Rc<str>,
    /// What it was asked about: the server's id there.
    pub server_id: String,
    /// What went wrong.
    pub problem: AnswerProblem,
}

/// Why an answer gave no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerProblem {
    /// No answer: no connection, a reset, or the time was up.
    NoAnswer,
    /// A status, with nothing in the body that is understood.
    Status(u16),
    /// A body over the limit.
    TooLarge,
    /// Not the JSON that was asked for.
    Malformed,
    /// A header that a credential must not or may not consist of.
    Header(HeaderProblem),
    /// An error code, one of those that are known.
    Code(&'static str),
}

// === impl Credential ===

impl Credential {
    /// Whose, and for what.
    pub const fn key(&self) -> CredentialKey {
        self.key
    }

    /// The headers to set, names in lower case.
    pub fn headers(&self) -> &[(Rc<str>, Rc<str>)] {
        self.headers.as_slice()
    }

    /// Whether the upstream would see the same.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let same_version = self.version.is_some() && self.version == other.version;
        same_version || self.headers == other.headers
    }

    /// The token service's name for this state of the credential.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

// === impl ConsentNeeded ===

/// Who has the URL could give consent in the user's place.
impl fmt::Debug for ConsentNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentNeeded")
            .field("has_url", &self.url.is_some())
            .field("reason", &self.reason)
            .field("auth_type", &self.auth_type)
            .finish_non_exhaustive()
    }
}

// === impl AuthType ===

impl AuthType {
    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::OAuth, Self::DirectAuth, Self::ApiKey]
            .into_iter()
            .find(|auth_type| auth_type.as_str() == name)
    }

    /// Its name in seed 003.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::DirectAuth => "direct_auth",
            Self::ApiKey => "api_key",
        }
    }
}

// === impl AnswerProblem ===

impl fmt::Display for AnswerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer"),
            Self::Status(status) => write!(f, "status {status} without a known error code"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Malformed => f.write_str("the answer is malformed"),
            Self::Header(problem) => write!(f, "the credential is unusable: {problem}"),
            Self::Code(code) => write!(f, "error {code}"),
        }
    }
}

impl fmt::Display for CredentialEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service_id,
            server_id,
            problem,
        } = self;
        write!(
            f,
            "token service \"{service_id}\": no credential for \"{server_id}\": {problem}"
        )
    }
}
