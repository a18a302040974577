//! The digests of tokens that came a moment ago, so that each request does
//! not compute one anew.

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use core::hash::Hasher as _;

use super::token_cache::TokenHash;

/// How many are kept: a power of two. They take a quarter of a mebibyte.
const SLOTS: usize = 4096;

/// Remembers digests by SipHash-2-4 with 128 bits of the token, a keyed
/// pseudorandom function that costs a tenth of SHA-256 in a VM. Its key is
/// random and known to this worker alone, so nobody can make up a token with
/// the same value as another's: guessing hits one of the slots with a chance
/// of 2^-116. Without a key nothing is remembered.
///
/// A fixed number of slots, each with the last token that fell on it: what is
/// offered displaces others, and memory does not grow.
pub(super) struct Digests {
    key: Option<[u8; 16]>,
    slots: Vec<Option<(u128, TokenHash)>>,
}

impl Digests {
    /// Without a key.
    pub(super) const fn without_key() -> Self {
        Self {
            key: None,
            slots: Vec::new(),
        }
    }

    /// With a key of random bytes.
    pub(super) fn keyed(key: [u8; 16]) -> Self {
        Self {
            key: Some(key),
            slots: vec![None; SLOTS],
        }
    }

    /// The digest of a token.
    pub(super) fn of(&mut self, token: &[u8]) -> TokenHash {
        let Some(key) = &self.key else {
            return TokenHash::of(token);
        };
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write(token);
        let mark = hasher.finish128().as_u128();
        let slot = mark
            .checked_rem(SLOTS as u128)
            .and_then(|slot| usize::try_from(slot).ok())
            .and_then(|slot| self.slots.get_mut(slot));
        match slot {
            Some(Some((known, digest))) if *known == mark => *digest,
            Some(slot) => {
                let digest = TokenHash::of(token);
                *slot = Some((mark, digest));
                digest
            }
            None => TokenHash::of(token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_the_first_time_and_later_with_a_key_and_without() {
        let mut digests = Digests::keyed([7; 16]);
        let mut without = Digests::without_key();
        // More than there are slots, so that many are displaced in between.
        for _ in 0..3 {
            for number in 0..3 * SLOTS {
                let token = format!("token-{number}");
                let digest = TokenHash::of(&token);
                assert!(digests.of(token.as_bytes()) == digest);
                assert!(without.of(token.as_bytes()) == digest);
            }
        }
    }

    #[test]
    fn what_was_offered_changes_no_size() {
        let mut digests = Digests::keyed([7; 16]);
        for number in 0..10 * SLOTS {
            digests.of(number.to_string().as_bytes());
        }
        assert_eq!(digests.slots.len(), SLOTS);
        assert_eq!(digests.slots.capacity(), SLOTS);
    }

    #[test]
    fn tokens_that_differ_in_one_byte_or_in_length_have_digests_of_their_own() {
        let mut digests = Digests::keyed([7; 16]);
        let token = vec![b'a'; 100];
        let digest = digests.of(&token);
        for index in 0..token.len() {
            let mut other = token.clone();
            other[index] = b'b';
            assert!(digests.of(&other) != digest);
            assert!(digests.of(&token[..index]) != digest);
        }
        assert!(digests.of(&token) == digest);
    }
}
