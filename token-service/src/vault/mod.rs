//! Encryption of what is kept.
//!
//! Every write has a data key of its own: it encrypts the secret (AES-256-GCM)
//! and is itself encrypted ("wrapped") by a key-encryption key that the
//! operator holds. Both are bound to what the record is and whose
//! ([`Binding`]), so that a record that was copied to another place does not
//! open there. A change of the key-encryption key touches the wrapped data
//! keys only.

mod binding;
mod key;
mod keyring;
mod sealed;
#[cfg(test)]
mod tests;

use core::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

pub use binding::{Binding, RecordKind};
pub use key::{EncryptionKey, KeyError, KeyId};
pub use keyring::{Keyring, KeyringError};
pub use sealed::Sealed;

use self::sealed::Parts;
use crate::random::{self, NoRandomness};
use crate::secret::Secret;

/// Seals and opens secrets with the operator's keys.
#[derive(Debug)]
pub struct Vault {
    keyring: Keyring,
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultError {
    /// It was sealed with a key that this vault does not have.
    UnknownKey(KeyId),
    /// It is not in the form of a sealed secret.
    Malformed,
    /// It was changed, belongs to another owner, server, kind or version, or
    /// was sealed with another key of the same id.
    Refused,
    /// It cannot be encrypted.
    NotSealed,
    /// No random bytes for a key.
    NoRandomness,
}

impl Vault {
    /// A vault with these keys.
    pub const fn new(keyring: Keyring) -> Self {
        Self { keyring }
    }

    /// The key that seals.
    pub const fn writing_key(&self) -> &KeyId {
        self.keyring.writing()
    }

    /// Seals a secret, with a fresh data key, for the place that the binding
    /// names.
    ///
    /// # Errors
    /// No random bytes, or more bytes than the cipher takes.
    pub fn seal(&self, secret: &Secret, binding: &Binding<'_>) -> Result<Sealed, VaultError> {
        let data_key = random::bytes()?;
        let nonce = *random::bytes()?;
        let ciphertext = Aes256Gcm::new(&(*data_key).into())
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: secret.expose(),
                    aad: &binding.for_data(),
                },
            )
            .map_err(|_| VaultError::NotSealed)?;
        let (key_id, wrap_nonce, wrapped) = self.wrap(&data_key, binding)?;
        Ok(Sealed::from_parts(&Parts {
            key_id,
            wrap_nonce,
            wrapped,
            nonce,
            ciphertext: &ciphertext,
        }))
    }

    /// The secret, if it was sealed for this very place.
    ///
    /// # Errors
    /// It was not, or the key is not there.
    pub fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Secret, VaultError> {
        let parts = sealed.parts().ok_or(VaultError::Malformed)?;
        let data_key = self.unwrap(&parts, binding)?;
        Aes256Gcm::new(&(*data_key).into())
            .decrypt(
                &Nonce::from(parts.nonce),
                Payload {
                    msg: parts.ciphertext,
                    aad: &binding.for_data(),
                },
            )
            .map(Secret::new)
            .map_err(|_| VaultError::Refused)
    }

    /// The same secret with its data key wrapped by the writing key; `None`
    /// where that is so already.
    ///
    /// # Errors
    /// It was not sealed for this place, or its key is not there.
    pub fn rewrap(
        &self,
        sealed: &Sealed,
        binding: &Binding<'_>,
    ) -> Result<Option<Sealed>, VaultError> {
        let parts = sealed.parts().ok_or(VaultError::Malformed)?;
        let data_key = self.unwrap(&parts, binding)?;
        if parts.key_id == *self.writing_key() {
            return Ok(None);
        }
        let (key_id, wrap_nonce, wrapped) = self.wrap(&data_key, binding)?;
        Ok(Some(Sealed::from_parts(&Parts {
            key_id,
            wrap_nonce,
            wrapped,
            ..parts
        })))
    }

    fn wrap(
        &self,
        data_key: &key::DataKey,
        binding: &Binding<'_>,
    ) -> Result<(KeyId, [u8; sealed::NONCE], [u8; sealed::WRAPPED]), VaultError> {
        let (id, key) = self.keyring.writing_key();
        let nonce = *random::bytes()?;
        let wrapped = key
            .cipher()
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: data_key.as_slice(),
                    aad: &binding.for_key(id),
                },
            )
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(VaultError::NotSealed)?;
        Ok((id.clone(), nonce, wrapped))
    }

    fn unwrap(&self, parts: &Parts<'_>, binding: &Binding<'_>) -> Result<key::DataKey, VaultError> {
        let key = self
            .keyring
            .key(&parts.key_id)
            .ok_or_else(|| VaultError::UnknownKey(parts.key_id.clone()))?;
        let bytes = key
            .cipher()
            .decrypt(
                &Nonce::from(parts.wrap_nonce),
                Payload {
                    msg: &parts.wrapped,
                    aad: &binding.for_key(&parts.key_id),
                },
            )
            .map_err(|_| VaultError::Refused)?;
        key::data_key(bytes).ok_or(VaultError::Malformed)
    }
}

impl From<NoRandomness> for VaultError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(id) => write!(f, "sealed with the key \"{id}\", which is not there"),
            Self::Malformed => f.write_str("not in the form of a sealed secret"),
            Self::Refused => f.write_str("changed, sealed for another place, or with another key"),
            Self::NotSealed => f.write_str("it cannot be encrypted"),
            Self::NoRandomness => NoRandomness.fmt(f),
        }
    }
}

impl core::error::Error for VaultError {}
