//! A refusal that is known at the headers and is told at the end of the body:
//! Envoy closes an HTTP/1.1 connection whose request is answered before it is
//! complete, and a client that is still sending may lose the answer.

use super::{Exchange, Step, Worker};
use crate::config::HeaderMode;
use crate::http::Headers;
use crate::record::Record;
use crate::reply::Reply;

/// The longest announced body, in bytes, whose end is waited for.
const LONGEST_BODY: usize = 65_536;

/// How long it is waited for, in milliseconds, whatever Envoy's own timeouts
/// are: who is refused has to be held for a short time only.
const PATIENCE_MS: u64 = 5000;

/// Refused, and the rest of the body is yet to come. What comes of it is
/// dropped unread.
#[derive(Debug)]
pub struct Refusing {
    reply: Reply,
    record: Box<Record>,
    /// How many bytes may still come.
    left: usize,
    deadline_ms: u64,
}

/// How many bytes of a body, of the announced length, are to come whose end an answer can wait for;
/// `None` if it has to be given at once. In the plain mode no body comes while
/// the headers are held, and a client that waits for `100 Continue` sends
/// none.
pub(super) fn announced_body(
    headers: &Headers,
    length: Option<usize>,
    end_of_stream: bool,
    worker: &Worker,
) -> Option<usize> {
    if end_of_stream
        || worker.header_mode != HeaderMode::Holding
        || worker.refusing >= worker.limits.waiting_requests
        || headers.has("expect")
    {
        return None;
    }
    length.filter(|length| (1..=LONGEST_BODY).contains(length))
}

impl Refusing {
    pub(super) fn new(reply: Reply, record: Box<Record>, length: usize, now_ms: u64) -> Self {
        Self {
            reply,
            record,
            left: length,
            deadline_ms: now_ms.saturating_add(PATIENCE_MS),
        }
    }

    /// Whether it has waited for as long as it may.
    pub(super) const fn is_overdue(&self, now_ms: u64) -> bool {
        now_ms >= self.deadline_ms
    }

    /// This many bytes of the body are there.
    pub(super) fn take(mut self: Box<Self>, held: usize, is_last: bool) -> (Exchange, Step) {
        match self.left.checked_sub(held) {
            Some(left) if !is_last => {
                self.left = left;
                (Exchange::Refusing(self), Step::DropBody(held))
            }
            Some(_) | None => self.answer(),
        }
    }

    /// The answer, now.
    pub(super) fn answer(self) -> (Exchange, Step) {
        let step = Step::Reply {
            reply: self.reply,
            path: None,
            record: Some(self.record),
        };
        (Exchange::Answered, step)
    }

    /// Nobody gets the answer: the client left, or Envoy answered by itself.
    /// It was refused all the same.
    pub(super) fn give_up(self) -> (Exchange, Step) {
        (Exchange::Answered, Step::Note(self.record))
    }

    pub(super) fn into_record(self) -> Record {
        *self.record
    }
}
