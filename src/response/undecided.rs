//! An event of which nothing is decided yet.

use core::ops::Range;

/// An event that is held.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    pub(super) data: Data,
    /// Lines of it that are no data have gone on.
    pub(super) has_begun: bool,
    /// Whether it may go on before it is complete has been asked.
    pub(super) was_asked: bool,
    /// A line in it ends in a CR alone.
    pub(super) has_lone_cr: bool,
}

/// Where the data of an event are in what is held.
#[derive(Clone, Debug, Default)]
pub(super) enum Data {
    #[default]
    None,
    /// In one line, whose end may not have come.
    One(Range<usize>),
    /// In more than one.
    Many,
}

// === impl Undecided ===

impl Undecided {
    pub(super) const fn new() -> Self {
        Self {
            data: Data::None,
            has_begun: false,
            was_asked: false,
            has_lone_cr: false,
        }
    }
}

// === impl Data ===

impl Data {
    pub(super) const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// A line of data, whose value begins there.
    pub(super) fn begin(&mut self, at: usize) {
        *self = match self {
            Self::None => Self::One(at..at),
            Self::One(_) | Self::Many => Self::Many,
        };
    }

    /// The end of the line.
    pub(super) const fn end(&mut self, at: usize) {
        if let Self::One(range) = self {
            range.end = at;
        }
    }
}
