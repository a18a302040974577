//! Key-encryption keys and their names.

use core::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::KeyInit;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::random::{self, NoRandomness};

const KEY: usize = 32;

pub(super) type DataKey = Zeroizing<[u8; KEY]>;

/// The name of a key-encryption key: 1 to 64 letters, digits, `.`, `_`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A key that encrypts data keys.
#[derive(Clone)]
pub struct EncryptionKey(Zeroizing<[u8; KEY]>);

/// The text is no encryption key. It is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl KeyId {
    /// The longest name.
    pub const LONGEST: usize = 64;

    /// The name, if it can be one.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = !text.is_empty() && text.len() <= Self::LONGEST && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl EncryptionKey {
    /// A new random key.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self(random::bytes()?))
    }

    /// Reads the text form: 32 bytes in base64. White space around it, as
    /// files have at their end, is not part of it.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD
            .decode(text.trim_ascii())
            .map(Zeroizing::new)
            .map_err(|_| KeyError)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| KeyError)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The text form. Whoever holds it can read everything.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    pub(super) fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not 32 bytes in base64")
    }
}

impl core::error::Error for KeyError {}

/// The data key in what came out of the wrapping.
pub(super) fn data_key(bytes: Vec<u8>) -> Option<DataKey> {
    let bytes = Zeroizing::new(bytes);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}
