//! A text with parts of it replaced, and every other byte as it was.

use core::ops::Range;

use crate::json::raw::place;

/// Replacements in one text.
#[derive(Debug)]
pub(super) struct Splice<'a> {
    text: &'a [u8],
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl<'a> Splice<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            edits: Vec::new(),
        }
    }

    /// Puts something in place of a part of the text. `None` if it is no part
    /// of it.
    pub(super) fn replace(&mut self, part: &str, with: impl Into<Vec<u8>>) -> Option<()> {
        self.replace_range(place(self.text, part)?, with);
        Some(())
    }

    /// Cuts ranges out of a part of the text, which come in order. `None` if
    /// it is no part of it.
    pub(super) fn cut_out(&mut self, part: &str, ranges: Vec<Range<usize>>) -> Option<()> {
        let Range { start, .. } = place(self.text, part)?;
        self.edits.reserve(ranges.len());
        for range in ranges {
            let from = start.checked_add(range.start)?;
            let to = start.checked_add(range.end)?;
            self.replace_range(from..to, Vec::new());
        }
        Some(())
    }

    /// Puts something in place of a range of the text.
    pub(super) fn replace_range(&mut self, range: Range<usize>, with: impl Into<Vec<u8>>) {
        // Nearly always they come in order.
        let after = self
            .edits
            .partition_point(|(earlier, _)| earlier.start <= range.start);
        self.edits.insert(after, (range, with.into()));
    }

    /// Whether nothing is replaced.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The text with its replacements. `None` if two of them overlap, or one
    /// is not within the text.
    pub(super) fn apply(self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(self.text.len());
        let mut at = 0;
        for (range, with) in self.edits {
            out.extend(self.text.get(at..range.start)?);
            out.extend(with);
            at = range.end;
        }
        out.extend(self.text.get(at..)?);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_replaced_and_the_rest_stays() {
        let text = "one two three";
        let mut splice = Splice::new(text.as_bytes());
        assert!(splice.is_empty());
        splice.replace(text.get(8..).unwrap(), "3").unwrap();
        splice.replace(text.get(..3).unwrap(), "1").unwrap();
        assert!(splice.replace("elsewhere", "").is_none());
        assert_eq!(splice.apply().unwrap(), b"1 two 3");
    }

    #[test]
    fn overlapping_replacements_are_refused() {
        let mut splice = Splice::new(b"abcdef");
        splice.replace_range(0..3, "x");
        splice.replace_range(2..4, "y");
        assert_eq!(splice.apply(), None);
        let mut splice = Splice::new(b"abc");
        splice.replace_range(2..9, "x");
        assert_eq!(splice.apply(), None);
    }
}
