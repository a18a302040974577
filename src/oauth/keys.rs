//! The public keys of an issuer: JWK Sets (RFC 7517).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::issuer::Algorithm;
use super::signature::PublicKey;
use crate::json::{Json, Object};

/// The keys of an issuer that can verify signatures.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

/// Why a JWK Set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not an object with an array `keys`.
    Shape,
    /// More than [`KeySet::MAX_KEYS`] keys.
    TooMany,
    /// No key in it can be used.
    NoUsableKey {
        /// How many there are that cannot.
        skipped: usize,
    },
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => f.write_str("something else"),
            Self::TooMany => write!(f, "more than {} keys", KeySet::MAX_KEYS),
            Self::NoUsableKey { skipped } => write!(f, "{skipped} keys of no use here"),
        }
    }
}

/// A key and what it may be used for.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    public: PublicKey,
    fingerprint: [u8; 32],
}

/// Which keys a token may have been signed with.
#[derive(Debug)]
pub(super) enum Candidates<'a> {
    /// The key that the token names.
    Named(&'a Key),
    /// The token, or the keys, have no name: these fit the algorithm. Never
    /// empty, never more than [`MAX_CANDIDATES`].
    Unnamed(Vec<&'a Key>),
    /// The named key is there, for another algorithm only.
    OtherAlgorithm,
    /// No key fits.
    Unknown,
    /// More keys fit than are tried.
    TooMany,
}

/// How many signatures are tried for one token.
const MAX_CANDIDATES: usize = 4;

impl KeySet {
    /// The most keys that a set may have.
    pub const MAX_KEYS: usize = 256;

    /// From a JWK Set. What cannot be used is skipped: another key type or
    /// curve, a key for another use, a key that is too weak or no key at all,
    /// a private or a shared key (everyone has it, now that it is published),
    /// and a second key of the same `kid` for the same algorithm.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn from_jwks(set: &Json) -> Result<Self, KeySetError> {
        let members = set
            .as_object()
            .and_then(|set| set.get("keys"))
            .and_then(Json::as_array)
            .ok_or(KeySetError::Shape)?;
        if members.len() > Self::MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys: Vec<Key> = Vec::new();
        for key in members.iter().filter_map(Key::from_jwk) {
            if !keys.iter().any(|earlier| earlier.collides_with(&key)) {
                keys.push(key);
            }
        }
        let skipped = members.len().saturating_sub(keys.len());
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey { skipped });
        }
        Ok(Self { keys, skipped })
    }

    /// How many keys can be used.
    pub const fn usable(&self) -> usize {
        self.keys.len()
    }

    /// How many keys of the set cannot be used.
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// The keys for a token with this `kid` and `alg`. The name decides. Keys
    /// without a name stand in for one that is not there.
    pub(super) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Candidates<'_> {
        let Some(id) = id else {
            return self.unnamed(algorithm, |_| true);
        };
        let mut named = self
            .keys
            .iter()
            .filter(|key| key.id.as_deref() == Some(id))
            .peekable();
        if named.peek().is_some() {
            return named
                .find(|key| key.algorithms.contains(&algorithm))
                .map_or(Candidates::OtherAlgorithm, Candidates::Named);
        }
        self.unnamed(algorithm, |key| key.id.is_none())
    }

    fn unnamed(&self, algorithm: Algorithm, fits: impl Fn(&Key) -> bool) -> Candidates<'_> {
        let keys: Vec<&Key> = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && fits(key))
            .take(MAX_CANDIDATES.saturating_add(1))
            .collect();
        match keys.len() {
            0 => Candidates::Unknown,
            count if count > MAX_CANDIDATES => Candidates::TooMany,
            _ => Candidates::Unnamed(keys),
        }
    }

    /// Whether every key of `earlier` is still there, for all that it was for.
    pub(super) fn keeps_all_of(&self, earlier: &Self) -> bool {
        earlier.keys.iter().all(|key| {
            self.keys
                .iter()
                .any(|other| other.id == key.id && other.fingerprint == key.fingerprint)
        })
    }
}

// === impl Key ===

impl Key {
    /// The key itself.
    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    fn from_jwk(jwk: &Json) -> Option<Self> {
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        let jwk = jwk.as_object()?;
        if PRIVATE.into_iter().any(|name| jwk.get(name).is_some()) || !is_for_verification(jwk) {
            return None;
        }
        let id = optional_text(jwk, "kid")?;
        let (public, mut algorithms) = public_key(jwk)?;
        if let Some(pinned) = optional_text(jwk, "alg")? {
            let pinned = Algorithm::parse(pinned)?;
            algorithms.retain(|algorithm| *algorithm == pinned);
        }
        if algorithms.is_empty() {
            return None;
        }
        Some(Self {
            id: id.map(str::to_owned),
            fingerprint: fingerprint(jwk, &algorithms),
            algorithms,
            public,
        })
    }

    /// Whether a token could mean either of the two.
    fn collides_with(&self, other: &Self) -> bool {
        let overlap = self
            .algorithms
            .iter()
            .any(|algorithm| other.algorithms.contains(algorithm));
        overlap
            && self.id == other.id
            && (self.id.is_some() || self.fingerprint == other.fingerprint)
    }
}

/// `use` and `key_ops`, where they are there (RFC 7517, sections 4.2, 4.3).
fn is_for_verification(jwk: &Object) -> bool {
    let for_signatures = match jwk.get("use") {
        None => true,
        Some(value) => value.as_str() == Some("sig"),
    };
    let to_verify = match jwk.get("key_ops") {
        None => true,
        Some(operations) => operations.as_array().is_some_and(|operations| {
            operations
                .iter()
                .any(|operation| operation.as_str() == Some("verify"))
        }),
    };
    for_signatures && to_verify
}

fn public_key(jwk: &Object) -> Option<(PublicKey, Vec<Algorithm>)> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let curve = jwk.get("crv").and_then(Json::as_str);
    match (jwk.get("kty")?.as_str()?, curve) {
        ("RSA", _) => {
            /// 4096 bits, and a zero byte that some issuers put in front.
            const MAX_MODULUS_BYTES: usize = 513;
            const MAX_EXPONENT_BYTES: usize = 8;
            let modulus = binary(jwk, "n", MAX_MODULUS_BYTES)?;
            let exponent = binary(jwk, "e", MAX_EXPONENT_BYTES)?;
            let key = PublicKey::rsa(modulus, exponent)?;
            Some((key, vec![RS256, RS384, RS512, PS256, PS384, PS512]))
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (coordinate(jwk, "x", 32)?, coordinate(jwk, "y", 32)?);
            Some((PublicKey::p256(&x, &y)?, vec![ES256]))
        }
        ("EC", Some("P-384")) => {
            let (x, y) = (coordinate(jwk, "x", 48)?, coordinate(jwk, "y", 48)?);
            Some((PublicKey::p384(&x, &y)?, vec![ES384]))
        }
        ("OKP", Some("Ed25519")) => {
            let x = coordinate(jwk, "x", 32)?;
            Some((PublicKey::ed25519(&x)?, vec![EdDSA]))
        }
        _ => None,
    }
}

/// `Some(None)` if the member is not there; `None` if it is no string.
fn optional_text<'a>(jwk: &'a Object, name: &str) -> Option<Option<&'a str>> {
    match jwk.get(name) {
        None => Some(None),
        Some(value) => value.as_str().map(Some),
    }
}

/// The bytes of a member, at most `max` of them; bounded before decoding.
fn binary(jwk: &Object, name: &str, max: usize) -> Option<Vec<u8>> {
    let text = jwk.get(name)?.as_str()?;
    if text.len() > max.saturating_mul(2) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() <= max).then_some(bytes)
}

/// A member of exactly `size` bytes (RFC 7518, section 6.2.1.2).
fn coordinate(jwk: &Object, name: &str, size: usize) -> Option<Vec<u8>> {
    binary(jwk, name, size).filter(|bytes| bytes.len() == size)
}

/// The same for the same key with the same use, whatever else its entry says.
fn fingerprint(jwk: &Object, algorithms: &[Algorithm]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let members = ["kty", "crv", "n", "e", "x", "y"]
        .into_iter()
        .map(|name| jwk.get(name).and_then(Json::as_str).unwrap_or_default());
    let algorithms = algorithms.iter().map(|algorithm| algorithm.as_str());
    for text in members.chain(algorithms) {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}
