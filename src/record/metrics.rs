//! Which of Envoy's counters and histograms a record moves.
//!
//! Envoy's Wasm metrics have no labels, so they are written into the name as
//! `.label.value` pairs; the tag rules of the shipped bootstrap read them
//! back. Every value comes from the configuration or from a fixed set.

use super::Record;
use crate::mcp::Call;
use crate::mcp::revision::methods;

/// The name of the counter of decisions that this record belongs to.
pub fn decision_counter(record: &Record) -> String {
    let server = record
        .server
        .as_deref()
        .map_or_else(|| "none".to_owned(), label);
    let method = match record.calls.as_slice() {
        [] => "none",
        [call] => method_label(&call.method),
        _ => "batch",
    };
    format!(
        "mcp_auth.decisions.server.{server}.method.{}.outcome.{}.reason.{}",
        method.replace('/', "_"),
        record.outcome.as_str(),
        record.reason
    )
}

/// The histogram of the time to the decision, in milliseconds.
pub const DECISION_MILLISECONDS: &str = "mcp_auth.decision_ms";
/// The histogram of the length of request bodies, in bytes.
pub const BODY_BYTES: &str = "mcp_auth.request_body_bytes";
/// The counter of audit-only decisions: what would have been refused.
pub const UNENFORCED: &str = "mcp_auth.unenforced";
/// The gauge of the linear memory of all VMs together, in bytes.
pub const MEMORY_BYTES: &str = "mcp_auth.vm_memory_bytes";

/// Clients choose methods; only the protocol's own become labels.
fn method_label(method: &str) -> &str {
    let pseudo = [Call::GET, Call::DELETE, Call::RESPONSE].contains(&method);
    if pseudo || methods().any(|known| known == method) {
        method
    } else {
        "other"
    }
}

/// Dots separate labels, so a value has none.
fn label(value: &str) -> String {
    value.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Object;
    use crate::record::{CallRecord, Outcome};

    #[test]
    fn labels_are_bounded_whatever_a_client_sends() {
        let params = Object::default();
        let record = |method: &str| {
            let call = Call::of(method, &params).unwrap();
            decision_counter(&Record {
                server: Some("a.b".into()),
                calls: vec![CallRecord::of(&call, &[])],
                outcome: Outcome::Allowed,
                reason: "allowed",
                ..Record::default()
            })
        };
        assert_eq!(
            record("tools/list"),
            "mcp_auth.decisions.server.a_b.method.tools_list.outcome.allowed.reason.allowed"
        );
        assert_eq!(record("made.up/123"), record("made.up/456"));
        assert!(
            decision_counter(&Record::default()).contains("server.none.method.none.outcome.denied")
        );
    }
}
