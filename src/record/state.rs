//! The decision in Envoy's filter state, for access logs, rate limits, RBAC.

use super::{CallRecord, Record};

/// Entries of filter state. Envoy puts `wasm.` before each key, so that the
/// first one is `wasm.mcp_auth.outcome` to the rest of Envoy. For a batch, the
/// method is `batch`, and targets and rules are separated by spaces.
pub fn filter_state(record: &Record) -> Vec<(&'static str, String)> {
    let mut entries = vec![
        ("mcp_auth.outcome", record.outcome.as_str().to_owned()),
        ("mcp_auth.reason", record.reason.to_owned()),
    ];
    if let Some(credential) = record.credential {
        entries.push(("mcp_auth.credential", credential.as_str().to_owned()));
    }
    entries.extend(identity_state(record));
    let [first, rest @ ..] = record.calls.as_slice() else {
        return entries;
    };
    let method = if rest.is_empty() {
        first.method.as_str()
    } else {
        "batch"
    };
    entries.push(("mcp_auth.method", method.to_owned()));
    let all = |of: fn(&CallRecord) -> Option<&str>| {
        let mut all: Vec<&str> = record.calls.iter().filter_map(of).collect();
        all.dedup();
        all.join(" ")
    };
    let target = all(|call| (!call.kind.is_empty()).then_some(call.target.as_str()));
    let rule = all(|call| call.rule.as_deref());
    let calls = record.calls.len().to_string();
    for (key, value) in [
        ("mcp_auth.target", target),
        ("mcp_auth.rule", rule),
        ("mcp_auth.calls", calls),
    ] {
        if !value.is_empty() {
            entries.push((key, value));
        }
    }
    entries
}

/// The entries that are known once the caller is: where headers go on before
/// the message is read, filters that look at headers have these already.
pub fn identity_state(record: &Record) -> Vec<(&'static str, String)> {
    let mut entries = Vec::new();
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
    entries
}
