//! A hash for keys that nobody outside chooses.

use core::hash::Hasher;

/// A few instructions for each eight bytes, where the standard library's hash
/// takes more than a hundred for a key of any length. Only for keys out of the
/// configuration and out of fixed sets: who could choose keys could make them
/// collide.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher(u64);

impl WordHasher {
    const fn add(&mut self, word: u64) {
        /// Odd, with as many ones as zeros: the golden ratio in 64 bits.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = rest
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.add(word);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    /// The best bits are the upper ones, and tables look at the lower ones.
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use core::hash::{BuildHasher as _, BuildHasherDefault};
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_that_differ_a_little_are_spread() {
        let hasher = BuildHasherDefault::<WordHasher>::default();
        let lower_bits = |key: (&str, &str, bool)| hasher.hash_one(key) & 0xffff;
        let mut places = HashSet::new();
        for server in 0..16 {
            for method in ["tools/call", "tools/list", "prompts/list", "ping"] {
                for is_allowed in [false, true] {
                    places.insert(lower_bits((
                        &format!("server-{server}"),
                        method,
                        is_allowed,
                    )));
                }
            }
        }
        // 128 keys in 65,536 places: one or the other pair may meet.
        assert!(places.len() >= 124, "{}", places.len());
        assert_ne!(lower_bits(("a", "bc", true)), lower_bits(("ab", "c", true)));
    }
}
