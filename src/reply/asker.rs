//! What is known of a request when it is answered after its message is gone.

use super::Subject;
use crate::continuity::{CallDigest, Owner, StateKeys, request_state};
use crate::mcp::elicitation::{UrlElicitation, url_elicitation};
use crate::mcp::envelope::{Body, Message, RequestId};
use crate::mcp::{Call, Era, Revision};

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
        /// The call, as a request state knows it; where it can be answered
        /// with one.
        call: Option<CallDigest>,
    },
}

impl Asker {
    /// The sender of this message; `declared_in_session` says whether it
    /// declared elicitation by URL when it opened its session.
    pub fn of(body: &Body, revision: Revision, declared_in_session: bool) -> Self {
        match body {
            Body::Single(Message::Request { id, method, params }) => {
                let elicits = url_elicitation(method, params, revision, declared_in_session);
                let call = elicits
                    .filter(|form| *form == UrlElicitation::InputRequired)
                    .and_then(|_| Call::of(method, params).ok());
                Self::Request {
                    id: id.clone(),
                    method: method.clone(),
                    era: revision.era(),
                    elicits,
                    call: call.as_ref().map(CallDigest::of),
                }
            }
            Body::Single(Message::Notification { .. } | Message::Response { .. })
            | Body::Batch(_) => Self::Unanswerable,
        }
    }

    /// The same, where it must not be asked for input.
    #[must_use]
    pub fn not_to_be_asked(mut self) -> Self {
        if let Self::Request { elicits, call, .. } = &mut self {
            *elicits = None;
            *call = None;
        }
        self
    }

    /// The state for an answer that asks for input; `None` without a key, or
    /// where no such answer can be given.
    pub fn request_state(&self, keys: &StateKeys, owner: &Owner<'_>, now_s: u64) -> Option<String> {
        match self {
            Self::Request {
                call: Some(call), ..
            } => request_state(keys, owner, call, now_s),
            Self::Request { call: None, .. } | Self::Unanswerable => None,
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
