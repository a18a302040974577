//! The gate's metrics in Envoy's stats.

use core::hash::Hash;
use std::collections::HashMap;

use proxy_wasm::types::MetricType;

use super::abi;
use crate::credential::CredentialEvent;
use crate::record::metrics::{
    BODY_BYTES, CredentialCounter, DECISION_MILLISECONDS, DecisionCounter, MEMORY_BYTES,
    UNENFORCED, WithheldCounter, failed_call,
};
use crate::record::{Outcome, Record};

/// The metrics defined so far. One that the host refuses is not counted, and
/// that stops nothing.
#[derive(Debug, Default)]
pub(super) struct Meters {
    decisions: HashMap<DecisionCounter, Option<u32>>,
    credentials: HashMap<CredentialCounter, Option<u32>>,
    withheld: HashMap<WithheldCounter, Option<u32>>,
    failed_calls: HashMap<String, Option<u32>>,
    others: HashMap<&'static str, Option<u32>>,
    /// What of this VM's memory is in the gauge already.
    memory_bytes: usize,
}

impl Meters {
    /// Counts a decision.
    pub(super) fn count(&mut self, record: &Record) {
        let decision = DecisionCounter::of(record);
        count(&mut self.decisions, decision, DecisionCounter::name);
        self.count_credential(record);
        if record.calls.iter().any(|call| call.unenforced.is_some())
            && let Some(id) = self.id(MetricType::Counter, UNENFORCED)
        {
            abi::increment_metric(id, 1);
        }
        if matches!(record.outcome, Outcome::Answered | Outcome::Aborted) {
            return;
        }
        self.observe(DECISION_MILLISECONDS, record.elapsed_ms);
        if record.body_bytes > 0 {
            self.observe(BODY_BYTES, record.body_bytes.try_into().unwrap_or(u64::MAX));
        }
    }

    /// Counts what became of an upstream credential.
    pub(super) fn count_credential(&mut self, record: &Record) {
        if let Some(credential) = CredentialCounter::of(record) {
            count(&mut self.credentials, credential, CredentialCounter::name);
        }
    }

    /// Counts a response of which something was withheld.
    pub(super) fn count_withheld(&mut self, record: &Record) {
        if let Some(withheld) = WithheldCounter::of(record) {
            count(&mut self.withheld, withheld, WithheldCounter::name);
        }
    }

    /// Counts a call to a token service that brought nothing.
    pub(super) fn count_failed_call(&mut self, event: &CredentialEvent) {
        count(&mut self.failed_calls, failed_call(event), String::clone);
    }

    /// Adds what this VM's memory has grown by to the gauge, which all VMs of
    /// the process share.
    pub(super) fn measure_memory(&mut self) {
        const PAGE_BYTES: usize = 65_536;
        let bytes = core::arch::wasm32::memory_size(0).saturating_mul(PAGE_BYTES);
        let growth = bytes.saturating_sub(self.memory_bytes);
        self.memory_bytes = bytes;
        if let (Some(id), Ok(growth)) = (
            self.id(MetricType::Gauge, MEMORY_BYTES),
            i64::try_from(growth),
        ) {
            abi::increment_metric(id, growth);
        }
    }

    fn observe(&mut self, name: &'static str, value: u64) {
        if let Some(id) = self.id(MetricType::Histogram, name) {
            abi::record_metric(id, value);
        }
    }

    fn id(&mut self, kind: MetricType, name: &'static str) -> Option<u32> {
        if let Some(id) = self.others.get(name) {
            return *id;
        }
        let id = abi::define_metric(kind, name);
        self.others.insert(name, id);
        id
    }
}

/// Counts one more, and defines the counter where it is the first.
fn count<K: Eq + Hash>(
    counters: &mut HashMap<K, Option<u32>>,
    key: K,
    name: impl FnOnce(&K) -> String,
) {
    let id = match counters.get(&key) {
        Some(id) => *id,
        None => {
            let id = abi::define_metric(MetricType::Counter, &name(&key));
            counters.insert(key, id);
            id
        }
    };
    if let Some(id) = id {
        abi::increment_metric(id, 1);
    }
}
