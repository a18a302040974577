//! Session ids and request state that travel with the client.

use super::*;
use crate::continuity::StateKeys;
use crate::oauth::tests::support::sign;

const KEY: (&str, &[u8]) = ("2026-11", b"a-secret-of-at-least-32-characters");
const NEW_KEY: (&str, &[u8]) = ("2026-12", b"another-secret-of-32-characters-.");

/// It names `KEY`, with a tag of zeros.
const FORGED: &str =
    "mcp-auth.state.AQAAAABrSdIABzIwMjYtMTEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}},"clientInfo":{"name":"c","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

fn keyed(mode: &str, keys: &[(&str, &[u8])]) -> Worker {
    let mut worker = worker(mode);
    worker.state_keys = StateKeys::new(keys.iter().copied());
    worker
}

fn bearer_of(subject: &str) -> String {
    let claims = claims_with(&json!({"scope": "mcp:read", "sub": subject}));
    format!("Bearer {}", sign(HEADER, &claims))
}

/// A request of a subject's, on the way to the upstream.
fn request(
    worker: &mut Worker,
    method: &str,
    more: &[(&str, &str)],
    subject: &str,
    body: &str,
) -> (Exchange, End) {
    let bearer = bearer_of(subject);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(more);
    exchange(worker, headers(method, &all), body.as_bytes())
}

/// As [`run`], with the exchange that the response comes to.
fn exchange(worker: &mut Worker, headers: Headers, body: &[u8]) -> (Exchange, End) {
    let input = Input::RequestHeaders {
        headers,
        end_of_stream: body.is_empty(),
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    let released = match step {
        Step::Wait => None,
        Step::ReleaseHeaders { edits, .. } => Some(edits),
        step => return (exchange, ended(step, None)),
    };
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, _) = exchange.advance(input, worker, NOW_MS);
    let (exchange, step) = exchange.advance(Input::Message(body), worker, NOW_MS);
    (exchange, ended(step, released))
}

/// The session header that the client gets with this response.
fn answered(worker: &mut Worker, exchange: Exchange, ids: &[&str]) -> Result<Option<String>, u16> {
    let mut pairs = vec![(":status".to_owned(), b"200".to_vec())];
    pairs.extend(
        ids.iter()
            .map(|id| ("mcp-session-id".to_owned(), id.as_bytes().to_vec())),
    );
    let input = Input::ResponseHeaders {
        headers: Headers::new(pairs),
        from_upstream: true,
        has_body: true,
    };
    match exchange.advance(input, worker, NOW_MS).1 {
        Step::EditResponse(edits) => {
            let set = value(&edits, "mcp-session-id");
            let removed = edits.remove.iter().any(|name| name == "mcp-session-id");
            Ok(match (set, removed) {
                (None, false) => ids.first().map(|id| (*id).to_owned()),
                (set, _) => set,
            })
        }
        Step::ReplaceResponse { reply, .. } => Err(reply.status),
        step => panic!("{step:?}"),
    }
}

fn value(edits: &HeaderEdits, name: &str) -> Option<String> {
    let mut values = edits.set.iter().filter(|(header, _)| header == name);
    let value = values.next().map(|(_, value)| value.as_str().to_owned());
    assert!(values.next().is_none());
    value
}

fn opened(worker: &mut Worker, subject: &str) -> String {
    let (exchange, end) = request(worker, "POST", &[], subject, INITIALIZE);
    end.forwarded();
    answered(worker, exchange, &["upstream-1"])
        .unwrap()
        .unwrap()
}

#[test]
fn a_session_belongs_to_whoever_opened_it() {
    for mode in MODES {
        let worker = &mut keyed(mode, &[KEY]);
        let id = opened(worker, "alice");
        assert!(!id.contains("upstream-1"));
        let session = [("mcp-session-id", id.as_str())];
        for (method, body) in [("POST", PING), ("GET", ""), ("DELETE", "")] {
            let (exchange, end) = request(worker, method, &session, "alice", body);
            let (edits, _) = end.forwarded();
            assert_eq!(
                value(&edits, "mcp-session-id").as_deref(),
                Some("upstream-1"),
                "{mode} {method}"
            );
            // The upstream says its id again: the client hears its own.
            assert_eq!(
                answered(worker, exchange, &["upstream-1"]),
                Ok(Some(id.clone()))
            );
            let (_, end) = request(worker, method, &session, "bob", body);
            let (reply, record) = end.refused();
            assert_eq!(
                (reply.status, record.reason),
                (404, "session"),
                "{mode} {method}"
            );
        }
    }
}

#[test]
fn a_made_up_session_is_not_found_and_two_are_a_bad_request() {
    for mode in MODES {
        let worker = &mut keyed(mode, &[KEY]);
        let id = opened(worker, "alice");
        let long = "A".repeat(5000);
        for (ids, status) in [
            (&["upstream-1"][..], 404),
            (&[""], 404),
            (&[long.as_str()], 404),
            (&[id.as_str(), id.as_str()], 400),
            (&["é"], 400),
        ] {
            let more: Vec<_> = ids.iter().map(|id| ("mcp-session-id", *id)).collect();
            let (_, end) = request(worker, "POST", &more, "alice", PING);
            let (reply, record) = end.refused();
            assert_eq!(
                (reply.status, record.reason),
                (status, "session"),
                "{ids:?}"
            );
        }
    }
}

#[test]
fn keys_rotate_and_a_removed_one_ends_its_sessions() {
    let id = opened(&mut keyed("plain", &[KEY]), "alice");
    let session = [("mcp-session-id", id.as_str())];
    let both = &mut keyed("plain", &[NEW_KEY, KEY]);
    let (exchange, end) = request(both, "POST", &session, "alice", PING);
    end.forwarded();
    assert_eq!(
        answered(both, exchange, &["upstream-1"]),
        Ok(Some(id.clone()))
    );
    let (exchange, _) = request(both, "POST", &session, "alice", PING);
    let other = answered(both, exchange, &["upstream-2"]).unwrap().unwrap();
    let new = &mut keyed("plain", &[NEW_KEY]);
    let (_, end) = request(new, "POST", &session, "alice", PING);
    assert_eq!(end.refused().0.status, 404);
    let session = [("mcp-session-id", other.as_str())];
    let (edits, _) = request(new, "POST", &session, "alice", PING).1.forwarded();
    assert_eq!(
        value(&edits, "mcp-session-id").as_deref(),
        Some("upstream-2")
    );
}

#[test]
fn a_session_id_that_cannot_be_bound_does_not_reach_the_client() {
    let long = "a".repeat(2000);
    for ids in [&["a", "a"][..], &["a b"], &["é"], &[""], &[long.as_str()]] {
        let worker = &mut keyed("holding", &[KEY]);
        let (exchange, _) = request(worker, "POST", &[], "alice", INITIALIZE);
        assert_eq!(answered(worker, exchange, ids), Err(502), "{ids:?}");
    }
}

#[test]
fn without_state_keys_ids_pass_as_they_are() {
    let worker = &mut worker("plain");
    let (exchange, _) = request(worker, "POST", &[], "alice", INITIALIZE);
    assert_eq!(answered(worker, exchange, &["a"]), Ok(Some("a".to_owned())));
    let (edits, _) = request(worker, "POST", &[("mcp-session-id", "a")], "alice", PING)
        .1
        .forwarded();
    assert_eq!(value(&edits, "mcp-session-id"), None);
    assert!(!edits.remove.iter().any(|name| name == "mcp-session-id"));
}

const MODERN: [(&str, &str); 3] = [
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-method", "tools/call"),
    ("mcp-name", "echo"),
];

fn modern(more: &Value) -> String {
    let mut params = json!({"name": "echo", "arguments": {"a": 1}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}).to_string()
}

#[test]
fn the_modern_era_has_no_sessions() {
    for mode in MODES {
        let worker = &mut keyed(mode, &[KEY]);
        let mut more = MODERN.to_vec();
        more.push(("mcp-session-id", "anything"));
        more.push(("mcp_session_id", "anything"));
        let (exchange, end) = request(worker, "POST", &more, "alice", &modern(&json!({})));
        let (edits, _) = end.forwarded();
        assert_eq!(value(&edits, "mcp-session-id"), None);
        for name in ["mcp-session-id", "mcp_session_id"] {
            assert!(edits.remove.iter().any(|removed| removed == name), "{name}");
        }
        assert_eq!(answered(worker, exchange, &["upstream-1"]), Ok(None));
    }
}

/// What the upstream gets of a modern call with these parameters more.
fn retried(worker: &mut Worker, more: &Value) -> Result<String, Value> {
    let body = modern(more);
    let bearer = bearer_of("alice");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend(MODERN);
    let input = Input::RequestHeaders {
        headers: headers("POST", &all),
        end_of_stream: false,
    };
    let (exchange, _) = Exchange::default().advance(input, worker, NOW_MS);
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, _) = exchange.advance(input, worker, NOW_MS);
    match exchange
        .advance(Input::Message(body.as_bytes()), worker, NOW_MS)
        .1
    {
        Step::Forward { admission, .. } => Ok(admission
            .message()
            .map_or(body, |message| String::from_utf8(message.to_vec()).unwrap())),
        Step::Reply { reply, record, .. } => {
            assert_eq!(record.unwrap().reason, "request_state");
            assert_eq!(reply.status, 200);
            Err(serde_json::from_str(&reply.body).unwrap())
        }
        step => panic!("{step:?}"),
    }
}

#[test]
fn the_upstream_does_not_see_what_the_client_brings_back_for_the_gate() {
    for mode in MODES {
        let worker = &mut keyed(mode, &[KEY]);
        let plain = modern(&json!({}));
        let more = json!({"inputResponses": {"mcp-auth.consent": {"action": "accept"}}});
        let sent = retried(worker, &more).unwrap();
        assert_eq!(sent.len(), modern(&more).len());
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&sent), parsed(&plain));
        let theirs = json!({"inputResponses": {"a": {}}});
        assert_eq!(retried(worker, &theirs), Ok(modern(&theirs)));
    }
}

#[test]
fn a_request_state_that_was_not_given_for_this_call_is_refused() {
    for mode in MODES {
        let worker = &mut keyed(mode, &[KEY]);
        for forged in [json!(FORGED), json!("theirs"), json!(1)] {
            let answer = retried(worker, &json!({"requestState": forged})).unwrap_err();
            assert_eq!(answer["error"]["code"], -32602, "{forged}");
            assert_eq!(answer["id"], 3);
        }
    }
}
