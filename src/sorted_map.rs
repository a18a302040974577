//! A map for a few entries.

/// A map in one sorted list. Where there are few entries, or each new key is
/// the highest, it is as fast as a tree, in a tenth of the code.
#[derive(Debug)]
pub(crate) struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K: Ord, V> SortedMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order of their keys.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, (K, V)> {
        self.entries.iter()
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (_, value) = self.entries.get(self.place(key).ok()?)?;
        Some(value)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        let (_, value) = self.entries.get_mut(place)?;
        Some(value)
    }

    /// The entry with the lowest key.
    pub(crate) fn first(&self) -> Option<&(K, V)> {
        self.entries.first()
    }

    /// Adds or replaces the entry.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => {
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.1 = value;
                }
            }
            Err(place) => self.entries.insert(place, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key).ok()?;
        let (_, value) = self.entries.remove(place);
        // What a burst has taken is given back.
        if self.entries.is_empty() {
            self.entries = Vec::new();
        }
        Some(value)
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::SortedMap;

    proptest! {
        #[test]
        fn it_does_what_a_tree_does(steps in prop::collection::vec((any::<bool>(), 0..20_u8), 0..200)) {
            let mut map = SortedMap::new();
            let mut tree = BTreeMap::new();
            for (number, (adds, key)) in steps.into_iter().enumerate() {
                if adds {
                    map.insert(key, number);
                    tree.insert(key, number);
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!(map.get(&key), tree.get(&key));
                prop_assert_eq!(map.get_mut(&key), tree.get_mut(&key));
                prop_assert_eq!(map.contains_key(&key), tree.contains_key(&key));
                prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert!(map.iter().map(|(key, value)| (key, value)).eq(&tree));
                prop_assert_eq!(
                    map.first().map(|(key, value)| (key, value)),
                    tree.first_key_value()
                );
            }
        }
    }
}
