//! The message is permitted: until it goes on, with its credential.

use std::mem;
use std::rc::Rc;

use super::admit::Admission;
use super::admitted::Admitted;
use super::credential::{Found, Search, Wait, find};
use super::head::Head;
use super::outcome::{missing_consent, record_of, refused, request_id};
use super::{Exchange, Step, Worker, edits};
use crate::attempt::{HeldTicket, Progress, Ticket};
use crate::credential::{ConsentNeeded, PlacedBy};
use crate::oauth::{Identity, bearer_token_of};
use crate::record::{Outcome, Record};
use crate::reply::{Addressee, Asker, Denial, refuse};
use crate::secret::Secret;

/// A permitted request.
#[derive(Debug)]
pub struct Permitted {
    pub(super) head: Head,
    pub(super) identity: Rc<Identity>,
    pub(super) admission: Admission,
    pub(super) asker: Asker,
    pub(super) record: Record,
}

/// A permitted request whose headers are held until its credential is there.
#[derive(Debug)]
pub struct AwaitingCredential {
    pub(super) permitted: Permitted,
    pub(super) wait: Wait,
}

impl AwaitingCredential {
    /// What was waited for is there, or the time is up.
    pub(super) fn wake(self, worker: &mut Worker, now_ms: u64) -> (Exchange, Step) {
        self.permitted.look_up(Some(self.wait), worker, now_ms)
    }

    /// How long the body is that was decided on.
    pub(super) const fn body_bytes(&self) -> usize {
        self.permitted.record.body_bytes
    }
}

impl Permitted {
    /// On to the credential, unless it was asked for before the headers were
    /// let go.
    pub(super) fn go_on(
        self,
        released: Option<Found>,
        worker: &mut Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        match released {
            None => self.look_up(None, worker, now_ms),
            Some(found) => self.conclude(found, true, worker, now_ms),
        }
    }

    fn look_up(
        mut self,
        earlier: Option<Wait>,
        worker: &mut Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        let operation = self.operation();
        match find(
            &self.head,
            &self.identity,
            operation,
            earlier,
            worker,
            now_ms,
        ) {
            Search::Over(found) => self.conclude(found, false, worker, now_ms),
            Search::Goes(wait) => {
                self.head.reduce();
                let state = AwaitingCredential {
                    permitted: self,
                    wait,
                };
                (Exchange::AwaitingCredential(Box::new(state)), Step::Wait)
            }
            Search::Crowded => self.refuse(Denial::TooManyWaiting, now_ms),
        }
    }

    /// What is known of the credential decides how it goes on.
    fn conclude(
        mut self,
        found: Found,
        is_released: bool,
        worker: &Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        self.record.credential = found.record();
        match &found {
            Found::Missing(needed) if !self.goes_without() => {
                let needed = Rc::clone(needed);
                self.ask_for_consent(&needed, worker, now_ms)
            }
            Found::Failed(failure) => self.refuse(Denial::Credential(*failure), now_ms),
            Found::Unasked | Found::Ready(..) | Found::NotNeeded | Found::Missing(_) => {
                self.admit(found, is_released, worker, now_ms)
            }
        }
    }

    /// Method and target, where it is one call.
    fn operation(&self) -> Option<(&str, Option<&str>)> {
        let [call] = self.record.calls.as_slice() else {
            return None;
        };
        let target = (!call.kind.is_empty()).then_some(call.target.as_str());
        Some((call.method.as_ref(), target))
    }

    /// For the credential role, where it sets the credential.
    fn ticket(&self, worker: &Worker) -> Option<HeldTicket> {
        let source = self.head.site.server.credential.as_ref()?;
        if source.placed_by != PlacedBy::Cluster {
            return None;
        }
        let token = bearer_token_of(&self.head.headers).ok().flatten()?;
        let operation = self
            .operation()
            .map(|(method, name)| (method.to_owned(), name.map(str::to_owned)));
        worker.tickets.issue(Ticket {
            server_id: Rc::clone(&self.head.site.server.id),
            source: Rc::clone(source),
            identity: Rc::clone(&self.identity),
            token: Secret::new(token.as_str().to_owned()),
            token_hash: self.head.token?,
            request_id: request_id(&self.head.headers),
            operation,
            goes_without: self.goes_without(),
            asked_ms: self.head.arrived_ms,
            progress: Progress::default(),
        })
    }

    /// Whether every call of it may go on without a credential.
    fn goes_without(&self) -> bool {
        let source = self.head.site.server.credential.as_ref();
        source.is_some_and(|source| {
            let mut calls = self.record.calls.iter();
            calls.all(|call| source.is_optional_for(&call.method))
        })
    }

    fn ask_for_consent(
        self,
        needed: &ConsentNeeded,
        worker: &Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        let denial = missing_consent(
            &self.head.site,
            &self.identity,
            &self.asker,
            needed,
            &worker.state_keys,
            now_ms,
        );
        self.refuse(denial, now_ms)
    }

    pub(super) fn refuse(self, denial: Denial, now_ms: u64) -> (Exchange, Step) {
        let to = Addressee {
            site: Some(&self.head.site),
            origin: &self.head.origin,
            subject: self.asker.subject(),
        };
        let reply = refuse(&denial, to);
        let record = Record {
            elapsed_ms: now_ms.saturating_sub(self.head.arrived_ms),
            ..self.record
        };
        refused(&denial, reply, record)
    }

    fn admit(
        self,
        found: Found,
        is_released: bool,
        worker: &Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        let ticket = self.ticket(worker);
        let Self {
            head,
            identity,
            mut admission,
            asker,
            record,
        } = self;
        let edits = (!is_released).then(|| {
            let credential = found.credential().map(Rc::as_ref);
            edits::request_edits(&head, &identity, credential)
        });
        let record = Rc::new(Record {
            outcome: Outcome::Allowed,
            reason: "allowed",
            elapsed_ms: now_ms.saturating_sub(head.arrived_ms),
            ..record
        });
        let id = ticket.as_ref().map(|ticket| ticket.id().clone());
        let admitted = Admitted::new(
            head,
            identity,
            asker,
            found,
            ticket,
            (admission.opens, mem::take(&mut admission.expected)),
            Rc::clone(&record),
        );
        (
            Exchange::Admitted(Box::new(admitted)),
            Step::Forward {
                admission,
                edits,
                ticket: id,
                record,
            },
        )
    }

    /// What is written down if it ends before it goes on.
    pub(super) fn undecided_record(&self, now_ms: u64) -> Record {
        Record {
            calls: self.record.calls.clone(),
            ..record_of(&self.head, Some(Rc::clone(&self.identity)), now_ms)
        }
    }
}
