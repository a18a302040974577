//! By what a token is remembered.

use core::fmt;
use core::hash::{Hash, Hasher};

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// SipHash-2-4 with 128 bits of a token: the token itself is never kept.
///
/// It is a keyed pseudorandom function that costs a tenth of SHA-256 in a VM.
/// The key is random and known to this worker alone, so nobody can make up a
/// token with the same value as another's: a guess hits one of 10,000 tokens
/// that are remembered with a chance of less than 2^-114.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(u128);

/// The key that one worker hashes tokens with: 16 random bytes.
#[derive(Clone, Copy)]
pub struct TokenHashKey([u8; 16]);

impl TokenHashKey {
    /// Of random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The hash of a token.
    pub fn hash(&self, token: &[u8]) -> TokenHash {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(token);
        TokenHash(hasher.finish128().as_u128())
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0.to_le_bytes());
    }
}

/// Tells tokens apart in a log no more than it has to.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl fmt::Debug for TokenHashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHashKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KEY: TokenHashKey = TokenHashKey::new([7; 16]);

    #[test]
    fn tokens_that_differ_in_one_byte_or_in_length_have_hashes_of_their_own() {
        let token = vec![b'a'; 100];
        let mut hashes = HashSet::from([KEY.hash(&token)]);
        for index in 0..token.len() {
            let mut other = token.clone();
            other[index] = b'b';
            assert!(hashes.insert(KEY.hash(&other)));
            assert!(hashes.insert(KEY.hash(&token[..index])));
        }
        assert!(KEY.hash(&token) == KEY.hash(&token.clone()));
    }

    #[test]
    fn another_key_gives_other_hashes() {
        for bit in 0..128 {
            let mut other = KEY.0;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(KEY.hash(b"token") != TokenHashKey::new(other).hash(b"token"));
        }
    }

    #[test]
    fn neither_key_nor_hash_is_printed() {
        assert_eq!(format!("{:?}", KEY), "TokenHashKey(…)");
        assert_eq!(format!("{:?}", KEY.hash(b"token")), "TokenHash(…)");
    }
}
