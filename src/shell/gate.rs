//! The gate role: one HTTP exchange downstream.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};

use super::host;
use super::shared::Shared;
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

    fn body(&mut self, held: usize, end_of_stream: bool) -> Action {
        self.held = held;
        self.feed(Input::RequestBody {
            held,
            end_of_stream,
        })
    }
}

impl Context for Gate {
    fn on_done(&mut self) -> bool {
        self.feed(Input::Gone);
        true
    }
}

impl HttpContext for Gate {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let headers = host::headers(MapType::HttpRequestHeaders);
        self.feed(Input::RequestHeaders {
            headers,
            end_of_stream,
        })
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        self.body(body_size, end_of_stream)
    }

    /// With HTTP/2 trailers no body callback says that it is the last one.
    /// MCP has no trailers, and an upstream may merge them into the headers
    /// that were decided on, so they go nowhere.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        host::remove_all(MapType::HttpRequestTrailers);
        self.body(self.held, true)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if !self.exchange.borrow().heeds_response() {
            return Action::Continue;
        }
        let headers = host::headers(MapType::HttpResponseHeaders);
        // It makes a difference only before the decision and where there is a
        // challenge or the like, and asking costs.
        let matters = self.exchange.borrow().is_undecided()
            || headers.pseudo(":status") == "401"
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
    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if !self.exchange.borrow().reads_response() {
            return Action::Continue;
        }
        let part = host::response_body(body_size);
        // Without it nothing goes on: what was not read is not certain.
        if part.len() != body_size {
            host::reset();
            return Action::Pause;
        }
        self.feed(Input::ResponseBody {
            part: &part,
            is_last: end_of_stream,
        })
    }

    /// With trailers, no body callback says that it is the last one.
    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if !self.exchange.borrow().reads_response() {
            return Action::Continue;
        }
        self.feed(Input::ResponseTrailers)
    }

    /// Before the access loggers run, so that they see what is written down.
    fn on_log(&mut self) {
        self.feed(Input::Gone);
    }
}
