//! What the gate leaves for the attempts of a request that it lets go.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::HashMap;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::credential::{ConsentNeeded, CredentialFailure, CredentialSource};
use crate::oauth::{Identity, TokenHash};
use crate::secret::Secret;

/// What an attempt stands on: who is let go, to which server. It stays in the
/// memory of the worker; only its id is in filter state.
#[derive(Debug)]
pub struct Ticket {
    /// The server that the request is permitted for.
    pub server_id: Rc<str>,
    /// Where its credential comes from.
    pub source: Rc<CredentialSource>,
    /// Who is calling.
    pub identity: Rc<Identity>,
    /// The verified token that the request came with.
    pub token: Secret,
    /// Its hash.
    pub token_hash: TokenHash,
    /// The request's id, for the token service's log.
    pub request_id: Option<String>,
    /// Method, and name of the tool, prompt or resource.
    pub operation: Option<(String, Option<String>)>,
    /// Whether it may go on without a credential where there is none yet.
    pub goes_without: bool,
    /// When the gate asked for the credential, in milliseconds since 1970.
    pub asked_ms: u64,
    /// What has become of the attempts.
    pub progress: Progress,
}

/// What has become of the attempts of a request.
#[derive(Debug, Default)]
pub struct Progress {
    rejections: Cell<u32>,
    rejected_ms: Cell<u64>,
    obstacle: RefCell<Option<Obstacle>>,
}

/// Why the last attempt had no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The user has to give consent first.
    Consent(Rc<ConsentNeeded>),
    /// There is none to be had.
    Failure(CredentialFailure),
    /// The upstream has refused two already.
    Rejected,
}

/// The tickets of one worker, by their ids.
#[derive(Clone, Default)]
pub struct Tickets(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    /// Without one, ids could be guessed, so there are none.
    seed: Option<[u8; 32]>,
    last: u64,
    by_id: HashMap<TicketId, Rc<Ticket>>,
}

/// What the role finds a ticket by. It is as good as the ticket, so it is not
/// printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TicketId(String);

/// A ticket that is valid until this is dropped.
pub struct HeldTicket {
    id: TicketId,
    ticket: Rc<Ticket>,
    tickets: Tickets,
}

impl Ticket {
    /// How often the upstream has refused a credential.
    pub(super) fn rejections(&self) -> u32 {
        self.progress.rejections.get()
    }

    /// Answers from before are of no use: the gate's own question, or the last
    /// rejection.
    pub(super) fn asks_since_ms(&self) -> u64 {
        self.asked_ms.max(self.progress.rejected_ms.get())
    }

    pub(super) fn note_rejection(&self, now_ms: u64) {
        let progress = &self.progress;
        let rejections = progress.rejections.get();
        progress.rejections.set(rejections.saturating_add(1));
        progress.rejected_ms.set(now_ms);
    }

    pub(super) fn note_obstacle(&self, obstacle: Obstacle) {
        *self.progress.obstacle.borrow_mut() = Some(obstacle);
    }

    pub(super) fn clear_obstacle(&self) {
        *self.progress.obstacle.borrow_mut() = None;
    }
}

impl Tickets {
    /// With a seed of random bytes, of which the ids are made.
    pub fn seeded(seed: [u8; 32]) -> Self {
        let table = Table {
            seed: Some(seed),
            ..Table::default()
        };
        Self(Rc::new(RefCell::new(table)))
    }

    /// A new one; `None` without a seed.
    pub fn issue(&self, ticket: Ticket) -> Option<HeldTicket> {
        let mut table = self.0.borrow_mut();
        table.last = table.last.wrapping_add(1);
        let mut hash = Sha256::new();
        hash.update(table.seed?);
        hash.update(table.last.to_be_bytes());
        let id = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let id = TicketId(id);
        let ticket = Rc::new(ticket);
        table.by_id.insert(id.clone(), Rc::clone(&ticket));
        Some(HeldTicket {
            id,
            ticket,
            tickets: self.clone(),
        })
    }

    /// The ticket of this id, while its request is under way.
    pub fn find(&self, id: &str) -> Option<Rc<Ticket>> {
        self.0
            .borrow()
            .by_id
            .get(&TicketId(id.to_owned()))
            .map(Rc::clone)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HeldTicket {
    /// What the role finds it by.
    pub const fn id(&self) -> &TicketId {
        &self.id
    }

    /// Why the last attempt had no credential, if it had none.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.ticket.progress.obstacle.borrow().clone()
    }
}

impl TicketId {
    /// The id, for the one place that leaves it in filter state.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketId(…)")
    }
}

impl Drop for HeldTicket {
    fn drop(&mut self) {
        self.tickets.0.borrow_mut().by_id.remove(&self.id);
    }
}

/// Ids are as good as the tickets.
impl fmt::Debug for HeldTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldTicket")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
