//! Answers where a request's upstream credential is the matter.

use super::json_rpc::{self, Error, tool_error};
use super::refusal::{Addressee, Subject};
use super::{MissingConsent, consent};
use crate::credential::CredentialFailure;
use crate::mcp::Era;
use crate::text::Text;

/// What the challenge says where the token service does not take the token.
pub(super) const SUBJECT_TOKEN: &str =
    "The token is not accepted where the server's credential comes from";

pub(super) fn missing_consent(missing: &MissingConsent, to: Addressee<'_>) -> (u16, Option<Text>) {
    let server = to.site.map_or("this server", |site| site.display_name());
    let era = match to.subject {
        Subject::Request { era, .. } => era,
        Subject::Unanswerable | Subject::Unread => Era::Legacy,
    };
    let (status, body) = consent::answer(missing, server, to.id(), era);
    (status, Some(body))
}

/// What the client can do about it differs by status; what went wrong between
/// gate and token service is for the audit.
pub(super) fn credential(failure: CredentialFailure, to: Addressee<'_>) -> (u16, Option<Text>) {
    let (status, code, message) = match failure {
        CredentialFailure::InvalidSubjectToken => (401, json_rpc::UNAUTHORIZED, SUBJECT_TOKEN),
        CredentialFailure::AccessDenied => (
            403,
            json_rpc::REFUSED,
            "No credential for this server is given out to this account",
        ),
        CredentialFailure::Configuration => (
            500,
            json_rpc::INTERNAL_ERROR,
            "Internal error: the server's credential is not set up correctly",
        ),
        CredentialFailure::ServiceRefusesUs
        | CredentialFailure::Busy { .. }
        | CredentialFailure::Unavailable => (
            503,
            json_rpc::UNAVAILABLE,
            "The credential for this server cannot be fetched at the moment; try again later",
        ),
        CredentialFailure::Upstream => (
            502,
            json_rpc::BAD_GATEWAY,
            "The provider of the credential for this server has a failure; try again later",
        ),
    };
    with_status(to, status, code, message)
}

/// The credential was dropped: the same request, sent again, goes with a fresh
/// one, or gets the answer to a missing consent.
pub(super) fn credential_rejected(to: Addressee<'_>) -> (u16, Option<Text>) {
    const MESSAGE: &str = "The server did not accept the credential that it got. The credential \
        was dropped; try again";
    match to.subject {
        Subject::Request {
            id,
            method: "tools/call",
            era,
            ..
        } => (200, Some(tool_error(id, era, MESSAGE))),
        _ => with_status(to, 503, json_rpc::UNAVAILABLE, MESSAGE),
    }
}

/// The upstream answers 401 to the gate's own request.
pub(super) fn upstream_unauthorized(to: Addressee<'_>) -> (u16, Option<Text>) {
    const MESSAGE: &str =
        "The server did not accept the request of the gateway; signing in again does not help";
    with_status(to, 502, json_rpc::BAD_GATEWAY, MESSAGE)
}

/// An error with this status, with the id of the request if it has one.
pub(super) fn with_status(
    to: Addressee<'_>,
    status: u16,
    code: i32,
    message: &'static str,
) -> (u16, Option<Text>) {
    (status, Some(Error::new(code, message).answer(to.id())))
}
