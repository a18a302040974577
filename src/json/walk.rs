//! Going over strict JSON once, without a tree and without a copy of it.

use std::borrow::Cow;

use super::text;

/// A place in a text. Each method begins where the next value, or the part of
/// one that it is named after, may begin, and ends behind it; `None` where
/// something else is there. White space before it is gone over, and a text may
/// be nested as deep as it likes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

/// A string as it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    /// Between the quotes.
    pub(crate) inside: &'a str,
    pub(crate) has_escapes: bool,
}

impl<'a> Walk<'a> {
    /// At the beginning.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where it stands, in bytes from the beginning.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space, which is where it stands then.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.step(),
                byte => return byte,
            }
        }
    }

    /// Goes over this byte, if it is the next one. Whether it is.
    #[inline]
    pub(crate) fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.next() == Some(byte);
        if is_next {
            self.step();
        }
        is_next
    }

    /// The name of a member, and the colon behind it. What its escapes stand
    /// for is not looked at.
    pub(crate) fn name(&mut self) -> Option<Written<'a>> {
        let name = self.string()?;
        self.takes(b':').then_some(name)
    }

    /// A string. What its escapes stand for is not looked at.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<Written<'a>> {
        if self.next() != Some(b'"') {
            return None;
        }
        self.step();
        let start = self.at;
        let has_escapes = self.skip_string()?;
        let inside = self.text.get(start..self.at.wrapping_sub(1))?;
        Some(Written {
            inside,
            has_escapes,
        })
    }

    /// Behind a member or an element: whether that was the last one.
    #[inline]
    pub(crate) fn ends(&mut self, with: u8) -> Option<bool> {
        match self.next() {
            Some(b',') => {
                self.step();
                Some(false)
            }
            Some(byte) if byte == with => {
                self.step();
                Some(true)
            }
            _ => None,
        }
    }

    /// A value, as it is written.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        self.next();
        let start = self.at;
        let mut open = Open::default();
        let mut is_name = false;
        loop {
            match (self.next()?, is_name) {
                (b'"', _) => {
                    self.step();
                    self.skip_string()?;
                    if is_name {
                        self.takes(b':').then_some(())?;
                        is_name = false;
                        continue;
                    }
                }
                (_, true) => return None,
                (b'{', _) => {
                    self.step();
                    if !self.takes(b'}') {
                        open.push(true);
                        is_name = true;
                        continue;
                    }
                }
                (b'[', _) => {
                    self.step();
                    if !self.takes(b']') {
                        open.push(false);
                        continue;
                    }
                }
                (b't', _) => self.word(b"true")?,
                (b'f', _) => self.word(b"false")?,
                (b'n', _) => self.word(b"null")?,
                _ => self.number()?,
            }
            loop {
                let Some(is_object) = open.innermost() else {
                    return self.text.get(start..self.at);
                };
                match (self.next()?, is_object) {
                    (b',', _) => {
                        self.step();
                        is_name = is_object;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.step();
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// What is between here and a place behind it in the same text.
    pub(crate) fn until(&self, behind: &Self) -> Option<&'a str> {
        self.text.get(self.at..behind.at)
    }

    /// What is left of a string, and the quote at its end. Whether there are
    /// escapes in it.
    #[inline(always)]
    fn skip_string(&mut self) -> Option<bool> {
        let mut has_escapes = false;
        loop {
            self.at = self.at.wrapping_add(text::plain(self.rest()));
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    self.step();
                    let length = text::escape_length(self.rest())?;
                    self.at = self.at.wrapping_add(length);
                    has_escapes = true;
                }
                _ => return None,
            }
        }
        self.step();
        Some(has_escapes)
    }

    fn number(&mut self) -> Option<()> {
        if self.byte() == Some(b'-') {
            self.step();
        }
        // What follows a zero is no part of the number.
        if self.byte() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        Some(())
    }

    /// At least one.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.step();
        }
        (self.at != start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then_some(())?;
        self.at = self.at.wrapping_add(word.len());
        Some(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Over one byte, which is there.
    const fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

impl<'a> Written<'a> {
    /// What it says. `None` if it says nothing in UTF-8.
    pub(crate) fn read(self) -> Option<Cow<'a, str>> {
        if self.has_escapes {
            text::read(self.inside).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.inside))
        }
    }
}

/// The objects (1) and arrays (0) that are open, the innermost in the lowest
/// bit, behind a bit that is always set.
struct Open {
    bits: u64,
    /// Those further out, once there are so many.
    outer: Vec<u64>,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            bits: 1,
            outer: Vec::new(),
        }
    }
}

impl Open {
    #[inline]
    fn push(&mut self, is_object: bool) {
        if self.bits.leading_zeros() == 0 {
            self.put_away();
        }
        self.bits = self.bits << 1 | u64::from(is_object);
    }

    #[inline]
    const fn innermost(&self) -> Option<bool> {
        if self.bits == 1 {
            return None;
        }
        Some(self.bits & 1 != 0)
    }

    #[inline]
    fn pop(&mut self) {
        self.bits >>= 1;
        if self.bits == 1 && !self.outer.is_empty() {
            self.bits = self.outer.pop().unwrap_or(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_away(&mut self) {
        self.outer.push(self.bits);
        self.bits = 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// The value that a whole text is.
    fn whole(text: &str) -> Option<&str> {
        let mut walk = Walk::new(text);
        let value = walk.value()?;
        walk.next().is_none().then_some(value)
    }

    fn is_as_serde_json_says(text: &str) {
        let expected = serde_json::from_str::<&RawValue>(text).ok();
        assert_eq!(whole(text), expected.map(RawValue::get), "{text:?}");
    }

    #[test]
    fn a_value_is_what_it_is_for_serde_json() {
        for text in [
            "",
            " ",
            "1",
            "-1",
            "-",
            "0",
            "-0",
            "00",
            "01",
            "-01",
            "1.",
            "1.5",
            ".5",
            "1.5.5",
            "1e5",
            "1e",
            "1E+",
            "1e-7",
            "1e+07",
            "0e0",
            "0.0e0",
            "1e999",
            "+1",
            "true",
            "tru",
            "truex",
            "true ",
            "nul",
            "null",
            "false",
            "fals",
            "True",
            "\"\"",
            "\"",
            "\"a",
            "\"a\"b",
            "\"\\",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\u12",
            "\"\\u123\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "\"\\uD83D\\uDE00\"",
            "\"\\a\"",
            "\"\\/\\b\\f\"",
            "\"\u{1}\"",
            "\"\u{7f}\"",
            "\"\t\"",
            "\"é\"",
            "é",
            "{",
            "}",
            "{}",
            "{ }",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\" : 1 , \"a\" : 2 }",
            "{1:2}",
            "{\"a\":1]",
            "{\"\\ud800\":1}",
            "{\"\\x\":1}",
            "[",
            "]",
            "[]",
            "[ ]",
            "[,]",
            "[1,]",
            "[1",
            "[1,,2]",
            "[1 2]",
            "[1}",
            "[[],{},[{}]]",
            "[[]",
            "[]]",
            "[] []",
            "\u{feff}1",
            "\u{b}1",
            "1\0",
            "// 1",
            "NaN",
            "'a'",
        ] {
            is_as_serde_json_says(text);
        }
    }

    #[test]
    fn what_is_open_is_closed_in_order_however_deep_it_is() {
        for depth in [1, 62, 63, 64, 65, 126, 127, 128, 129, 300] {
            for is_object in [|_| true, |_| false, |at: usize| at.is_multiple_of(3)] {
                let mut open = String::new();
                let mut close = String::new();
                for at in 0..depth {
                    let (begin, end) = if is_object(at) {
                        ("{\"a\":", '}')
                    } else {
                        ("[", ']')
                    };
                    open.push_str(begin);
                    close.insert(0, end);
                }
                is_as_serde_json_says(&format!("{open}1{close}"));
                is_as_serde_json_says(&format!("{open}1{close}]"));
                is_as_serde_json_says(&format!("{open}1}}{close}"));
                is_as_serde_json_says(&format!("{open}1]{close}"));
                is_as_serde_json_says(&format!("{open}1"));
            }
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        is_as_serde_json_says(&deep);
    }

    #[test]
    fn a_name_and_a_string_are_given_as_they_are_written() {
        let mut walk = Walk::new(" \"a\" :\"b\\u0041\" x");
        let name = walk.name().unwrap();
        assert_eq!((name.inside, name.has_escapes), ("a", false));
        let string = walk.string().unwrap();
        assert_eq!((string.inside, string.has_escapes), ("b\\u0041", true));
        assert_eq!(walk.next(), Some(b'x'));
        assert_eq!(Walk::new("\"a\"").name(), None);
        assert_eq!(Walk::new("1").string(), None);
    }

    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\"a\"",
            "\"a\":",
            "\"b\":",
            "1",
            "0",
            "-",
            ".5",
            "e5",
            "true",
            "null",
            "false",
            " ",
            "\n",
            "\\",
            "\\u00e9",
            "\\n",
            "é",
            "x",
            "\u{0}",
            "{}",
            "[]",
            "\"\\ud800\"",
            "\"a long text with more than sixteen bytes\"",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_text_is_what_it_is_for_serde_json(text: String, pieces in nearly_json()) {
            is_as_serde_json_says(&text);
            is_as_serde_json_says(&pieces);
        }

        #[test]
        fn any_value_is_what_it_is_for_serde_json(
            bytes in prop::collection::vec(any::<u8>(), 0..8),
            json in super::super::raw::tests::json(),
            at: prop::sample::Index,
        ) {
            is_as_serde_json_says(&json);
            // And with something wrong in it.
            let mut text = json.into_bytes();
            let at = at.index(text.len());
            text.splice(at..=at, bytes);
            is_as_serde_json_says(&String::from_utf8_lossy(&text));
        }
    }
}
