//! What both wire profiles have in common.

use url::Url;

use super::headers::InjectedHeaders;
use super::known::{AnswerProblem, ConsentNeeded, CredentialFailure};
use crate::callout::FetchAnswer;
use crate::json::{self, Json, Object};

/// What a token service has answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A credential.
    Ready(Issued),
    /// The server needs none.
    NotNeeded {
        /// How long that may be believed, in seconds.
        cache_seconds: u64,
    },
    /// The user has to give consent.
    Consent(ConsentNeeded),
    /// Somebody else's refresh is under way.
    InProgress {
        /// `Retry-After`, in seconds.
        retry_after_s: Option<u64>,
    },
    /// No credential.
    Failed(CredentialFailure, AnswerProblem),
}

/// A credential as it was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) headers: InjectedHeaders,
    pub(super) version: Option<String>,
    /// How long it may be remembered, in seconds; `None` where the service
    /// does not say.
    pub(super) cache_seconds: Option<u64>,
    /// When it ends, in milliseconds since 1970, where that is known.
    pub(super) expires_ms: Option<u64>,
}

const MAX_ANSWER_BYTES: usize = 64 * 1024;
const MAX_DEPTH: usize = 16;
const MAX_URL_BYTES: usize = 4096;

impl Answer {
    /// One that cannot be understood.
    pub(super) const fn unavailable(problem: AnswerProblem) -> Self {
        Self::Failed(CredentialFailure::Unavailable, problem)
    }

    /// The service asks for time.
    pub(super) fn busy(retry_after_s: Option<u64>, code: &'static str) -> Self {
        Self::Failed(busy(retry_after_s), AnswerProblem::Code(code))
    }
}

/// When to try again, in a range that a client can be told.
pub(super) fn busy(retry_after_s: Option<u64>) -> CredentialFailure {
    CredentialFailure::Busy {
        retry_after_s: retry_after_s.unwrap_or(1).clamp(1, 300),
    }
}

/// The JSON object of an answer, whatever its status.
pub(super) fn object_of(
    answer: Option<FetchAnswer<'_>>,
) -> Result<(u16, Object<'static>), AnswerProblem> {
    let answer = answer.ok_or(AnswerProblem::NoAnswer)?;
    if answer.body.len() > MAX_ANSWER_BYTES {
        return Err(AnswerProblem::TooLarge);
    }
    match json::parse(answer.body, MAX_DEPTH) {
        Ok(Json::Object(members)) => Ok((answer.status, members)),
        _ => Err(without_code(answer.status)),
    }
}

/// An answer in which nothing says what it means.
pub(super) const fn without_code(status: u16) -> AnswerProblem {
    match status {
        200 => AnswerProblem::Malformed,
        // Envoy's own word for a call that got no answer, or none in time.
        503 | 504 => AnswerProblem::NoAnswer,
        _ => AnswerProblem::Status(status),
    }
}

/// A member that may be absent, or null, but is nothing else than a string.
pub(super) fn text<'a>(members: &'a Object, name: &str) -> Result<Option<&'a str>, AnswerProblem> {
    match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(AnswerProblem::Malformed),
    }
}

/// Like [`text`], of visible ASCII and spaces, and not too long to print.
pub(super) fn printable(members: &Object, name: &str) -> Result<Option<String>, AnswerProblem> {
    const LONGEST: usize = 256;
    let Some(text) = text(members, name)? else {
        return Ok(None);
    };
    if text.len() > LONGEST || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(AnswerProblem::Malformed);
    }
    Ok(Some(text.to_owned()))
}

/// A member that may be absent, or null, but is nothing else than a whole
/// number that is not negative.
pub(super) fn number(members: &Object, name: &str) -> Result<Option<u64>, AnswerProblem> {
    match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(AnswerProblem::Malformed),
    }
}

/// A member that may be absent, and is an address that a person can be sent
/// to: http or https, with a host, without user information.
pub(super) fn link(members: &Object, name: &str) -> Result<Option<String>, AnswerProblem> {
    let Some(text) = text(members, name)? else {
        return Ok(None);
    };
    // The parser would repair what a browser may understand in another way.
    let plain = text.len() <= MAX_URL_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    let url = Url::parse(text).map_err(|_| AnswerProblem::Malformed)?;
    let fits = plain
        && matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(['\\', '"', '<', '>', '`']);
    if !fits {
        return Err(AnswerProblem::Malformed);
    }
    Ok(Some(text.to_owned()))
}
