//! The functions that the host calls (proxy-wasm ABI 0.2.1), and the contexts
//! that they are for.
//!
//! Those that are of no use here are missing on purpose: the host then makes no
//! call at all, and a call into the module costs more than what most of them
//! would do. `proxy_on_done` is one: what ends a stream is said in
//! `proxy_on_log`, and at the latest in `proxy_on_delete`.
#![allow(unsafe_code, reason = "the host finds functions by their names")]

use core::hash::{BuildHasherDefault, Hasher};
use std::cell::RefCell;
use std::collections::HashMap;

use super::abi;
use super::gate::Gate;
use super::injector::Injector;
use super::root::Root;
use super::types::Action;

thread_local! {
    /// The contexts of this VM, which has one thread.
    static CONTEXTS: RefCell<Contexts> =
        const { RefCell::new(Contexts::with_hasher(BuildHasherDefault::new())) };
}

type Contexts = HashMap<u32, Context, BuildHasherDefault<IdHasher>>;

/// Something that the host calls.
pub(super) enum Context {
    /// A plugin.
    Root(Box<Root>),
    /// A stream downstream.
    Gate(Gate),
    /// A stream upstream.
    Injector(Box<Injector>),
}

/// An HTTP stream.
pub(super) trait Stream {
    fn on_request_headers(&mut self, end_of_stream: bool) -> Action;
    fn on_request_body(&mut self, held: usize, end_of_stream: bool) -> Action;
    fn on_request_trailers(&mut self) -> Action;
    fn on_response_headers(&mut self, end_of_stream: bool) -> Action;
    fn on_response_body(&mut self, size: usize, end_of_stream: bool) -> Action;
    fn on_response_trailers(&mut self) -> Action;
    /// Before the access loggers run.
    fn on_log(&mut self);
    /// The last that is heard of it.
    fn on_delete(&mut self);
}

/// Something that happens to an HTTP stream while it lasts.
#[derive(Clone, Copy)]
enum Event {
    RequestHeaders { end_of_stream: bool },
    RequestBody { held: usize, end_of_stream: bool },
    RequestTrailers,
    ResponseHeaders { end_of_stream: bool },
    ResponseBody { size: usize, end_of_stream: bool },
    ResponseTrailers,
    Log,
}

impl Event {
    fn happen_to(self, stream: &mut impl Stream) -> Action {
        match self {
            Self::RequestHeaders { end_of_stream } => stream.on_request_headers(end_of_stream),
            Self::RequestBody {
                held,
                end_of_stream,
            } => stream.on_request_body(held, end_of_stream),
            Self::RequestTrailers => stream.on_request_trailers(),
            Self::ResponseHeaders { end_of_stream } => stream.on_response_headers(end_of_stream),
            Self::ResponseBody {
                size,
                end_of_stream,
            } => stream.on_response_body(size, end_of_stream),
            Self::ResponseTrailers => stream.on_response_trailers(),
            Self::Log => {
                stream.on_log();
                Action::Continue
            }
        }
    }
}

impl Context {
    fn root(&mut self) -> Option<&mut Root> {
        match self {
            Self::Root(root) => Some(root),
            Self::Gate(_) | Self::Injector(_) => None,
        }
    }

    fn stream(&mut self, event: Event) -> Option<Action> {
        match self {
            Self::Root(_) => None,
            Self::Gate(gate) => Some(event.happen_to(gate)),
            Self::Injector(injector) => Some(event.happen_to(&mut **injector)),
        }
    }
}

/// The host gives ids out one after the other, so that they need no hash that
/// somebody could not foresee, but one that spreads them.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn write_u32(&mut self, id: u32) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(ODD);
    }
}

/// Calls what is there of that id; `None` if nothing is, or if the host should
/// call while it is called itself.
fn with<T>(id: u32, call: impl FnOnce(&mut Context) -> Option<T>) -> Option<T> {
    CONTEXTS.with(|contexts| {
        let mut contexts = contexts.try_borrow_mut().ok()?;
        call(contexts.get_mut(&id)?)
    })
}

fn with_root<T>(id: u32, call: impl FnOnce(&mut Root) -> T) -> Option<T> {
    with(id, |context| context.root().map(call))
}

/// One function for all that happens to a stream: a request comes through it
/// several times, and finds it in the processor's cache.
#[inline(never)]
fn with_stream(id: u32, event: Event) -> Option<Action> {
    with(id, |context| context.stream(event))
}

/// Nothing of a request goes on for which there is nobody to decide.
fn on_request(id: u32, event: Event) -> u32 {
    with_stream(id, event).unwrap_or(Action::Pause) as u32
}

/// A response to a request that did not go on is the gate's own.
fn on_response(id: u32, event: Event) -> u32 {
    with_stream(id, event).unwrap_or(Action::Continue) as u32
}

unsafe extern "C" {
    /// The constructors of what is linked into the module.
    fn __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for the host to write to, which is taken over as a `Vec`.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    abi::allocate(size)
}

/// `parent` is a plugin's context, or 0 where this is one.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    let context = if parent == 0 {
        Some(Context::Root(Box::new(Root::new(id))))
    } else {
        with_root(parent, |root| root.stream(id)).flatten()
    };
    if let Some(context) = context {
        CONTEXTS.with(|contexts| {
            if let Ok(mut contexts) = contexts.try_borrow_mut() {
                contexts.insert(id, context);
            }
        });
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, _: usize) -> u32 {
    with_root(id, Root::on_configure).unwrap_or(false).into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: u32) {
    with_root(id, Root::on_tick);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(id: u32, queue: u32) {
    with_root(id, |root| root.on_queue_ready(queue));
}

/// Only plugins' contexts make calls.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    id: u32,
    call: u32,
    headers: usize,
    body_size: usize,
    _: usize,
) {
    with_root(id, |root| root.on_call_response(call, headers, body_size));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _: usize, end_of_stream: u32) -> u32 {
    let end_of_stream = end_of_stream != 0;
    on_request(id, Event::RequestHeaders { end_of_stream })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, held: usize, end_of_stream: u32) -> u32 {
    let end_of_stream = end_of_stream != 0;
    on_request(
        id,
        Event::RequestBody {
            held,
            end_of_stream,
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _: usize) -> u32 {
    on_request(id, Event::RequestTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _: usize, end_of_stream: u32) -> u32 {
    let end_of_stream = end_of_stream != 0;
    on_response(id, Event::ResponseHeaders { end_of_stream })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end_of_stream: u32) -> u32 {
    let end_of_stream = end_of_stream != 0;
    on_response(
        id,
        Event::ResponseBody {
            size,
            end_of_stream,
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> u32 {
    on_response(id, Event::ResponseTrailers)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    with_stream(id, Event::Log);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    match CONTEXTS.with(|contexts| contexts.try_borrow_mut().ok()?.remove(&id)) {
        Some(Context::Gate(mut gate)) => gate.on_delete(),
        Some(Context::Injector(mut injector)) => injector.on_delete(),
        Some(Context::Root(root)) => root.on_delete(),
        None => {}
    }
}
