//! The gate's metrics in Envoy's stats.

use core::hash::BuildHasherDefault;
use core::mem;
use std::collections::HashMap;

use super::abi;
use super::types::MetricType;
use crate::credential::CredentialEvent;
use crate::record::metrics::{
    BODY_BYTES, CredentialCounter, DECISION_MILLISECONDS, DecisionCounter, MEMORY_BYTES,
    UNENFORCED, WithheldCounter, failed_call,
};
use crate::record::{Outcome, Record, WordHasher};

/// The metrics defined so far. One that the host refuses is not counted, and
/// that stops nothing.
///
/// What every request moves is told to the host for many at once: a call to it
/// costs a request, which finds the caches cold, more than the counting.
#[derive(Debug, Default)]
pub(super) struct Meters {
    ids: HashMap<Metric, Option<u32>, BuildHasherDefault<WordHasher>>,
    decisions: Latest<DecisionCounter>,
    credentials: Latest<CredentialCounter>,
    decision_milliseconds: Histogram,
    body_bytes: Histogram,
    /// No tick comes any more with which [`Self::tell`] is called.
    tells_at_once: bool,
    /// What of this VM's memory is in the gauge already.
    memory_bytes: usize,
}

/// The counter of the record before, which is mostly that of the next.
#[derive(Debug)]
struct Latest<C> {
    counter: Option<(C, Option<u32>)>,
    /// How many the host was not told of.
    untold: i64,
}

/// A histogram.
#[derive(Debug, Default)]
struct Histogram {
    /// `None` as long as it is not defined.
    id: Option<Option<u32>>,
    /// What the host was not told of.
    untold: Vec<u64>,
}

/// How many values are told at once at most, so that this takes no request long.
const MOST_UNTOLD: usize = 32;

/// One table for all other ones: the code of a table is larger than this.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Metric {
    Decision(DecisionCounter),
    Credential(CredentialCounter),
    Withheld(WithheldCounter),
    FailedCall(String),
    Fixed(&'static str),
}

impl Meters {
    /// Counts a decision.
    pub(super) fn count(&mut self, record: &Record) {
        self.count_decision(record);
        self.add_credential(record);
        if record.calls.iter().any(|call| call.unenforced.is_some()) {
            self.add_one(Metric::Fixed(UNENFORCED));
        }
        if !matches!(record.outcome, Outcome::Answered | Outcome::Aborted) {
            self.measure(record);
        }
        self.tell_if_at_once();
    }

    fn tell_if_at_once(&mut self) {
        if self.tells_at_once {
            self.tell();
        }
    }

    fn measure(&mut self, record: &Record) {
        self.decision_milliseconds
            .observe(DECISION_MILLISECONDS, record.elapsed_ms);
        if record.body_bytes > 0 {
            let bytes = record.body_bytes.try_into().unwrap_or(u64::MAX);
            self.body_bytes.observe(BODY_BYTES, bytes);
        }
    }

    /// Tells the host what it was not told of.
    pub(super) fn tell(&mut self) {
        self.decisions.tell();
        self.credentials.tell();
        self.decision_milliseconds.tell(DECISION_MILLISECONDS);
        self.body_bytes.tell(BODY_BYTES);
    }

    /// From now on every metric is told at once.
    pub(super) fn tell_at_once(&mut self) {
        self.tells_at_once = true;
        self.tell();
    }

    fn count_decision(&mut self, record: &Record) {
        if !self.decisions.is(|counter| counter.is_of(record)) {
            self.find_decision(record);
        }
        self.decisions.add_one();
    }

    #[cold]
    #[inline(never)]
    fn find_decision(&mut self, record: &Record) {
        self.decisions.tell();
        let counter = DecisionCounter::of(record);
        let id = self.id(MetricType::Counter, Metric::Decision(counter.clone()));
        self.decisions.counter = Some((counter, id));
    }

    /// Counts what became of an upstream credential.
    pub(super) fn count_credential(&mut self, record: &Record) {
        self.add_credential(record);
        self.tell_if_at_once();
    }

    fn add_credential(&mut self, record: &Record) {
        if record.credential.is_none() {
            return;
        }
        if !self.credentials.is(|counter| counter.is_of(record)) {
            self.find_credential(record);
        }
        self.credentials.add_one();
    }

    #[cold]
    #[inline(never)]
    fn find_credential(&mut self, record: &Record) {
        self.credentials.tell();
        self.credentials.counter = CredentialCounter::of(record).map(|counter| {
            let id = self.id(MetricType::Counter, Metric::Credential(counter.clone()));
            (counter, id)
        });
    }

    /// Counts a response of which something was withheld.
    pub(super) fn count_withheld(&mut self, record: &Record) {
        if let Some(withheld) = WithheldCounter::of(record) {
            self.add_one(Metric::Withheld(withheld));
        }
    }

    /// Counts a call to a token service that brought nothing.
    pub(super) fn count_failed_call(&mut self, event: &CredentialEvent) {
        self.add_one(Metric::FailedCall(failed_call(event)));
    }

    /// Adds what this VM's memory has grown by to the gauge, which all VMs of
    /// the process share.
    pub(super) fn measure_memory(&mut self) {
        const PAGE_BYTES: usize = 65_536;
        let bytes = core::arch::wasm32::memory_size(0).saturating_mul(PAGE_BYTES);
        let growth = bytes.saturating_sub(self.memory_bytes);
        self.memory_bytes = bytes;
        if let (Some(id), Ok(growth)) = (
            self.id(MetricType::Gauge, Metric::Fixed(MEMORY_BYTES)),
            i64::try_from(growth),
        ) {
            abi::increment_metric(id, growth);
        }
    }

    fn add_one(&mut self, metric: Metric) {
        if let Some(id) = self.id(MetricType::Counter, metric) {
            abi::increment_metric(id, 1);
        }
    }

    /// The id of a metric, which is defined where it is new.
    fn id(&mut self, kind: MetricType, metric: Metric) -> Option<u32> {
        if let Some(id) = self.ids.get(&metric) {
            return *id;
        }
        let id = abi::define_metric(kind, &metric.name());
        self.ids.insert(metric, id);
        id
    }
}

impl<C> Default for Latest<C> {
    fn default() -> Self {
        Self {
            counter: None,
            untold: 0,
        }
    }
}

impl<C> Latest<C> {
    fn is(&self, wanted: impl FnOnce(&C) -> bool) -> bool {
        let counter = self.counter.as_ref();
        counter.is_some_and(|(counter, _)| wanted(counter))
    }

    const fn add_one(&mut self) {
        self.untold = self.untold.saturating_add(1);
    }

    fn tell(&mut self) {
        let untold = mem::take(&mut self.untold);
        if let Some((_, Some(id))) = self.counter
            && untold > 0
        {
            abi::increment_metric(id, untold);
        }
    }
}

impl Histogram {
    fn observe(&mut self, name: &'static str, value: u64) {
        self.untold.push(value);
        if self.untold.len() >= MOST_UNTOLD {
            self.tell(name);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell(&mut self, name: &'static str) {
        if self.untold.is_empty() {
            return;
        }
        let define = || abi::define_metric(MetricType::Histogram, name);
        let id = *self.id.get_or_insert_with(define);
        for value in self.untold.drain(..) {
            if let Some(id) = id {
                abi::record_metric(id, value);
            }
        }
    }
}

impl Metric {
    fn name(&self) -> String {
        match self {
            Self::Decision(counter) => counter.name(),
            Self::Credential(counter) => counter.name(),
            Self::Withheld(counter) => counter.name(),
            Self::FailedCall(name) => name.clone(),
            Self::Fixed(name) => (*name).to_owned(),
        }
    }
}
