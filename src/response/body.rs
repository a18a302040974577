//! The body of a response, as it comes.

use super::Inspect;
use super::beginning::Beginning;
use super::document::Document;
use super::events::Events;
use super::part::Held;

/// From how many bytes of a message on it may go on before it is complete.
const FLOW_FROM: usize = 64 * 1024;

/// How many bytes may come before what a body is.
const TOLD_WITHIN: usize = 1024;

/// How the messages in a body are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`: one message, or an array of them. As some clients
    /// do not look at the content type, a body that is neither is read as
    /// what it turns out to be.
    Json,
    /// `text/event-stream`. For the same reason, a body that begins with an
    /// object or an array is one JSON text.
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
///
/// What goes on does not depend on the parts in which the body came, except
/// for how much of it goes on before a [`Fed::Cut`].
#[derive(Debug)]
pub struct ResponseBody {
    bounds: Bounds,
    /// How many bytes are still to come, if that is known.
    to_come: Option<usize>,
    state: State,
}

/// How much of one message is held, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At most.
    pub(super) limit: usize,
    /// Until it may go on incomplete; at most `limit`.
    pub(super) flow_from: usize,
}

#[derive(Debug)]
enum State {
    /// White space only so far, or what some reader may take for it.
    Untold(Held),
    Document(Document),
    Events(Events),
    /// All of it has come, but for the word that it has.
    Whole,
    /// Nothing goes on any more.
    Over,
}

/// What a limit is at least: the marks and line ends that a text may begin with
/// have to be seen together. Configured limits are far above.
const LEAST: usize = 16;

impl ResponseBody {
    /// A body of which nothing has come. `limit` is how many bytes of it may
    /// be held (`limits.answer_bytes`).
    pub const fn new(kind: BodyKind, limit: usize) -> Self {
        Self::flowing_from(kind, limit, FLOW_FROM)
    }

    /// As [`new`](Self::new), with another bound from which on messages may
    /// go on incomplete.
    pub(super) const fn flowing_from(kind: BodyKind, limit: usize, flow_from: usize) -> Self {
        // A few bytes are needed to tell lines apart.
        let limit = if limit < LEAST { LEAST } else { limit };
        let flow_from = if flow_from < LEAST { LEAST } else { flow_from };
        let flow_from = if flow_from < limit { flow_from } else { limit };
        let bounds = Bounds { limit, flow_from };
        let state = match kind {
            BodyKind::Events => State::Events(Events::new(bounds)),
            BodyKind::Json | BodyKind::Untold => State::Untold(Held::new()),
        };
        Self {
            bounds,
            to_come: None,
            state,
        }
    }

    /// The same body, of which so many bytes come, if that is known. It then
    /// ends with the last of them, which hosts tell only later, and nothing of
    /// it is held until then.
    #[must_use]
    pub fn of_length(self, length: Option<usize>) -> Self {
        Self {
            to_come: length,
            ..self
        }
    }

    /// The next part. `is_last`: nothing comes after it. Where the response
    /// ends with trailers, an empty last part is fed before them.
    pub fn feed(&mut self, part: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        if matches!(self.state, State::Whole) {
            return self.feed_after_end(part);
        }
        let is_end = is_last | self.ends_with(part);
        // What nearly all bodies are: one message, in one part.
        let fed = if is_end
            && part.len() <= self.bounds.flow_from
            && matches!(&self.state, State::Untold(held) if held.is_empty())
            && inspect.passes(part)
        {
            Fed::AsItCame
        } else {
            self.feed_part(part, is_end, inspect)
        };
        if is_last || matches!(fed, Fed::Cut(_)) {
            self.state = State::Over;
        } else if is_end {
            self.state = State::Whole;
        }
        fed
    }

    /// Whether the body ends with this part, by its length.
    fn ends_with(&mut self, part: &[u8]) -> bool {
        self.to_come = self.to_come.and_then(|left| left.checked_sub(part.len()));
        self.to_come == Some(0)
    }

    /// Something that comes behind what was all of the body.
    fn feed_after_end(&mut self, part: &[u8]) -> Fed {
        if part.is_empty() {
            return Fed::AsItCame;
        }
        self.state = State::Over;
        Fed::Cut(Vec::new())
    }

    fn feed_part(&mut self, part: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        match &mut self.state {
            State::Untold(held) if held.is_empty() => match self.tell(part) {
                Some(state) => {
                    self.state = state;
                    self.feed_part(part, is_last, inspect)
                }
                None if is_last => Fed::AsItCame,
                None => self.hold(part),
            },
            State::Untold(held) => {
                held.push(part, usize::MAX);
                let all = held.take();
                match self.tell(&all) {
                    Some(state) => {
                        self.state = state;
                        match self.feed_part(&all, is_last, inspect) {
                            Fed::AsItCame => Fed::Instead(all),
                            other => other,
                        }
                    }
                    None if is_last => Fed::Instead(all),
                    None => self.hold(&all),
                }
            }
            State::Document(document) => document.feed(part, is_last, inspect),
            State::Events(events) => events.feed(part, is_last, inspect),
            State::Whole | State::Over => Fed::Instead(Vec::new()),
        }
    }

    /// Whether there is nothing that has not been decided on.
    pub const fn is_settled(&self) -> bool {
        match &self.state {
            State::Untold(held) => held.is_empty(),
            State::Document(document) => document.is_settled(),
            State::Events(events) => events.is_settled(),
            State::Whole | State::Over => true,
        }
    }

    fn hold(&mut self, beginning: &[u8]) -> Fed {
        let mut held = Held::new();
        held.push(beginning, self.told_within());
        self.state = State::Untold(held);
        Fed::Instead(Vec::new())
    }

    /// No more is held before it is known what a body is than after.
    fn told_within(&self) -> usize {
        TOLD_WITHIN.min(self.bounds.limit)
    }

    /// How many bytes are held, and in how much memory.
    #[cfg(test)]
    pub(super) const fn held(&self) -> (usize, usize) {
        match &self.state {
            State::Untold(held) => held.size(),
            State::Document(document) => document.held(),
            State::Events(events) => events.held(),
            State::Whole | State::Over => (0, 0),
        }
    }

    /// What a body with this beginning is, once that can be told: by its first
    /// character that is neither white space nor outside of ASCII. What has
    /// none is neither a message nor an event.
    fn tell(&self, beginning: &[u8]) -> Option<State> {
        let near = beginning.get(..self.told_within()).unwrap_or(beginning);
        match Beginning::after_unusual(near) {
            Beginning::Text => Some(State::Events(Events::of_text(self.bounds))),
            Beginning::Message => Some(State::Document(Document::new(self.bounds))),
            Beginning::Nothing | Beginning::Unusual => {
                let is_over = beginning.len() > self.told_within();
                is_over.then(|| State::Document(Document::new(self.bounds)))
            }
        }
    }
}
