//! A bounded memory in two generations.

use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::{HashMap, hash_map};

/// A map of at most `capacity` entries in two generations. New entries and
/// those that are used go to the young one; when it has half of the capacity,
/// the old one is forgotten and the young one becomes old. So lookup, insertion
/// and eviction take constant time, and what is used stays.
///
/// What is forgotten is freed a little with each insertion, so that no request
/// pays for thousands of entries at once; it counts as part of the capacity.
///
/// Keys are cryptographic hashes, with or without something more.
pub(crate) struct Cache<K, V> {
    young: Generation<K, V>,
    old: Generation<K, V>,
    forgotten: hash_map::IntoIter<K, V>,
    half: usize,
}

type Generation<K, V> = HashMap<K, V, BuildHasherDefault<DigestHasher>>;

/// How much is freed with each insertion. One would do for the forgotten ones
/// to be gone before the next come.
const FREED_AT_ONCE: usize = 2;

/// The keys are hashes already; 8 of their bytes serve as they are.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl<K: Copy + Eq + Hash, V: Clone> Cache<K, V> {
    /// A capacity under two holds nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            forgotten: HashMap::new().into_iter(),
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
            // The table of the forgotten ones, empty by now, goes first: the new
            // one takes its place, and nothing smaller comes to lie there.
            self.forgotten = Generation::default().into_iter();
            let grown = Generation::with_capacity_and_hasher(self.half, Default::default());
            let old = core::mem::replace(&mut self.young, grown);
            self.forgotten = core::mem::replace(&mut self.old, old).into_iter();
        }
        for freed in self.forgotten.by_ref().take(FREED_AT_ONCE) {
            drop(freed);
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// A key as hashes are: its first bytes differ.
    fn key(n: u64) -> [u8; 32] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        key
    }

    #[test]
    fn what_is_held_stays_within_the_capacity_and_is_freed_a_little_at_a_time() {
        for capacity in [2, 3, 10, 1000] {
            let mut cache = Cache::new(capacity);
            let value = Rc::new(());
            let mut held = 0;
            for n in 0..5000 {
                cache.insert(key(n), Rc::clone(&value));
                let now_held = Rc::strong_count(&value).saturating_sub(1);
                assert!(now_held <= capacity, "{capacity}");
                assert!(held <= now_held.saturating_add(FREED_AT_ONCE), "{capacity}");
                held = now_held;
            }
        }
    }
}
