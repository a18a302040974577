//! Signatures of access tokens, through jwt-simple. The only place that knows it.
//!
//! A crate of its own for the size of the module: what is generic in
//! jwt-simple is compiled here, for size, once for each algorithm.

use core::fmt;

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey,
    ES384PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike as _, NoCustomClaims, PS256PublicKey,
    PS384PublicKey, PS512PublicKey, RS256PublicKey, RS384PublicKey, RS512PublicKey,
    RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};

/// JWS algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// Every algorithm that the gate can verify.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The algorithm of that name; case matters (RFC 7515, section 4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The name in `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// jwt-simple cannot read the token: it is strict with the types of
    /// members that nobody asks for.
    Malformed,
    /// It is not this key's signature, or the key is for other algorithms.
    Signature,
}

/// The kinds of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// EdDSA on edwards25519.
    Ed25519,
}

/// A public key that was checked when it was made.
pub struct Key(Kind);

/// A public key is no secret, but it is of no use in a log either.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
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

impl Key {
    /// An RSA key of 2048 to 4096 bits with an odd modulus and the exponent
    /// 65537: jwt-simple takes no other.
    pub fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Self> {
        RS256PublicKey::from_components(&modulus, &exponent).ok()?;
        Some(Self(Kind::Rsa { modulus, exponent }))
    }

    /// A point on P-256, uncompressed (SEC 1, section 2.3.3).
    pub fn p256(point: &[u8]) -> Option<Self> {
        let key = ES256PublicKey::from_bytes(point).ok()?;
        Some(Self(Kind::P256(key)))
    }

    /// A point on P-384, uncompressed (SEC 1, section 2.3.3).
    pub fn p384(point: &[u8]) -> Option<Self> {
        let key = ES384PublicKey::from_bytes(point).ok()?;
        Some(Self(Kind::P384(key)))
    }

    /// A point on edwards25519 that is not of small order, in its 32 bytes.
    pub fn ed25519(bytes: &[u8]) -> Option<Self> {
        let key = Ed25519PublicKey::from_bytes(bytes).ok()?;
        Some(Self(Kind::Ed25519(key)))
    }

    /// Whether signatures of this algorithm can be by this key.
    pub const fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        matches!(
            (&self.0, algorithm),
            (
                Kind::Rsa { .. },
                RS256 | RS384 | RS512 | PS256 | PS384 | PS512
            ) | (Kind::P256(_), ES256)
                | (Kind::P384(_), ES384)
                | (Kind::Ed25519(_), EdDSA)
        )
    }

    /// Its kind.
    pub const fn kind(&self) -> KeyKind {
        match self.0 {
            Kind::Rsa { .. } => KeyKind::Rsa,
            Kind::P256(_) => KeyKind::P256,
            Kind::P384(_) => KeyKind::P384,
            Kind::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Checks the signature of a JWT in compact form and its `alg`, and
    /// nothing else. `token_type` is the token's own `typ`.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn verify(
        &self,
        algorithm: Algorithm,
        token: &str,
        token_type: Option<&str>,
    ) -> Result<(), Fault> {
        macro_rules! rsa {
            ($key:ty, $modulus:expr, $exponent:expr) => {
                <$key>::from_components($modulus, $exponent).and_then(|key| {
                    key.verify_token::<NoCustomClaims>(
                        token,
                        Some(signature_only(token, token_type)),
                    )
                })
            };
        }
        let options = || Some(signature_only(token, token_type));
        let outcome = match (&self.0, algorithm) {
            (Kind::Rsa { modulus, exponent }, algorithm) => match algorithm {
                Algorithm::RS256 => rsa!(RS256PublicKey, modulus, exponent),
                Algorithm::RS384 => rsa!(RS384PublicKey, modulus, exponent),
                Algorithm::RS512 => rsa!(RS512PublicKey, modulus, exponent),
                Algorithm::PS256 => rsa!(PS256PublicKey, modulus, exponent),
                Algorithm::PS384 => rsa!(PS384PublicKey, modulus, exponent),
                Algorithm::PS512 => rsa!(PS512PublicKey, modulus, exponent),
                Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => {
                    return Err(Fault::Signature);
                }
            },
            (Kind::P256(key), Algorithm::ES256) => {
                key.verify_token::<NoCustomClaims>(token, options())
            }
            (Kind::P384(key), Algorithm::ES384) => {
                key.verify_token::<NoCustomClaims>(token, options())
            }
            (Kind::Ed25519(key), Algorithm::EdDSA) => {
                key.verify_token::<NoCustomClaims>(token, options())
            }
            _ => return Err(Fault::Signature),
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if error.is::<serde_json::Error>() => Err(Fault::Malformed),
            Err(_) => Err(Fault::Signature),
        }
    }
}

/// Options that leave nothing to jwt-simple but signature and `alg`: our own
/// checks of claims and header are stricter, and two opinions on time would
/// be one too many. At time 0 nothing has expired; `accept_future` is about
/// `iat` and `nbf`; a required type that is the token's own replaces the rule
/// that only `JWT` and `+jwt` pass.
fn signature_only(token: &str, token_type: Option<&str>) -> VerificationOptions {
    VerificationOptions {
        accept_future: true,
        required_signature_type: token_type.map(str::to_owned),
        time_tolerance: Some(Duration::from_secs(0)),
        max_token_length: Some(token.len()),
        max_header_length: Some(token.len()),
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        ..VerificationOptions::default()
    }
}
