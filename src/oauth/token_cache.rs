//! How tokens are remembered.

use core::hash::{Hash, Hasher};

use super::token_hash::TokenHash;
use crate::cache::Cache;

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

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token.hash(state);
        state.write_usize(self.owner);
    }
}
