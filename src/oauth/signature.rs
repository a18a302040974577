//! Public keys, and signatures by them: verified by the host where it can be
//! relied on, and else by jwt-simple. The only place that knows that.

use core::fmt;
use std::borrow::Cow;

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey,
    ES384PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike as _, NoCustomClaims, PS256PublicKey,
    PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey, RS512PublicKey,
    RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};

use super::der;
use super::host_signatures::Verifiers;
use super::issuer::Algorithm;
use super::jws::Jws;
use super::token_error::TokenError;
use crate::json::Json;

/// A public key that was checked when it was made.
pub(super) struct PublicKey {
    kind: Kind,
    /// The SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    info: Vec<u8>,
    /// How long a signature by it is, in bytes.
    signature_bytes: usize,
}

enum Kind {
    /// Modulus and exponent. jwt-simple has one type for each algorithm, so
    /// that its own is made when the algorithm is known; next to the
    /// signature that costs nothing.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    P256(ES256PublicKey),
    P384(ES384PublicKey),
    Ed25519(Ed25519PublicKey),
}

impl PublicKey {
    /// An RSA key of 2048 to 4096 bits with an odd modulus and the exponent
    /// 65537: jwt-simple takes no other.
    pub(super) fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        RS256PublicKey::from_components(&modulus, &exponent).ok()?;
        Some(Self {
            info: der::rsa_public_key(&modulus, &exponent),
            signature_bytes: der::significant(&modulus).len(),
            kind: Kind::Rsa { modulus, exponent },
        })
    }

    /// A point on P-256, from its coordinates of 32 bytes.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y);
        Some(Self {
            kind: Kind::P256(ES256PublicKey::from_bytes(&point).ok()?),
            info: der::p256_public_key(&point),
            signature_bytes: 64,
        })
    }

    /// A point on P-384, from its coordinates of 48 bytes.
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        let point = uncompressed(x, y);
        Some(Self {
            kind: Kind::P384(ES384PublicKey::from_bytes(&point).ok()?),
            info: der::p384_public_key(&point),
            signature_bytes: 96,
        })
    }

    /// A point on edwards25519 that is not of small order, in its 32 bytes.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: Kind::Ed25519(Ed25519PublicKey::from_bytes(bytes).ok()?),
            info: der::ed25519_public_key(bytes),
            signature_bytes: 64,
        })
    }

    /// Whether signatures of this algorithm can be by this key.
    pub(super) const fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        matches!(
            (&self.kind, algorithm),
            (
                Kind::Rsa { .. },
                RS256 | RS384 | RS512 | PS256 | PS384 | PS512
            ) | (Kind::P256(_), ES256)
                | (Kind::P384(_), ES384)
                | (Kind::Ed25519(_), EdDSA)
        )
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
        match self.kind {
            Kind::Rsa { .. } | Kind::Ed25519(_) => Some(Cow::Borrowed(signature)),
            Kind::P256(_) | Kind::P384(_) => der::ecdsa_signature(signature).map(Cow::Owned),
        }
    }
}

/// A public key is no secret, but it is of no use in a log either.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Rsa { .. } => "Rsa",
            Kind::P256(_) => "P256",
            Kind::P384(_) => "P384",
            Kind::Ed25519(_) => "Ed25519",
        })
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
        .then(|| verifiers.ask(key, algorithm, jws.signing_input(), &jws.signature))
        .flatten();
    match said {
        Some(true) => Ok(()),
        Some(false) => Err(TokenError::BadSignature),
        None => verify_by_jwt_simple(key, algorithm, jws),
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

fn verify_by_jwt_simple(
    key: &PublicKey,
    algorithm: Algorithm,
    jws: &Jws<'_>,
) -> Result<(), TokenError> {
    macro_rules! rsa {
        ($key:ty, $modulus:expr, $exponent:expr) => {
            <$key>::from_components($modulus, $exponent).and_then(|key| {
                key.verify_token::<NoCustomClaims>(jws.token, Some(signature_only(jws)))
            })
        };
    }
    let options = || Some(signature_only(jws));
    let outcome = match (&key.kind, algorithm) {
        (Kind::Rsa { modulus, exponent }, algorithm) => match algorithm {
            Algorithm::RS256 => rsa!(RS256PublicKey, modulus, exponent),
            Algorithm::RS384 => rsa!(RS384PublicKey, modulus, exponent),
            Algorithm::RS512 => rsa!(RS512PublicKey, modulus, exponent),
            Algorithm::PS256 => rsa!(PS256PublicKey, modulus, exponent),
            Algorithm::PS384 => rsa!(PS384PublicKey, modulus, exponent),
            Algorithm::PS512 => rsa!(PS512PublicKey, modulus, exponent),
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => {
                return Err(TokenError::BadSignature);
            }
        },
        (Kind::P256(key), Algorithm::ES256) => {
            key.verify_token::<NoCustomClaims>(jws.token, options())
        }
        (Kind::P384(key), Algorithm::ES384) => {
            key.verify_token::<NoCustomClaims>(jws.token, options())
        }
        (Kind::Ed25519(key), Algorithm::EdDSA) => {
            key.verify_token::<NoCustomClaims>(jws.token, options())
        }
        _ => return Err(TokenError::BadSignature),
    };
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.is::<serde_json::Error>() => Err(TokenError::Malformed),
        Err(_) => Err(TokenError::BadSignature),
    }
}

/// Options that leave nothing to jwt-simple but signature and `alg`: our own
/// checks of claims and header are stricter, and two opinions on time would
/// be one too many. At time 0 nothing has expired; `accept_future` is about
/// `iat` and `nbf`; a required type that is the token's own replaces the rule
/// that only `JWT` and `+jwt` pass.
fn signature_only(jws: &Jws<'_>) -> VerificationOptions {
    VerificationOptions {
        accept_future: true,
        required_signature_type: jws.token_type().map(str::to_owned),
        time_tolerance: Some(Duration::from_secs(0)),
        max_token_length: Some(jws.token.len()),
        max_header_length: Some(jws.token.len()),
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        ..VerificationOptions::default()
    }
}

/// SEC 1, section 2.3.3.
fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}
