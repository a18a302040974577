//! Walking over a text that is known to be JSON, without a tree and without a
//! copy of it.

use std::borrow::Cow;

use super::raw;

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
        let rest = self.rest();
        let space = rest
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))?;
        self.skip(space);
        rest.get(space).copied()
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
            b'"' => self.skip_string(),
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
        self.skip_string()?;
        let text = self.text.get(start..self.at)?;
        if text.contains('\\') {
            return raw::string(text);
        }
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        Some(Cow::Borrowed(inner))
    }

    fn skip_string(&mut self) -> Option<()> {
        self.skip(1);
        loop {
            let rest = self.rest();
            let place = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if rest.get(place) == Some(&b'"') {
                self.skip(place.saturating_add(1));
                return Some(());
            }
            self.skip(place.saturating_add(2));
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            let rest = self.rest();
            let place = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
            self.skip(place);
            match rest.get(place)? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth = depth.checked_add(1)?,
                _ => depth = depth.checked_sub(1)?,
            }
            self.skip(1);
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}
