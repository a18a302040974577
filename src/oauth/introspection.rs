//! Token introspection (RFC 7662): the call and its answer.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded::byte_serialize;

use super::Identity;
use super::fetch::{self, FetchFailure};
use super::issuer::{Introspection, Issuer};
use super::token_error::TokenError;
use super::verify::{audiences_of, check_common, identity, refuse_other_tokens};
use crate::callout::{self, Fetch, FetchAnswer, FetchId};
use crate::json::{self, Json, Object};

/// A token that its issuer calls active. For which server it may be used is
/// still to be checked.
#[derive(Debug)]
pub(super) struct ActiveToken {
    /// Who calls.
    pub(super) identity: Rc<Identity>,
    /// The values of `aud`.
    pub(super) audiences: Vec<String>,
    /// `exp`, in milliseconds since 1970.
    pub(super) expires_ms: u64,
}

const MAX_ANSWER_BYTES: usize = 256 * 1024;
const MAX_DEPTH: usize = 32;

/// The call that asks about `token` (RFC 7662, section 2.1).
pub(super) fn request(id: FetchId, introspection: &Introspection, token: &str) -> Fetch {
    let Introspection {
        endpoint,
        client_id,
        client_secret,
        cache_seconds: _,
        timeout_ms,
    } = introspection;
    // RFC 6749, section 2.3.1: form-urlencoded first, then Basic.
    let credentials = format!("{}:{}", form(client_id), form(client_secret.expose()));
    let mut call = callout::get(id, endpoint, *timeout_ms);
    for (name, value) in &mut call.headers {
        if name == ":method" {
            "POST".clone_into(value);
        }
    }
    call.headers.extend([
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
        (
            "authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(credentials)),
        ),
    ]);
    call.body = format!("token={}&token_type_hint=access_token", form(token)).into_bytes();
    call
}

/// Reads the answer (RFC 7662, section 2.2). The inner result is the issuer's
/// word on the token.
///
/// # Errors
/// [`FetchFailure`] where the issuer said nothing that can be understood:
/// that is no reason to call the token inactive.
pub(super) fn read_answer(
    answer: Option<FetchAnswer<'_>>,
    issuer: &Issuer,
    now_ms: u64,
) -> Result<Result<ActiveToken, TokenError>, FetchFailure> {
    let body = fetch::success(answer, MAX_ANSWER_BYTES)?;
    let Ok(Json::Object(members)) = json::parse(body, MAX_DEPTH) else {
        return Err(FetchFailure::Malformed);
    };
    match members.get("active") {
        Some(Json::Bool(true)) => Ok(active_token(members, issuer, now_ms)),
        Some(Json::Bool(false)) => Ok(Err(TokenError::Inactive)),
        _ => Err(FetchFailure::Malformed),
    }
}

fn active_token(
    members: Object<'static>,
    issuer: &Issuer,
    now_ms: u64,
) -> Result<ActiveToken, TokenError> {
    if let Some(iss) = members.get("iss")
        && iss.as_str() != Some(&issuer.issuer)
    {
        return Err(TokenError::UnknownIssuer);
    }
    if let Some(token_type) = members.get("token_type") {
        let token_type = token_type.as_str().ok_or(TokenError::InvalidClaim)?;
        if !token_type.eq_ignore_ascii_case("bearer") {
            return Err(TokenError::WrongType);
        }
    }
    refuse_other_tokens(&members)?;
    let checked = check_common(&members, issuer, now_ms)?;
    Ok(ActiveToken {
        audiences: audiences_of(&members)?,
        identity: Rc::new(identity(members, issuer, &checked)?),
        expires_ms: checked.expires_ms,
    })
}

fn form(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
