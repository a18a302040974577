//! The credential role: one attempt to reach an upstream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::exports::Stream;
use super::shared::{PERMIT, Shared, carry_out_attempt};
use super::types::{Action, LogLevel, MapType};
use super::{abi, host, registry};
use crate::attempt::{Attempt, Input, Refusal, Step};

/// The stream of one attempt.
pub(super) struct Injector {
    context: u32,
    server: Rc<str>,
    /// Whether it was said that no gate is in this VM.
    missed: Rc<Cell<bool>>,
    /// The gate whose ticket this attempt has.
    gate: Option<Rc<RefCell<Shared>>>,
    attempt: Rc<RefCell<Attempt>>,
}

impl Injector {
    pub(super) fn new(context: u32, server: Rc<str>, missed: Rc<Cell<bool>>) -> Self {
        Self {
            context,
            server,
            missed,
            gate: None,
            attempt: Rc::default(),
        }
    }

    /// Without a gate there is nothing to decide, and nothing is let go.
    fn feed(&self, input: Input<'_>) -> Action {
        let Some(gate) = &self.gate else {
            // The refusal itself comes by as response headers.
            return match input {
                Input::RequestHeaders { .. } => carry_out_attempt(Step::Refuse(Refusal::NoTicket)),
                Input::RequestBody => Action::Pause,
                Input::Wake | Input::ResponseHeaders(_) | Input::Gone => Action::Continue,
            };
        };
        let Ok(mut gate) = gate.try_borrow_mut() else {
            return carry_out_attempt(Step::Refuse(Refusal::Unexpected));
        };
        gate.feed_attempt(self.context, &self.attempt, input)
    }

    fn say_that_no_gate_is_there(&self) {
        if !registry::has_gate() && !self.missed.replace(true) {
            let server = &self.server;
            abi::log(
                LogLevel::Error,
                &format!(
                    "credential role of \"{server}\": no gate in this VM, so every attempt is \
                     refused: both need the same vm_id, code and VM configuration"
                ),
            );
        }
    }
}

impl Stream for Injector {
    fn on_request_headers(&mut self, _: bool) -> Action {
        let headers = host::headers(MapType::RequestHeaders);
        let found = abi::property(&[PERMIT])
            .and_then(|id| String::from_utf8(id).ok())
            .and_then(|id| registry::find(&id));
        let ticket = match found {
            Some((gate, ticket)) => {
                self.gate = Some(gate);
                Some(ticket)
            }
            None => {
                self.say_that_no_gate_is_there();
                None
            }
        };
        let server = Rc::clone(&self.server);
        self.feed(Input::RequestHeaders {
            headers: &headers,
            ticket,
            server: &server,
        })
    }

    fn on_request_body(&mut self, _: usize, _: bool) -> Action {
        self.feed(Input::RequestBody)
    }

    fn on_request_trailers(&mut self) -> Action {
        self.feed(Input::RequestBody)
    }

    fn on_response_headers(&mut self, _: bool) -> Action {
        let headers = host::headers(MapType::ResponseHeaders);
        self.feed(Input::ResponseHeaders(&headers))
    }

    fn on_response_body(&mut self, _: usize, _: bool) -> Action {
        Action::Continue
    }

    fn on_response_trailers(&mut self) -> Action {
        Action::Continue
    }

    fn on_log(&mut self) {}

    fn on_delete(&mut self) {
        self.feed(Input::Gone);
    }
}
