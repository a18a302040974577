//! The client's side of OAuth 2.1: what is asked of authorization servers, and
//! how their answers are read.
//!
//! Answers are foreign bytes: they are parsed strictly into types, and no part
//! of them reaches an error message or a log.

mod authorization;
mod challenge;
mod client;
mod discovery;
mod lifecycle;
mod metadata;
mod pkce;
mod registration;
mod token;

use core::fmt;

pub use authorization::{AuthorizationRequest, check_issuer};
pub use challenge::resource_metadata;
pub(crate) use client::client_document_url;
pub use client::{Authentication, OAuthClient, client_metadata_document};
pub use discovery::Providers;
pub use lifecycle::{TokenKind, introspect_expiry, revoke};
pub use metadata::{Metadata, MetadataProblem};
pub use pkce::Pkce;
pub use registration::{Registration, register};
pub use token::{Grant, TokenAnswer, request_token};

use crate::credentials::CredentialError;
use crate::outbound::OutboundError;
use crate::random::NoRandomness;

/// Why an authorization server did not give what it was asked for.
#[derive(Debug)]
pub enum ProviderError {
    /// It could not be called, or gave no usable answer.
    Outbound(OutboundError),
    /// It refused, with an error code of its own.
    Refused(ErrorCode),
    /// It has trouble: a status of 500 or more.
    Unavailable,
    /// It wants fewer requests.
    RateLimited {
        /// When to try again, in seconds, where it said so.
        retry_after: Option<i64>,
    },
    /// Its answer breaks a rule; the field or the rule.
    Answer(&'static str),
    /// Its metadata cannot be used.
    Metadata(MetadataProblem),
    /// The authorization answer is not from the issuer that was asked
    /// (RFC 9207), or does not say whose it is though it must.
    Issuer,
    /// It does not do what the configuration wants of it.
    Unsupported(&'static str),
    /// Its registration of this service was not accepted any more; it is
    /// forgotten, and the next attempt registers anew.
    ClientForgotten,
    /// What it gave could not be kept.
    Credential(CredentialError),
    /// The operating system gave no random bytes.
    NoRandomness,
}

/// The error codes of RFC 6749 and its extensions that make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The grant or refresh token is invalid, expired, revoked or used up.
    InvalidGrant,
    /// The client is not known or did not authenticate.
    InvalidClient,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The request is malformed.
    InvalidRequest,
    /// The scope is unknown or more than was granted.
    InvalidScope,
    /// The resource is not known (RFC 8707).
    InvalidTarget,
    /// The grant is not supported.
    UnsupportedGrantType,
    /// The user or the server said no.
    AccessDenied,
    /// The user has to sign in or to agree (OpenID Connect).
    InteractionRequired,
    /// The server has trouble, though the status does not say so.
    TemporarilyUnavailable,
    /// Another one.
    Other,
}

impl ErrorCode {
    /// The code of that name.
    pub fn from_name(name: &str) -> Self {
        match name {
            // GitHub's names for the same, with the status 200.
            "invalid_grant" | "bad_refresh_token" | "bad_verification_code" => Self::InvalidGrant,
            "invalid_client" | "incorrect_client_credentials" => Self::InvalidClient,
            "unauthorized_client" => Self::UnauthorizedClient,
            "invalid_request" => Self::InvalidRequest,
            "invalid_scope" => Self::InvalidScope,
            "invalid_target" => Self::InvalidTarget,
            "unsupported_grant_type" => Self::UnsupportedGrantType,
            "access_denied" => Self::AccessDenied,
            "interaction_required" | "consent_required" | "login_required" => {
                Self::InteractionRequired
            }
            "temporarily_unavailable" | "server_error" => Self::TemporarilyUnavailable,
            _ => Self::Other,
        }
    }

    /// A fixed word, for logs and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::AccessDenied => "access_denied",
            Self::InteractionRequired => "interaction_required",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::Other => "other",
        }
    }
}

// === impl ProviderError ===

impl From<OutboundError> for ProviderError {
    fn from(error: OutboundError) -> Self {
        Self::Outbound(error)
    }
}

impl From<MetadataProblem> for ProviderError {
    fn from(problem: MetadataProblem) -> Self {
        Self::Metadata(problem)
    }
}

impl From<CredentialError> for ProviderError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl From<NoRandomness> for ProviderError {
    fn from(NoRandomness: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outbound(error) => write!(f, "the authorization server: {error}"),
            Self::Refused(code) => {
                write!(f, "the authorization server refuses: {}", code.as_str())
            }
            Self::Unavailable => f.write_str("the authorization server has trouble"),
            Self::RateLimited { .. } => f.write_str("the authorization server wants a pause"),
            Self::Answer(rule) => write!(f, "the authorization server's answer: {rule}"),
            Self::Metadata(problem) => write!(f, "the authorization server's metadata: {problem}"),
            Self::Issuer => f.write_str("the answer is not from the issuer that was asked"),
            Self::Unsupported(what) => write!(f, "the authorization server has no {what}"),
            Self::ClientForgotten => {
                f.write_str("the authorization server does not know this client any more")
            }
            Self::Credential(error) => error.fmt(f),
            Self::NoRandomness => NoRandomness.fmt(f),
        }
    }
}

impl core::error::Error for ProviderError {}
