//! The keys of one issuer over time: fetched, refreshed, fetched again.

use std::rc::Rc;

use super::discovery::{key_set_endpoint, metadata_endpoints};
use super::fetch::{self, FetchFailure};
use super::issuer::{Issuer, KeySource};
use super::keys::{KeySet, KeySetError};
use super::refresh::{Progress, Refresh, Step};
use crate::callout::{self, Endpoint, Fetch, FetchAnswer, FetchId};
use crate::json;

/// The key sets of an issuer, and when to ask for the next one.
#[derive(Debug)]
pub(super) struct KeyStore {
    issuer: Rc<Issuer>,
    keys: Option<KeySet>,
    /// Counts how often keys were taken away. What an earlier generation
    /// verified is verified again.
    generation: u64,
    refresh: Option<Refresh>,
}

/// How the present keys relate to a request that they do not satisfy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Fetched after the request came: there are no newer ones.
    Current,
    /// A fetch after the request came has failed.
    Failed,
    /// Newer ones may come.
    Stale,
    /// Newer ones may come, but not while the request can wait: the schedule
    /// does not allow a fetch before.
    Late,
}

/// How long a request waits for keys, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// When it came.
    pub(super) arrived_ms: u64,
    /// When it has to be answered.
    pub(super) until_ms: u64,
}

/// What an answer led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOutcome {
    /// Another call follows.
    Continues,
    /// The set was loaded.
    Loaded { usable: usize, skipped: usize },
    /// The attempt failed; the earlier keys stay.
    Failed(FetchFailure),
}

const MAX_METADATA_BYTES: usize = 256 * 1024;
const MAX_KEY_SET_BYTES: usize = 512 * 1024;
const KEY_SET_DEPTH: usize = 16;

impl KeyStore {
    /// With the keys of the configuration, or with none yet.
    pub(super) fn new(issuer: Rc<Issuer>) -> Result<Self, KeySetError> {
        let (keys, refresh) = match &issuer.keys {
            None => (None, None),
            Some(KeySource::Inline(set)) => (Some(KeySet::from_jwks(set)?), None),
            Some(KeySource::Jwks { schedule, .. } | KeySource::Discovery { schedule, .. }) => {
                (None, Some(Refresh::new(*schedule)))
            }
        };
        Ok(Self {
            issuer,
            keys,
            generation: 0,
            refresh,
        })
    }

    /// The present keys.
    pub(super) const fn keys(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// The generation of the present keys.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Asks for newer keys as soon as the schedule allows it, on behalf of a
    /// request.
    pub(super) fn want(&mut self, wait: Wait) {
        if let Some(refresh) = &mut self.refresh {
            refresh.wanted_ms = refresh.wanted_ms.max(Some(wait.arrived_ms));
        }
    }

    /// See [`Freshness`].
    pub(super) fn freshness(&self, wait: Wait) -> Freshness {
        let Some(refresh) = &self.refresh else {
            return Freshness::Current;
        };
        let since =
            |started: Option<u64>| started.is_some_and(|started| started >= wait.arrived_ms);
        if since(refresh.succeeded_ms) {
            Freshness::Current
        } else if since(refresh.failed_ms) {
            Freshness::Failed
        } else if refresh.earliest_ms().max(wait.arrived_ms) >= wait.until_ms {
            Freshness::Late
        } else {
            Freshness::Stale
        }
    }

    /// Whether [`Self::due`] would give a call.
    pub(super) fn has_due(&self, now_ms: u64) -> bool {
        self.refresh
            .as_ref()
            .is_some_and(|refresh| refresh.is_due(now_ms))
    }

    /// The call to make now, if any; it gets `id`.
    pub(super) fn due(&mut self, id: FetchId, now_ms: u64) -> Option<Fetch> {
        let refresh = self.refresh.as_mut()?;
        if !refresh.is_due(now_ms) {
            return None;
        }
        let (step, started_ms) = match core::mem::replace(&mut refresh.progress, Progress::Idle) {
            Progress::Ready { step, started_ms } => (step, started_ms),
            Progress::Idle | Progress::Waiting { .. } => {
                refresh.started_ms = Some(now_ms);
                (first_step(&self.issuer), now_ms)
            }
        };
        let endpoint = match &step {
            Step::Metadata(endpoints) => endpoints.first(),
            Step::Keys(endpoint) => Some(endpoint),
        };
        let Some(endpoint) = endpoint else {
            refresh.failed(started_ms);
            return None;
        };
        let call = callout::get(id, endpoint, refresh.schedule.timeout_ms);
        refresh.progress = Progress::Waiting {
            id,
            step,
            started_ms,
            sent_ms: now_ms,
        };
        Some(call)
    }

    /// Takes the answer, if the call was this store's.
    pub(super) fn answered(
        &mut self,
        id: FetchId,
        answer: Option<FetchAnswer<'_>>,
    ) -> Option<KeyOutcome> {
        let refresh = self.refresh.as_mut()?;
        if !matches!(refresh.progress, Progress::Waiting { id: awaited, .. } if awaited == id) {
            return None;
        }
        let Progress::Waiting {
            step, started_ms, ..
        } = core::mem::replace(&mut refresh.progress, Progress::Idle)
        else {
            return None;
        };
        Some(match step {
            Step::Metadata(endpoints) => self.metadata(endpoints, answer, started_ms),
            Step::Keys(_) => self.key_set(answer, started_ms),
        })
    }

    fn metadata(
        &mut self,
        endpoints: Vec<Endpoint>,
        answer: Option<FetchAnswer<'_>>,
        started_ms: u64,
    ) -> KeyOutcome {
        let cluster = endpoints.first().map_or("", |endpoint| &endpoint.cluster);
        let found = fetch::success(answer, MAX_METADATA_BYTES)
            .and_then(|body| key_set_endpoint(body, &self.issuer.issuer, cluster));
        let step = match found {
            Ok(endpoint) => Step::Keys(endpoint),
            // Nobody answers there, whatever the path.
            Err(FetchFailure::NoAnswer) => return self.fail(FetchFailure::NoAnswer, started_ms),
            Err(failure) => {
                let rest: Vec<Endpoint> = endpoints.into_iter().skip(1).collect();
                if rest.is_empty() {
                    return self.fail(failure, started_ms);
                }
                Step::Metadata(rest)
            }
        };
        if let Some(refresh) = &mut self.refresh {
            refresh.progress = Progress::Ready { step, started_ms };
        }
        KeyOutcome::Continues
    }

    fn key_set(&mut self, answer: Option<FetchAnswer<'_>>, started_ms: u64) -> KeyOutcome {
        let loaded = fetch::success(answer, MAX_KEY_SET_BYTES)
            .and_then(|body| json::parse(body, KEY_SET_DEPTH).map_err(|_| FetchFailure::Malformed))
            .and_then(|set| KeySet::from_jwks(&set).map_err(failure));
        let keys = match loaded {
            Ok(keys) => keys,
            Err(failure) => return self.fail(failure, started_ms),
        };
        let outcome = KeyOutcome::Loaded {
            usable: keys.usable(),
            skipped: keys.skipped(),
        };
        if let Some(earlier) = &self.keys
            && !keys.keeps_all_of(earlier)
        {
            self.generation = self.generation.wrapping_add(1);
        }
        self.keys = Some(keys);
        if let Some(refresh) = &mut self.refresh {
            refresh.succeeded(started_ms);
        }
        outcome
    }

    fn fail(&mut self, failure: FetchFailure, started_ms: u64) -> KeyOutcome {
        if let Some(refresh) = &mut self.refresh {
            refresh.failed(started_ms);
        }
        KeyOutcome::Failed(failure)
    }
}

/// The first call of an attempt. Without endpoints, which the configuration
/// does not let happen, the attempt fails.
fn first_step(issuer: &Issuer) -> Step {
    match &issuer.keys {
        Some(KeySource::Jwks { endpoint, .. }) => Step::Keys(endpoint.clone()),
        Some(KeySource::Discovery { cluster, .. }) => {
            Step::Metadata(metadata_endpoints(&issuer.issuer, cluster).unwrap_or_default())
        }
        Some(KeySource::Inline(_)) | None => Step::Metadata(Vec::new()),
    }
}

const fn failure(error: KeySetError) -> FetchFailure {
    match error {
        KeySetError::Shape => FetchFailure::Malformed,
        KeySetError::TooMany => FetchFailure::TooLarge,
        KeySetError::NoUsableKey { .. } => FetchFailure::NoUsableKey,
    }
}
