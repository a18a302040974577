//! How the roles of one VM find each other: Envoy gives plugins with the same
//! VM id, code and VM configuration one VM for each worker.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::shared::Shared;
use crate::attempt::Ticket;

thread_local! {
    /// The gates of this VM, the newest last. After a change of configuration
    /// the older one goes on until its last request has ended.
    static GATES: RefCell<Vec<Weak<RefCell<Shared>>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a gate known to the credential roles.
pub(super) fn add(gate: &Rc<RefCell<Shared>>) {
    GATES.with_borrow_mut(|gates| {
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Rc::downgrade(gate));
    });
}

/// The gate that has issued the ticket of this id, and the ticket.
pub(super) fn find(id: &str) -> Option<(Rc<RefCell<Shared>>, Rc<Ticket>)> {
    GATES.with_borrow(|gates| {
        gates.iter().filter_map(Weak::upgrade).find_map(|gate| {
            let ticket = gate.try_borrow().ok()?.worker.tickets.find(id)?;
            Some((gate, ticket))
        })
    })
}

/// Whether there is a gate at all.
pub(super) fn has_gate() -> bool {
    GATES.with_borrow(|gates| gates.iter().any(|gate| gate.strong_count() > 0))
}
