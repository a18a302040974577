//! The root context: configuration, callouts, time.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::exports::Context;
use super::gate::Gate;
use super::injector::Injector;
use super::shared::Shared;
use super::types::LogLevel;
use super::{abi, host, registry};
use crate::attempt::Tickets;
use crate::callout::{Fetch, FetchAnswer, FetchId};
use crate::config::{self, Plugin};
use crate::exchange::{Event, Worker};
use crate::oauth::{InlineKeyError, KeyEvent, KeyEventKind, TokenHashKey, Verifiers};
use crate::sorted_map::SortedMap;

/// How often waiting requests and the keys' age are looked at.
const TICK_MS: u32 = 100;
/// How often, in ticks, the size of the memory is told.
const MEMORY_TICKS: u64 = 50;

/// How much of an answer is read; the core has tighter bounds of its own.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The root context of one plugin in one worker.
pub(super) struct Root {
    context: u32,
    role: Role,
    /// The calls under way, by the host's token.
    calls: SortedMap<u32, FetchId>,
    queue: Option<u32>,
    ticks: u64,
}

/// What this plugin is configured to be.
enum Role {
    /// Nothing yet.
    Unknown,
    /// The gate, downstream.
    Gate(Rc<RefCell<Shared>>),
    /// The credential role in the cluster of this server. It makes no calls:
    /// the gate's root context does.
    Credential {
        server: Rc<str>,
        /// Whether it was said that no gate is in this VM.
        missed: Rc<Cell<bool>>,
    },
}

impl Role {
    const fn gate(&self) -> Option<&Rc<RefCell<Shared>>> {
        match self {
            Self::Gate(shared) => Some(shared),
            Self::Unknown | Self::Credential { .. } => None,
        }
    }
}

impl Root {
    pub(super) fn new(context: u32) -> Self {
        Self {
            context,
            role: Role::Unknown,
            calls: SortedMap::new(),
            queue: None,
            ticks: 0,
        }
    }

    /// Makes the calls that are due. One that the host refuses counts as
    /// answered with nothing.
    fn dispatch_due(&mut self) {
        let Some(shared) = self.role.gate() else {
            return;
        };
        let due = shared.borrow_mut().worker.due(host::now_ms());
        for fetch in due {
            match dispatch(&fetch) {
                Some(token) => {
                    self.calls.insert(token, fetch.id);
                }
                None => {
                    let cluster = &fetch.cluster;
                    abi::log(
                        LogLevel::Warn,
                        &format!("cluster \"{cluster}\": the call could not be made"),
                    );
                    self.answered(fetch.id, None);
                }
            }
        }
    }

    /// So that a call that the host has lost ends as one that got no answer:
    /// told, counted, and waited for by nobody.
    fn give_up_lost(&mut self) {
        while let Some(id) = self.lost() {
            let token = self.calls.iter().find(|(_, call)| *call == id);
            if let Some(token) = token.map(|(token, _)| *token) {
                self.calls.remove(&token);
            }
            self.answered(id, None);
        }
    }

    fn lost(&self) -> Option<FetchId> {
        self.role.gate()?.borrow().worker.lost(host::now_ms())
    }

    /// Takes an answer, and lets those who waited for it go on.
    fn answered(&self, id: FetchId, answer: Option<FetchAnswer<'_>>) {
        let Some(shared) = self.role.gate() else {
            return;
        };
        let mut shared = shared.borrow_mut();
        let settled = shared.worker.answered(id, answer, host::now_ms());
        for event in &settled.events {
            match event {
                Event::Key(event) => log_event(event),
                Event::Credential(event) => {
                    abi::log(LogLevel::Warn, &event.to_string());
                    shared.meters.count_failed_call(event);
                }
            }
        }
        if let Some(awaited) = settled.awaited {
            shared.wake(self.context, awaited);
        }
    }
}

/// Hashers begin with a random state, which the host gives.
fn random_word() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// As random as the hashers' keys, which have 128 bits.
fn random_bytes() -> [u8; 32] {
    let mut hash = Sha256::new();
    for _ in 0..8 {
        hash.update(random_word().to_be_bytes());
    }
    hash.finalize().into()
}

/// The key that this worker remembers tokens with.
fn hash_key() -> TokenHashKey {
    let mut key = [0; 16];
    for (byte, random) in key.iter_mut().zip(random_bytes()) {
        *byte = random;
    }
    TokenHashKey::new(key)
}

fn dispatch(fetch: &Fetch) -> Option<u32> {
    let headers: Vec<(&str, &str)> = fetch
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let timeout_ms = u32::try_from(fetch.timeout_ms).unwrap_or(u32::MAX);
    abi::http_call(&fetch.cluster, &headers, &fetch.body, timeout_ms)
}

fn log_event(event: &KeyEvent) {
    let issuer = &event.issuer_id;
    match event.kind {
        KeyEventKind::Loaded { usable, skipped } => abi::log(
            LogLevel::Info,
            &format!("issuer \"{issuer}\": {usable} keys loaded, {skipped} of no use here"),
        ),
        KeyEventKind::KeysFailed(failure) => {
            abi::log(
                LogLevel::Warn,
                &format!("issuer \"{issuer}\": keys could not be fetched: {failure}"),
            );
        }
        KeyEventKind::IntrospectionFailed(failure) => {
            abi::log(
                LogLevel::Warn,
                &format!("issuer \"{issuer}\": introspection failed: {failure}"),
            );
        }
    }
}

impl Root {
    /// A call has been answered, or has failed.
    pub(super) fn on_call_response(&mut self, token: u32, headers: usize, body_size: usize) {
        let Some(id) = self.calls.remove(&token) else {
            return;
        };
        // Without headers the call failed, and there is no map to read.
        let answer = if headers == 0 {
            None
        } else {
            host::call_answer(body_size, MAX_ANSWER_BYTES)
        };
        let answer = answer.as_ref().map(|answer| FetchAnswer {
            status: answer.status,
            body: &answer.body,
            retry_after_s: answer.retry_after_s,
        });
        self.answered(id, answer);
        self.dispatch_due();
    }

    /// The configuration is there; `false` if it cannot be used.
    pub(super) fn on_configure(&mut self) -> bool {
        let bytes = host::configuration();
        let config = match config::parse_plugin(&bytes, &|name| std::env::var(name).ok()) {
            Ok(Plugin::Gate(config)) => config,
            Ok(Plugin::Credential { server }) => {
                self.role = Role::Credential {
                    server: server.into(),
                    missed: Rc::default(),
                };
                return true;
            }
            Err(errors) => {
                for error in errors {
                    abi::log(LogLevel::Error, &format!("configuration: {error}"));
                }
                return false;
            }
        };
        for warning in &config.warnings {
            abi::log(LogLevel::Warn, &format!("configuration: {warning}"));
        }
        let mut worker = match Worker::new(&config, hash_key()) {
            Ok(worker) => worker,
            Err(error) => {
                let InlineKeyError { issuer, error } = error;
                abi::log(
                    LogLevel::Error,
                    &format!("configuration: /issuers/{issuer}/keys/inline: {error}"),
                );
                return false;
            }
        };
        worker.tickets = Tickets::seeded(random_bytes());
        let verifiers = Verifiers::tried(&host::Signatures);
        abi::log(LogLevel::Info, &format!("signatures {verifiers}"));
        worker.authenticator.set_verifiers(verifiers);
        // Ids begin anew, so an answer to a call of the configuration before
        // must not be taken for one of this.
        self.calls = SortedMap::new();
        // Only this VM may get the entries, so the name is its own.
        let name = format!("mcp_auth.{:x}", random_word());
        self.queue = abi::register_queue(&name);
        let shared = Rc::new(RefCell::new(Shared::new(worker, self.queue)));
        registry::add(&shared);
        self.role = Role::Gate(shared);
        if !abi::set_tick_period(TICK_MS) {
            abi::log(LogLevel::Error, "the host has no timer");
            return false;
        }
        true
    }

    /// It is time to look at what waits.
    pub(super) fn on_tick(&mut self) {
        self.give_up_lost();
        self.dispatch_due();
        if let Some(shared) = self.role.gate() {
            let mut shared = shared.borrow_mut();
            shared.wake_overdue(self.context);
            shared.meters.tell();
            if self.ticks.is_multiple_of(MEMORY_TICKS) {
                shared.meters.measure_memory();
            }
        }
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// No tick comes any more. Streams may still end.
    pub(super) fn on_delete(&self) {
        if let Some(shared) = self.role.gate() {
            shared.borrow_mut().meters.tell_at_once();
        }
    }

    /// A stream asks for calls to be made.
    pub(super) fn on_queue_ready(&mut self, queue: u32) {
        while abi::dequeue(queue) {}
        self.dispatch_due();
    }

    /// A new stream; `None` while it is not known what is to be done with it.
    pub(super) fn stream(&self, context: u32) -> Option<Context> {
        match &self.role {
            Role::Unknown => None,
            Role::Gate(shared) => Some(Context::Gate(Gate::new(context, Rc::clone(shared)))),
            Role::Credential { server, missed } => {
                let injector = Injector::new(context, Rc::clone(server), Rc::clone(missed));
                Some(Context::Injector(Box::new(injector)))
            }
        }
    }
}
