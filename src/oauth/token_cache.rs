//! How tokens are remembered.

use core::fmt;
use core::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::cache::Cache;

/// The SHA-256 of a token: the token itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

/// A token as one server, or one issuer, sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CacheKey {
    /// Index of the server, or of the issuer.
    pub(super) owner: usize,
    /// Which token.
    pub(super) token: TokenHash,
}

/// What was found out about tokens.
pub(super) type TokenCache<V> = Cache<CacheKey, V>;

// === impl TokenHash ===

impl TokenHash {
    /// Of the token.
    pub fn of(token: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Its bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Tells tokens apart in a log no more than it has to.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

// === impl CacheKey ===

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.token.0);
        state.write_usize(self.owner);
    }
}
