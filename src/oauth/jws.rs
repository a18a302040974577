//! Compact JWS (RFC 7515, section 3.1) that carries JWT claims (RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::issuer::{Algorithm, Issuer};
use super::token_error::TokenError;
use crate::json::{self, Json, Object};

/// What a token looks like, before anything in it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Three parts, the first of them a JSON object: a JWS.
    Jws,
    /// Five parts, the first of them a JSON object: a JWE.
    Jwe,
    /// Anything else; only its issuer can tell what it means.
    Opaque,
}

/// A parsed JWS. Nothing in it is verified.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// The whole token.
    pub(super) token: &'a str,
    /// The header member `alg`, as it is.
    pub(super) algorithm: String,
    /// The header member `kid`: no more than a hint for the lookup.
    pub(super) key_id: Option<String>,
    /// The header member `typ`, as it is.
    pub(super) token_type: Option<String>,
    /// The claims.
    pub(super) claims: Object,
}

/// The media type that RFC 9068 gives to access tokens.
pub(super) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

const HEADER_DEPTH: usize = 8;
const CLAIMS_DEPTH: usize = 32;

/// What `token` looks like.
pub(super) fn shape(token: &str) -> Shape {
    let mut parts = token.split('.');
    let header_is_json = parts
        .next()
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .is_some_and(|bytes| bytes.first() == Some(&b'{'));
    match (header_is_json, parts.count()) {
        (true, 2) => Shape::Jws,
        (true, 4) => Shape::Jwe,
        _ => Shape::Opaque,
    }
}

impl<'a> Jws<'a> {
    /// Parses strictly: unpadded base64url without stray bits, JSON without
    /// duplicate members. Keys that the header brings along or points to
    /// (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let header = object(header, HEADER_DEPTH)?;
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return Err(TokenError::CriticalExtension);
        }
        let algorithm = text(&header, "alg")?.ok_or(TokenError::Malformed)?;
        if text(&header, "cty")?.is_some_and(|media_type| is_jwt_type(&media_type)) {
            return Err(TokenError::Nested);
        }
        let key_id = text(&header, "kid")?;
        let token_type = text(&header, "typ")?;
        URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| TokenError::Malformed)?;
        Ok(Self {
            token,
            algorithm,
            key_id,
            token_type,
            claims: object(claims, CLAIMS_DEPTH)?,
        })
    }

    /// The algorithm, if the issuer may use it. `none` and HMAC are no
    /// [`Algorithm`] at all.
    pub(super) fn allowed_algorithm(&self, issuer: &Issuer) -> Result<Algorithm, TokenError> {
        Algorithm::parse(&self.algorithm)
            .filter(|algorithm| issuer.algorithms.contains(algorithm))
            .ok_or(TokenError::Algorithm)
    }

    /// The type in the form of [`Issuer::token_types`]; empty without `typ`.
    pub(super) fn normalized_type(&self) -> String {
        self.token_type
            .as_deref()
            .map(without_application)
            .unwrap_or_default()
    }
}

fn object(part: &str, max_depth: usize) -> Result<Object, TokenError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)?;
    match json::parse(&bytes, max_depth) {
        Ok(Json::Object(members)) => Ok(members),
        _ => Err(TokenError::Malformed),
    }
}

fn text(header: &Object, name: &str) -> Result<Option<String>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Malformed),
    }
}

/// Lower case, without `application/`, which may be left out where no other
/// slash follows (RFC 7515, section 4.1.9).
fn without_application(media_type: &str) -> String {
    let media_type = media_type.to_ascii_lowercase();
    match media_type.strip_prefix("application/") {
        Some(rest) => rest.to_owned(),
        None => media_type,
    }
}

fn is_jwt_type(media_type: &str) -> bool {
    let media_type = without_application(media_type);
    media_type == "jwt" || media_type.ends_with("+jwt")
}
