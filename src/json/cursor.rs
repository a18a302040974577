//! Walking over a text that is known to be JSON, without a tree and without a
//! copy of it.

use std::borrow::Cow;

use super::raw;
use super::words::{self, Word};

/// A place in a text that is known to be JSON: what it finds is not checked
/// again, except where that decides what comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes from the beginning.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space, which is where the cursor stands
    /// then.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.skip(1),
                other => return Some(other),
            }
        }
    }

    /// Goes over this byte, if it is the next one. Whether it is.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.skip(1);
        }
        is_next
    }

    /// Goes over the next value.
    pub(crate) fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => {
                let rest = self.rest();
                let end = rest.iter().position(|byte| {
                    matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
                });
                self.skip(end.unwrap_or(rest.len()));
                Some(())
            }
        }
    }

    /// The next value, if it is a string that stands for something in UTF-8.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        let has_escapes = self.skip_string()?;
        let text = self.text.get(start..self.at)?;
        if has_escapes {
            return raw::string(text);
        }
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        Some(Cow::Borrowed(inner))
    }

    /// Whether there are escapes in it.
    fn skip_string(&mut self) -> Option<bool> {
        let mut has_escapes = false;
        self.skip(1);
        loop {
            let rest = self.rest();
            let place = words::position(rest, may_end_plain, ends_plain)?;
            if rest.get(place) == Some(&b'"') {
                self.skip(place.saturating_add(1));
                return Some(has_escapes);
            }
            has_escapes = true;
            self.skip(place.saturating_add(2));
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.byte()? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth = depth.checked_add(1)?,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(1);
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    const fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}

const fn may_end_plain(word: Word) -> bool {
    word.has(b'"', 0xff) || word.has(b'\\', 0xff)
}

const fn ends_plain(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}
