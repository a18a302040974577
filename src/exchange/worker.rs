//! What all exchanges of one worker share.

use std::rc::Rc;

use crate::attempt::Tickets;
use crate::callout::{Fetch, FetchAnswer, FetchId, FetchIds};
use crate::config::{Config, HeaderMode, Limits};
use crate::continuity::StateKeys;
use crate::credential::{CredentialEvent, CredentialKey, CredentialSource, CredentialStore};
use crate::oauth::{self, Authenticator, InlineKeyError, KeyEvent, TokenHashKey, TokenLimits};
use crate::record::StateEntries;
use crate::site::Sites;

/// How many upstream credentials each worker remembers.
const CREDENTIALS: usize = 8192;

/// The state of one Envoy worker: configuration made ready, keys, caches.
#[derive(Debug)]
pub struct Worker {
    /// The servers, by host and path.
    pub sites: Sites,
    /// The token side.
    pub authenticator: Authenticator,
    /// The users' upstream credentials.
    pub credentials: CredentialStore,
    /// What authenticates what travels with the client.
    pub state_keys: StateKeys,
    /// Bounds on what is read and kept.
    pub limits: Limits,
    /// When the upstream may see a request's headers.
    pub header_mode: HeaderMode,
    /// Which entries of filter state a decision is written to.
    pub filter_state: StateEntries,
    /// How many exchanges wait for keys, introspection or credentials.
    pub waiting: usize,
    /// How many exchanges are refused and wait for the end of a body.
    pub refusing: usize,
    /// What the credential role goes by. Without a seed there are none, and
    /// that role refuses every attempt.
    pub tickets: Tickets,
    ids: FetchIds,
    /// How long a call to each token service may take, in milliseconds.
    credential_timeouts_ms: Vec<u64>,
}

/// What an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// What its token is judged by.
    Token(oauth::Awaited),
    /// An upstream credential.
    Credential(CredentialKey),
}

/// What an answer to a call has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// For the log.
    pub events: Vec<Event>,
    /// What nobody needs to wait for any longer.
    pub awaited: Option<Awaited>,
}

/// Something for the log; no secrets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of an issuer.
    Key(KeyEvent),
    /// Of a token service.
    Credential(CredentialEvent),
}

impl Worker {
    /// From a configuration, with the key that tokens are remembered with.
    ///
    /// # Errors
    /// [`InlineKeyError`] if a key set in the configuration has no usable key.
    pub fn new(config: &Config, hash_key: TokenHashKey) -> Result<Self, InlineKeyError> {
        let limits = TokenLimits {
            token_bytes: config.limits.token_bytes,
            cache_entries: config.limits.token_cache_entries,
            key_wait_ms: config.limits.key_wait_ms,
        };
        let issuers = config.issuers.iter().map(Rc::clone).collect();
        let services = config.token_services.iter().map(Rc::clone).collect();
        let state_keys = config
            .state_keys
            .iter()
            .map(|key| (key.id.as_str(), key.secret.expose().as_bytes()));
        Ok(Self {
            sites: Sites::new(config),
            authenticator: Authenticator::new(issuers, limits, hash_key)?,
            credentials: CredentialStore::new(services, CREDENTIALS),
            state_keys: StateKeys::new(state_keys),
            limits: config.limits,
            header_mode: config.header_mode,
            filter_state: config.filter_state,
            waiting: 0,
            refusing: 0,
            tickets: Tickets::default(),
            ids: FetchIds::default(),
            credential_timeouts_ms: config
                .token_services
                .iter()
                .map(|service| service.timeout_ms)
                .collect(),
        })
    }

    /// Whether [`Self::due`] has something to do.
    pub fn has_due(&self, now_ms: u64) -> bool {
        self.authenticator.has_due(now_ms) || self.credentials.has_due(now_ms)
    }

    /// The calls to make now, for the authenticator and for the credentials:
    /// an answer is for the one of the two that knows the id.
    pub fn due(&mut self, now_ms: u64) -> Vec<Fetch> {
        let mut fetches = self.authenticator.due(now_ms, &mut self.ids);
        fetches.extend(self.credentials.due(now_ms, &mut self.ids));
        fetches
    }

    /// A call for a credential that the host has lost: to be reported to
    /// [`Self::answered`] with nothing.
    pub fn lost(&self, now_ms: u64) -> Option<FetchId> {
        self.credentials.lost(now_ms)
    }

    /// Takes the answer of a call; `None` where there was none. Exchanges that
    /// wait for what it settles can look again now, and [`Self::due`] may have
    /// the next call.
    pub fn answered(
        &mut self,
        id: FetchId,
        answer: Option<FetchAnswer<'_>>,
        now_ms: u64,
    ) -> Settled {
        if let Some(settled) = self.credentials.answered(id, answer, now_ms) {
            return Settled {
                events: settled.event.into_iter().map(Event::Credential).collect(),
                awaited: settled.awaited.map(Awaited::Credential),
            };
        }
        let settled = self.authenticator.answered(id, answer, now_ms);
        Settled {
            events: settled.events.into_iter().map(Event::Key).collect(),
            awaited: settled.awaited.map(Awaited::Token),
        }
    }

    /// How long a call for a credential of this source may take.
    pub(crate) fn credential_timeout_ms(&self, source: &CredentialSource) -> u64 {
        let timeout_ms = self.credential_timeouts_ms.get(source.service);
        timeout_ms.copied().unwrap_or_default()
    }
}
