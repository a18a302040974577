//! Compact JWS (RFC 7515, section 3.1) that carries JWT claims (RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::issuer::{Algorithm, Issuer};
use super::token_error::TokenError;
use crate::json::{self, Json, JsonError, Object};

/// What a token looks like, before anything in it is believed.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    /// Three parts, the first of them a JSON object: a JWS.
    Jws(Parts<'a>),
    /// Five parts, the first of them a JSON object: a JWE.
    Jwe,
    /// Anything else; only its issuer can tell what it means.
    Opaque,
}

/// The parts of a compact JWS, none of them looked into but the first.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The whole token.
    token: &'a str,
    /// The header, decoded.
    header: Vec<u8>,
    /// The claims, as they came.
    claims: &'a str,
    /// The signature, as it came.
    signature: &'a str,
}

/// A parsed JWS. Nothing in it is verified.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// The whole token.
    pub(super) token: &'a str,
    /// What was signed (RFC 7515, section 5.1): header and claims as they
    /// came, with the dot between them.
    pub(super) signing_input: &'a str,
    /// The header. Its members `alg`, `kid` and `typ` are strings, where they
    /// are there, and `alg` is.
    pub(super) header: Object<'a>,
    /// The claims.
    pub(super) claims: Object<'static>,
    /// The signature, in the form that the algorithm gives it.
    pub(super) signature: Vec<u8>,
}

/// The media type that RFC 9068 gives to access tokens.
pub(super) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

const HEADER_DEPTH: usize = 8;
const CLAIMS_DEPTH: usize = 32;

/// What `token` looks like.
pub(super) fn shape(token: &str) -> Shape<'_> {
    let mut parts = token.split('.');
    let header = parts
        .next()
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .filter(|bytes| bytes.first() == Some(&b'{'));
    let Some(header) = header else {
        return Shape::Opaque;
    };
    match (parts.next(), parts.next(), parts.count()) {
        (Some(claims), Some(signature), 0) => Shape::Jws(Parts {
            token,
            header,
            claims,
            signature,
        }),
        (Some(_), Some(_), 2) => Shape::Jwe,
        _ => Shape::Opaque,
    }
}

impl<'a> Jws<'a> {
    /// Parses strictly: unpadded base64url without stray bits, JSON without
    /// duplicate members. Keys that the header brings along or points to
    /// (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.
    pub(super) fn parse(parts: &'a Parts<'a>) -> Result<Self, TokenError> {
        let header = object(json::borrowed(&parts.header, HEADER_DEPTH))?;
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return Err(TokenError::CriticalExtension);
        }
        text(&header, "alg")?.ok_or(TokenError::Malformed)?;
        if text(&header, "cty")?.is_some_and(is_jwt_type) {
            return Err(TokenError::Nested);
        }
        text(&header, "kid")?;
        text(&header, "typ")?;
        let signature = decoded(parts.signature)?;
        let claims = object(json::parse(&decoded(parts.claims)?, CLAIMS_DEPTH))?;
        // Behind them are a dot and the signature.
        let behind = parts.signature.len().checked_add(1);
        let signing_input = behind
            .and_then(|behind| parts.token.len().checked_sub(behind))
            .and_then(|end| parts.token.get(..end))
            .ok_or(TokenError::Malformed)?;
        Ok(Self {
            token: parts.token,
            signing_input,
            header,
            claims,
            signature,
        })
    }

    /// The header member `kid`: no more than a hint for the lookup.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Json::as_str)
    }

    /// The header member `typ`, as it is.
    pub(super) fn token_type(&self) -> Option<&str> {
        self.header.get("typ").and_then(Json::as_str)
    }

    /// The algorithm, if the issuer may use it. `none` and HMAC are no
    /// [`Algorithm`] at all.
    pub(super) fn allowed_algorithm(&self, issuer: &Issuer) -> Result<Algorithm, TokenError> {
        self.header
            .get("alg")
            .and_then(Json::as_str)
            .and_then(Algorithm::parse)
            .filter(|algorithm| issuer.algorithms.contains(algorithm))
            .ok_or(TokenError::Algorithm)
    }

    /// The type without `application/`, in whatever case; empty without
    /// `typ`. Compare [`Issuer::token_types`].
    pub(super) fn media_type(&self) -> &str {
        self.token_type()
            .map(without_application)
            .unwrap_or_default()
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}

fn object(parsed: Result<Json<'_>, JsonError>) -> Result<Object<'_>, TokenError> {
    match parsed {
        Ok(Json::Object(members)) => Ok(members),
        _ => Err(TokenError::Malformed),
    }
}

fn text<'a>(header: &'a Object<'_>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Malformed),
    }
}

/// Without `application/`, in whatever case, which may be left out where no
/// other slash follows (RFC 7515, section 4.1.9).
fn without_application(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    media_type
        .split_at_checked(PREFIX.len())
        .filter(|(prefix, _)| prefix.eq_ignore_ascii_case(PREFIX))
        .map_or(media_type, |(_, rest)| rest)
}

fn is_jwt_type(media_type: &str) -> bool {
    const SUFFIX: &str = "+jwt";
    let media_type = without_application(media_type);
    let suffix = media_type
        .len()
        .checked_sub(SUFFIX.len())
        .and_then(|start| media_type.get(start..));
    media_type.eq_ignore_ascii_case("jwt")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(SUFFIX))
}
