//! Event streams in which every client reads the same lines.
//!
//! The HTML standard ends lines at CR and LF, and drops one byte order mark at
//! the beginning. Some clients do otherwise: those that split text with
//! Python's `str.splitlines` (httpx-sse before 0.4.1) end lines at more
//! characters, those that use eventsource-parser drop the three characters
//! that the bytes of a byte order mark are in Latin-1, and some keep the mark.
//! So none of these goes on.

use std::borrow::Cow;

use super::part::Held;
use super::words::{self, Word};

/// What is dropped at the beginning, in any number.
const MARKS: [&[u8]; 2] = [b"\xef\xbb\xbf", b"\xc3\xaf\xc2\xbb\xc2\xbf"];

/// An event stream, as it comes.
#[derive(Debug)]
pub(super) struct Uniform {
    /// The marks have come, if there are any.
    has_begun: bool,
    /// The beginning of a mark or of a character at the end of a part.
    held: Held,
}

impl Uniform {
    pub(super) const fn new() -> Self {
        Self {
            has_begun: false,
            held: Held::new(),
        }
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    /// What is read in place of this part: itself, wherever that is possible.
    pub(super) fn read<'a>(&mut self, part: &'a [u8], is_last: bool) -> Cow<'a, [u8]> {
        let joined;
        let mut text = part;
        if !self.held.is_empty() {
            joined = [&self.held.take(), part].concat();
            text = &joined;
        }
        while !self.has_begun {
            if let Some(rest) = MARKS.iter().find_map(|mark| text.strip_prefix(*mark)) {
                text = rest;
            } else if !is_last && MARKS.iter().any(|mark| mark.starts_with(text)) {
                self.held.push(text, text.len());
                return Cow::Owned(Vec::new());
            } else {
                self.has_begun = true;
            }
        }
        match self.change(text, is_last) {
            Some(changed) => Cow::Owned(changed),
            None if text == part => Cow::Borrowed(part),
            None => Cow::Owned(text.to_vec()),
        }
    }

    /// A whole text that is not the beginning of the stream.
    pub(super) fn whole(text: &[u8]) -> Cow<'_, [u8]> {
        let mut begun = Self::new();
        begun.has_begun = true;
        begun.read(text, true)
    }

    /// The text without the characters that end a line for some clients only,
    /// if it has any; and without the beginning of one at its end.
    ///
    /// Where JSON may have such a character, in strings, its escape is the
    /// same; a control character is none there, and stays one.
    fn change(&mut self, text: &[u8], is_last: bool) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        let mut same = text;
        let mut from = 0_usize;
        while let Some(place) = same.get(from..).and_then(next) {
            let place = from.saturating_add(place);
            let (before, rest) = same.split_at_checked(place)?;
            let (after, instead): (&[u8], &[u8]) = match rest {
                [0x0b | 0x0c | 0x1c..=0x1e, after @ ..] => (after, b"\x1f"),
                [0xc2, 0x85, after @ ..] => (after, b"\\u0085"),
                [0xe2, 0x80, 0xa8, after @ ..] => (after, b"\\u2028"),
                [0xe2, 0x80, 0xa9, after @ ..] => (after, b"\\u2029"),
                [0xc2] | [0xe2] | [0xe2, 0x80] if !is_last => {
                    self.held.push(rest, rest.len());
                    (b"", b"")
                }
                _ => {
                    from = place.saturating_add(1);
                    continue;
                }
            };
            let out = out.get_or_insert_default();
            out.extend_from_slice(before);
            out.extend_from_slice(instead);
            (same, from) = (after, 0);
        }
        if let Some(out) = &mut out {
            out.extend_from_slice(same);
        }
        out
    }
}

/// Where such a character may begin.
fn next(text: &[u8]) -> Option<usize> {
    // Line ends and tabs are found as well.
    let has_it = |word: Word| word.has_less(0x20) || word.has(0xc2, 0xdf);
    let is_it = |byte| matches!(byte, 0x0b | 0x0c | 0x1c..=0x1e | 0xc2 | 0xe2);
    words::position(text, has_it, is_it)
}
