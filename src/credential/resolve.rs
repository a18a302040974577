//! The resolve call of the token service.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Issued, link, number, object_of, printable, text, without_code};
use super::headers::InjectedHeaders;
use super::known::{AnswerProblem, AuthType, ConsentNeeded, CredentialFailure};
use super::store::{Ask, Wanted};
use crate::callout::FetchAnswer;
use crate::json::{Json, Object};
use crate::oauth::Scopes;

/// A credential that the upstream has refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejected<'a> {
    pub(super) version: &'a str,
    pub(super) status: u16,
    pub(super) error: Option<&'a str>,
    pub(super) scopes: &'a Scopes,
}

/// The body of the call.
pub(super) fn question(ask: &Ask<'_>) -> Map<String, Value> {
    let Ask {
        wanted: Wanted {
            source, identity, ..
        },
        token,
        request_id,
        operation,
    } = ask;
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("server_id", json!(source.server_id));
    set(
        "subject",
        json!({
            "type": identity.subject_type().as_str(),
            "iss": identity.issuer(),
            "id": identity.subject(),
        }),
    );
    set("subject_token", json!(token));
    set("subject_token_type", json!(ACCESS_TOKEN));
    if let Some((method, name)) = operation {
        let mut operation = Map::new();
        operation.insert("method".to_owned(), json!(method));
        if let Some(name) = name {
            operation.insert("name".to_owned(), json!(name));
        }
        set("operation", Value::Object(operation));
    }
    if let Some(id) = request_id {
        set("request_id", json!(id));
    }
    members
}

/// The body of the call, with the credential that the upstream has refused.
pub(super) fn body(question: &Map<String, Value>, rejected: Option<Rejected<'_>>) -> Vec<u8> {
    let Some(Rejected {
        version,
        status,
        error,
        scopes,
    }) = rejected
    else {
        return serde_json::to_vec(question).unwrap_or_default();
    };
    let mut question = question.clone();
    let mut rejected = Map::new();
    rejected.insert("credential_version".to_owned(), json!(version));
    rejected.insert("status".to_owned(), json!(status));
    if let Some(error) = error {
        rejected.insert("error".to_owned(), json!(error));
    }
    question.insert("rejected".to_owned(), Value::Object(rejected));
    if !scopes.is_empty() {
        let scopes: Vec<&str> = scopes.iter().collect();
        question.insert("required_scopes".to_owned(), json!(scopes));
    }
    serde_json::to_vec(&question).unwrap_or_default()
}

/// RFC 8693, section 3.
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Reads the answer. `listed` are the headers that a credential may consist
/// of.
pub(super) fn read_answer(
    answer: Option<FetchAnswer<'_>>,
    listed: &[String],
    now_ms: u64,
) -> Answer {
    let retry_after_s = answer.and_then(|answer| answer.retry_after_s);
    object_of(answer)
        .and_then(|(status, members)| understood(status, &members, retry_after_s, listed, now_ms))
        .unwrap_or_else(|problem| match problem {
            AnswerProblem::Header(_) => Answer::Failed(CredentialFailure::Configuration, problem),
            _ => Answer::unavailable(problem),
        })
}

fn understood(
    http_status: u16,
    members: &Object,
    retry_after_s: Option<u64>,
    listed: &[String],
    now_ms: u64,
) -> Result<Answer, AnswerProblem> {
    let status = text(members, "status")?;
    let code = match members.get("error") {
        None | Some(Json::Null) => None,
        Some(Json::Object(error)) => text(error, "code")?,
        Some(_) => return Err(AnswerProblem::Malformed),
    };
    match (status, code, http_status) {
        (Some("authenticated"), None, 200) => authenticated(members, listed, now_ms),
        (Some("authentication_not_required"), None, 200) => Ok(Answer::NotNeeded {
            cache_seconds: number(members, "cache_ttl_s")?.unwrap_or_default(),
        }),
        (Some("authentication_required"), None, 200 | 403) => {
            Ok(Answer::Consent(consent(members)?))
        }
        (None, Some(code), 400..=599) => Ok(failed(code, http_status, retry_after_s)),
        _ => Err(without_code(http_status)),
    }
}

fn authenticated(
    members: &Object,
    listed: &[String],
    now_ms: u64,
) -> Result<Answer, AnswerProblem> {
    let Some(Json::Array(elements)) = members.get("headers") else {
        return Err(AnswerProblem::Malformed);
    };
    let pairs: Option<Vec<(&str, &str)>> = elements
        .iter()
        .map(|element| {
            let header = element.as_object()?;
            Some((
                header.get("name")?.as_str()?,
                header.get("value")?.as_str()?,
            ))
        })
        .collect();
    let pairs = pairs.ok_or(AnswerProblem::Malformed)?;
    let headers = InjectedHeaders::check(pairs, listed).map_err(AnswerProblem::Header)?;
    let expires_ms =
        number(members, "expires_at")?.map(|expires_at| expires_at.saturating_mul(1000));
    if expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
        return Err(AnswerProblem::Malformed);
    }
    Ok(Answer::Ready(Issued {
        headers,
        version: printable(members, "credential_version")?,
        cache_seconds: Some(number(members, "cache_ttl_s")?.unwrap_or_default()),
        expires_ms,
    }))
}

fn consent(members: &Object) -> Result<ConsentNeeded, AnswerProblem> {
    let empty = Object::default();
    let detail = match members.get("detail") {
        None | Some(Json::Null) => &empty,
        Some(Json::Object(detail)) => detail,
        Some(_) => return Err(AnswerProblem::Malformed),
    };
    let auth_type = match text(detail, "authType")? {
        None => AuthType::default(),
        Some(name) => AuthType::parse(name).ok_or(AnswerProblem::Malformed)?,
    };
    let url = match link(members, "authorization_endpoint")? {
        Some(url) => Some(url),
        None => link(detail, "authorizeUrl")?,
    };
    Ok(ConsentNeeded {
        url,
        reason: printable(members, "reason")?,
        elicitation_id: printable(members, "elicitation_id")?,
        auth_type,
        app_uuid: printable(detail, "appUuid")?,
        expires_in: number(members, "expires_in")?,
    })
}

fn failed(code: &str, http_status: u16, retry_after_s: Option<u64>) -> Answer {
    let (failure, code) = match code {
        "invalid_request" => (CredentialFailure::Configuration, "invalid_request"),
        "invalid_target" => (CredentialFailure::Configuration, "invalid_target"),
        "unknown_server" => (CredentialFailure::Configuration, "unknown_server"),
        "invalid_subject_token" => (
            CredentialFailure::InvalidSubjectToken,
            "invalid_subject_token",
        ),
        "invalid_client" => (CredentialFailure::ServiceRefusesUs, "invalid_client"),
        "access_denied" => (CredentialFailure::AccessDenied, "access_denied"),
        "upstream_error" => (CredentialFailure::Upstream, "upstream_error"),
        "rate_limited" => return Answer::busy(retry_after_s, "rate_limited"),
        "refresh_in_progress" => return Answer::InProgress { retry_after_s },
        _ => return Answer::unavailable(without_code(http_status)),
    };
    Answer::Failed(failure, AnswerProblem::Code(code))
}
