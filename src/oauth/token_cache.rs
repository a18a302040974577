//! A bounded memory of what was found out about tokens.

use core::fmt;
use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

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

/// A map of at most `capacity` entries in two generations. New entries and
/// those that are used go to the young one; when it has half of the capacity,
/// the old one is dropped and the young one becomes old. So lookup, insertion
/// and eviction take constant time, and what is used stays.
pub(super) struct TokenCache<V> {
    young: HashMap<CacheKey, V, BuildHasherDefault<DigestHasher>>,
    old: HashMap<CacheKey, V, BuildHasherDefault<DigestHasher>>,
    half: usize,
}

/// The keys are hashes already; 8 of their bytes serve as they are.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

// === impl TokenHash ===

impl TokenHash {
    /// Of the token.
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// Tells tokens apart in a log no more than it has to.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

// === impl TokenCache ===

impl<V: Clone> TokenCache<V> {
    /// A capacity under two holds nothing.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            half: capacity.checked_div(2).unwrap_or_default(),
        }
    }

    /// The entry, which counts as used.
    pub(super) fn find(&mut self, key: &CacheKey) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.insert(*key, value.clone());
        Some(value)
    }

    /// Adds or replaces the entry.
    pub(super) fn insert(&mut self, key: CacheKey, value: V) {
        if self.half == 0 {
            return;
        }
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old.clear();
            core::mem::swap(&mut self.young, &mut self.old);
        }
        self.young.insert(key, value);
    }

    /// Forgets the entry.
    pub(super) fn remove(&mut self, key: &CacheKey) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }
}

// === hashing ===

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.token.0);
        state.write_usize(self.owner);
    }
}

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, value: usize) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 ^= (value as u64).wrapping_mul(ODD);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
