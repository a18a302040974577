//! One attempt to reach an upstream: the credential role in a server's
//! cluster. Envoy makes several attempts where its retry policy says so, each
//! with an instance of the role of its own.
//!
//! An attempt needs a [ticket](ticket::Ticket) of the gate. With it, the
//! upstream gets the user's credential as it is now; where the upstream
//! refuses that one, the next attempt gets a fresh one.

mod ticket;

#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use ticket::{HeldTicket, Obstacle, Progress, Ticket, TicketId, Tickets};

use crate::credential::{
    Ask, Credential, CredentialFailure, CredentialKey, Known, Patience, Wanted,
};
use crate::exchange::{HeaderEdits, Worker, rejection};
use crate::http::Headers;
use crate::http::headers::is_spelling_of;
use crate::text::Text;

/// The state of an attempt.
#[derive(Debug, Default)]
pub enum Attempt {
    /// Nothing has come yet.
    #[default]
    Fresh,
    /// The headers are held until the credential is there.
    Awaiting(Awaiting),
    /// The upstream has it.
    Sent {
        /// What it stands on.
        ticket: Rc<Ticket>,
        /// What the upstream got.
        credential: Option<Rc<Credential>>,
    },
    /// Refused, or ended before anything was sent: nothing goes on.
    Refused,
    /// The answer has come.
    Over,
}

/// Waiting for a credential.
#[derive(Debug)]
pub struct Awaiting {
    ticket: Rc<Ticket>,
    /// The names of the headers that only a credential may have.
    remove: Vec<Text>,
    key: CredentialKey,
    patience: Patience,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The request headers are there.
    RequestHeaders {
        /// All of them.
        headers: &'a Headers,
        /// The ticket that the gate has left, if it is one of this worker.
        ticket: Option<Rc<Ticket>>,
        /// The server whose cluster this is.
        server: &'a str,
    },
    /// Some of the request body is there, or its trailers. Before the
    /// credential is there this comes only if the cluster's plugin has
    /// `allow_on_headers_stop_iteration`; letting it go would let the headers
    /// go, too.
    RequestBody,
    /// What this attempt waits for was settled, or its time is up.
    Wake,
    /// Response headers are there.
    ResponseHeaders(&'a Headers),
    /// The attempt is over.
    Gone,
}

/// What the shell has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Hold what is there.
    Wait,
    /// Let what is there go its way.
    Continue,
    /// Change the request headers and let everything go.
    Send(HeaderEdits),
    /// Let nothing go.
    Refuse(Refusal),
}

/// Why an attempt is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The gate has not let this request go, or not to this server.
    NoTicket,
    /// There is no credential; the gate tells the client why.
    NoCredential,
    /// A callback that should not have come.
    Unexpected,
}

/// How many credentials an upstream may refuse before a request is given up.
const MAX_REJECTIONS: u32 = 2;

impl Attempt {
    /// What it waits for, if it waits.
    pub const fn awaits(&self) -> Option<CredentialKey> {
        match self {
            Self::Awaiting(state) => Some(state.key),
            Self::Fresh | Self::Sent { .. } | Self::Refused | Self::Over => None,
        }
    }

    /// Whether it has waited for as long as it may.
    pub const fn is_overdue(&self, now_ms: u64) -> bool {
        match self {
            Self::Awaiting(state) => state.patience.is_overdue(now_ms),
            Self::Fresh | Self::Sent { .. } | Self::Refused | Self::Over => false,
        }
    }

    /// One transition. `now_ms` is in milliseconds since 1970.
    pub fn advance(self, input: Input<'_>, worker: &mut Worker, now_ms: u64) -> (Self, Step) {
        if self.awaits().is_some() {
            worker.waiting = worker.waiting.saturating_sub(1);
        }
        let (next, step) = self.transition(input, worker, now_ms);
        if next.awaits().is_some() {
            worker.waiting = worker.waiting.saturating_add(1);
        }
        (next, step)
    }

    fn transition(self, input: Input<'_>, worker: &mut Worker, now_ms: u64) -> (Self, Step) {
        match (self, input) {
            (
                Self::Fresh,
                Input::RequestHeaders {
                    headers,
                    ticket,
                    server,
                },
            ) => match ticket.filter(|ticket| *ticket.server_id == *server) {
                None => refuse(Refusal::NoTicket),
                Some(ticket) if ticket.rejections() >= MAX_REJECTIONS => {
                    stop(&ticket, Obstacle::Rejected)
                }
                Some(ticket) => {
                    // Envoy has made another attempt, so an earlier one's
                    // answer is not the one that the client gets.
                    ticket.clear_obstacle();
                    let remove = reserved(headers, &ticket);
                    look_up(ticket, remove, None, worker, now_ms)
                }
            },
            (Self::Awaiting(state), Input::Wake) => {
                let Awaiting {
                    ticket,
                    remove,
                    patience,
                    key: _,
                } = state;
                look_up(ticket, remove, Some(patience), worker, now_ms)
            }
            (Self::Sent { ticket, credential }, Input::ResponseHeaders(headers)) => {
                if let (Some(credential), Some(rejection)) = (&credential, rejection(headers)) {
                    worker.credentials.reject(credential, rejection, now_ms);
                    ticket.note_rejection(now_ms);
                }
                (Self::Over, Step::Continue)
            }
            (Self::Sent { .. } | Self::Over, Input::Gone) => (Self::Over, Step::Continue),
            (Self::Fresh | Self::Awaiting(_) | Self::Refused, Input::Gone) => {
                (Self::Refused, Step::Continue)
            }
            (Self::Over, Input::ResponseHeaders(_)) => (Self::Over, Step::Continue),
            // The role's own refusal, or an answer by somebody else while
            // nothing was sent.
            (Self::Fresh | Self::Awaiting(_) | Self::Refused, Input::ResponseHeaders(_)) => {
                (Self::Refused, Step::Continue)
            }
            // An answer may come before the whole request has gone.
            (state @ (Self::Sent { .. } | Self::Over), Input::RequestBody) => {
                (state, Step::Continue)
            }
            (state @ (Self::Awaiting(_) | Self::Refused), Input::RequestBody) => {
                (state, Step::Wait)
            }
            // An attempt that was woken while it had stopped waiting.
            (state @ (Self::Sent { .. } | Self::Refused | Self::Over), Input::Wake) => {
                (state, Step::Wait)
            }
            (Self::Fresh, Input::Wake | Input::RequestBody)
            | (
                Self::Awaiting(_) | Self::Sent { .. } | Self::Refused | Self::Over,
                Input::RequestHeaders { .. },
            ) => refuse(Refusal::Unexpected),
        }
    }
}

/// With the credential as it is now, or on to wait for it.
fn look_up(
    ticket: Rc<Ticket>,
    remove: Vec<Text>,
    patience: Option<Patience>,
    worker: &mut Worker,
    now_ms: u64,
) -> (Attempt, Step) {
    let wanted = Wanted {
        source: &ticket.source,
        identity: &ticket.identity,
        token_hash: ticket.token_hash,
    };
    let ask = || {
        let operation = ticket.operation.as_ref();
        Some(Ask {
            wanted,
            token: ticket.token.expose(),
            request_id: ticket.request_id.as_deref(),
            operation: operation.map(|(method, name)| (method.as_str(), name.as_deref())),
        })
    };
    let known = worker
        .credentials
        .look_up(wanted, &ask, ticket.asks_since_ms(), now_ms);
    match known {
        Known::Ready(credential) => send(ticket, remove, Some(credential)),
        Known::NotNeeded => send(ticket, remove, None),
        Known::Consent(_) if ticket.goes_without => send(ticket, remove, None),
        Known::Consent(needed) => stop(&ticket, Obstacle::Consent(needed)),
        Known::Refused(failure) => stop(&ticket, Obstacle::Failure(failure)),
        Known::Pending(key) => {
            let patience = match patience {
                None => {
                    let timeout_ms = worker.credential_timeout_ms(&ticket.source);
                    Some(Patience::new(now_ms, timeout_ms))
                }
                Some(patience) => patience.one_more(now_ms),
            };
            let Some(patience) = patience else {
                return stop(&ticket, Obstacle::Failure(CredentialFailure::Unavailable));
            };
            if worker.waiting >= worker.limits.waiting_requests {
                let busy = CredentialFailure::Busy { retry_after_s: 1 };
                return stop(&ticket, Obstacle::Failure(busy));
            }
            let state = Awaiting {
                ticket,
                remove,
                key,
                patience,
            };
            (Attempt::Awaiting(state), Step::Wait)
        }
    }
}

/// Nothing of the names that a credential may have reaches the upstream but
/// the credential.
fn reserved(headers: &Headers, ticket: &Ticket) -> Vec<Text> {
    let is_credentials = |name: &&[u8]| {
        let mut listed = ticket.source.headers.iter();
        listed.any(|header| is_spelling_of(name, header)) || is_spelling_of(name, "authorization")
    };
    let names = headers.names().filter(is_credentials);
    let mut remove: Vec<Text> = names
        .map(|name| String::from_utf8_lossy(name).into_owned().into())
        .collect();
    remove.dedup();
    remove
}

fn send(
    ticket: Rc<Ticket>,
    remove: Vec<Text>,
    credential: Option<Rc<Credential>>,
) -> (Attempt, Step) {
    ticket.clear_obstacle();
    let mut edits = HeaderEdits {
        remove,
        set: Vec::new(),
    };
    if let Some(credential) = &credential {
        edits.set_credential(credential);
    }
    (Attempt::Sent { ticket, credential }, Step::Send(edits))
}

fn stop(ticket: &Ticket, obstacle: Obstacle) -> (Attempt, Step) {
    ticket.note_obstacle(obstacle);
    refuse(Refusal::NoCredential)
}

const fn refuse(refusal: Refusal) -> (Attempt, Step) {
    (Attempt::Refused, Step::Refuse(refusal))
}

impl Refusal {
    /// A short name, for Envoy's access log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoTicket => "no_permit",
            Self::NoCredential => "no_credential",
            Self::Unexpected => "unexpected_callback",
        }
    }

    /// The HTTP status, where nobody answers in its place. None that says
    /// anything about the client's own token.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoTicket | Self::NoCredential => 503,
            Self::Unexpected => 500,
        }
    }
}
