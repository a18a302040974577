//! UTF-8 (RFC 3629), byte by byte.

/// Within which character the next byte is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Utf8 {
    /// How many bytes of it have to come.
    missing: u8,
    /// The least that the next one may be.
    from: u8,
    /// The most.
    to: u8,
}

impl Default for Utf8 {
    fn default() -> Self {
        Self::after(0)
    }
}

impl Utf8 {
    const fn after(missing: u8) -> Self {
        Self {
            missing,
            from: 0x80,
            to: 0xbf,
        }
    }

    /// Whether no character has begun.
    pub(super) const fn is_whole(self) -> bool {
        self.missing == 0
    }

    /// `None` if it is not UTF-8.
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        if !self.is_whole() {
            return if self.from <= byte && byte <= self.to {
                Some(Self::after(self.missing.saturating_sub(1)))
            } else {
                None
            };
        }
        let mut next = match byte {
            0..=0x7f => Self::after(0),
            0xc2..=0xdf => Self::after(1),
            0xe0..=0xef => Self::after(2),
            0xf0..=0xf4 => Self::after(3),
            _ => return None,
        };
        // No overlong forms, no surrogates, nothing over U+10FFFF.
        match byte {
            0xe0 => next.from = 0xa0,
            0xed => next.to = 0x9f,
            0xf0 => next.from = 0x90,
            0xf4 => next.to = 0x8f,
            _ => {}
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_utf8_is_what_the_standard_library_says() {
        let edges: Vec<u8> = (0..=255)
            .filter(|byte| byte % 16 == 0 || byte % 16 == 15 || *byte >= 0xc0)
            .collect();
        for first in 0..=255 {
            for &second in &edges {
                for &third in &edges {
                    for text in [vec![first], vec![first, second], vec![first, second, third]] {
                        let end = text
                            .iter()
                            .try_fold(Utf8::default(), |state, byte| state.next(*byte));
                        assert_eq!(
                            end.is_some_and(Utf8::is_whole),
                            str::from_utf8(&text).is_ok(),
                            "{text:x?}"
                        );
                    }
                }
            }
        }
        for text in ["\u{10000}", "\u{10ffff}", "\u{fffff}"] {
            let end = text
                .bytes()
                .try_fold(Utf8::default(), |state, byte| state.next(byte));
            assert!(end.is_some_and(Utf8::is_whole));
        }
        let over: &[u8] = b"\xf4\x90";
        assert!(
            over.iter()
                .try_fold(Utf8::default(), |s, b| s.next(*b))
                .is_none()
        );
    }
}
