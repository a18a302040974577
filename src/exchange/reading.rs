//! The caller is known: until the message is decided on.

use std::rc::Rc;

use super::admit::{Ground, Judgement, judge};
use super::credential::{Found, Search, Wait, find};
use super::head::Head;
use super::outcome::{deny, record_of, record_of_calls, refused};
use super::permitted::Permitted;
use super::{Exchange, Preparing, Step, Worker, edits};
use crate::oauth::Identity;
use crate::record::Record;
use crate::reply::Denial;

/// Waiting for the body.
#[derive(Debug)]
pub struct Reading {
    pub(super) head: Head,
    pub(super) identity: Rc<Identity>,
    /// What was found out about the credential before the headers were let
    /// go; `None` while they are held.
    pub(super) released: Option<Found>,
}

impl Preparing {
    /// Plain mode: the headers go on with the credential, if there is one. If
    /// not, the client is told once its message is permitted.
    pub(super) fn release(
        head: Head,
        identity: Rc<Identity>,
        earlier: Option<Wait>,
        worker: &mut Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        let found = match find(&head, &identity, None, earlier, worker, now_ms) {
            Search::Over(found) => found,
            Search::Goes(wait) => {
                let state = Self {
                    head,
                    identity,
                    wait,
                };
                return (Exchange::Preparing(Box::new(state)), Step::Wait);
            }
            Search::Crowded => {
                return deny(Denial::TooManyWaiting, &head, Some(identity), now_ms);
            }
        };
        let credential = found.credential().map(Rc::as_ref);
        let edits = edits::request_edits(&head, &identity, credential);
        let record = Box::new(Record {
            credential: found.record(),
            ..record_of(&head, Some(Rc::clone(&identity)), now_ms)
        });
        let reading = Reading {
            head,
            identity,
            released: Some(found),
        };
        (
            Exchange::Reading(Box::new(reading)),
            Step::ReleaseHeaders { edits, record },
        )
    }
}

impl Reading {
    /// The message is complete: the decision.
    pub(super) fn decide(self, bytes: &[u8], worker: &mut Worker, now_ms: u64) -> (Exchange, Step) {
        let Judgement {
            result,
            revision,
            calls,
            asker,
        } = judge(
            &self.head,
            &self.identity,
            bytes,
            Ground {
                limits: &worker.limits,
                keys: &worker.state_keys,
                now_s: now_ms / 1000,
            },
        );
        let record = Record {
            revision,
            body_bytes: bytes.len(),
            credential: self.released.as_ref().and_then(Found::record),
            ..record_of_calls(calls, &self.head, Some(Rc::clone(&self.identity)), now_ms)
        };
        let Self {
            head,
            identity,
            released,
        } = self;
        match result {
            Ok(admission) => Permitted {
                head,
                identity,
                admission,
                asker,
                record,
            }
            .go_on(released, worker, now_ms),
            Err((denial, reply)) => refused(&denial, reply, record),
        }
    }
}
