//! What the first byte of a text says of it.

/// What a text may be, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// White space only.
    Nothing,
    /// A JSON object or array; or something that a reader may take for white
    /// space or for another encoding (UTF-16) before one.
    Message,
    /// A character outside of ASCII: no JSON, but the same holds for it (a
    /// byte order mark, a no-break space).
    NotAscii,
    /// Nothing that any reader takes for an object or an array.
    Text,
}

impl Beginning {
    /// `text` may be incomplete.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut bytes = text.iter();
        match bytes.find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            None => Self::Nothing,
            Some(b'{' | b'[' | 0..=0x1f | 0x7f) => Self::Message,
            Some(0x80..) => Self::NotAscii,
            Some(_) => Self::Text,
        }
    }

    /// As [`of`](Self::of), of what comes after all that is not ASCII: byte
    /// order marks, spaces of other scripts, and what is neither.
    pub(super) fn after_unusual(text: &[u8]) -> Self {
        let is_usual = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x80..);
        let start = text.iter().position(is_usual).unwrap_or(text.len());
        Self::of(text.get(start..).unwrap_or_default())
    }

    /// Whether a complete text may be taken for a message.
    pub(super) const fn may_be_message(self) -> bool {
        matches!(self, Self::Message | Self::NotAscii)
    }
}
