//! Finding bytes eight at a time.

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Eight bytes of a text.
#[derive(Clone, Copy)]
pub(crate) struct Word(u64);

impl Word {
    /// Whether a byte in it is less than this, which is at most 0x80.
    pub(crate) const fn has_less(self, than: u8) -> bool {
        self.0.wrapping_sub(ONES.wrapping_mul(than as u64)) & !self.0 & HIGH != 0
    }

    /// Whether a byte in it is this one, but for the bits that are not set in
    /// `mask`.
    pub(crate) const fn has(self, byte: u8, mask: u8) -> bool {
        let masked = self.0 & ONES.wrapping_mul(mask as u64);
        Self(masked ^ ONES.wrapping_mul(byte as u64)).has_less(1)
    }
}

/// Where the first of the bytes is that are looked for: `is_it`, which are in
/// no word of which `has_it` does not say so.
#[inline]
pub(crate) fn position(
    bytes: &[u8],
    has_it: impl Fn(Word) -> bool,
    is_it: impl Fn(u8) -> bool,
) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut from = 0_usize;
    for word in words {
        if has_it(Word(u64::from_ne_bytes(*word)))
            && let Some(place) = word.iter().position(|byte| is_it(*byte))
        {
            return Some(from.saturating_add(place));
        }
        from = from.saturating_add(8);
    }
    let place = rest.iter().position(|byte| is_it(*byte))?;
    Some(from.saturating_add(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_first_byte_is_found(
            bytes in proptest::collection::vec(0x1d..0x23_u8, 0..40),
            more in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
        ) {
            let bytes = [bytes, more].concat();
            for from in 0..bytes.len() {
                let bytes = bytes.get(from..).unwrap();
                for (found, is_it) in [
                    (
                        position(bytes, |word| word.has_less(0x1f), |byte| byte < 0x1f),
                        (|byte| byte < 0x1f) as fn(u8) -> bool,
                    ),
                    (
                        position(bytes, |word| word.has(0x22, 0xff), |byte| byte == 0x22),
                        |byte| byte == 0x22,
                    ),
                    (
                        position(bytes, |word| word.has(0xc2, 0xdf), |byte| byte & 0xdf == 0xc2),
                        |byte| byte & 0xdf == 0xc2,
                    ),
                ] {
                    assert_eq!(found, bytes.iter().position(|byte| is_it(*byte)));
                }
            }
        }
    }
}
