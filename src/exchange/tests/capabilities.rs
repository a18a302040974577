//! What of a client's capabilities the upstream is told.

use super::*;
use crate::exchange::Admission;

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const MODERN: [(&str, &str); 3] = [
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-method", "tools/call"),
    ("mcp-name", "echo"),
];

fn all() -> Value {
    json!({"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {"listChanged": true}})
}

fn initialize(capabilities: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": {"name": "c", "version": "1"}}})
}

fn modern(capabilities: &Value, more: &Value) -> Value {
    let mut params = json!({"name": "echo", "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", CAPABILITIES: capabilities}});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params})
}

fn worker_of(mode: &str, features: &Value) -> Worker {
    let keys = json!({"state_keys": [{"id": "1", "secret": "0123456789abcdef0123456789abcdef"}]});
    let changes = json!({"client_features": features});
    super::worker_of(mode, &inline_keys(), &changes, &keys)
}

/// What goes on, and what the upstream reads in it.
fn forwarded(worker: &mut Worker, more: &[(&str, &str)], message: &Value) -> (Admission, Value) {
    let text = message.to_string();
    let bearer = bearer("mcp:read");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(more);
    let headers = headers("POST", &all);
    let (_, step) = super::credentials::sent_with(worker, headers, &text);
    let Step::Forward { admission, .. } = step else {
        panic!("{step:?}")
    };
    let sent = admission.message().unwrap_or(text.as_bytes());
    assert_eq!(sent.len(), text.len());
    let sent = serde_json::from_slice(sent).unwrap();
    (admission, sent)
}

#[test]
fn the_upstream_is_told_of_what_it_may_use_and_the_gate_of_all() {
    for mode in MODES {
        for (features, told) in [
            (json!({"url_elicitation_hosts": ["connect.example"]}), all()),
            (
                json!({}),
                json!({"sampling": {}, "elicitation": {"form": {}}, "roots": {"listChanged": true}}),
            ),
            (
                json!({"sampling": false, "elicitation": false, "roots": false}),
                json!({}),
            ),
        ] {
            let worker = &mut worker_of(mode, &features);
            let (admission, sent) = forwarded(worker, &[], &initialize(&all()));
            assert_eq!(sent, initialize(&told), "{mode}");
            assert!(admission.opens.unwrap().elicitation_by_url, "{mode}");
            assert_eq!(admission.message().is_none(), told == all(), "{mode}");
            let (_, sent) = forwarded(worker, &MODERN, &modern(&all(), &json!({})));
            assert_eq!(sent, modern(&told, &json!({})), "{mode}");
        }
    }
}

#[test]
fn what_is_the_gates_own_is_taken_out_of_the_same_message() {
    let worker = &mut worker_of("holding", &json!({"sampling": false}));
    let theirs = json!({"inputResponses": {"a": {}}});
    let brought = json!({"inputResponses": {"mcp-auth.consent": {"action": "accept"}, "a": {}}});
    let (_, sent) = forwarded(worker, &MODERN, &modern(&json!({"sampling": {}}), &brought));
    assert_eq!(sent, modern(&json!({}), &theirs));
}

#[test]
fn nothing_is_copied_where_nothing_is_refused_or_declared() {
    let worker = &mut worker_of("holding", &json!({"sampling": false}));
    let declared = json!({"elicitation": {"form": {}}, "roots": {}});
    let (admission, _) = forwarded(worker, &[], &initialize(&declared));
    assert_eq!(admission.message(), None);
    let (admission, _) = forwarded(worker, &MODERN, &modern(&json!({}), &json!({})));
    assert_eq!(admission.message(), None);
}

/// The answer to a request about a task that is nobody's.
fn unknown_task(worker: &mut Worker, capabilities: &Value) -> (u16, Value) {
    let message = json!({"jsonrpc": "2.0", "id": 4, "method": "tasks/get", "params": {
        "taskId": "made-up", "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", CAPABILITIES: capabilities}}});
    let bearer = bearer("mcp:read");
    let headers = headers(
        "POST",
        &[
            ("authorization", bearer.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tasks/get"),
            ("mcp-name", "made-up"),
        ],
    );
    let (_, step) = super::credentials::sent_with(worker, headers, &message.to_string());
    let Step::Reply { reply, record, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(record.unwrap().reason, "task");
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    (reply.status, answer["error"].clone())
}

#[test]
fn that_a_client_has_not_declared_tasks_comes_before_that_there_is_no_such_task() {
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    for mode in MODES {
        let worker = &mut worker_of(mode, &json!({}));
        for undeclared in [
            json!({}),
            json!({"extensions": {}}),
            json!({"extensions": []}),
        ] {
            let (status, error) = unknown_task(worker, &undeclared);
            assert_eq!(
                (status, &error["code"]),
                (400, &json!(-32021)),
                "{undeclared}"
            );
            assert_eq!(error["data"], json!({"requiredCapabilities": tasks}));
        }
        let (status, error) = unknown_task(worker, &tasks);
        assert_eq!((status, &error["code"]), (200, &json!(-32602)));
    }
}
