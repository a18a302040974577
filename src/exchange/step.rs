//! What happens to an exchange, and what it asks of the shell.

use std::rc::Rc;

use super::{Admission, HeaderEdits};
use crate::attempt::TicketId;
use crate::http::Headers;
use crate::record::Record;
use crate::reply::Reply;
use crate::response::Fed;

/// Something that happened.
pub enum Input<'a> {
    /// The request headers are there.
    RequestHeaders {
        /// All of them.
        headers: Headers,
        /// Whether the request has no body.
        end_of_stream: bool,
    },
    /// More of the request body is there.
    RequestBody {
        /// The bytes held so far.
        held: usize,
        /// Whether this was the last of it.
        end_of_stream: bool,
    },
    /// The whole request body, which [`Step::ReadBody`] asked for.
    Message(&'a [u8]),
    /// The host did not give the body that [`Step::ReadBody`] asked for.
    ReadFailed,
    /// What this exchange waits for was settled, or its time is up.
    Wake,
    /// Response headers are there.
    ResponseHeaders {
        /// All of them.
        headers: Headers,
        /// Whether the upstream sent them, and not Envoy itself.
        from_upstream: bool,
        /// Whether a body follows.
        has_body: bool,
    },
    /// A part of the response body is there.
    ResponseBody {
        /// Its bytes.
        part: &'a [u8],
        /// Whether this was the last of it.
        is_last: bool,
    },
    /// The response body has ended, and trailers are there.
    ResponseTrailers,
    /// The exchange is over.
    Gone,
}

/// What the shell has to do.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Hold what is there.
    Wait,
    /// Let what is there go its way; it was decided on already.
    Continue,
    /// Read the whole body, which has this many bytes, and give it back as
    /// [`Input::Message`].
    ReadBody(usize),
    /// Drop what is there of the request body, which has this many bytes, and
    /// hold what follows.
    DropBody(usize),
    /// Plain mode: change the headers and let them go, and no body yet.
    ReleaseHeaders {
        /// The header changes.
        edits: HeaderEdits,
        /// Who is calling, for the filters that see the headers next.
        record: Box<Record>,
    },
    /// Change the headers, if that is still to do, and let everything go.
    Forward {
        /// The proof that this is permitted.
        admission: Admission,
        /// The header changes.
        edits: Option<HeaderEdits>,
        /// The id of the ticket for the credential role, to leave in filter
        /// state.
        ticket: Option<TicketId>,
        /// What to write down.
        record: Rc<Record>,
    },
    /// Answer, and let nothing go.
    Reply {
        /// The answer.
        reply: Reply,
        /// A `:path` to set first, where the one that came holds a token that
        /// must not reach an access log.
        path: Option<String>,
        /// What to write down; nothing where a decision was written down
        /// before.
        record: Option<Box<Record>>,
    },
    /// Change the response headers and let them go.
    EditResponse(HeaderEdits),
    /// Let a part of the response body go, or something else in its place.
    PassBody(Fed),
    /// Answer in place of the upstream.
    ReplaceResponse {
        /// The answer.
        reply: Reply,
        /// What to write down in place of what was written down when the
        /// request was let go.
        record: Box<Record>,
    },
    /// Nothing more to do but to write this down.
    Note(Box<Record>),
    /// Nothing more to do but to write this down in place of what was written
    /// down when the request was let go.
    Amend(Box<Record>),
}
