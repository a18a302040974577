//! What the contexts of one worker share, and how steps become host calls.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;

use proxy_wasm::types::{Action, LogLevel, MapType};

use super::meters::Meters;
use super::{abi, host};
use crate::exchange::{Exchange, HeaderEdits, Input, Step, Worker};
use crate::record::{Record, audit_line, filter_state};
use crate::reply::Reply;

/// The key of the audit line in filter state.
const AUDIT: &str = "mcp_auth.audit";

/// The shared part of a worker.
pub(super) struct Shared {
    pub(super) worker: Worker,
    pub(super) meters: Meters,
    /// The exchanges that wait for an answer, by context.
    waiting: BTreeMap<u32, Rc<RefCell<Exchange>>>,
    /// A queue of this worker alone, by which a stream asks the root context
    /// to make calls: those that a stream makes itself die with its client.
    queue: Option<u32>,
}

impl Shared {
    pub(super) fn new(worker: Worker, queue: Option<u32>) -> Self {
        Self {
            worker,
            meters: Meters::default(),
            waiting: BTreeMap::new(),
            queue,
        }
    }

    /// One transition of an exchange.
    pub(super) fn advance(&mut self, exchange: &Rc<RefCell<Exchange>>, input: Input<'_>) -> Step {
        let mut exchange = exchange.borrow_mut();
        let (next, step) =
            mem::take(&mut *exchange).advance(input, &mut self.worker, host::now_ms());
        *exchange = next;
        step
    }

    /// Remembers whether an exchange waits, and has the root context make the
    /// calls that it waits for.
    pub(super) fn set_waiting(&mut self, context: u32, exchange: &Rc<RefCell<Exchange>>) {
        if !exchange.borrow().is_waiting() {
            self.forget(context);
            return;
        }
        self.waiting.insert(context, Rc::clone(exchange));
        if self.worker.authenticator.has_due(host::now_ms())
            && let Some(queue) = self.queue
        {
            abi::enqueue(queue);
        }
    }

    pub(super) fn forget(&mut self, context: u32) {
        self.waiting.remove(&context);
    }

    /// Lets every exchange that waits look again. Called from the root
    /// context, which is the effective one afterwards.
    pub(super) fn wake_all(&mut self, root: u32) {
        if self.waiting.is_empty() {
            return;
        }
        for (context, exchange) in self.waiting.clone() {
            if !abi::set_effective_context(context) {
                self.forget(context);
                continue;
            }
            let step = self.advance(&exchange, Input::Wake);
            self.set_waiting(context, &exchange);
            let released = matches!(step, Step::Forward { .. } | Step::ReleaseHeaders(_));
            if self.carry_out(step) == Action::Continue && released {
                abi::continue_request();
            }
        }
        abi::set_effective_context(root);
    }

    /// Does what a transition asks for, in the effective context.
    pub(super) fn carry_out(&mut self, step: Step) -> Action {
        match step {
            Step::Wait | Step::ReadBody => Action::Pause,
            Step::Continue => Action::Continue,
            Step::ReleaseHeaders(edits) => release(&edits),
            Step::Forward {
                admission: _,
                edits,
                record,
            } => {
                self.write_down(&record);
                edits.map_or(Action::Continue, |edits| release(&edits))
            }
            Step::Reply {
                reply,
                path,
                record,
            } => {
                self.write_down(&record);
                if let Some(path) = path {
                    abi::set_header(MapType::HttpRequestHeaders, ":path", &path);
                }
                host::send(&reply, record.reason);
                Action::Pause
            }
            Step::EditResponse(edits) => {
                host::edit(MapType::HttpResponseHeaders, &edits);
                Action::Continue
            }
            Step::Note(record) => {
                self.write_down(&record);
                Action::Continue
            }
        }
    }

    fn write_down(&mut self, record: &Record) {
        for (key, value) in filter_state(record) {
            abi::set_property(key, &value);
        }
        abi::set_property(AUDIT, &audit_line(record, host::now_ms()));
        self.meters.count(record);
    }
}

/// Changes the request headers and lets them go; if the host refuses a
/// change, what would go on is not what was decided on.
fn release(edits: &HeaderEdits) -> Action {
    if host::edit(MapType::HttpRequestHeaders, edits) {
        return Action::Continue;
    }
    abi::log(
        LogLevel::Error,
        "the host refused to change request headers; the request is refused",
    );
    let reply = Reply {
        status: 500,
        headers: Vec::new(),
        body: String::new(),
    };
    host::send(&reply, "host_refused");
    Action::Pause
}
