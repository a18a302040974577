//! The keys of a vault: several that open, one that seals.

use core::fmt;
use std::collections::BTreeMap;

use super::{EncryptionKey, KeyId};

/// Several readable keys and one writing key.
#[derive(Clone, Debug)]
pub struct Keyring {
    writing: KeyId,
    writing_key: EncryptionKey,
    others: BTreeMap<KeyId, EncryptionKey>,
}

/// Why keys do not make a keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringError {
    /// Two keys have this name.
    Duplicate(KeyId),
    /// The writing key is none of the keys.
    NoWritingKey,
}

impl Keyring {
    /// The keys, of which `writing` seals.
    ///
    /// # Errors
    /// Two keys with one name, or no key with the name of the writing key.
    pub fn new(
        writing: &KeyId,
        keys: impl IntoIterator<Item = (KeyId, EncryptionKey)>,
    ) -> Result<Self, KeyringError> {
        let mut others = BTreeMap::new();
        for (id, key) in keys {
            if others.insert(id.clone(), key).is_some() {
                return Err(KeyringError::Duplicate(id));
            }
        }
        let (writing, writing_key) = others
            .remove_entry(writing)
            .ok_or(KeyringError::NoWritingKey)?;
        Ok(Self {
            writing,
            writing_key,
            others,
        })
    }

    pub(super) const fn writing(&self) -> &KeyId {
        &self.writing
    }

    pub(super) const fn writing_key(&self) -> (&KeyId, &EncryptionKey) {
        (&self.writing, &self.writing_key)
    }

    pub(super) fn key(&self, id: &KeyId) -> Option<&EncryptionKey> {
        if *id == self.writing {
            return Some(&self.writing_key);
        }
        self.others.get(id)
    }
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(id) => write!(f, "two keys with the id \"{id}\""),
            Self::NoWritingKey => f.write_str("the writing key is none of the keys"),
        }
    }
}

impl core::error::Error for KeyringError {}
