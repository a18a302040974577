//! Public keys, and signatures by them: verified by the host where it can be
//! relied on, and else by jwt-simple. The only place that knows that.

use core::fmt;
use std::borrow::Cow;

use mcp_auth_signatures::{Fault, Key, KeyKind};

use super::der;
use super::host_signatures::Verifiers;
use super::issuer::Algorithm;
use super::jws::Jws;
use super::token_error::TokenError;
use crate::json::Json;

/// A public key that was checked when it was made.
pub(super) struct PublicKey {
    key: Key,
    /// The SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    info: Vec<u8>,
    /// How long a signature by it is, in bytes.
    signature_bytes: usize,
}

impl PublicKey {
    /// An RSA key of 2048 to 4096 bits with an odd modulus and the exponent
    /// 65537: jwt-simple takes no other.
    pub(super) fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        Some(Self {
            info: der::rsa_public_key(&modulus, &exponent),
            signature_bytes: der::significant(&modulus).len(),
            key: Key::rsa(modulus, exponent)?,
        })
    }

    /// A point on P-256, from its coordinates of 32 bytes.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y);
        Some(Self {
            key: Key::p256(&point)?,
            info: der::p256_public_key(&point),
            signature_bytes: 64,
        })
    }

    /// A point on P-384, from its coordinates of 48 bytes.
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y);
        Some(Self {
            key: Key::p384(&point)?,
            info: der::p384_public_key(&point),
            signature_bytes: 96,
        })
    }

    /// A point on edwards25519 that is not of small order, in its 32 bytes.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            key: Key::ed25519(bytes)?,
            info: der::ed25519_public_key(bytes),
            signature_bytes: 64,
        })
    }

    /// Whether signatures of this algorithm can be by this key.
    pub(super) const fn is_for(&self, algorithm: Algorithm) -> bool {
        self.key.is_for(algorithm)
    }

    /// The SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    pub(super) fn info(&self) -> &[u8] {
        &self.info
    }

    /// A signature of a JWS in the form that the host takes. `None` if none
    /// by this key has that length or form (RFC 7518, sections 3.3 to 3.5).
    pub(super) fn signature_for_host<'a>(&self, signature: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if signature.len() != self.signature_bytes {
            return None;
        }
        match self.key.kind() {
            KeyKind::Rsa | KeyKind::Ed25519 => Some(Cow::Borrowed(signature)),
            KeyKind::P256 | KeyKind::P384 => der::ecdsa_signature(signature).map(Cow::Owned),
        }
    }
}

/// A public key is no secret, but it is of no use in a log either.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.kind().fmt(f)
    }
}

/// Checks the signature, and nothing else. Whoever verifies it, the answer is
/// the same: the host is asked only about tokens that jwt-simple has nothing
/// to find fault with but the signature.
///
/// # Errors
/// [`TokenError::BadSignature`]; also where the key cannot be used with the
/// algorithm. [`TokenError::Malformed`] where jwt-simple cannot read the
/// token: it is stricter with the types of members that nobody asks for.
pub(super) fn verify_signature(
    verifiers: &Verifiers,
    key: &PublicKey,
    algorithm: Algorithm,
    jws: &Jws<'_>,
) -> Result<(), TokenError> {
    if !key.is_for(algorithm) {
        return Err(TokenError::BadSignature);
    }
    let by_host = verifiers.is_by_host(algorithm) && is_plain(jws);
    let said = by_host
        .then(|| verifiers.ask(key, algorithm, jws.signing_input, &jws.signature))
        .flatten();
    match said {
        Some(true) => Ok(()),
        Some(false) => Err(TokenError::BadSignature),
        None => key
            .key
            .verify(algorithm, jws.token, jws.token_type())
            .map_err(|fault| match fault {
                Fault::Malformed => TokenError::Malformed,
                Fault::Signature => TokenError::BadSignature,
            }),
    }
}

/// Whether every member that jwt-simple knows has the type that it ordinarily
/// has, so that jwt-simple would read the token without an error. Members of
/// other types are the business of jwt-simple.
fn is_plain(jws: &Jws<'_>) -> bool {
    let text = |value: &Json| matches!(value, Json::String(_));
    let texts = |value: &Json| value.as_array().is_some_and(|all| all.iter().all(text));
    let date = |value: &Json| match value {
        Json::Number(number) => number.as_f64().is_some_and(|number| number >= 0.0),
        _ => false,
    };
    let header = jws.header.iter().all(|(name, value)| match name {
        "alg" | "cty" | "kid" | "typ" | "jku" | "jwk" | "x5u" | "x5t" | "x5t#S256" => text(value),
        "x5c" => texts(value),
        "crit" | "salt" => false,
        _ => true,
    });
    header
        && jws.claims.iter().all(|(name, value)| match name {
            "iss" | "sub" | "jti" | "nonce" => text(value),
            "aud" => text(value) || texts(value),
            "exp" | "nbf" | "iat" => date(value),
            _ => true,
        })
}

/// SEC 1, section 2.3.3.
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}
