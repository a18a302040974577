//! One HTTP exchange, as a state machine: what has happened so far, and what
//! may happen next.
//!
//! The shell turns Envoy's callbacks into [`Input`]s and carries out the
//! [`Step`] that each transition answers with. A transition consumes the
//! state; an input that a state does not expect denies.

mod admit;
mod admitted;
mod arrival;
mod credential;
mod declared;
mod edits;
mod expected;
mod head;
mod outcome;
mod permitted;
mod reading;
mod refusing;
mod responding;
mod session;
mod step;
mod tasks;
mod worker;

#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use admit::Admission;
pub use admitted::Admitted;
pub use edits::{HeaderEdits, steers_the_client};
pub use permitted::{AwaitingCredential, Permitted};
pub use reading::Reading;
pub use refusing::Refusing;
pub use responding::Responding;
pub use step::{Input, Step};
pub use worker::{Awaited, Event, Settled, Worker};

pub(crate) use self::admitted::rejection;
use self::credential::{Found, Wait};
use self::head::Head;
use self::outcome::{aborted, deny, record_of, undecided};
use crate::config::{HeaderMode, Limits};
use crate::http::Headers;
use crate::oauth::{self, Identity};
use crate::record::Record;
use crate::reply::{Denial, Reply};
use crate::response::Fed;

/// The state of an exchange.
#[derive(Debug, Default)]
pub enum Exchange {
    /// Nothing has come yet.
    #[default]
    Fresh,
    /// The token cannot be judged before somebody else has answered.
    Identifying(Box<Identifying>),
    /// Plain mode: the caller is known, and the headers are held until the
    /// upstream credential is there.
    Preparing(Box<Preparing>),
    /// The caller is known; the body is not complete.
    Reading(Box<Reading>),
    /// The message is permitted, and everything is held until the upstream
    /// credential is there.
    AwaitingCredential(Box<AwaitingCredential>),
    /// The upstream has it.
    Admitted(Box<Admitted>),
    /// The upstream answers.
    Responding(Box<Responding>),
    /// It is refused, and the answer waits for the end of the body.
    Refusing(Box<Refusing>),
    /// The gate has answered itself.
    Answered,
}

/// Waiting for keys or introspection.
#[derive(Debug)]
pub struct Identifying {
    head: Head,
    body: Arriving,
    awaited: oauth::Awaited,
}

/// Plain mode: waiting for the credential before the headers are let go. No
/// body has come.
#[derive(Debug)]
pub struct Preparing {
    head: Head,
    identity: Rc<Identity>,
    wait: Wait,
}

/// How far a body has come before anybody looks at it. The host holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arriving {
    /// Nothing of it is there.
    Open,
    /// Some of it is there, so letting the headers go would let that go too.
    Begun,
    /// All of it is there, with this many bytes.
    Complete(usize),
}

impl Exchange {
    /// What it waits for, if it waits for an answer.
    pub const fn awaits(&self) -> Option<Awaited> {
        match self {
            Self::Identifying(state) => Some(Awaited::Token(state.awaited)),
            Self::Preparing(state) => Some(Awaited::Credential(state.wait.key)),
            Self::AwaitingCredential(state) => Some(Awaited::Credential(state.wait.key)),
            Self::Fresh
            | Self::Reading(_)
            | Self::Admitted(_)
            | Self::Responding(_)
            | Self::Refusing(_)
            | Self::Answered => None,
        }
    }

    /// Whether its waiting has an end, so that somebody has to look at the
    /// clock: see [`Self::is_overdue`].
    pub const fn has_deadline(&self) -> bool {
        self.awaits().is_some() || matches!(self, Self::Refusing(_))
    }

    /// Whether a response now would come before the decision.
    pub const fn is_undecided(&self) -> bool {
        match self {
            Self::Identifying(_)
            | Self::Preparing(_)
            | Self::Reading(_)
            | Self::AwaitingCredential(_) => true,
            Self::Fresh
            | Self::Admitted(_)
            | Self::Responding(_)
            | Self::Refusing(_)
            | Self::Answered => false,
        }
    }

    /// Whether a response makes any difference: not the gate's own, nor one
    /// that came before the request.
    pub const fn heeds_response(&self) -> bool {
        !matches!(self, Self::Fresh | Self::Answered)
    }

    /// Whether the body of the response has to be looked at.
    pub const fn reads_response(&self) -> bool {
        matches!(self, Self::Admitted(_) | Self::Responding(_))
    }

    /// Whether nothing more is to come of it.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Answered)
    }

    /// Whether the time makes a difference to what comes of an input.
    pub fn depends_on_time(&self, input: &Input<'_>) -> bool {
        match (self, input) {
            (Self::Answered, _)
            | (
                Self::Responding(_),
                Input::ResponseBody { .. } | Input::ResponseTrailers | Input::Gone,
            ) => false,
            (Self::Admitted(state), Input::ResponseHeaders { headers, .. }) => {
                state.depends_on_time(headers)
            }
            _ => true,
        }
    }

    /// Whether it has waited for as long as it may.
    pub const fn is_overdue(&self, limits: &Limits, now_ms: u64) -> bool {
        match self {
            Self::Identifying(state) => now_ms >= state.head.deadline_ms(limits),
            Self::Preparing(state) => state.wait.patience.is_overdue(now_ms),
            Self::AwaitingCredential(state) => state.wait.patience.is_overdue(now_ms),
            Self::Refusing(state) => state.is_overdue(now_ms),
            Self::Fresh
            | Self::Reading(_)
            | Self::Admitted(_)
            | Self::Responding(_)
            | Self::Answered => false,
        }
    }

    /// One transition. `now_ms` is in milliseconds since 1970.
    pub fn advance(self, input: Input<'_>, worker: &mut Worker, now_ms: u64) -> (Self, Step) {
        if let Some(count) = self.counted(worker) {
            *count = count.saturating_sub(1);
        }
        let (next, step) = self.transition(input, worker, now_ms);
        if let Some(count) = next.counted(worker) {
            *count = count.saturating_add(1);
        }
        (next, step)
    }

    /// The number of exchanges that this one is among, if that is bounded.
    /// Those that are refused anyhow take no place of another's.
    const fn counted<'w>(&self, worker: &'w mut Worker) -> Option<&'w mut usize> {
        match self {
            Self::Refusing(_) => Some(&mut worker.refusing),
            _ if self.awaits().is_some() => Some(&mut worker.waiting),
            _ => None,
        }
    }

    fn transition(self, input: Input<'_>, worker: &mut Worker, now_ms: u64) -> (Self, Step) {
        match (self, input) {
            (
                Self::Fresh,
                Input::RequestHeaders {
                    headers,
                    end_of_stream,
                },
            ) => arrival::arrive(headers, end_of_stream, worker, now_ms),

            (Self::Identifying(state), Input::Wake) => {
                let Identifying { head, body, .. } = *state;
                arrival::identify(head, body, worker, now_ms)
            }
            (
                Self::Identifying(state),
                Input::RequestBody {
                    held,
                    end_of_stream,
                },
            ) => match state.body {
                _ if held > worker.limits.body_bytes => {
                    deny(Denial::BodyTooLarge, &state.head, None, now_ms)
                }
                Arriving::Complete(complete) if held != complete => {
                    deny(Denial::UnexpectedBody, &state.head, None, now_ms)
                }
                Arriving::Open | Arriving::Begun | Arriving::Complete(_) => {
                    let body = if end_of_stream {
                        Arriving::Complete(held)
                    } else {
                        Arriving::Begun
                    };
                    (
                        Self::Identifying(Box::new(Identifying { body, ..*state })),
                        Step::Wait,
                    )
                }
            },

            (Self::Preparing(state), Input::Wake) => {
                let Preparing {
                    head,
                    identity,
                    wait,
                } = *state;
                Preparing::release(head, identity, Some(wait), worker, now_ms)
            }
            // Letting the headers go would let this part of the body go too,
            // so the rest is waited for, and the credential comes after the
            // permit.
            (Self::Preparing(state), body @ Input::RequestBody { .. }) => {
                let Preparing { head, identity, .. } = *state;
                let reading = Reading {
                    head,
                    identity,
                    released: None,
                };
                Self::Reading(Box::new(reading)).transition(body, worker, now_ms)
            }

            (
                Self::Reading(state),
                Input::RequestBody {
                    held,
                    end_of_stream,
                },
            ) => {
                if held > worker.limits.body_bytes {
                    return deny(
                        Denial::BodyTooLarge,
                        &state.head,
                        Some(state.identity),
                        now_ms,
                    );
                }
                let step = if end_of_stream {
                    Step::ReadBody(held)
                } else {
                    Step::Wait
                };
                (Self::Reading(state), step)
            }
            (Self::Reading(state), Input::Message(bytes)) => state.decide(bytes, worker, now_ms),

            (Self::AwaitingCredential(state), Input::Wake) => state.wake(worker, now_ms),
            // The end of a body that is there already, or more than was
            // decided on.
            (Self::AwaitingCredential(state), Input::RequestBody { held, .. }) => {
                if held == state.body_bytes() {
                    (Self::AwaitingCredential(state), Step::Wait)
                } else {
                    state.permitted.refuse(Denial::UnexpectedBody, now_ms)
                }
            }

            (
                Self::Refusing(state),
                Input::RequestBody {
                    held,
                    end_of_stream,
                },
            ) => state.take(held, end_of_stream),
            (Self::Refusing(state), Input::Wake) if state.is_overdue(now_ms) => state.answer(),
            (Self::Refusing(state), Input::ResponseHeaders { .. } | Input::Gone) => state.give_up(),

            // An exchange that was woken while it had stopped waiting.
            (
                state @ (Self::Reading(_)
                | Self::Admitted(_)
                | Self::Responding(_)
                | Self::Refusing(_)
                | Self::Answered),
                Input::Wake,
            ) => (state, Step::Wait),

            (Self::Identifying(state), Input::ResponseHeaders { .. }) => {
                undecided(&state.head, None, now_ms)
            }
            (
                Self::Reading(state),
                Input::ResponseHeaders {
                    headers,
                    from_upstream,
                    ..
                },
            ) => {
                let Reading {
                    head,
                    identity,
                    released,
                } = *state;
                let has_seen_it = worker.header_mode == HeaderMode::Plain;
                if !has_seen_it || (!from_upstream && is_error(&headers)) {
                    return undecided(&head, Some(identity), now_ms);
                }
                let credential = released.as_ref().and_then(Found::credential);
                let denial = match (credential, rejection(&headers)) {
                    (Some(credential), Some(rejection)) if from_upstream => {
                        worker.credentials.reject(credential, rejection, now_ms);
                        Denial::CredentialRejected
                    }
                    _ => Denial::EarlyResponse,
                };
                deny(denial, &head, Some(identity), now_ms)
            }
            (Self::Preparing(state), Input::ResponseHeaders { .. }) => {
                undecided(&state.head, Some(state.identity), now_ms)
            }
            (Self::AwaitingCredential(state), Input::ResponseHeaders { .. } | Input::Gone) => {
                aborted(state.permitted.undecided_record(now_ms))
            }
            (
                Self::Admitted(state),
                Input::ResponseHeaders {
                    headers,
                    from_upstream,
                    has_body,
                },
            ) => state.respond(&headers, from_upstream, has_body, worker, now_ms),
            (Self::Fresh | Self::Answered, Input::ResponseHeaders { .. })
            | (Self::Answered, Input::ResponseTrailers) => (Self::Answered, Step::Continue),

            (Self::Responding(state), Input::ResponseBody { part, is_last }) => {
                state.pass(part, is_last, &worker.state_keys)
            }
            (Self::Responding(state), Input::ResponseTrailers) => state.end(&worker.state_keys),
            (Self::Responding(state), Input::Gone) => state.finish(),
            // The gate's own answer.
            (Self::Answered, Input::ResponseBody { .. }) => {
                (Self::Answered, Step::PassBody(Fed::AsItCame))
            }

            (Self::Identifying(state), Input::Gone) => undecided(&state.head, None, now_ms),
            (Self::Preparing(state), Input::Gone) => {
                undecided(&state.head, Some(state.identity), now_ms)
            }
            (Self::Reading(state), Input::Gone) => {
                undecided(&state.head, Some(state.identity), now_ms)
            }
            (_, Input::Gone) => (Self::Answered, Step::Continue),

            (
                state @ (Self::Admitted(_) | Self::Responding(_)),
                Input::RequestBody { held: 0, .. },
            ) => (state, Step::Continue),
            // A GET or DELETE that was let go, and has a body after all.
            (Self::Responding(state), Input::RequestBody { .. }) => (
                Self::Answered,
                Step::Reply {
                    reply: state.refuse_body(),
                    path: None,
                    record: None,
                },
            ),
            (Self::Admitted(state), Input::RequestBody { .. }) => (
                Self::Answered,
                Step::Reply {
                    reply: state.refuse_body(),
                    path: None,
                    record: None,
                },
            ),
            (Self::Answered, _) => (Self::Answered, Step::Wait),
            (state, _) => state.unexpected(now_ms),
        }
    }

    /// A callback that should not have come: nothing goes on.
    fn unexpected(self, now_ms: u64) -> (Self, Step) {
        let reply = Reply::internal_error();
        let record = match self {
            Self::Identifying(state) => record_of(&state.head, None, now_ms),
            Self::Reading(state) => {
                record_of(&state.head, Some(Rc::clone(&state.identity)), now_ms)
            }
            Self::Preparing(state) => {
                record_of(&state.head, Some(Rc::clone(&state.identity)), now_ms)
            }
            Self::AwaitingCredential(state) => state.permitted.undecided_record(now_ms),
            Self::Refusing(state) => state.into_record(),
            Self::Fresh | Self::Admitted(_) | Self::Responding(_) | Self::Answered => {
                Record::default()
            }
        };
        let record = Record {
            reason: "unexpected_callback",
            status: 500,
            ..record
        };
        (
            Self::Answered,
            Step::Reply {
                reply,
                path: None,
                record: Some(Box::new(record)),
            },
        )
    }
}

fn is_error(headers: &Headers) -> bool {
    headers
        .single(":status")
        .ok()
        .flatten()
        .and_then(|status| status.parse::<u16>().ok())
        .is_some_and(|status| status >= 400)
}
