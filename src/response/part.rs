//! What goes on of one part of a body, and what is held back of it: without a
//! copy wherever the part goes on as it came.

use core::fmt;
use core::ops::Range;

use super::body::Fed;

/// What goes on in place of one part.
#[derive(Debug)]
pub(super) struct Out<'a> {
    part: &'a [u8],
    /// How many bytes at its beginning go on as they came.
    same: usize,
    /// All that goes on, once that is something else.
    changed: Option<Vec<u8>>,
}

/// Bytes that have come and have not gone on.
#[derive(Default)]
pub(super) struct Held(Vec<u8>);

// === impl Out ===

impl<'a> Out<'a> {
    pub(super) const fn new(part: &'a [u8]) -> Self {
        Self {
            part,
            same: 0,
            changed: None,
        }
    }

    /// This range of the part goes on.
    pub(super) fn pass(&mut self, range: Range<usize>) {
        if self.changed.is_none() && range.start == self.same {
            self.same = range.end;
        } else {
            let bytes = self.part.get(range).unwrap_or_default();
            self.put(bytes);
        }
    }

    /// These bytes go on.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.changed().extend_from_slice(bytes);
        }
    }

    /// As [`put`](Self::put).
    pub(super) fn put_all(&mut self, bytes: Vec<u8>) {
        if self.changed.is_none() && self.same == 0 {
            self.changed = Some(bytes);
        } else {
            self.put(&bytes);
        }
    }

    fn changed(&mut self) -> &mut Vec<u8> {
        let same = self.part.get(..self.same).unwrap_or_default();
        self.changed.get_or_insert_with(|| same.to_vec())
    }

    /// The end of the part.
    pub(super) fn finish(mut self) -> Fed {
        if self.changed.is_none() && self.same == self.part.len() {
            return Fed::AsItCame;
        }
        self.changed();
        Fed::Instead(self.changed.unwrap_or_default())
    }

    /// The end of everything.
    pub(super) fn cut(mut self) -> Fed {
        self.changed();
        Fed::Cut(self.changed.unwrap_or_default())
    }
}

// === impl Held ===

impl Held {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Holds more, in memory that never grows over `limit` for it.
    pub(super) fn push(&mut self, bytes: &[u8], limit: usize) {
        let length = self.0.len().saturating_add(bytes.len());
        if length > self.0.capacity() {
            let room = self.0.capacity().saturating_mul(2).min(limit).max(length);
            self.0.reserve_exact(room.saturating_sub(self.0.len()));
        }
        self.0.extend_from_slice(bytes);
    }

    /// All of it, which then is no longer held.
    pub(super) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) const fn size(&self) -> (usize, usize) {
        (self.0.len(), self.0.capacity())
    }
}

/// Not what it holds: that is the content of answers.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} bytes)", self.len())
    }
}

/// A part of the stream, and how far it is read.
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) out: Out<'a>,
    /// Where what has not been decided on begins.
    pub(super) from: usize,
    /// Where what has not been read begins.
    pub(super) at: usize,
}

impl<'a> Part<'a> {
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) const fn read(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    pub(super) fn undecided(&self) -> &'a [u8] {
        self.bytes.get(self.from..self.at).unwrap_or_default()
    }

    /// What is undecided goes on.
    pub(super) fn pass(&mut self) {
        self.out.pass(self.from..self.at);
        self.from = self.at;
    }

    /// What is undecided does not go on from here: something else does, or it
    /// is held.
    pub(super) const fn leave_out(&mut self) {
        self.from = self.at;
    }
}
