//! Tokens that only their issuer understands: what was asked, what was
//! answered.

use std::collections::VecDeque;
use std::rc::Rc;

use super::bearer::BearerToken;
use super::fetch::FetchFailure;
use super::introspection::{ActiveToken, read_answer, request};
use super::issuer::Issuer;
use super::token_cache::{CacheKey, TokenCache};
use super::token_error::TokenError;
use super::token_hash::TokenHash;
use crate::callout::{Fetch, FetchAnswer, FetchId, FetchIds};
use crate::sorted_map::SortedMap;

/// What is known of the tokens that issuers are asked about. Keys are of the
/// issuer, not of the server: the answer is the same for all servers.
pub(super) struct Introspector {
    /// Tokens that wait for their call to be made.
    queue: VecDeque<(CacheKey, String)>,
    /// Calls under way, with the time at which they were made.
    calls: SortedMap<FetchId, (CacheKey, u64)>,
    /// Every key in `queue` or `calls`.
    pending: SortedMap<CacheKey, ()>,
    active: TokenCache<Answered<Rc<ActiveToken>>>,
    refused: TokenCache<Answered<Refusal>>,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The issuer calls it active.
    Active(Rc<ActiveToken>),
    /// The issuer does not, or its answer cannot be accepted.
    Refused(TokenError),
    /// The issuer could not be asked.
    Unavailable,
    /// It is being asked.
    Pending,
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    Token(TokenError),
    Call,
}

/// An answer with its times, in milliseconds since 1970.
#[derive(Clone, Debug)]
struct Answered<V> {
    value: V,
    answered_ms: u64,
    until_ms: u64,
}

/// How many tokens may wait at a time.
const MAX_PENDING: usize = 1000;
/// How many refusals are remembered.
const MAX_REFUSED: usize = 4096;
/// How long a token stays refused.
const REFUSED_MS: u64 = 5000;
/// How long a failed call is remembered, so that all who waited see it.
const FAILED_MS: u64 = 1000;
/// How long after an answer those who waited for it may come for it.
const WAITED_MS: u64 = 10_000;
/// A call that nobody reported on is given up this long after its time.
const GRACE_MS: u64 = 30_000;

impl Introspector {
    /// Remembers at most `capacity` active tokens.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            calls: SortedMap::new(),
            pending: SortedMap::new(),
            active: TokenCache::new(capacity.max(2)),
            refused: TokenCache::new(MAX_REFUSED),
        }
    }

    /// What is known of the token; if nothing is, its issuer will be asked.
    pub(super) fn look_up(
        &mut self,
        key: CacheKey,
        token: &BearerToken<'_>,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Known {
        if self.pending.contains_key(&key) {
            return Known::Pending;
        }
        if let Some(answer) = self.active.find(&key) {
            if answer.counts(arrived_ms, now_ms) {
                return Known::Active(answer.value);
            }
            self.active.remove(&key);
        }
        if let Some(answer) = self.refused.find(&key) {
            if answer.counts(arrived_ms, now_ms) {
                return match answer.value {
                    Refusal::Token(error) => Known::Refused(error),
                    Refusal::Call => Known::Unavailable,
                };
            }
            self.refused.remove(&key);
        }
        if self.pending.len() >= MAX_PENDING {
            return Known::Unavailable;
        }
        self.pending.insert(key, ());
        self.queue.push_back((key, token.as_str().to_owned()));
        Known::Pending
    }

    /// Whether [`Self::due`] has something to do.
    pub(super) fn has_due(&self, issuers: &[Rc<Issuer>], now_ms: u64) -> bool {
        !self.queue.is_empty()
            || self
                .calls
                .first()
                .is_some_and(|(_, (key, sent_ms))| is_lost(issuers, key, *sent_ms, now_ms))
    }

    /// The calls to make now.
    pub(super) fn due(
        &mut self,
        issuers: &[Rc<Issuer>],
        now_ms: u64,
        ids: &mut FetchIds,
    ) -> Vec<Fetch> {
        self.give_up_lost_calls(issuers, now_ms);
        let mut fetches = Vec::with_capacity(self.queue.len());
        while let Some((key, token)) = self.queue.pop_front() {
            let Some(introspection) = issuers
                .get(key.owner)
                .and_then(|issuer| issuer.introspection.as_ref())
            else {
                self.pending.remove(&key);
                continue;
            };
            let id = ids.next_id();
            self.calls.insert(id, (key, now_ms));
            fetches.push(request(id, introspection, &token));
        }
        fetches
    }

    /// Takes the answer, if the call was made here: the index of the issuer,
    /// the token, and whether the issuer gave an answer.
    pub(super) fn answered(
        &mut self,
        id: FetchId,
        answer: Option<FetchAnswer<'_>>,
        issuers: &[Rc<Issuer>],
        now_ms: u64,
    ) -> Option<(usize, TokenHash, Result<(), FetchFailure>)> {
        let (key, _) = self.calls.remove(&id)?;
        self.pending.remove(&key);
        let issuer = issuers.get(key.owner)?;
        let cache_ms = issuer
            .introspection
            .as_ref()?
            .cache_seconds
            .saturating_mul(1000);
        let answered = |value, until_ms| Answered {
            value,
            answered_ms: now_ms,
            until_ms,
        };
        let outcome = match read_answer(answer, issuer, now_ms) {
            Ok(Ok(token)) => {
                let until_ms = now_ms.saturating_add(cache_ms).min(token.expires_ms);
                let answer = Answered {
                    value: Rc::new(token),
                    answered_ms: now_ms,
                    until_ms,
                };
                self.refused.remove(&key);
                self.active.insert(key, answer);
                return Some((key.owner, key.token, Ok(())));
            }
            Ok(Err(error)) => {
                let until_ms = now_ms.saturating_add(REFUSED_MS);
                self.refused
                    .insert(key, answered(Refusal::Token(error), until_ms));
                Ok(())
            }
            Err(failure) => {
                let until_ms = now_ms.saturating_add(FAILED_MS);
                self.refused.insert(key, answered(Refusal::Call, until_ms));
                Err(failure)
            }
        };
        self.active.remove(&key);
        Some((key.owner, key.token, outcome))
    }

    /// So that a call that the host lost does not make its token wait for
    /// ever. Calls are in the order in which they were made.
    fn give_up_lost_calls(&mut self, issuers: &[Rc<Issuer>], now_ms: u64) {
        while let Some((id, (key, sent_ms))) = self.calls.first().copied() {
            if !is_lost(issuers, &key, sent_ms, now_ms) {
                return;
            }
            self.calls.remove(&id);
            self.pending.remove(&key);
        }
    }
}

fn is_lost(issuers: &[Rc<Issuer>], key: &CacheKey, sent_ms: u64, now_ms: u64) -> bool {
    let timeout_ms = issuers
        .get(key.owner)
        .and_then(|issuer| issuer.introspection.as_ref())
        .map_or(0, |introspection| introspection.timeout_ms);
    now_ms > sent_ms.saturating_add(timeout_ms).saturating_add(GRACE_MS)
}

impl<V> Answered<V> {
    /// Until its time is up; and a little longer for the requests that waited
    /// for it, or a short memory would send them round in circles.
    const fn counts(&self, arrived_ms: u64, now_ms: u64) -> bool {
        now_ms < self.until_ms
            || (arrived_ms <= self.answered_ms
                && now_ms < self.answered_ms.saturating_add(WAITED_MS))
    }
}

impl core::fmt::Debug for Introspector {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Introspector")
            .field("pending", &self.pending.len())
            .field("active", &self.active.len())
            .field("refused", &self.refused.len())
            .finish()
    }
}
