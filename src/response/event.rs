//! The lines of an event (WHATWG HTML, "Interpreting an event stream").

use memchr::memchr2;

use super::uniform::Uniform;

const DATA: &[u8] = b"data";

/// Which field a line is of, as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// So many bytes of the name `data`; nothing, at 0.
    Name(u8),
    /// `data`, and its value has begun.
    Data,
    /// Another field, or a comment.
    Other,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Without its end.
    pub(super) text: &'a [u8],
    /// Its end has come.
    pub(super) is_complete: bool,
}

/// The lines of a text.
pub(super) struct Lines<'a>(&'a [u8]);

// === impl Field ===

impl Field {
    /// More of a line, without its end. Where in it the value of `data`
    /// begins, if it does.
    pub(super) fn advance(&mut self, run: &[u8]) -> Option<usize> {
        for (at, byte) in run.iter().enumerate() {
            let Self::Name(matched) = *self else {
                return None;
            };
            match DATA.get(usize::from(matched)) {
                Some(expected) if expected == byte => {
                    *self = Self::Name(matched.saturating_add(1));
                }
                None if *byte == b':' => {
                    *self = Self::Data;
                    return Some(at.saturating_add(1));
                }
                _ => *self = Self::Other,
            }
        }
        None
    }

    /// Whether nothing of the line has come.
    pub(super) const fn is_blank(self) -> bool {
        matches!(self, Self::Name(0))
    }

    /// Whether the line, if it ends here, is of the field `data`.
    pub(super) const fn ends_as_data(self) -> bool {
        matches!(self, Self::Data | Self::Name(4))
    }

    /// How many bytes of the line have come, if more of it may make it one of
    /// the field `data`.
    pub(super) fn undecided_len(self) -> usize {
        match self {
            Self::Name(matched) => matched.into(),
            Self::Data | Self::Other => 0,
        }
    }
}

// === impl Line ===

impl<'a> Line<'a> {
    /// The value, if the line is of this field.
    pub(super) fn value(self, field: &str) -> Option<&'a [u8]> {
        let rest = self.text.strip_prefix(field.as_bytes())?;
        match rest.strip_prefix(b":") {
            Some(value) => Some(without_space(value)),
            // Without a colon, the whole line is the name.
            None => (rest.is_empty() && self.is_complete).then_some(rest),
        }
    }
}

/// The values of the data lines of an event.
pub(super) fn values(event: Lines<'_>) -> impl Iterator<Item = &[u8]> {
    event.filter_map(|line| line.value("data"))
}

/// The data of an event.
pub(super) fn data(event: Lines<'_>) -> Vec<u8> {
    values(event).collect::<Vec<_>>().join(&b'\n')
}

/// The value that comes after a colon.
pub(super) fn without_space(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

/// The lines of an event.
pub(super) const fn lines(event: &[u8]) -> Lines<'_> {
    Lines(event)
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr2(b'\r', b'\n', self.0);
        let (text, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = match rest {
            [b'\r', b'\n', rest @ ..] | [b'\r' | b'\n', rest @ ..] => rest,
            _ => rest,
        };
        let is_complete = end.is_some();
        Some(Line { text, is_complete })
    }
}

// === what goes on in place of an event ===

/// The event with another text as its data. Without its `id` if that is not
/// to count as received.
pub(super) fn with_data(event: Lines<'_>, text: &[u8], keeps_id: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_add(64));
    let mut text = Some(text);
    for line in event.filter(|line| line.is_complete && !line.text.is_empty()) {
        if line.value("data").is_some() {
            if let Some(text) = text.take() {
                put_data(&mut out, text);
            }
        } else if keeps_id || line.value("id").is_none() {
            put_line(&mut out, &[line.text]);
        }
    }
    if let Some(text) = text {
        put_data(&mut out, text);
    }
    put_line(&mut out, &[]);
    out
}

/// What is left of an event without its data: that it was there, for a client
/// that resumes after it; or that what has gone on of it (`has_begun`) ends.
pub(super) fn without_data(event: Lines<'_>, has_begun: bool) -> Vec<u8> {
    let mut out = Vec::new();
    // An id with a null is ignored.
    let id = event
        .filter(|line| line.is_complete)
        .filter_map(|line| line.value("id"))
        .filter(|id| !id.contains(&0))
        .last();
    if let Some(id) = id {
        put_line(&mut out, &[b"id: ", id]);
    }
    if has_begun || !out.is_empty() {
        put_line(&mut out, &[]);
    }
    out
}

fn put_data(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        put_line(out, &[b"data: "]);
    }
    for line in lines(&Uniform::whole(text)) {
        put_line(out, &[b"data: ", line.text]);
    }
}

fn put_line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(b'\n');
}

/// The same lines for readers that know no end of a line but LF: a CR alone
/// becomes CRLF. A CR at the very end is left as it is.
pub(super) fn with_line_feeds(event: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len().saturating_add(16));
    let mut pieces = event.split_inclusive(|byte| *byte == b'\r').peekable();
    while let Some(piece) = pieces.next() {
        out.extend_from_slice(piece);
        let next = pieces.peek().and_then(|next| next.first());
        if piece.ends_with(b"\r") && next.is_some_and(|next| *next != b'\n') {
            out.push(b'\n');
        }
    }
    out
}
