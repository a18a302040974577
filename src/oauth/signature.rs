//! Signatures, through jwt-simple. The only place that knows it.

use core::fmt;

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey,
    ES384PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike as _, NoCustomClaims, PS256PublicKey,
    PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey, RS512PublicKey,
    RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};

use super::issuer::Algorithm;
use super::jws::Jws;
use super::token_error::TokenError;

/// A public key that was checked when it was made.
pub(super) enum PublicKey {
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
        Some(Self::Rsa { modulus, exponent })
    }

    /// A point on P-256, from its coordinates of 32 bytes.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        ES256PublicKey::from_bytes(&uncompressed(x, y))
            .ok()
            .map(Self::P256)
    }

    /// A point on P-384, from its coordinates of 48 bytes.
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        ES384PublicKey::from_bytes(&uncompressed(x, y))
            .ok()
            .map(Self::P384)
    }

    /// A point on edwards25519 that is not of small order, in its 32 bytes.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        Ed25519PublicKey::from_bytes(bytes).ok().map(Self::Ed25519)
    }
}

/// A public key is no secret, but it is of no use in a log either.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa { .. } => "Rsa",
            Self::P256(_) => "P256",
            Self::P384(_) => "P384",
            Self::Ed25519(_) => "Ed25519",
        })
    }
}

/// Checks the signature, and nothing else.
///
/// # Errors
/// [`TokenError::BadSignature`]; also where the key cannot be used with the
/// algorithm. [`TokenError::Malformed`] where jwt-simple cannot read the
/// token: it is stricter with the types of members that nobody asks for.
pub(super) fn verify_signature(
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
    let outcome = match (key, algorithm) {
        (PublicKey::Rsa { modulus, exponent }, algorithm) => match algorithm {
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
        (PublicKey::P256(key), Algorithm::ES256) => {
            key.verify_token::<NoCustomClaims>(jws.token, options())
        }
        (PublicKey::P384(key), Algorithm::ES384) => {
            key.verify_token::<NoCustomClaims>(jws.token, options())
        }
        (PublicKey::Ed25519(key), Algorithm::EdDSA) => {
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
        required_signature_type: jws.token_type.clone(),
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
