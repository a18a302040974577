//! When to ask for keys.

use super::issuer::FetchSchedule;
use crate::callout::{Endpoint, FetchId};

/// How keys that come over the network are kept current.
#[derive(Debug)]
pub(super) struct Refresh {
    pub(super) schedule: FetchSchedule,
    pub(super) progress: Progress,
    /// When the last attempt began.
    pub(super) started_ms: Option<u64>,
    /// When the next one is due without anyone asking for it.
    next_ms: u64,
    /// The latest request that a newer set would help.
    pub(super) wanted_ms: Option<u64>,
    /// When the last attempt that succeeded, and the last that failed, began.
    pub(super) succeeded_ms: Option<u64>,
    pub(super) failed_ms: Option<u64>,
    /// How many failed since the last success.
    failures: u32,
}

/// Where an attempt stands.
#[derive(Debug)]
pub(super) enum Progress {
    Idle,
    /// The next call of an attempt can be made.
    Ready {
        step: Step,
        started_ms: u64,
    },
    /// A call is under way.
    Waiting {
        id: FetchId,
        step: Step,
        started_ms: u64,
        sent_ms: u64,
    },
}

/// A call of an attempt.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The first of these, with the others to try next.
    Metadata(Vec<Endpoint>),
    Keys(Endpoint),
}

impl Refresh {
    pub(super) const fn new(schedule: FetchSchedule) -> Self {
        Self {
            schedule,
            progress: Progress::Idle,
            started_ms: None,
            next_ms: 0,
            wanted_ms: None,
            succeeded_ms: None,
            failed_ms: None,
            failures: 0,
        }
    }

    pub(super) const fn is_due(&self, now_ms: u64) -> bool {
        /// A call that nobody reported on is given up this long after its
        /// own time was up.
        const GRACE_MS: u64 = 30_000;
        match &self.progress {
            Progress::Ready { .. } => true,
            Progress::Waiting { sent_ms, .. } => {
                now_ms
                    > sent_ms
                        .saturating_add(self.schedule.timeout_ms)
                        .saturating_add(GRACE_MS)
            }
            Progress::Idle => self.attempt_is_due(now_ms),
        }
    }

    const fn attempt_is_due(&self, now_ms: u64) -> bool {
        let Some(started_ms) = self.started_ms else {
            return true;
        };
        if started_ms > now_ms {
            // The clock was set back; what was planned by it means nothing.
            return true;
        }
        now_ms >= self.earliest_ms() && (self.wanted_ms.is_some() || now_ms >= self.next_ms)
    }

    /// Before then no further attempt begins.
    pub(super) const fn earliest_ms(&self) -> u64 {
        match self.started_ms {
            None => 0,
            Some(started_ms) => {
                started_ms.saturating_add(self.schedule.retry_seconds.saturating_mul(1000))
            }
        }
    }

    pub(super) fn succeeded(&mut self, started_ms: u64) {
        self.succeeded_ms = Some(started_ms);
        self.failures = 0;
        self.next_ms =
            started_ms.saturating_add(self.schedule.refresh_seconds.saturating_mul(1000));
        self.done(started_ms);
    }

    /// Tries again later and later, but no later than a refresh would be.
    pub(super) fn failed(&mut self, started_ms: u64) {
        self.failed_ms = Some(started_ms);
        let factor = 2_u64.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let pause = self.schedule.retry_seconds.saturating_mul(factor).min(
            self.schedule
                .refresh_seconds
                .max(self.schedule.retry_seconds),
        );
        self.next_ms = started_ms.saturating_add(pause.saturating_mul(1000));
        self.done(started_ms);
    }

    fn done(&mut self, started_ms: u64) {
        self.wanted_ms = self.wanted_ms.filter(|wanted| *wanted > started_ms);
        self.progress = Progress::Idle;
    }
}
