//! The decision in Envoy's filter state, for access logs, rate limits, RBAC.

use super::Record;

/// Entries of filter state. Envoy puts `wasm.` before each key, so that the
/// first one is `wasm.mcp_auth.outcome` to the rest of Envoy.
pub fn filter_state(record: &Record) -> Vec<(&'static str, String)> {
    let mut entries = vec![
        ("mcp_auth.outcome", record.outcome.as_str().to_owned()),
        ("mcp_auth.reason", record.reason.to_owned()),
    ];
    if let Some(server) = &record.server {
        entries.push(("mcp_auth.server", server.to_string()));
    }
    if let Some(identity) = &record.identity {
        entries.push(("mcp_auth.issuer", identity.issuer().to_owned()));
        entries.push(("mcp_auth.subject", identity.subject().to_owned()));
        entries.push((
            "mcp_auth.subject_type",
            identity.subject_type().as_str().to_owned(),
        ));
        if let Some(client) = identity.client() {
            entries.push(("mcp_auth.client", client.to_owned()));
        }
    }
    if let [call] = record.calls.as_slice() {
        entries.push(("mcp_auth.method", call.method.clone()));
        if !call.kind.is_empty() {
            entries.push(("mcp_auth.target", call.target.clone()));
        }
        if let Some(rule) = &call.rule {
            entries.push(("mcp_auth.rule", rule.to_string()));
        }
    }
    entries
}
