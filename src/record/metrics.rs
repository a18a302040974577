//! Which of Envoy's counters and histograms a record moves.
//!
//! Envoy's Wasm metrics have no labels, so they are written into the name as
//! `.label.value` pairs; the tag rules of the shipped bootstrap read them
//! back. Every value comes from the configuration or from a fixed set.

use core::ptr;
use std::borrow::Cow;
use std::rc::Rc;

use super::{CredentialUse, Outcome, Record};
use crate::credential::{AnswerProblem, CredentialEvent};

/// Which counter of decisions a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecisionCounter {
    server: Option<Rc<str>>,
    method: &'static str,
    outcome: Outcome,
    reason: &'static str,
}

impl DecisionCounter {
    /// The counter of this record.
    pub fn of(record: &Record) -> Self {
        Self {
            server: record.server.clone(),
            method: method(record),
            outcome: record.outcome,
            reason: record.reason,
        }
    }

    /// Whether it is the counter of this record, as far as a look at where the
    /// texts are can tell: `false` may be wrong.
    pub fn is_of(&self, record: &Record) -> bool {
        is_same(self.server.as_ref(), record.server.as_ref())
            && self.outcome == record.outcome
            && ptr::eq(self.reason, record.reason)
            && ptr::eq(self.method, method(record))
    }

    /// Its name, labels included. Dots separate labels, so a value has none.
    pub fn name(&self) -> String {
        let server = self.server.as_deref().unwrap_or("none").replace('.', "_");
        format!(
            "mcp_auth.decisions.server.{server}.method.{}.outcome.{}.reason.{}",
            self.method.replace('/', "_"),
            self.outcome.as_str(),
            self.reason
        )
    }
}

fn is_same(one: Option<&Rc<str>>, other: Option<&Rc<str>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Rc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The label of what was asked for.
fn method(record: &Record) -> &'static str {
    match record.calls.as_slice() {
        [] => "none",
        // Clients choose methods; only the protocol's own become labels.
        [call] => match call.method {
            Cow::Borrowed(known) => known,
            Cow::Owned(_) => "other",
        },
        _ => "batch",
    }
}

/// Which counter of upstream credentials a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialCounter {
    server: Option<Rc<str>>,
    result: CredentialUse,
}

impl CredentialCounter {
    /// The counter of this record, if a credential was asked for.
    pub fn of(record: &Record) -> Option<Self> {
        Some(Self {
            server: record.server.clone(),
            result: record.credential?,
        })
    }

    /// As [`DecisionCounter::is_of`].
    pub fn is_of(&self, record: &Record) -> bool {
        is_same(self.server.as_ref(), record.server.as_ref())
            && record.credential == Some(self.result)
    }

    /// Its name, labels included.
    pub fn name(&self) -> String {
        let server = self.server.as_deref().unwrap_or("none").replace('.', "_");
        let result = self.result.as_str();
        format!("mcp_auth.credentials.server.{server}.result.{result}")
    }
}

/// Which counter of withheld messages a record belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WithheldCounter {
    server: Option<Rc<str>>,
    reason: &'static str,
}

impl WithheldCounter {
    /// The counter of this record, if something of its response was withheld.
    pub fn of(record: &Record) -> Option<Self> {
        Some(Self {
            server: record.server.clone(),
            reason: record.response.reason?,
        })
    }

    /// Its name, labels included.
    pub fn name(&self) -> String {
        let server = self.server.as_deref().unwrap_or("none").replace('.', "_");
        let reason = self.reason;
        format!("mcp_auth.withheld.server.{server}.reason.{reason}")
    }
}

/// The name of the counter of calls to a token service that brought no
/// credential and no other answer that counts.
pub fn failed_call(event: &CredentialEvent) -> String {
    let service = event.service_id.replace('.', "_");
    let problem = match event.problem {
        AnswerProblem::NoAnswer => "no_answer",
        AnswerProblem::Status(_) => "status",
        AnswerProblem::TooLarge => "too_large",
        AnswerProblem::Malformed => "malformed",
        AnswerProblem::Header(_) => "header",
        AnswerProblem::Code(code) => code,
    };
    format!("mcp_auth.credential_call_failures.service.{service}.problem.{problem}")
}

/// The histogram of the time to the decision, in milliseconds.
pub const DECISION_MILLISECONDS: &str = "mcp_auth.decision_ms";
/// The histogram of the length of request bodies, in bytes.
pub const BODY_BYTES: &str = "mcp_auth.request_body_bytes";
/// The counter of audit-only decisions: what would have been refused.
pub const UNENFORCED: &str = "mcp_auth.unenforced";
/// The gauge of the linear memory of all VMs together, in bytes.
pub const MEMORY_BYTES: &str = "mcp_auth.vm_memory_bytes";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Object;
    use crate::mcp::Call;
    use crate::record::CallRecord;

    #[test]
    fn only_who_asked_for_a_credential_is_counted() {
        assert_eq!(CredentialCounter::of(&Record::default()), None);
        let record = Record {
            server: Some("a.b".into()),
            credential: Some(CredentialUse::Consent),
            ..Record::default()
        };
        assert_eq!(
            CredentialCounter::of(&record).unwrap().name(),
            "mcp_auth.credentials.server.a_b.result.consent"
        );
        let event = CredentialEvent {
            service_id: "vault.1".into(),
            server_id: "notes".to_owned(),
            problem: AnswerProblem::Status(500),
        };
        assert_eq!(
            failed_call(&event),
            "mcp_auth.credential_call_failures.service.vault_1.problem.status"
        );
    }

    #[test]
    fn a_counter_is_only_taken_for_that_of_records_that_it_counts() {
        let params = Object::default();
        let server: Rc<str> = "notes".into();
        let record = |method: &str, server: Option<&Rc<str>>, outcome, reason| Record {
            server: server.map(Rc::clone),
            calls: vec![CallRecord::of(&Call::of(method, &params).unwrap(), &[])],
            outcome,
            reason,
            ..Record::default()
        };
        let records = [
            Record::default(),
            record("ping", None, Outcome::Allowed, "allowed"),
            record("ping", Some(&server), Outcome::Allowed, "allowed"),
            record("ping", Some(&"files".into()), Outcome::Allowed, "allowed"),
            record("tools/list", Some(&server), Outcome::Allowed, "allowed"),
            record("tools/list", Some(&server), Outcome::Denied, "allowed"),
            record("tools/list", Some(&server), Outcome::Denied, "no_rule"),
            record("made.up", Some(&server), Outcome::Denied, "no_rule"),
        ];
        for (index, counted) in records.iter().enumerate() {
            let counter = DecisionCounter::of(counted);
            for (other, record) in records.iter().enumerate() {
                assert_eq!(counter.is_of(record), index == other, "{index} {other}");
                assert_eq!(counter == DecisionCounter::of(record), index == other);
            }
        }
    }

    #[test]
    fn a_counter_of_credentials_is_that_of_one_server_and_one_result() {
        let server: Rc<str> = "notes".into();
        let record = |server: Option<&Rc<str>>, credential| Record {
            server: server.map(Rc::clone),
            credential,
            ..Record::default()
        };
        let records = [
            record(None, Some(CredentialUse::Cached)),
            record(Some(&server), Some(CredentialUse::Cached)),
            record(Some(&server), Some(CredentialUse::Fetched)),
            record(Some(&"files".into()), Some(CredentialUse::Cached)),
        ];
        for (index, counted) in records.iter().enumerate() {
            let counter = CredentialCounter::of(counted).unwrap();
            for (other, record) in records.iter().enumerate() {
                assert_eq!(counter.is_of(record), index == other, "{index} {other}");
            }
            assert!(!counter.is_of(&record(Some(&server), None)));
        }
    }

    #[test]
    fn labels_are_bounded_whatever_a_client_sends() {
        let params = Object::default();
        let record = |method: &str| {
            let call = Call::of(method, &params).unwrap();
            DecisionCounter::of(&Record {
                server: Some("a.b".into()),
                calls: vec![CallRecord::of(&call, &[])],
                outcome: Outcome::Allowed,
                reason: "allowed",
                ..Record::default()
            })
        };
        assert_eq!(
            record("tools/list").name(),
            "mcp_auth.decisions.server.a_b.method.tools_list.outcome.allowed.reason.allowed"
        );
        assert_eq!(record("made.up/123"), record("made.up/456"));
        assert!(
            DecisionCounter::of(&Record::default())
                .name()
                .contains("server.none.method.none.outcome.denied")
        );
    }
}
