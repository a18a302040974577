//! From claims to an [`Identity`]: of a JWT, or of an introspection answer.

use std::rc::Rc;

use super::identity::CallerHash;
use super::issuer::Issuer;
use super::jws::{ACCESS_TOKEN_TYPE, Jws};
use super::token_error::TokenError;
use super::{ClaimPath, Identity, Scopes, SubjectType};
use crate::json::{Json, Object};

/// The claims of an access token in which everything but the signature was
/// found in order.
#[derive(Debug)]
pub(super) struct Checked {
    /// `exp`, in milliseconds since 1970.
    pub(super) expires_ms: u64,
}

/// The checks of a JWT that cost little: type, issuer, audience, times and
/// the claims that have to be there (RFC 9068, section 4).
pub(super) fn check_jwt(
    jws: &Jws<'_>,
    issuer: &Issuer,
    audiences: &[String],
    now_ms: u64,
) -> Result<Checked, TokenError> {
    let token_type = jws.media_type();
    if !issuer
        .token_types
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(token_type))
    {
        return Err(TokenError::WrongType);
    }
    let claims = &jws.claims;
    if claims.get("iss").and_then(Json::as_str) != Some(&issuer.issuer) {
        return Err(TokenError::UnknownIssuer);
    }
    check_audience(audiences_in(claims)?, audiences)?;
    let checked = check_common(claims, issuer, now_ms)?;
    if token_type.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) {
        for name in ["client_id", "jti"] {
            required_text(claims, name)?;
        }
        claims.get("iat").ok_or(TokenError::MissingClaim)?;
    } else {
        refuse_other_tokens(claims)?;
    }
    Ok(checked)
}

/// What holds for JWTs and for introspection answers: `exp`, `nbf`, `iat`,
/// `sub`, `cnf`.
pub(super) fn check_common(
    claims: &Object,
    issuer: &Issuer,
    now_ms: u64,
) -> Result<Checked, TokenError> {
    if claims.get("cnf").is_some() {
        return Err(TokenError::SenderConstrained);
    }
    let leeway_ms = issuer.leeway_seconds.saturating_mul(1000);
    let expires_ms = date(claims, "exp")?.ok_or(TokenError::MissingClaim)?;
    if now_ms >= expires_ms.saturating_add(leeway_ms) {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        if date(claims, name)?.is_some_and(|start| start > now_ms.saturating_add(leeway_ms)) {
            return Err(TokenError::NotYetValid);
        }
    }
    required_text(claims, "sub")?;
    Ok(Checked { expires_ms })
}

/// The values of `aud`: a string or an array of strings (RFC 7519, section
/// 4.1.3).
pub(super) fn audiences_of(claims: &Object) -> Result<Vec<String>, TokenError> {
    Ok(audiences_in(claims)?.map(str::to_owned).collect())
}

fn audiences_in<'a>(claims: &'a Object<'a>) -> Result<impl Iterator<Item = &'a str>, TokenError> {
    let values = match claims.get("aud").ok_or(TokenError::MissingClaim)? {
        audience @ Json::String(_) => core::slice::from_ref(audience),
        Json::Array(audiences) => audiences,
        _ => return Err(TokenError::InvalidClaim),
    };
    if values.iter().any(|value| value.as_str().is_none()) {
        return Err(TokenError::InvalidClaim);
    }
    Ok(values.iter().filter_map(Json::as_str))
}

/// One of the token's audiences has to be one of the server's, to the
/// character.
pub(super) fn check_audience<'a>(
    mut token: impl Iterator<Item = &'a str>,
    server: &[String],
) -> Result<(), TokenError> {
    if token.any(|audience| server.iter().any(|own| own == audience)) {
        Ok(())
    } else {
        Err(TokenError::WrongAudience)
    }
}

/// The identity of claims that were checked, and whose origin is proven: by
/// the signature, or because the issuer itself answered.
pub(super) fn identity(
    claims: Object<'static>,
    issuer: &Issuer,
    checked: &Checked,
) -> Result<Identity, TokenError> {
    let subject = text_at(&claims, &issuer.claims.subject)?.ok_or(TokenError::MissingClaim)?;
    Ok(Identity {
        issuer_id: Rc::clone(&issuer.id),
        issuer: Rc::clone(&issuer.issuer),
        subject: subject.to_owned(),
        subject_type: subject_type(&claims, issuer)?,
        client: text_at(&claims, &issuer.claims.client)?.map(str::to_owned),
        scopes: scopes(&claims, issuer)?,
        expires_at: checked.expires_ms.checked_div(1000).unwrap_or_default(),
        claims,
        caller: CallerHash::default(),
    })
}

fn subject_type(claims: &Object, issuer: &Issuer) -> Result<SubjectType, TokenError> {
    let source = &issuer.claims.subject_type;
    let Some((path, meanings)) = &source.claim else {
        return Ok(source.default);
    };
    let Some(value) = path.find(claims) else {
        return Ok(source.default);
    };
    meanings
        .iter()
        .find_map(|(name, meaning)| (value.as_str() == Some(name)).then_some(*meaning))
        .ok_or(TokenError::InvalidClaim)
}

fn scopes(claims: &Object, issuer: &Issuer) -> Result<Scopes, TokenError> {
    let value = issuer
        .claims
        .scopes
        .iter()
        .find_map(|path| path.find(claims));
    let scopes = match value {
        None => return Ok(Scopes::default()),
        Some(Json::String(scopes)) => Scopes::parse(scopes),
        Some(Json::Array(scopes)) => {
            let names: Option<Vec<&str>> = scopes.iter().map(Json::as_str).collect();
            Scopes::from_names(names.ok_or(TokenError::InvalidClaim)?)
        }
        Some(_) => return Err(TokenError::InvalidClaim),
    };
    scopes.map_err(|_| TokenError::InvalidClaim)
}

/// Where an issuer's access tokens have no type of their own, its other
/// tokens are told apart by their claims: ID tokens (OpenID Connect Core,
/// section 3.1.3.6), logout tokens (Back-Channel Logout, section 2.4), DPoP
/// proofs (RFC 9449, section 4.2), and what Keycloak writes into `typ`.
pub(super) fn refuse_other_tokens(claims: &Object) -> Result<(), TokenError> {
    const MEMBERS: [&str; 6] = ["at_hash", "c_hash", "s_hash", "events", "htm", "htu"];
    const TYPES: [&str; 4] = ["id", "refresh", "offline", "logout"];
    let declared = claims.get("typ").and_then(Json::as_str);
    if MEMBERS.into_iter().any(|name| claims.get(name).is_some())
        || declared.is_some_and(|declared| {
            TYPES
                .into_iter()
                .any(|other| declared.eq_ignore_ascii_case(other))
        })
    {
        return Err(TokenError::WrongType);
    }
    Ok(())
}

/// A NumericDate (RFC 7519, section 2), fractions included, in milliseconds.
fn date(claims: &Object, name: &str) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let Json::Number(number) = value else {
        return Err(TokenError::InvalidClaim);
    };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(seconds.saturating_mul(1000)));
    }
    match number.as_f64() {
        // Beyond what 64 bits hold, the cast saturates.
        Some(seconds) if seconds >= 0.0 => Ok(Some((seconds * 1000.0) as u64)),
        _ => Err(TokenError::InvalidClaim),
    }
}

fn required_text(claims: &Object, name: &str) -> Result<(), TokenError> {
    let value = claims.get(name).ok_or(TokenError::MissingClaim)?;
    printable(value).map(drop)
}

fn text_at<'a>(claims: &'a Object, path: &ClaimPath) -> Result<Option<&'a str>, TokenError> {
    path.find(claims).map(printable).transpose()
}

/// A string that names someone: not empty, and without control characters,
/// which have no place in a name and would end a header or a log line.
fn printable<'a>(value: &'a Json<'_>) -> Result<&'a str, TokenError> {
    value
        .as_str()
        .filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
        .ok_or(TokenError::InvalidClaim)
}
