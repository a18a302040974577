//! Every reason for which an exchange ends without reaching the upstream.

use super::consent::MissingConsent;
use crate::credential::CredentialFailure;
use crate::mcp::agreement::AgreementError;
use crate::mcp::call::ParamsError;
use crate::mcp::envelope::EnvelopeError;
use crate::oauth::TokenError;
use crate::policy::Denied;
use crate::response::Unreadable;

/// Why a request is refused. What the client is told of it is for
/// [`super::refuse`] to say; the audit gets [`Denial::reason`].
#[derive(Clone, Debug, PartialEq)]
pub enum Denial {
    /// Host and path belong to no server.
    NoServer,
    /// An HTTP method that the endpoint does not have.
    MethodNotAllowed {
        /// The ones that it has, as in the Allow header.
        allow: &'static str,
    },
    /// A page of a foreign origin asks.
    ForeignOrigin,
    /// More than one credential, or a malformed one.
    MalformedCredentials,
    /// No bearer token in the Authorization header.
    NoToken,
    /// A token that does not hold.
    InvalidToken(TokenError),
    /// Nobody can be asked whether the token holds.
    KeysUnavailable,
    /// A session id that was not given to this caller.
    Session(SessionFault),
    /// A `requestState` that was not given to this caller for this call.
    ForgedState,
    /// A task id that was not given to this caller.
    UnknownTask,
    /// The same, from a client that has not declared that it can have tasks.
    UndeclaredTask,
    /// The upstream gave a session id that is none, or is too long.
    UpstreamSession,
    /// The upstream's answer cannot be looked at.
    Unreadable(Unreadable),
    /// Too many requests wait for keys already.
    TooManyWaiting,
    /// The body of a POST is not plain JSON; says what it would have to be.
    UnsupportedMediaType(&'static str),
    /// The body is longer than allowed.
    BodyTooLarge,
    /// A body where none belongs (GET, DELETE).
    UnexpectedBody,
    /// The body is no JSON-RPC message.
    Envelope(EnvelopeError),
    /// Headers and body disagree, or the revision is not spoken here.
    Agreement(AgreementError),
    /// A client of 2026-07-28 sends a response, which that revision forbids.
    ResponseInModernEra,
    /// `initialize` within a batch, which MCP 2025-03-26 forbids.
    InitializeInBatch,
    /// A method that the revision does not have.
    UnknownMethod,
    /// Parameters that do not say what the method needs to know.
    Params(ParamsError),
    /// The policy says no.
    Policy(Denied),
    /// The policy says no to a task.
    Task(Denied),
    /// The upstream answered before the request was decided on.
    EarlyResponse,
    /// The user has to connect an account first.
    Consent(Box<MissingConsent>),
    /// There is no upstream credential to be had.
    Credential(CredentialFailure),
    /// The upstream did not take the credential that it got.
    CredentialRejected,
    /// The upstream wants a credential, and the gate has none for it.
    UpstreamUnauthorized,
}

/// What is wrong with a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionFault {
    /// There is more than one, or it is no text.
    Malformed,
    /// It is nobody's, or somebody else's.
    Unknown,
}

impl Denial {
    /// A short name, for the audit line and for metrics; one of a fixed set.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoServer => "no_server",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::ForeignOrigin => "foreign_origin",
            Self::MalformedCredentials => "malformed_credentials",
            Self::NoToken => "no_token",
            Self::InvalidToken(error) => error.code(),
            Self::KeysUnavailable => "keys_unavailable",
            Self::TooManyWaiting => "too_many_waiting",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::UnexpectedBody => "unexpected_body",
            Self::Envelope(_) | Self::ResponseInModernEra | Self::InitializeInBatch => {
                "malformed_message"
            }
            Self::Agreement(AgreementError::UnsupportedVersion { .. }) => "unsupported_version",
            Self::Agreement(AgreementError::Batch) => "malformed_message",
            Self::Agreement(AgreementError::Mismatch(_)) => "header_mismatch",
            Self::Agreement(AgreementError::MissingMeta(_)) | Self::Params(_) => "invalid_params",
            Self::UnknownMethod => "unknown_method",
            Self::Policy(denied) | Self::Task(denied) => denied.reason(),
            Self::Session(_) => "session",
            Self::ForgedState => "request_state",
            Self::UnknownTask | Self::UndeclaredTask => "task",
            Self::UpstreamSession => "upstream_session",
            Self::Unreadable(Unreadable::Encoded) => "upstream_encoding",
            Self::Unreadable(Unreadable::ContentType) => "upstream_content_type",
            Self::Unreadable(Unreadable::Redirect) => "upstream_redirect",
            Self::EarlyResponse => "early_response",
            Self::Consent(_) => "consent_needed",
            Self::Credential(failure) => match failure {
                CredentialFailure::InvalidSubjectToken => "credential_subject_token",
                CredentialFailure::AccessDenied => "credential_access_denied",
                CredentialFailure::Configuration => "credential_configuration",
                CredentialFailure::ServiceRefusesUs => "credential_service_refuses",
                CredentialFailure::Busy { .. } => "credential_busy",
                CredentialFailure::Upstream => "credential_upstream",
                CredentialFailure::Unavailable => "credential_unavailable",
            },
            Self::CredentialRejected => "credential_rejected",
            Self::UpstreamUnauthorized => "upstream_unauthorized",
        }
    }
}
