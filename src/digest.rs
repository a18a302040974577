//! Digests of several parts.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a list of parts. Lengths keep ("ab", "c") and ("a", "bc")
/// apart.
pub(crate) fn of_parts<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
