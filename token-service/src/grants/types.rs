//! What is asked of the grants, and what they answer.

use core::fmt;

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::oauth::{Authentication, OAuthClient};
use crate::owner::Owner;
use crate::random::NoRandomness;
use crate::secret::Secret;
use crate::servers::Server;
use crate::storage::Status;

/// A question for the credential of one call.
#[derive(Clone, Copy, Debug)]
pub struct ResolveAsk<'a> {
    /// Who calls.
    pub owner: &'a Owner,
    /// What is called.
    pub server: &'a Server,
    /// Of a virtual server, which of its sources.
    pub source: Option<&'a str>,
    /// The caller's own token, verified, for a token exchange.
    pub subject_token: Option<&'a Secret>,
    /// Scopes that the call needs.
    pub required_scopes: &'a [String],
    /// The credential that the upstream has refused.
    pub rejected: Option<Rejected<'a>>,
    /// For the audit record.
    pub request_id: &'a str,
}

/// What the upstream said to a credential.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'a> {
    /// The version as it was in [`Authenticated::version`].
    pub version: &'a str,
    /// The status of the upstream's answer.
    pub status: u16,
    /// The `error` of its challenge (RFC 6750, section 3.1).
    pub error: Option<&'a str>,
}

/// What a call is to be done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// With these headers.
    Authenticated(Authenticated),
    /// With none.
    NotRequired {
        /// Why, in words.
        reason: &'static str,
    },
    /// The user has to agree or to give a key first.
    ConsentRequired {
        /// Why.
        reason: Reason,
        /// What the user has to do.
        kind: ConsentKind,
    },
}

/// A credential for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Where it comes from.
    pub method: AuthMethod,
    /// The headers, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// The name of this very credential.
    pub version: String,
    /// When it ends, in seconds since 1970, where that is known.
    pub expires_at: Option<i64>,
    /// What it is good for, where that is known.
    pub scopes: Vec<String>,
    /// How long it may be kept, in seconds.
    pub cache_seconds: u32,
}

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// The user's consent.
    OAuth,
    /// Somebody set it for the user.
    Override,
    /// It is the same for all users.
    Shared,
    /// It was given for the user's own token (RFC 8693).
    TokenExchange,
}

/// Why the user has to agree (again).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// There was no consent yet.
    ConsentMissing,
    /// The provider does not accept the refresh token any more.
    InvalidGrant,
    /// It cannot be renewed.
    RefreshFailed,
    /// It does not have the scopes that are needed.
    InsufficientScope,
    /// The upstream refuses it though it is fresh.
    Revoked,
}

/// What the user has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsentKind {
    /// Agree at the provider.
    OAuth,
    /// Give a key.
    ApiKey,
}

/// Why there is no credential, for a reason that no consent mends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// It is being renewed right now.
    RefreshInProgress {
        /// When to ask again, in seconds.
        retry_after: u32,
    },
    /// The provider wants fewer requests.
    RateLimited {
        /// When to ask again, in seconds.
        retry_after: u32,
    },
    /// The provider has trouble, or the service's own client there has.
    Upstream,
    /// The server has no such source, or of a virtual server none was named.
    InvalidTarget,
    /// A token exchange needs the caller's token, or the provider refused it.
    InvalidSubjectToken,
    /// The provider or the configuration does not give this to the caller.
    AccessDenied,
    /// The service itself has trouble.
    Unavailable,
}

/// Whether a user can use a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthStatus {
    /// There is a credential for everything that needs one.
    Authenticated {
        /// Where it comes from.
        method: AuthMethod,
    },
    /// Something is missing.
    Required {
        /// Where it would come from.
        method: AuthMethod,
        /// Why.
        reason: Reason,
        /// What the user has to do.
        kind: ConsentKind,
    },
    /// Nothing is needed of the user.
    NotRequired {
        /// Why, in words.
        reason: &'static str,
    },
}

/// What a call needs of a source that what is kept may not have though it is
/// good otherwise. A link remembers it, so that it does not call connected what
/// the next call cannot use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// The source's id.
    pub source: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The version that the upstream does not give what is asked for; any other
    /// may do.
    pub instead_of: Option<String>,
}

/// An authorization that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where to send the browser.
    pub url: Url,
    /// What is needed to finish it. It holds secrets.
    pub pending: PendingAuthorization,
}

/// What is needed to finish an authorization. It is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingAuthorization {
    pub(super) source: String,
    /// The issuer, for `iss` (RFC 9207).
    pub(super) issuer: Option<String>,
    pub(super) promises_iss: bool,
    /// See `Metadata::provider`.
    pub(super) provider: String,
    pub(super) token_endpoint: Url,
    pub(super) client: KeptClient,
    pub(super) redirect_uri: String,
    pub(super) verifier: KeptText,
    pub(super) scopes: Vec<String>,
    pub(super) resource: Option<String>,
}

/// A secret text in something that is kept sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeptText(Zeroizing<String>);

/// A client in something that is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptClient {
    pub(crate) id: String,
    pub(crate) origin: ClientOrigin,
    /// Of a dynamic client: with what it authenticates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<KeptText>,
    #[serde(default)]
    pub(crate) post: bool,
}

/// Where a client comes from. The secret of one that was registered by hand is
/// in the configuration and stays there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientOrigin {
    Registered,
    Dynamic,
    MetadataDocument,
}

/// What a disconnect did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// Credentials that were removed.
    pub removed: usize,
    /// Of these, those that the provider did not take back: it has no
    /// revocation, or did not answer, or not yet.
    pub not_revoked: usize,
    /// Of these, those that the provider has not answered about yet: that goes
    /// on.
    pub pending: usize,
}

/// What somebody sets in place of the server's own way to authenticate.
#[derive(Clone, Debug)]
pub enum OverrideValue {
    /// The value of the only placeholder, or the whole header where there is
    /// none.
    One(Secret),
    /// The value of each placeholder, by its name.
    Each(std::collections::BTreeMap<String, Secret>),
}

/// Why an override cannot be set.
#[derive(Debug)]
pub enum OverrideError {
    /// The server has no such source, or of a virtual server none was named.
    InvalidTarget,
    /// The value cannot stand in a header.
    InvalidValue(&'static str),
    /// The values are not those of the placeholders, which are these.
    Placeholders(Vec<String>),
    /// It could not be kept.
    Credential(crate::credentials::CredentialError),
}

// === impl KeptText, KeptClient ===

impl KeptText {
    /// `None`: the secret is not text.
    pub(crate) fn of(secret: &Secret) -> Option<Self> {
        let text = secret.expose_text()?;
        Some(Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn secret(&self) -> Secret {
        Secret::new(self.0.as_bytes())
    }
}

impl fmt::Debug for KeptText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptText(…)")
    }
}

impl KeptClient {
    /// `None`: the client's secret is not text.
    pub(crate) fn of(client: &OAuthClient, origin: ClientOrigin) -> Option<Self> {
        let (secret, post) = match (&client.authentication, origin) {
            (Authentication::Basic(secret), ClientOrigin::Dynamic) => {
                (Some(KeptText::of(secret)?), false)
            }
            (Authentication::Post(secret), ClientOrigin::Dynamic) => {
                (Some(KeptText::of(secret)?), true)
            }
            _ => (None, false),
        };
        Some(Self {
            id: client.id.clone(),
            origin,
            secret,
            post,
        })
    }

    /// The client by itself; one that was registered by hand needs the
    /// configuration.
    pub(crate) fn client(&self) -> OAuthClient {
        OAuthClient {
            id: self.id.clone(),
            authentication: match (&self.secret, self.post) {
                (None, _) => Authentication::None,
                (Some(secret), false) => Authentication::Basic(secret.secret()),
                (Some(secret), true) => Authentication::Post(secret.secret()),
            },
        }
    }
}

// === impl the names ===

impl AuthMethod {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Override => "auth-override",
            Self::Shared => "shared",
            Self::TokenExchange => "token-exchange",
        }
    }
}

impl Reason {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsentMissing => "consent_missing",
            Self::InvalidGrant => "invalid_grant",
            Self::RefreshFailed => "refresh_failed",
            Self::InsufficientScope => "insufficient_scope",
            Self::Revoked => "revoked",
        }
    }

    /// Why a credential with that status needs a new consent. `None`: it can
    /// be used.
    pub const fn of(status: Status) -> Option<Self> {
        match status {
            Status::Usable => None,
            Status::InvalidGrant => Some(Self::InvalidGrant),
            Status::InsufficientScope => Some(Self::InsufficientScope),
            Status::Revoked => Some(Self::Revoked),
            Status::RefreshFailed => Some(Self::RefreshFailed),
        }
    }
}

impl ResolveError {
    /// The code of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RefreshInProgress { .. } => "refresh_in_progress",
            Self::RateLimited { .. } => "rate_limited",
            Self::Upstream => "upstream_error",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidSubjectToken => "invalid_subject_token",
            Self::AccessDenied => "access_denied",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefreshInProgress { .. } => "the credential is being renewed",
            Self::RateLimited { .. } => "the authorization server wants a pause",
            Self::Upstream => "the authorization server gives no token at the moment",
            Self::InvalidTarget => "the server has no such source",
            Self::InvalidSubjectToken => "the caller's token is missing or was not accepted",
            Self::AccessDenied => "the authorization server does not give this to the caller",
            Self::Unavailable => "the token service has trouble",
        })
    }
}

impl core::error::Error for ResolveError {}

impl fmt::Display for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidTarget => f.write_str("the server has no such source"),
            Self::InvalidValue(rule) => f.write_str(rule),
            Self::Placeholders(names) if names.is_empty() => {
                f.write_str("the server's headers have no placeholders")
            }
            Self::Placeholders(names) => {
                write!(
                    f,
                    "there has to be a value for each of {}, and no other",
                    names.join(", ")
                )
            }
            Self::Credential(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OverrideError {}

impl From<crate::credentials::CredentialError> for OverrideError {
    fn from(error: crate::credentials::CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl From<NoRandomness> for ResolveError {
    fn from(NoRandomness: NoRandomness) -> Self {
        Self::Unavailable
    }
}

impl From<crate::credentials::CredentialError> for ResolveError {
    fn from(error: crate::credentials::CredentialError) -> Self {
        tracing::error!(%error, "a credential cannot be read or written");
        Self::Unavailable
    }
}
