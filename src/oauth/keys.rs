//! JWK Sets (RFC 7517).

use crate::json::Json;

/// The keys of an issuer that can verify signatures.
#[derive(Debug)]
pub struct KeySet;

/// Why a JWK Set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not an object with an array `keys`.
    Shape,
    /// More keys than anyone has.
    TooMany,
    /// No key in it can be used.
    NoUsableKey {
        /// How many were looked at.
        skipped: usize,
    },
}

impl KeySet {
    /// From a JWK Set; keys that cannot be used are skipped.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn from_jwks(_set: &Json) -> Result<Self, KeySetError> {
        Err(KeySetError::NoUsableKey { skipped: 0 })
    }
}
