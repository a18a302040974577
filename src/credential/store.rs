//! What a worker remembers of credentials, and the calls under way.

use core::fmt;
use std::collections::VecDeque;
use std::rc::Rc;

use super::answer::{Answer, Issued, busy};
use super::call::{Question, call, read_answer};
use super::key::CredentialKey;
use super::known::{
    AnswerProblem, Credential, CredentialEvent, CredentialFailure, Known, Rejection,
    SettledCredential,
};
use super::service::{CredentialSource, TokenService};
use crate::cache::Cache;
use crate::callout::{Fetch, FetchAnswer, FetchId, FetchIds};
use crate::oauth::{Identity, TokenHash};
use crate::sorted_map::SortedMap;

/// One user's credential for one server.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Where it comes from.
    pub source: &'a CredentialSource,
    /// Who is calling.
    pub identity: &'a Identity,
    /// The hash of the verified token that the request came with.
    pub token_hash: TokenHash,
}

/// A question about it.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// About what.
    pub wanted: Wanted<'a>,
    /// The verified token that the request came with.
    pub token: &'a str,
    /// The request's id, for the token service's log.
    pub request_id: Option<&'a str>,
    /// Method, and name of the tool, prompt or resource.
    pub operation: Option<(&'a str, Option<&'a str>)>,
}

/// The credentials of one worker: what is known, what is being asked. Time is
/// always an argument, in milliseconds since 1970.
pub struct CredentialStore {
    services: Vec<Rc<TokenService>>,
    /// Questions whose call is to be made.
    queue: VecDeque<CredentialKey>,
    /// Questions whose call is to be made again, and when.
    again: Vec<(u64, CredentialKey)>,
    /// Calls under way, with the time at which they were made.
    calls: SortedMap<FetchId, (CredentialKey, u64)>,
    /// Every question of which the key is in `queue`, `again` or `calls`.
    pending: SortedMap<CredentialKey, Question>,
    /// Credentials, and servers that need none.
    given: Cache<CredentialKey, Answered>,
    /// Everything else. Apart, so that it displaces no credentials.
    refused: Cache<CredentialKey, Answered>,
    /// What the upstream has refused, until the token service was told.
    rejected: Cache<CredentialKey, Rc<Rejected>>,
}

/// An answer with its times, in milliseconds since 1970.
#[derive(Clone, Debug)]
struct Answered {
    known: Known,
    answered_ms: u64,
    until_ms: u64,
}

/// A credential that the upstream has refused.
pub(super) struct Rejected {
    pub(super) credential: Credential,
    pub(super) rejection: Rejection,
}

/// How many questions may be open at a time.
const MAX_PENDING: usize = 1000;
/// How many refusals are remembered.
const MAX_REFUSED: usize = 4096;
/// How many rejected credentials are remembered.
const MAX_REJECTED: usize = 1024;
/// How long before its end a credential is asked for anew.
const MARGIN_MS: u64 = 15_000;
/// How long it is remembered that a user may not have a credential.
const DENIED_MS: u64 = 30_000;
/// How long after an answer those who waited for it may come for it.
const WAITED_MS: u64 = 10_000;
/// A call that nobody reported on is given up this long after its time.
const GRACE_MS: u64 = 30_000;

impl CredentialStore {
    /// With the token services of the configuration; remembers at most
    /// `capacity` credentials.
    pub fn new(services: Vec<Rc<TokenService>>, capacity: usize) -> Self {
        Self {
            services,
            queue: VecDeque::new(),
            again: Vec::new(),
            calls: SortedMap::new(),
            pending: SortedMap::new(),
            // Also without a memory, those who wait come for the answer.
            given: Cache::new(capacity.max(2)),
            refused: Cache::new(MAX_REFUSED),
            rejected: Cache::new(MAX_REJECTED),
        }
    }

    /// What is known of a credential; if nothing is, the token service will
    /// be asked `ask`, once for all who ask for the same. Without a question
    /// there is none. A request that waits asks again with the same
    /// `arrived_ms`, the time at which it came.
    pub fn look_up<'a>(
        &mut self,
        wanted: Wanted<'a>,
        ask: &dyn Fn() -> Option<Ask<'a>>,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Known {
        let Wanted {
            source,
            identity,
            token_hash,
        } = wanted;
        let Some(service) = self.services.get(source.service) else {
            return Known::Refused(CredentialFailure::Configuration);
        };
        let key = CredentialKey::of(identity, token_hash, &service.id, source);
        if self.pending.contains_key(&key) {
            return Known::Pending(key);
        }
        for memory in [&mut self.given, &mut self.refused] {
            if let Some(answer) = memory.find(&key) {
                if answer.counts(arrived_ms, now_ms) {
                    return answer.known;
                }
                memory.remove(&key);
            }
        }
        if self.pending.len() >= MAX_PENDING {
            return Known::Refused(CredentialFailure::Unavailable);
        }
        let Some(ask) = ask() else {
            return Known::Refused(CredentialFailure::InvalidSubjectToken);
        };
        self.pending.insert(key, Question::of(&ask, service));
        self.queue.push_back(key);
        Known::Pending(key)
    }

    /// The upstream has refused this credential: it is not given out again,
    /// and the token service is told when it is asked next. A newer one that
    /// is there by now stays.
    pub fn reject(&mut self, credential: &Credential, rejection: Rejection, now_ms: u64) {
        let key = credential.key;
        if let Some(answer) = self.given.find(&key) {
            let is_same =
                matches!(&answer.known, Known::Ready(known) if known.is_same_as(credential));
            if !is_same && now_ms < answer.until_ms {
                return;
            }
            self.given.remove(&key);
        }
        self.rejected.insert(
            key,
            Rc::new(Rejected {
                credential: credential.clone(),
                rejection,
            }),
        );
    }

    /// Whether [`Self::due`] has something to do.
    pub fn has_due(&self, now_ms: u64) -> bool {
        !self.queue.is_empty() || self.again.iter().any(|(due_ms, _)| *due_ms <= now_ms)
    }

    /// The calls to make now. Each has to be reported to [`Self::answered`],
    /// also if it could not be dispatched.
    pub fn due(&mut self, now_ms: u64, ids: &mut FetchIds) -> Vec<Fetch> {
        let queue = &mut self.queue;
        self.again.retain(|(due_ms, key)| {
            let waits = *due_ms > now_ms;
            if !waits {
                queue.push_back(*key);
            }
            waits
        });
        let mut fetches = Vec::with_capacity(self.queue.len());
        while let Some(key) = self.queue.pop_front() {
            let Some(question) = self.pending.get_mut(&key) else {
                continue;
            };
            let Some(service) = self.services.get(question.service) else {
                self.pending.remove(&key);
                continue;
            };
            let rejected = self.rejected.find(&key);
            question.knows_rejection = rejected.is_some();
            let id = ids.next_id();
            self.calls.insert(id, (key, now_ms));
            fetches.push(call(id, service, question, rejected.as_deref()));
        }
        fetches
    }

    /// Takes the answer of a call, `None` where there was none. The result is
    /// `None` if the call was not made here.
    pub fn answered(
        &mut self,
        id: FetchId,
        answer: Option<FetchAnswer<'_>>,
        now_ms: u64,
    ) -> Option<SettledCredential> {
        let (key, _) = self.calls.remove(&id)?;
        let mut question = self.pending.remove(&key)?;
        let service = Rc::clone(self.services.get(question.service)?);
        let rejected = self.rejected.find(&key);
        let (known, until_ms, problem) = match read_answer(answer, &service, &question, now_ms) {
            Answer::InProgress { retry_after_s } => {
                if let Some(delay_ms) = retry_delay(retry_after_s)
                    && !question.is_repeated
                {
                    question.is_repeated = true;
                    self.again.push((now_ms.saturating_add(delay_ms), key));
                    return Some(self.asks_again(key, question));
                }
                let problem = AnswerProblem::Code("refresh_in_progress");
                (Known::Refused(busy(retry_after_s)), now_ms, Some(problem))
            }
            Answer::Ready(issued) => {
                let until_ms = until_ms(&issued, &service, &question, now_ms);
                let credential = Credential {
                    key,
                    headers: issued.headers,
                    version: issued.version,
                };
                // Rejected while the call that brings it was under way.
                if !question.knows_rejection
                    && rejected.is_some_and(|known| known.credential.is_same_as(&credential))
                {
                    self.queue.push_back(key);
                    return Some(self.asks_again(key, question));
                }
                (Known::Ready(Rc::new(credential)), until_ms, None)
            }
            Answer::NotNeeded { cache_seconds } => {
                let until_ms = bounded(cache_seconds, &service, &question, now_ms);
                (Known::NotNeeded, until_ms, None)
            }
            // Who comes back from giving consent must not meet this again.
            Answer::Consent(consent) => (Known::Consent(Rc::new(consent)), now_ms, None),
            Answer::Failed(failure, problem) => {
                let until_ms = match failure {
                    // Where it is about what the upstream has refused, other
                    // calls may do with the credential as it is.
                    CredentialFailure::AccessDenied if !question.knows_rejection => {
                        bounded(DENIED_MS.div_euclid(1000), &service, &question, now_ms)
                    }
                    _ => now_ms,
                };
                (Known::Refused(failure), until_ms, Some(problem))
            }
        };
        self.remember(key, known, until_ms, now_ms);
        Some(SettledCredential {
            awaited: Some(key),
            event: problem.map(|problem| CredentialEvent {
                service_id: Rc::clone(&service.id),
                server_id: question.server_id,
                problem,
            }),
        })
    }

    fn asks_again(&mut self, key: CredentialKey, question: Question) -> SettledCredential {
        self.pending.insert(key, question);
        SettledCredential {
            awaited: None,
            event: None,
        }
    }

    fn remember(&mut self, key: CredentialKey, known: Known, until_ms: u64, now_ms: u64) {
        // A service that could not answer has not been told yet.
        let is_told = match &known {
            Known::Refused(failure) => *failure == CredentialFailure::AccessDenied,
            _ => true,
        };
        let is_given = matches!(known, Known::Ready(_) | Known::NotNeeded);
        let answered = Answered {
            known,
            answered_ms: now_ms,
            until_ms,
        };
        self.given.remove(&key);
        self.refused.remove(&key);
        if is_given {
            self.given.insert(key, answered);
        } else {
            self.refused.insert(key, answered);
        }
        if is_told {
            self.rejected.remove(&key);
        }
    }

    /// A call that the host has lost: to be reported to [`Self::answered`] as
    /// one without an answer, so that its question does not wait for ever.
    /// Calls are in the order in which they were made.
    pub fn lost(&self, now_ms: u64) -> Option<FetchId> {
        let (id, (key, sent_ms)) = self.calls.first()?;
        self.is_lost(key, *sent_ms, now_ms).then_some(*id)
    }

    fn is_lost(&self, key: &CredentialKey, sent_ms: u64, now_ms: u64) -> bool {
        let timeout_ms = self
            .pending
            .get(key)
            .and_then(|question| self.services.get(question.service))
            .map_or(0, |service| service.timeout_ms);
        now_ms > sent_ms.saturating_add(timeout_ms).saturating_add(GRACE_MS)
    }
}

/// How long to wait before the one repetition; `None` if it would be longer
/// than a client should wait.
fn retry_delay(retry_after_s: Option<u64>) -> Option<u64> {
    match retry_after_s {
        None | Some(1) => Some(1000),
        Some(0) => Some(100),
        Some(_) => None,
    }
}

fn until_ms(issued: &Issued, service: &TokenService, question: &Question, now_ms: u64) -> u64 {
    let cache_seconds = issued.cache_seconds.unwrap_or(service.cache_seconds);
    let until_ms = bounded(cache_seconds, service, question, now_ms);
    issued.expires_ms.map_or(until_ms, |expires_ms| {
        until_ms.min(expires_ms.saturating_sub(MARGIN_MS))
    })
}

/// Never beyond what the operator allows, nor beyond the user's token.
fn bounded(cache_seconds: u64, service: &TokenService, question: &Question, now_ms: u64) -> u64 {
    let seconds = cache_seconds.min(service.cache_seconds);
    now_ms
        .saturating_add(seconds.saturating_mul(1000))
        .min(question.subject_expires_ms)
}

impl Answered {
    /// Until its time is up; and a little longer for the requests that waited
    /// for it, or a short memory would send them round in circles.
    const fn counts(&self, arrived_ms: u64, now_ms: u64) -> bool {
        now_ms < self.until_ms
            || (arrived_ms <= self.answered_ms
                && now_ms < self.answered_ms.saturating_add(WAITED_MS))
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("server_id", &self.wanted.source.server_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore")
            .field("pending", &self.pending.len())
            .field("given", &self.given.len())
            .field("refused", &self.refused.len())
            .finish_non_exhaustive()
    }
}
