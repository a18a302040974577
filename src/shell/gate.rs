//! The gate role: one HTTP exchange downstream.

use std::cell::RefCell;
use std::rc::Rc;

use super::exports::Stream;
use super::host;
use super::shared::Shared;
use super::types::{Action, MapType};
use crate::exchange::{Exchange, Input, steers_the_client};

/// The stream of one HTTP exchange. Its state is shared with the root
/// context, which wakes it when a callout has been answered.
pub(super) struct Gate {
    context: u32,
    shared: Rc<RefCell<Shared>>,
    exchange: Rc<RefCell<Exchange>>,
    /// Bytes of the request body that the host holds.
    held: usize,
}

impl Gate {
    pub(super) fn new(context: u32, shared: Rc<RefCell<Shared>>) -> Self {
        Self {
            context,
            shared,
            exchange: Rc::default(),
            held: 0,
        }
    }

    fn feed(&self, input: Input<'_>) -> Action {
        self.shared
            .borrow_mut()
            .feed(self.context, &self.exchange, input)
    }

    fn end(&self) {
        if !self.exchange.borrow().is_over() {
            self.feed(Input::Gone);
        }
    }

    fn body(&mut self, held: usize, end_of_stream: bool) -> Action {
        self.held = held;
        self.feed(Input::RequestBody {
            held,
            end_of_stream,
        })
    }
}

impl Stream for Gate {
    fn on_request_headers(&mut self, end_of_stream: bool) -> Action {
        let headers = host::headers(MapType::RequestHeaders);
        self.feed(Input::RequestHeaders {
            headers,
            end_of_stream,
        })
    }

    fn on_request_body(&mut self, held: usize, end_of_stream: bool) -> Action {
        self.body(held, end_of_stream)
    }

    /// With HTTP/2 trailers no body callback says that it is the last one.
    /// MCP has no trailers, and an upstream may merge them into the headers
    /// that were decided on, so they go nowhere.
    fn on_request_trailers(&mut self) -> Action {
        host::remove_all(MapType::RequestTrailers);
        self.body(self.held, true)
    }

    fn on_response_headers(&mut self, end_of_stream: bool) -> Action {
        let is_undecided = {
            let exchange = self.exchange.borrow();
            if !exchange.heeds_response() {
                return Action::Continue;
            }
            exchange.is_undecided()
        };
        let headers = host::headers(MapType::ResponseHeaders);
        // It makes a difference only before the decision and where there is a
        // challenge or the like, and asking costs.
        let matters = is_undecided
            || headers.only(":status") == Ok(Some(b"401"))
            || headers.has("location")
            || steers_the_client(&headers);
        self.feed(Input::ResponseHeaders {
            headers,
            from_upstream: !matters || host::is_from_upstream(),
            has_body: !end_of_stream,
        })
    }

    /// Nothing is paused: what is not decided yet is taken out of the chunk
    /// and held here, where the bound on it is the gate's own and not that of
    /// a connection's buffer.
    fn on_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !self.exchange.borrow().reads_response() {
            return Action::Continue;
        }
        let part = host::response_body(size);
        // Without it nothing goes on: what was not read is not certain.
        if part.len() != size {
            host::reset();
            return Action::Pause;
        }
        self.feed(Input::ResponseBody {
            part: &part,
            is_last: end_of_stream,
        })
    }

    /// With trailers, no body callback says that it is the last one.
    fn on_response_trailers(&mut self) -> Action {
        if !self.exchange.borrow().reads_response() {
            return Action::Continue;
        }
        self.feed(Input::ResponseTrailers)
    }

    /// Before the access loggers run, so that they see what is written down.
    fn on_log(&mut self) {
        self.end();
    }

    fn on_delete(&mut self) {
        self.end();
    }
}
