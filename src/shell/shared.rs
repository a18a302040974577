//! What the contexts of one worker share, and how steps become host calls.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use super::meters::Meters;
use super::types::{Action, LogLevel, MapType};
use super::{abi, host};
use crate::attempt::{self, Attempt, Refusal};
use crate::exchange::{Admission, Awaited, Exchange, HeaderEdits, Input, Step, Worker};
use crate::record::{Outcome, Record, audit_state, filter_state, identity_state};
use crate::reply::Reply;
use crate::response::Fed;
use crate::sorted_map::SortedMap;

/// The key in filter state of what the credential role goes by. It is the id
/// of a ticket, and opens nothing anywhere else.
pub(super) const PERMIT: &str = "mcp_auth.permit";

/// Why a request or a response was refused that the host did not change as it
/// was asked to.
const HOST_REFUSED: &str = "host_refused";

/// The shared part of a worker.
pub(super) struct Shared {
    pub(super) worker: Worker,
    pub(super) meters: Meters,
    /// The exchanges that wait, for a time that is bounded here, by context.
    waiting: SortedMap<u32, Rc<RefCell<Exchange>>>,
    /// The attempts that wait for a credential, by context.
    attempts: SortedMap<u32, Rc<RefCell<Attempt>>>,
    /// A queue of this worker alone, by which a stream asks the root context
    /// to make calls: those that a stream makes itself die with its client.
    queue: Option<u32>,
    /// Milliseconds since 1970, when something last depended on it.
    now_ms: u64,
}

impl Shared {
    pub(super) fn new(worker: Worker, queue: Option<u32>) -> Self {
        Self {
            worker,
            meters: Meters::default(),
            waiting: SortedMap::new(),
            attempts: SortedMap::new(),
            queue,
            now_ms: host::now_ms(),
        }
    }

    /// Feeds an input to the exchange of the effective context, and does what
    /// that asks for.
    pub(super) fn feed(
        &mut self,
        context: u32,
        exchange: &Rc<RefCell<Exchange>>,
        input: Input<'_>,
    ) -> Action {
        let part = match &input {
            Input::ResponseBody { part, .. } => part.len(),
            _ => 0,
        };
        // To ask for it costs as much as much of what it is asked for.
        if exchange.borrow().depends_on_time(&input) {
            self.now_ms = host::now_ms();
        }
        let mut step = self.advance(exchange, input);
        if let Step::ReadBody(held) = step {
            // It holds nothing that had to be dropped.
            mem::forget(step);
            let body = host::request_body(held);
            let input = if body.len() == held {
                Input::Message(&body)
            } else {
                // The host does not give what it said it holds: nothing that
                // an exchange would expect, so it is refused.
                Input::ReadFailed
            };
            step = self.advance(exchange, input);
        }
        self.set_waiting(context, exchange);
        match step {
            Step::Wait => {
                mem::forget(step);
                Action::Pause
            }
            Step::PassBody(fed) => pass_body(part, &fed),
            step => self.carry_out(step),
        }
    }

    /// Once in the module: a body is fed and then read, one after the other.
    #[inline(never)]
    fn advance(&mut self, exchange: &Rc<RefCell<Exchange>>, input: Input<'_>) -> Step {
        let mut exchange = exchange.borrow_mut();
        let (next, step) = mem::take(&mut *exchange).advance(input, &mut self.worker, self.now_ms);
        // What was left when the state was taken has nothing to drop.
        mem::forget(mem::replace(&mut *exchange, next));
        step
    }

    /// Remembers whether an exchange waits, and has the root context make the
    /// calls that it waits for.
    fn set_waiting(&mut self, context: u32, exchange: &Rc<RefCell<Exchange>>) {
        if exchange.borrow().has_deadline() {
            self.wait(context, exchange);
        } else if !self.waiting.is_empty() {
            self.stop_waiting(context);
        }
    }

    #[inline(never)]
    fn stop_waiting(&mut self, context: u32) {
        self.waiting.remove(&context);
    }

    #[cold]
    #[inline(never)]
    fn wait(&mut self, context: u32, exchange: &Rc<RefCell<Exchange>>) {
        self.waiting.insert(context, Rc::clone(exchange));
        if exchange.borrow().awaits().is_some() {
            self.have_calls_made();
        }
    }

    fn have_calls_made(&self) {
        if self.worker.has_due(host::now_ms())
            && let Some(queue) = self.queue
        {
            abi::enqueue(queue);
        }
    }

    /// Feeds an input to the attempt of the effective context, and does what
    /// that asks for.
    pub(super) fn feed_attempt(
        &mut self,
        context: u32,
        attempt: &Rc<RefCell<Attempt>>,
        input: attempt::Input<'_>,
    ) -> Action {
        let step = self.advance_attempt(attempt, input);
        if attempt.borrow().awaits().is_none() {
            self.attempts.remove(&context);
        } else {
            self.attempts.insert(context, Rc::clone(attempt));
            self.have_calls_made();
        }
        carry_out_attempt(step)
    }

    fn advance_attempt(
        &mut self,
        attempt: &Rc<RefCell<Attempt>>,
        input: attempt::Input<'_>,
    ) -> attempt::Step {
        let mut attempt = attempt.borrow_mut();
        let (next, step) =
            mem::take(&mut *attempt).advance(input, &mut self.worker, host::now_ms());
        *attempt = next;
        step
    }

    /// Lets the exchanges that wait for this look again. Called from the root
    /// context, which is the effective one afterwards.
    pub(super) fn wake(&mut self, root: u32, settled: Awaited) {
        self.wake_where(root, |exchange| exchange.awaits() == Some(settled));
        if let Awaited::Credential(key) = settled {
            self.wake_attempts(root, |attempt| attempt.awaits() == Some(key));
        }
    }

    /// Ends the waits that have lasted for as long as they may.
    pub(super) fn wake_overdue(&mut self, root: u32) {
        let limits = self.worker.limits;
        let now_ms = host::now_ms();
        self.wake_where(root, |exchange| exchange.is_overdue(&limits, now_ms));
        self.wake_attempts(root, |attempt| attempt.is_overdue(now_ms));
    }

    fn wake_attempts(&mut self, root: u32, wanted: impl Fn(&Attempt) -> bool) {
        let woken: Vec<(u32, Rc<RefCell<Attempt>>)> = self
            .attempts
            .iter()
            .filter(|(_, attempt)| wanted(&attempt.borrow()))
            .map(|(context, attempt)| (*context, Rc::clone(attempt)))
            .collect();
        if woken.is_empty() {
            return;
        }
        for (context, attempt) in woken {
            if !abi::set_effective_context(context) {
                self.advance_attempt(&attempt, attempt::Input::Gone);
                self.attempts.remove(&context);
                continue;
            }
            if self.feed_attempt(context, &attempt, attempt::Input::Wake) == Action::Continue {
                abi::continue_request();
            }
        }
        abi::set_effective_context(root);
    }

    fn wake_where(&mut self, root: u32, wanted: impl Fn(&Exchange) -> bool) {
        let woken: Vec<(u32, Rc<RefCell<Exchange>>)> = self
            .waiting
            .iter()
            .filter(|(_, exchange)| wanted(&exchange.borrow()))
            .map(|(context, exchange)| (*context, Rc::clone(exchange)))
            .collect();
        if woken.is_empty() {
            return;
        }
        for (context, exchange) in woken {
            if !abi::set_effective_context(context) {
                self.now_ms = host::now_ms();
                self.advance(&exchange, Input::Gone);
                self.waiting.remove(&context);
                continue;
            }
            if self.feed(context, &exchange, Input::Wake) == Action::Continue {
                abi::continue_request();
            }
        }
        abi::set_effective_context(root);
    }

    /// Does what a transition asks for, in the effective context.
    fn carry_out(&mut self, step: Step) -> Action {
        match step {
            Step::Wait | Step::ReadBody(_) | Step::PassBody(_) => Action::Pause,
            Step::Continue => Action::Continue,
            // Should it stay, it is bounded by what was announced.
            Step::DropBody(held) => {
                host::drop_request_body(held);
                Action::Pause
            }
            Step::ReleaseHeaders { edits, record } => {
                self.put_identity(&record);
                self.release(&edits, &record)
            }
            Step::Forward {
                admission,
                edits,
                ticket,
                record,
            } => {
                // Without it, the credential role refuses.
                if let Some(id) = ticket {
                    abi::set_property(PERMIT, id.expose());
                }
                self.forward(&admission, edits.as_ref(), &record)
            }
            Step::Reply {
                reply,
                path,
                record,
            } => self.answer(&reply, path.as_deref(), record.as_deref()),
            Step::EditResponse(edits) => {
                if host::edit(MapType::ResponseHeaders, &edits) {
                    Action::Continue
                } else {
                    replace_unedited()
                }
            }
            Step::ReplaceResponse { reply, record } => self.replace_response(&reply, &record),
            Step::Note(record) => {
                self.write_down(&record);
                Action::Continue
            }
            Step::Amend(record) => self.amend(&record),
        }
    }

    #[cold]
    #[inline(never)]
    fn answer(&mut self, reply: &Reply, path: Option<&str>, record: Option<&Record>) -> Action {
        let reason = record.map_or("unexpected", |record| record.reason);
        if let Some(record) = record {
            self.write_down(record);
        }
        if let Some(path) = path {
            abi::set_header(MapType::RequestHeaders, ":path", path);
        }
        host::send(reply, reason);
        Action::Pause
    }

    #[cold]
    #[inline(never)]
    fn replace_response(&mut self, reply: &Reply, record: &Record) -> Action {
        self.describe(record, host::now_ms());
        self.meters.count_credential(record);
        host::send(reply, record.reason);
        Action::Pause
    }

    #[cold]
    #[inline(never)]
    fn amend(&mut self, record: &Record) -> Action {
        let wanted = self.worker.filter_state;
        audit_state(record, wanted, host::now_ms(), put_state);
        self.meters.count_withheld(record);
        Action::Continue
    }

    #[inline(never)]
    fn put_identity(&self, record: &Record) {
        identity_state(record, self.worker.filter_state, put_state);
    }

    /// Lets a permitted request go, as the upstream may see it.
    fn forward(
        &mut self,
        admission: &Admission,
        edits: Option<&HeaderEdits>,
        record: &Record,
    ) -> Action {
        if let Some(message) = admission.message()
            && !host::replace_request_body(message)
        {
            return self.refused_by_host("the request body", record);
        }
        let action = edits.map_or(Action::Continue, |edits| self.release(edits, record));
        if action == Action::Continue {
            self.write_down(record);
        }
        action
    }

    /// Changes the request headers and lets them go.
    fn release(&mut self, edits: &HeaderEdits, record: &Record) -> Action {
        if host::edit(MapType::RequestHeaders, edits) {
            return Action::Continue;
        }
        self.refused_by_host("the request headers", record)
    }

    /// The host did not make a change: what would go on is not what was
    /// decided on.
    #[cold]
    #[inline(never)]
    fn refused_by_host(&mut self, what: &str, record: &Record) -> Action {
        abi::log(
            LogLevel::Error,
            &format!("the host refused to change {what}; the request is refused"),
        );
        self.write_down(&Record {
            outcome: Outcome::Denied,
            reason: HOST_REFUSED,
            status: 500,
            ..record.clone()
        });
        host::send(&Reply::internal_error(), HOST_REFUSED);
        Action::Pause
    }

    fn write_down(&mut self, record: &Record) {
        self.describe(record, self.now_ms);
        self.meters.count(record);
    }

    /// Puts a record where access logs find it, in place of an earlier one.
    fn describe(&self, record: &Record, now_ms: u64) {
        filter_state(record, self.worker.filter_state, now_ms, put_state);
    }
}

/// Lets a part of a response's body go, which has this many bytes, or
/// something else in its place.
fn pass_body(size: usize, fed: &Fed) -> Action {
    let is_passed = match fed {
        Fed::AsItCame => true,
        Fed::Instead(bytes) => host::replace_response_body(size, bytes),
        Fed::Cut(_) => false,
    };
    if is_passed {
        Action::Continue
    } else {
        cut(size)
    }
}

#[cold]
#[inline(never)]
fn cut(size: usize) -> Action {
    // Should the reset not happen, there is nothing left to go on.
    host::replace_response_body(size, b"");
    host::reset();
    Action::Pause
}

/// The host did not change the response headers, among which are a session id
/// of the upstream's and its challenges.
#[cold]
#[inline(never)]
fn replace_unedited() -> Action {
    abi::log(
        LogLevel::Error,
        "the host refused to change the response headers; the response is replaced",
    );
    host::send(&Reply::internal_error(), HOST_REFUSED);
    Action::Pause
}

/// Does what the transition of an attempt asks for, in the effective context.
pub(super) fn carry_out_attempt(step: attempt::Step) -> Action {
    let refusal = match step {
        attempt::Step::Wait => return Action::Pause,
        attempt::Step::Continue => return Action::Continue,
        attempt::Step::Send(edits) if host::edit(MapType::RequestHeaders, &edits) => {
            return Action::Continue;
        }
        attempt::Step::Send(_) => Refusal::Unexpected,
        attempt::Step::Refuse(refusal) => refusal,
    };
    host::send(&Reply::empty(refusal.status()), refusal.reason());
    Action::Pause
}

/// Puts an entry into filter state, in place of an earlier one.
fn put_state(key: &'static str, value: &str) {
    abi::set_property(key, value);
}
