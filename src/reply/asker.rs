//! What is known of a request when it is answered after its message is gone.

use super::Subject;
use crate::mcp::elicitation::{UrlElicitation, url_elicitation};
use crate::mcp::envelope::{Body, Message, RequestId};
use crate::mcp::{Era, Revision};

/// Who gets an answer of the gate's own, as far as answers differ by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asker {
    /// A notification, a response, a batch, a GET or a DELETE: no one request
    /// that a JSON-RPC answer could refer to.
    #[default]
    Unanswerable,
    /// A request.
    Request {
        /// Its id.
        id: RequestId,
        /// Its method.
        method: String,
        /// The era of its revision.
        era: Era,
        /// How it can be answered with a URL to open, if at all.
        elicits: Option<UrlElicitation>,
    },
}

impl Asker {
    /// The sender of this message; `declared_in_session` says whether it
    /// declared elicitation by URL when it opened its session.
    pub fn of(body: &Body, revision: Revision, declared_in_session: bool) -> Self {
        match body {
            Body::Single(Message::Request { id, method, params }) => Self::Request {
                id: id.clone(),
                method: method.clone(),
                era: revision.era(),
                elicits: url_elicitation(method, params, revision, declared_in_session),
            },
            Body::Single(Message::Notification { .. } | Message::Response { .. })
            | Body::Batch(_) => Self::Unanswerable,
        }
    }

    /// The same, as a refusal wants it.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Unanswerable => Subject::Unanswerable,
            Self::Request {
                id, method, era, ..
            } => Subject::Request {
                id,
                method,
                era: *era,
                call: None,
            },
        }
    }
}
