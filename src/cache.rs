//! A bounded memory in two generations.

use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::HashMap;

/// A map of at most `capacity` entries in two generations. New entries and
/// those that are used go to the young one; when it has half of the capacity,
/// the old one is dropped and the young one becomes old. So lookup, insertion
/// and eviction take constant time, and what is used stays.
///
/// Keys are cryptographic hashes, with or without something more.
pub(crate) struct Cache<K, V> {
    young: HashMap<K, V, BuildHasherDefault<DigestHasher>>,
    old: HashMap<K, V, BuildHasherDefault<DigestHasher>>,
    half: usize,
}

/// The keys are hashes already; 8 of their bytes serve as they are.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    /// A capacity under two holds nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            half: capacity.checked_div(2).unwrap_or_default(),
        }
    }

    /// The entry, which counts as used.
    pub(crate) fn find(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.insert(*key, value.clone());
        Some(value)
    }

    /// Adds or replaces the entry.
    pub(crate) fn insert(&mut self, key: K, value: V) {
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
    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
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
