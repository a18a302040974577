//! Requests to the token endpoint, and its answers (RFC 6749, section 5).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::metadata::is_scope;
use super::{ErrorCode, OAuthClient, ProviderError};
use crate::outbound::{Answer, Outbound};
use crate::secret::Secret;

/// What a token is asked for with.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// An authorization code (OAuth 2.1, section 4.1.3).
    Code {
        /// The code.
        code: &'a Secret,
        /// The redirect URI of the authorization request.
        redirect_uri: &'a str,
        /// The PKCE verifier.
        verifier: &'a Secret,
    },
    /// A refresh token (OAuth 2.1, section 4.3).
    Refresh(&'a Secret),
    /// Being this client (OAuth 2.1, section 4.2).
    ClientCredentials,
    /// A user's token (RFC 8693).
    TokenExchange {
        /// The user's token.
        subject_token: &'a Secret,
        /// The audience to ask for.
        audience: Option<&'a str>,
    },
}

/// What the token endpoint gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAnswer {
    /// A bearer token that can stand in a header.
    pub access_token: Secret,
    /// For the next one.
    pub refresh_token: Option<Secret>,
    /// For how many seconds the access token is good; more than 0.
    pub expires_in: Option<i64>,
    /// Its scopes. `None`: those that were asked for.
    pub scopes: Option<Vec<String>>,
    /// Who signed in (OpenID Connect).
    pub id_token: Option<Secret>,
}

/// Asks for a token.
///
/// # Errors
/// None was given.
pub async fn request_token(
    outbound: &Outbound,
    endpoint: &Url,
    client: &OAuthClient,
    grant: Grant<'_>,
    scopes: &[String],
    resource: Option<&str>,
    parameters: &BTreeMap<String, String>,
) -> Result<TokenAnswer, ProviderError> {
    let text = |secret: &'_ Secret| -> Result<Zeroizing<String>, ProviderError> {
        let text = secret.expose_text();
        let text = text.ok_or(ProviderError::Answer("a token is not text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    let mut secrets: Vec<(&str, Zeroizing<String>)> = vec![];
    let mut form: Vec<(&str, &str)> = vec![];
    match grant {
        Grant::Code {
            code,
            redirect_uri,
            verifier,
        } => {
            form.push(("grant_type", "authorization_code"));
            form.push(("redirect_uri", redirect_uri));
            secrets.push(("code", text(code)?));
            secrets.push(("code_verifier", text(verifier)?));
        }
        Grant::Refresh(refresh_token) => {
            form.push(("grant_type", "refresh_token"));
            secrets.push(("refresh_token", text(refresh_token)?));
        }
        Grant::ClientCredentials => form.push(("grant_type", "client_credentials")),
        Grant::TokenExchange {
            subject_token,
            audience,
        } => {
            form.push(("grant_type", TOKEN_EXCHANGE));
            form.push(("subject_token_type", ACCESS_TOKEN));
            form.push(("requested_token_type", ACCESS_TOKEN));
            secrets.push(("subject_token", text(subject_token)?));
            form.extend(audience.map(|audience| ("audience", audience)));
        }
    }
    let scope = scopes.join(" ");
    // The scopes of a code are fixed; a refresh keeps those that it has.
    if !scope.is_empty()
        && matches!(
            grant,
            Grant::ClientCredentials | Grant::TokenExchange { .. }
        )
    {
        form.push(("scope", &scope));
    }
    form.extend(resource.map(|resource| ("resource", resource)));
    let (authorization, own) = client.authenticate();
    form.extend(own);
    form.extend(secrets.iter().map(|(name, text)| (*name, text.as_str())));
    let further: Vec<(&str, &str)> = parameters
        .iter()
        .filter(|(name, _)| !form.iter().any(|(own, _)| own == name) && !is_own(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    form.extend(further);
    let answer = outbound
        .post_form(endpoint, form, authorization.as_ref())
        .await?;
    let exchanged = matches!(grant, Grant::TokenExchange { .. });
    parse_answer(&answer, exchanged)
}

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Parameters that no configuration sets.
fn is_own(name: &str) -> bool {
    matches!(
        name,
        "grant_type"
            | "code"
            | "code_verifier"
            | "redirect_uri"
            | "refresh_token"
            | "client_id"
            | "client_secret"
            | "subject_token"
            | "subject_token_type"
    )
}

#[derive(Deserialize)]
struct SuccessDocument {
    access_token: Zeroizing<String>,
    token_type: String,
    expires_in: Option<Value>,
    refresh_token: Option<Zeroizing<String>>,
    scope: Option<String>,
    id_token: Option<Zeroizing<String>>,
    issued_token_type: Option<String>,
}

#[derive(Deserialize)]
struct ErrorDocument {
    error: String,
}

/// Longer tokens do not fit into the header of a request.
const LONGEST_TOKEN: usize = 16 * 1024;
/// A longer life than this is not believed.
const LONGEST_LIFE: i64 = 10 * 365 * 24 * 3600;

pub(super) fn parse_answer(answer: &Answer, exchanged: bool) -> Result<TokenAnswer, ProviderError> {
    if answer.status != 200 {
        return Err(parse_error(answer));
    }
    let bytes = answer.body.expose();
    // Some servers say with the status 200 that something is wrong.
    if let Ok(ErrorDocument { error }) = serde_json::from_slice(bytes) {
        return Err(ProviderError::Refused(ErrorCode::from_name(&error)));
    }
    let rule = ProviderError::Answer;
    let document: SuccessDocument =
        serde_json::from_slice(bytes).map_err(|_| rule("not a token answer"))?;
    if !document.token_type.eq_ignore_ascii_case("bearer") {
        return Err(rule("token_type is not Bearer"));
    }
    let not_access_token =
        |kind: &String| kind != ACCESS_TOKEN && kind != "urn:ietf:params:oauth:token-type:jwt";
    if exchanged
        && document
            .issued_token_type
            .as_ref()
            .is_some_and(not_access_token)
    {
        return Err(rule("issued_token_type is not an access token"));
    }
    let secret = |text: Zeroizing<String>| Secret::new(text.as_bytes());
    if !is_token(&document.access_token) {
        return Err(rule("access_token is not a token"));
    }
    let refresh_token = document.refresh_token.filter(|token| !token.is_empty());
    if refresh_token
        .as_ref()
        .is_some_and(|token| !is_vschar(token))
    {
        return Err(rule("refresh_token is not a token"));
    }
    Ok(TokenAnswer {
        access_token: secret(document.access_token),
        refresh_token: refresh_token.map(secret),
        expires_in: match document.expires_in {
            None | Some(Value::Null) => None,
            Some(value) => Some(lifetime(&value).ok_or(rule("expires_in is not a duration"))?),
        },
        scopes: match document.scope {
            None => None,
            Some(text) => Some(parse_scopes(&text).ok_or(rule("scope is not a list of scopes"))?),
        },
        id_token: document.id_token.map(secret),
    })
}

/// What an answer other than success means.
pub(super) fn parse_error(answer: &Answer) -> ProviderError {
    let code = || {
        serde_json::from_slice(answer.body.expose())
            .ok()
            .map(|ErrorDocument { error }| ErrorCode::from_name(&error))
    };
    match answer.status {
        429 => ProviderError::RateLimited {
            retry_after: answer.retry_after,
        },
        500.. => ProviderError::Unavailable,
        400..=499 => match code() {
            Some(ErrorCode::TemporarilyUnavailable) => ProviderError::Unavailable,
            Some(code) => ProviderError::Refused(code),
            // Also with 401, which may come from something in between: without
            // its code (RFC 6749, section 5.2), nothing is said of the client.
            None => ProviderError::Answer("an error without a code"),
        },
        _ => ProviderError::Answer("neither success nor an error"),
    }
}

/// A token that can stand in a header: visible ASCII.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_TOKEN
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 6749, appendix A.17.
fn is_vschar(text: &str) -> bool {
    text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Whole seconds; some servers write them as a string, or as 3600.0.
fn lifetime(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().unwrap_or(LONGEST_LIFE);
    Some(seconds.clamp(0, LONGEST_LIFE))
}

/// GitHub separates scopes by commas.
fn parse_scopes(text: &str) -> Option<Vec<String>> {
    let scopes: Vec<String> = text
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    (scopes.len() <= 1000 && scopes.iter().all(|scope| is_scope(scope))).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status,
            challenges: vec![],
            retry_after: Some(7),
            body: Secret::new(body),
        }
    }

    fn read(document: &Value) -> Result<TokenAnswer, ProviderError> {
        parse_answer(&answer(200, document.to_string()), false)
    }

    #[test]
    fn an_answer_is_read_with_everything_in_it() {
        let found = read(&json!({
            "access_token": "at", "token_type": "bearer", "expires_in": 3600,
            "refresh_token": "rt", "scope": "a b", "more": [1],
        }))
        .unwrap();
        assert_eq!(found.access_token.expose(), b"at");
        assert_eq!(found.refresh_token.unwrap().expose(), b"rt");
        assert_eq!(found.expires_in, Some(3600));
        assert_eq!(found.scopes.unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_left_out_is_absent() {
        for document in [
            json!({"access_token": "at", "token_type": "Bearer"}),
            json!({"access_token": "at", "token_type": "Bearer", "expires_in": null,
                   "refresh_token": null, "scope": null}),
            json!({"access_token": "at", "token_type": "Bearer", "refresh_token": ""}),
        ] {
            let found = read(&document).unwrap();
            assert_eq!(found.expires_in, None);
            assert_eq!(found.refresh_token, None);
            assert_eq!(found.scopes, None);
        }
    }

    #[test]
    fn a_lifetime_is_whole_seconds_also_as_a_string() {
        for (value, expected) in [
            (json!(0), Some(0)),
            (json!("3600"), Some(3600)),
            (json!(3600.0), Some(3600)),
            (json!(u64::MAX), Some(LONGEST_LIFE)),
            (json!("999999999999999999999999"), Some(LONGEST_LIFE)),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(""), None),
            (json!("+1"), None),
            (json!([1]), None),
        ] {
            assert_eq!(lifetime(&value), expected, "{value}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_no_token() {
        for document in [
            json!({"access_token": "", "token_type": "Bearer"}),
            json!({"access_token": "a b", "token_type": "Bearer"}),
            json!({"access_token": "a\r\nx: y", "token_type": "Bearer"}),
            json!({"access_token": "é", "token_type": "Bearer"}),
            json!({"access_token": "x".repeat(LONGEST_TOKEN + 1), "token_type": "Bearer"}),
            json!({"access_token": "at", "token_type": "DPoP"}),
            json!({"access_token": "at"}),
            json!({"token_type": "Bearer"}),
            json!({"access_token": "at", "token_type": "Bearer", "refresh_token": "\n"}),
            json!({"access_token": "at", "token_type": "Bearer", "scope": "a\"b"}),
            json!([]),
        ] {
            assert!(
                matches!(read(&document), Err(ProviderError::Answer(_))),
                "{document}"
            );
        }
        let twice = r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#;
        assert!(parse_answer(&answer(200, twice), false).is_err());
    }

    #[test]
    fn errors_are_told_apart_by_their_code_and_status() {
        let error = |status, body: &str| format!("{:?}", parse_error(&answer(status, body)));
        let coded = r#"{"error":"invalid_grant","error_description":"secret words"}"#;
        assert_eq!(error(400, coded), "Refused(InvalidGrant)");
        assert_eq!(error(403, coded), "Refused(InvalidGrant)");
        assert_eq!(error(500, coded), "Unavailable");
        assert_eq!(error(429, coded), "RateLimited { retry_after: Some(7) }");
        assert_eq!(error(401, "no"), r#"Answer("an error without a code")"#);
        assert_eq!(error(400, "no"), r#"Answer("an error without a code")"#);
        assert_eq!(error(302, ""), r#"Answer("neither success nor an error")"#);
        assert_eq!(error(400, r#"{"error":"new"}"#), "Refused(Other)");
        let in_success = parse_answer(&answer(200, r#"{"error":"bad_refresh_token"}"#), false);
        assert!(matches!(
            in_success,
            Err(ProviderError::Refused(ErrorCode::InvalidGrant))
        ));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_harm(status: u16, body: Vec<u8>) {
            if let Ok(found) = parse_answer(&answer(status, body), true) {
                prop_assert!(is_token(found.access_token.expose_text().unwrap()));
            }
        }

        #[test]
        fn a_token_that_is_taken_can_stand_in_a_header(token in ".*", kind in "(?i)bearer|[a-z]*") {
            let document = json!({"access_token": token, "token_type": kind});
            if let Ok(found) = read(&document) {
                let text = found.access_token.expose_text().unwrap().to_owned();
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(kind.eq_ignore_ascii_case("bearer"));
            }
        }

        #[test]
        fn no_body_is_in_an_error(body in "[a-z]{12,40}", status in 200_u16..600) {
            let document = json!({"error": body, "error_description": body}).to_string();
            if let Err(error) = parse_answer(&answer(status, document), false) {
                let printed = format!("{error} {error:?}");
                prop_assert!(!printed.contains(&body));
            }
        }
    }
}
