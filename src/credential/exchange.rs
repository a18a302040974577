//! Token exchange (RFC 8693).

use url::form_urlencoded::Serializer;

use super::answer::{Answer, Issued, link, number, object_of, printable, text, without_code};
use super::headers::InjectedHeaders;
use super::known::{AnswerProblem, AuthType, ConsentNeeded, CredentialFailure};
use super::resolve::ACCESS_TOKEN;
use super::store::Ask;
use crate::callout::FetchAnswer;
use crate::json::Object;

/// The body of the call (RFC 8693, section 2.1).
pub(super) fn question(ask: &Ask<'_>) -> String {
    let source = ask.wanted.source;
    let mut form = Serializer::new(String::new());
    form.append_pair(
        "grant_type",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    );
    form.append_pair("subject_token", ask.token);
    form.append_pair("subject_token_type", ACCESS_TOKEN);
    form.append_pair("requested_token_type", ACCESS_TOKEN);
    form.append_pair("audience", &source.audience);
    if let Some(resource) = &source.resource {
        form.append_pair("resource", resource);
    }
    if !source.scopes.is_empty() {
        form.append_pair("scope", &source.scopes.to_string());
    }
    form.finish()
}

/// Reads the answer (RFC 8693, section 2.2; RFC 6749, section 5.2).
pub(super) fn read_answer(answer: Option<FetchAnswer<'_>>, now_ms: u64) -> Answer {
    let status = answer.map(|answer| answer.status);
    let retry_after_s = answer.and_then(|answer| answer.retry_after_s);
    object_of(answer)
        .and_then(|(status, members)| match status {
            200 => issued(&members, now_ms),
            400..=499 => refused(status, &members, retry_after_s),
            _ => Err(without_code(status)),
        })
        .unwrap_or_else(|problem| match (status, problem) {
            // How some services say that the user has linked nothing yet.
            (Some(404), AnswerProblem::Status(_)) => Answer::Consent(consent_without_url(None)),
            (Some(429), AnswerProblem::Status(_)) => Answer::busy(retry_after_s, "429"),
            (_, problem) => Answer::unavailable(problem),
        })
}

fn issued(members: &Object, now_ms: u64) -> Result<Answer, AnswerProblem> {
    let token = text(members, "access_token")?.filter(|token| is_b64token(token));
    let token = token.ok_or(AnswerProblem::Malformed)?;
    let is_bearer =
        text(members, "token_type")?.is_some_and(|name| name.eq_ignore_ascii_case("bearer"));
    // What is issued may also be something that is no access token (RFC 8693,
    // section 2.2.1).
    let is_access_token = matches!(
        text(members, "issued_token_type")?,
        None | Some(ACCESS_TOKEN | "urn:ietf:params:oauth:token-type:jwt")
    );
    if !is_bearer || !is_access_token || members.get("error").is_some() {
        return Err(AnswerProblem::Malformed);
    }
    let value = format!("Bearer {token}");
    let listed = ["authorization".to_owned()];
    let headers = InjectedHeaders::check([("authorization", value.as_str())], &listed)
        .map_err(AnswerProblem::Header)?;
    let expires_ms = number(members, "expires_in")?
        .map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000)));
    Ok(Answer::Ready(Issued {
        headers,
        version: None,
        cache_seconds: None,
        expires_ms,
    }))
}

fn refused(
    status: u16,
    members: &Object,
    retry_after_s: Option<u64>,
) -> Result<Answer, AnswerProblem> {
    let failed = |failure, code| Ok(Answer::Failed(failure, AnswerProblem::Code(code)));
    match text(members, "error")? {
        // A request that is not valid, or a subject token that is not
        // acceptable (RFC 8693, section 2.2.2).
        Some("invalid_request") => {
            failed(CredentialFailure::InvalidSubjectToken, "invalid_request")
        }
        Some("invalid_grant") => failed(CredentialFailure::InvalidSubjectToken, "invalid_grant"),
        Some("invalid_target") => failed(CredentialFailure::AccessDenied, "invalid_target"),
        Some("invalid_scope") => failed(CredentialFailure::AccessDenied, "invalid_scope"),
        Some("access_denied") => failed(CredentialFailure::AccessDenied, "access_denied"),
        Some("invalid_client") => failed(CredentialFailure::ServiceRefusesUs, "invalid_client"),
        Some("unauthorized_client") => {
            failed(CredentialFailure::ServiceRefusesUs, "unauthorized_client")
        }
        Some("unsupported_grant_type") => {
            failed(CredentialFailure::Configuration, "unsupported_grant_type")
        }
        Some("temporarily_unavailable") => {
            Ok(Answer::busy(retry_after_s, "temporarily_unavailable"))
        }
        Some(reason @ ("interaction_required" | "consent_required")) => {
            let url = match link(members, "authorization_endpoint")? {
                Some(url) => Some(url),
                None => link(members, "error_uri")?,
            };
            Ok(Answer::Consent(ConsentNeeded {
                url,
                elicitation_id: printable(members, "elicitation_id")?,
                expires_in: None,
                ..consent_without_url(Some(reason))
            }))
        }
        _ => Err(without_code(status)),
    }
}

fn consent_without_url(reason: Option<&str>) -> ConsentNeeded {
    ConsentNeeded {
        url: None,
        reason: reason.map(str::to_owned),
        elicitation_id: None,
        auth_type: AuthType::OAuth,
        app_uuid: None,
        expires_in: None,
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750,
/// section 2.1).
fn is_b64token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    !token.is_empty()
        && token.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}
