//! The body of a response, as it comes.

use super::Inspect;

/// How the messages in a body are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`: one message, or an array of them.
    Json,
    /// `text/event-stream`
    Events,
    /// Something else, of a response that is no success: whatever it turns
    /// out to be.
    Untold,
}

/// What goes on of a part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// This part, as it came.
    AsItCame,
    /// This in place of the part; possibly nothing.
    Instead(Vec<u8>),
    /// This, and then nothing ever: what has gone on must not become complete.
    Cut(Vec<u8>),
}

/// The body of one response: what of it is not decided yet.
#[derive(Debug)]
pub struct ResponseBody {}

impl ResponseBody {
    /// A body of which nothing has come. `limit` is how many bytes of it may
    /// be held (`limits.answer_bytes`).
    pub const fn new(_kind: BodyKind, _limit: usize) -> Self {
        Self {}
    }

    /// The next part. `is_last`: nothing comes after it. Where the response
    /// ends with trailers, an empty last part is fed before them.
    pub fn feed(&mut self, _part: &[u8], _is_last: bool, _inspect: &mut dyn Inspect) -> Fed {
        Fed::Cut(Vec::new())
    }

    /// Whether there is nothing that has not been decided on.
    pub const fn is_settled(&self) -> bool {
        false
    }
}
