//! What the first byte of a text says of it.

/// What a text may be, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// White space only.
    Nothing,
    /// A JSON object or array; or something that a reader may take for white
    /// space or for another encoding (UTF-16) before one.
    Message,
    /// Outside of ASCII, and no JSON; but the same holds for it (a byte order
    /// mark, a no-break space, what is no UTF-8).
    Unusual,
    /// Nothing that any reader takes for an object or an array.
    Text,
}

impl Beginning {
    /// `text` may be incomplete.
    pub(super) fn of(text: &[u8]) -> Self {
        let is_no_space = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let start = text.iter().position(is_no_space).unwrap_or(text.len());
        match text.get(start..).unwrap_or_default() {
            [] => Self::Nothing,
            [b'{' | b'[' | 0..=0x1f | 0x7f, ..] => Self::Message,
            rest @ [0x80..=0xff, ..] if may_be_skipped(rest) => Self::Unusual,
            _ => Self::Text,
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
        matches!(self, Self::Message | Self::Unusual)
    }
}

/// Whether the first character is one that some reader may skip: a space, a
/// mark or a control; or `\u{ef}`, which is how a byte order mark begins in
/// Latin-1. So is what is no UTF-8: in another encoding it may be anything.
fn may_be_skipped(text: &[u8]) -> bool {
    let near = text.get(..4).unwrap_or(text);
    let first = near.utf8_chunks().next();
    let first = first.and_then(|chunk| chunk.valid().chars().next());
    first.is_none_or(|first| {
        matches!(
            first,
            '\u{80}'..='\u{a0}'
                | '\u{ad}'
                | '\u{ef}'
                | '\u{1680}'
                | '\u{180e}'
                | '\u{2000}'..='\u{200f}'
                | '\u{2028}'..='\u{202f}'
                | '\u{205f}'..='\u{206f}'
                | '\u{3000}'
                | '\u{feff}'
        )
    })
}
