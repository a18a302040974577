//! The form of a sealed secret in the database.

use core::fmt;

use super::KeyId;

/// The first byte of every sealed secret: the form of the rest.
const FORM: u8 = 1;
pub(super) const NONCE: usize = 12;
/// A data key and the tag of its encryption.
pub(super) const WRAPPED: usize = 48;

/// A sealed secret: form (1 byte), length of the key's id (1), the id, nonce
/// of the wrapping (12), wrapped data key (48), nonce (12), ciphertext and tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// What is in a sealed secret.
pub(super) struct Parts<'a> {
    pub(super) key_id: KeyId,
    pub(super) wrap_nonce: [u8; NONCE],
    pub(super) wrapped: [u8; WRAPPED],
    pub(super) nonce: [u8; NONCE],
    pub(super) ciphertext: &'a [u8],
}

impl Sealed {
    /// What was read from the database; nothing is checked yet.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What is written to the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key that it was sealed with, if it has the form.
    pub fn key_id(&self) -> Option<KeyId> {
        self.parts().map(|parts| parts.key_id)
    }

    pub(super) fn from_parts(parts: &Parts<'_>) -> Self {
        let id = parts.key_id.as_str().as_bytes();
        // The longest id has 64 bytes.
        let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
        let pieces: [&[u8]; 6] = [
            &[FORM, length],
            id,
            &parts.wrap_nonce,
            &parts.wrapped,
            &parts.nonce,
            parts.ciphertext,
        ];
        Self(pieces.concat())
    }

    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        let ([FORM, length], rest) = self.0.split_first_chunk()? else {
            return None;
        };
        let (id, rest) = rest.split_at_checked(usize::from(*length))?;
        let (wrap_nonce, rest) = rest.split_first_chunk()?;
        let (wrapped, rest) = rest.split_first_chunk()?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        Some(Parts {
            key_id: KeyId::new(str::from_utf8(id).ok()?)?,
            wrap_nonce: *wrap_nonce,
            wrapped: *wrapped,
            nonce: *nonce,
            ciphertext,
        })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}
