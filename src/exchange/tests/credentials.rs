//! Requests that need an upstream credential: asking, waiting, going on.

use super::*;
use crate::callout::{FetchAnswer, FetchId};

pub(super) const TIMEOUT_MS: u64 = 2000;
/// A margin beyond the time of the call.
pub(super) const LONGEST_WAIT_MS: u64 = TIMEOUT_MS + 1000;
pub(super) const LATER_MS: u64 = NOW_MS + 20;

/// A worker with a token service, and a server that needs credentials from it.
pub(super) fn vault(mode: &str, credential: &Value) -> Worker {
    vault_with(mode, credential, &json!({}))
}

/// With changes to the server's entry besides.
pub(super) fn vault_with(mode: &str, credential: &Value, changes: &Value) -> Worker {
    let mut source = json!({"token_service": "vault"});
    for (name, value) in credential.as_object().unwrap() {
        source[name] = value.clone();
    }
    let rules = json!([{"id": "all", "what": {"tools": ["echo"], "prompts": ["*"], "resources": ["**"], "methods": ["*"]}}]);
    let mut server =
        json!({"credential": source, "metadata": {"resource_name": "Notes"}, "rules": rules});
    for (name, value) in changes.as_object().unwrap() {
        server[name] = value.clone();
    }
    let services = json!({"token_services": [{
        "id": "vault", "timeout_ms": TIMEOUT_MS, "cache_seconds": 60,
        "resolve": {"cluster": "vault", "url": "http://vault.example/v1/credentials/resolve", "key": "k3y"},
    }], "state_keys": [{"id": "1", "secret": "0123456789abcdef0123456789abcdef"}]});
    worker_of(mode, &inline_keys(), &server, &services)
}

/// The one call that is due, and what it asks.
pub(super) fn asked(worker: &mut Worker) -> (FetchId, Value) {
    let due = worker.due(NOW_MS);
    assert_eq!(due.len(), 1, "{due:?}");
    (due[0].id, serde_json::from_slice(&due[0].body).unwrap())
}

pub(super) fn says(worker: &mut Worker, id: FetchId, status: u16, answer: &Value) {
    let body = answer.to_string();
    worker.answered(
        id,
        Some(FetchAnswer::new(status, body.as_bytes())),
        NOW_MS + 10,
    );
}

pub(super) fn authenticated(token: &str) -> Value {
    json!({
        "status": "authenticated", "method": "oauth", "credential_version": "17",
        "headers": [{"name": "authorization", "value": format!("Bearer {token}")}],
        "expires_at": NOW_MS / 1000 + 3600, "cache_ttl_s": 60,
    })
}

pub(super) fn consent() -> Value {
    json!({
        "status": "authentication_required", "reason": "consent_missing",
        "authorization_endpoint": "https://tokens.example/connect/h",
        "detail": {"code": "authentication_required", "authType": "oauth",
                   "authorizeUrl": "https://tokens.example/connect/h"},
        "elicitation_id": "e-1", "expires_in": 600, "cache_ttl_s": 0,
    })
}

fn failure(code: &str) -> Value {
    json!({"error": {"code": code, "message": "s3cr3t", "request_id": "r"}})
}

/// The worker knows the credential of the usual caller.
pub(super) fn with_credential(mode: &str, credential: &Value, token: &str) -> Worker {
    knowing(vault(mode, credential), token)
}

/// With a credential in the cache.
pub(super) fn knowing(mut worker: Worker, token: &str) -> Worker {
    let (exchange, _) = sent(&mut worker, "POST", &call("echo", "{}"));
    assert!(exchange.awaits().is_some());
    let (id, _) = asked(&mut worker);
    says(&mut worker, id, 200, &authenticated(token));
    exchange.advance(Input::Gone, &mut worker, LATER_MS);
    worker
}

/// A request up to where something is waited for, or its end.
pub(super) fn sent(worker: &mut Worker, method: &str, body: &str) -> (Exchange, Step) {
    let bearer = bearer("mcp:read");
    sent_with(worker, headers(method, &[("authorization", &bearer)]), body)
}

pub(super) fn sent_with(worker: &mut Worker, headers: Headers, body: &str) -> (Exchange, Step) {
    let input = Input::RequestHeaders {
        headers,
        end_of_stream: body.is_empty(),
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    if body.is_empty() || exchange.awaits().is_some() {
        return (exchange, step);
    }
    assert!(
        matches!(step, Step::Wait | Step::ReleaseHeaders { .. }),
        "{step:?}"
    );
    with_body(exchange, worker, body, NOW_MS)
}

pub(super) fn with_body(
    exchange: Exchange,
    worker: &mut Worker,
    body: &str,
    now_ms: u64,
) -> (Exchange, Step) {
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, step) = exchange.advance(input, worker, now_ms);
    assert_eq!(step, Step::ReadBody(body.len()));
    exchange.advance(Input::Message(body.as_bytes()), worker, now_ms)
}

/// A call up to its end, with this answer of the token service.
fn answered(mode: &str, credential: &Value, status: u16, answer: &Value) -> End {
    let worker = &mut vault(mode, credential);
    let body = call("echo", "{}");
    let (exchange, step) = sent(worker, "POST", &body);
    assert_eq!(step, Step::Wait);
    let (id, _) = asked(worker);
    says(worker, id, status, answer);
    woken(exchange, worker, &body)
}

/// What becomes of it once the service has spoken.
pub(super) fn woken(exchange: Exchange, worker: &mut Worker, body: &str) -> End {
    let waiting = worker.waiting;
    let (exchange, step) = exchange.advance(Input::Wake, worker, LATER_MS);
    assert_eq!(worker.waiting, waiting - 1);
    match step {
        Step::ReleaseHeaders { edits, .. } => {
            let (_, step) = with_body(exchange, worker, body, LATER_MS);
            ended(step, Some(edits))
        }
        step => ended(step, None),
    }
}

pub(super) fn set<'a>(edits: &'a HeaderEdits, name: &str) -> Vec<&'a str> {
    let all = edits.set.iter();
    all.filter(|(set, _)| set == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

#[test]
fn a_call_goes_on_with_the_credential_of_its_caller_and_without_the_callers_token() {
    for mode in MODES {
        let (edits, record) = answered(mode, &json!({}), 200, &authenticated("up")).forwarded();
        assert_eq!(set(&edits, "authorization"), ["Bearer up"], "{mode}");
        assert!(edits.remove.contains(&"authorization".into()));
        assert_eq!(record.credential, Some(CredentialUse::Fetched));
    }
}

#[test]
fn a_known_credential_is_used_without_a_wait() {
    for mode in MODES {
        let worker = &mut with_credential(mode, &json!({}), "up");
        let (edits, record) = post(worker, "mcp:read", &call("echo", "{}")).forwarded();
        assert_eq!(set(&edits, "authorization"), ["Bearer up"], "{mode}");
        assert_eq!(record.credential, Some(CredentialUse::Cached));
        assert!(worker.due(LATER_MS).is_empty());
    }
}

#[test]
fn another_callers_credential_is_asked_for_on_its_own() {
    let worker = &mut with_credential("holding", &json!({}), "up");
    let claims = claims_with(&json!({"scope": "mcp:read", "sub": "somebody-else"}));
    let bearer = format!("Bearer {}", sign(HEADER, &claims));
    let headers = headers("POST", &[("authorization", &bearer)]);
    let (exchange, step) = sent_with(worker, headers, &call("echo", "{}"));
    assert_eq!(step, Step::Wait);
    let (id, ask) = asked(worker);
    assert_eq!(ask["subject"]["id"], "somebody-else");
    says(worker, id, 200, &authenticated("theirs"));
    let (edits, _) = woken(exchange, worker, "").forwarded();
    assert_eq!(set(&edits, "authorization"), ["Bearer theirs"]);
}

#[test]
fn the_question_names_server_subject_and_what_is_asked_for() {
    let worker = &mut vault("holding", &json!({"server_id": "notes"}));
    sent(worker, "POST", &call("echo", "{}"));
    let (_, ask) = asked(worker);
    assert_eq!(ask["server_id"], "notes");
    assert_eq!(ask["request_id"], "request-1");
    assert_eq!(
        ask["operation"],
        json!({"method": "tools/call", "name": "echo"})
    );
    assert_eq!(ask["subject_token"], token("mcp:read"));
}

#[test]
fn nobody_is_asked_for_a_request_that_is_refused() {
    let worker = &mut vault("holding", &json!({}));
    for body in [call("env", "{}"), "{".to_owned()] {
        let (_, record) = post(worker, "mcp:read", &body).refused();
        assert_eq!(record.credential, None);
        assert!(worker.due(NOW_MS).is_empty());
    }
    for mode in MODES {
        let worker = &mut vault(mode, &json!({}));
        let bearer = bearer("other");
        let get = headers("GET", &[("authorization", &bearer), ("mcp-name", "x")]);
        run(worker, get, b"").refused();
        assert!(worker.due(NOW_MS).is_empty(), "{mode}");
    }
}

/// There the answer about the credential would tell a caller who may do
/// nothing that there is one.
#[test]
fn in_plain_mode_a_refused_call_is_refused_for_its_own_reason() {
    for (status, answer, credential) in [
        (200, authenticated("up"), CredentialUse::Fetched),
        (403, consent(), CredentialUse::Consent),
        (503, json!({}), CredentialUse::Failed),
    ] {
        let worker = &mut vault("plain", &json!({}));
        let body = call("env", "{}");
        let (exchange, _) = sent(worker, "POST", &body);
        let (id, _) = asked(worker);
        says(worker, id, status, &answer);
        let (reply, record) = woken(exchange, worker, &body).refused();
        assert_eq!((reply.status, record.reason), (200, "no_rule"));
        assert_eq!(record.credential, Some(credential));
    }
}

#[test]
fn a_get_asks_after_its_permit_in_both_modes() {
    for mode in MODES {
        let worker = &mut vault(mode, &json!({}));
        let (exchange, step) = sent(worker, "GET", "");
        assert_eq!(step, Step::Wait, "{mode}");
        assert!(matches!(exchange, Exchange::AwaitingCredential(_)));
        let (id, ask) = asked(worker);
        assert_eq!(ask["operation"]["method"], "GET");
        says(worker, id, 200, &authenticated("up"));
        let (edits, _) = woken(exchange, worker, "").forwarded();
        assert_eq!(set(&edits, "authorization"), ["Bearer up"]);
    }
}

#[test]
fn what_needs_no_credential_goes_on_without() {
    let answer =
        json!({"status": "authentication_not_required", "reason": "public", "cache_ttl_s": 60});
    for mode in MODES {
        let (edits, record) = answered(mode, &json!({}), 200, &answer).forwarded();
        assert!(set(&edits, "authorization").is_empty(), "{mode}");
        assert!(edits.remove.contains(&"authorization".into()));
        assert_eq!(record.credential, Some(CredentialUse::NotNeeded));
    }
}

#[test]
fn the_headers_of_a_credential_are_the_gates_alone() {
    for mode in MODES {
        let worker = &mut vault(mode, &json!({"headers": ["x-api-key"]}));
        let body = call("echo", "{}");
        let bearer = bearer("mcp:read");
        let more = [
            ("authorization", bearer.as_str()),
            ("x-api-key", "mine"),
            ("x_api_key", "mine"),
        ];
        let (exchange, _) = sent_with(worker, headers("POST", &more), &body);
        let (id, _) = asked(worker);
        let mut answer = authenticated("up");
        answer["headers"] = json!([{"name": "X-Api-Key", "value": "theirs"}]);
        says(worker, id, 200, &answer);
        let (edits, _) = woken(exchange, worker, &body).forwarded();
        assert_eq!(set(&edits, "x-api-key"), ["theirs"], "{mode}");
        for name in ["x-api-key", "x_api_key", "authorization"] {
            assert!(edits.remove.contains(&name.into()), "{mode} {name}");
        }
    }
}

#[test]
fn where_the_cluster_places_it_the_gate_sets_none() {
    let worker = json!({"placed_by": "cluster"});
    let (edits, record) = answered("holding", &worker, 200, &authenticated("up")).forwarded();
    assert!(set(&edits, "authorization").is_empty());
    assert_eq!(record.credential, Some(CredentialUse::Fetched));
    let (_, record) = answered("holding", &worker, 403, &consent()).refused();
    assert_eq!(record.reason, "consent_needed");
}

#[test]
fn each_failure_has_its_answer_with_the_requests_id() {
    for mode in MODES {
        for (status, code, expected, reason) in [
            (400, "invalid_request", 500, "credential_configuration"),
            (400, "invalid_target", 500, "credential_configuration"),
            (404, "unknown_server", 500, "credential_configuration"),
            (
                400,
                "invalid_subject_token",
                401,
                "credential_subject_token",
            ),
            (401, "invalid_client", 503, "credential_service_refuses"),
            (403, "access_denied", 403, "credential_access_denied"),
            (429, "rate_limited", 503, "credential_busy"),
            (502, "upstream_error", 502, "credential_upstream"),
            (503, "unavailable", 503, "credential_unavailable"),
            (200, "authenticated", 503, "credential_unavailable"),
        ] {
            let (reply, record) = answered(mode, &json!({}), status, &failure(code)).refused();
            assert_eq!(
                (reply.status, record.reason),
                (expected, reason),
                "{mode} {code}"
            );
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(body["id"], 7, "{code}: {body}");
            assert!(!reply.body.contains("s3cr3t"), "{body}");
            assert_eq!(record.credential, Some(CredentialUse::Failed));
            assert_eq!(
                header(&reply, "retry-after").is_some(),
                expected == 503,
                "{code}"
            );
            let challenge = header(&reply, "www-authenticate");
            assert_eq!(challenge.is_some(), expected == 401, "{code}");
        }
    }
}

#[test]
fn a_token_that_the_service_refuses_is_challenged_as_an_invalid_one() {
    let (reply, record) = answered(
        "holding",
        &json!({}),
        400,
        &failure("invalid_subject_token"),
    )
    .refused();
    let challenge = header(&reply, "www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.contains("resource_metadata="), "{challenge}");
    assert_eq!(record.outcome.as_str(), "challenged");
}

#[test]
fn methods_that_go_without_go_on_where_consent_is_missing_and_only_there() {
    let source = json!({"optional_for": ["tools/list", "GET"]});
    let list = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    for mode in MODES {
        for (method, body) in [("POST", list), ("GET", "")] {
            let worker = &mut vault(mode, &source);
            let (exchange, _) = sent(worker, method, body);
            let (id, _) = asked(worker);
            says(worker, id, 403, &consent());
            let (edits, record) = woken(exchange, worker, body).forwarded();
            assert!(set(&edits, "authorization").is_empty());
            assert_eq!(record.credential, Some(CredentialUse::Consent), "{mode}");

            let worker = &mut vault(mode, &source);
            let (exchange, _) = sent(worker, method, body);
            let (id, _) = asked(worker);
            says(worker, id, 502, &failure("upstream_error"));
            let (reply, _) = woken(exchange, worker, body).refused();
            assert_eq!(reply.status, 502, "{mode} {method}");
        }
        let (_, record) = answered(mode, &source, 403, &consent()).refused();
        assert_eq!(
            record.reason, "consent_needed",
            "{mode}: tools/call is not one of them"
        );
    }
}

#[test]
fn a_batch_goes_without_only_if_all_of_it_may() {
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    for (source, goes) in [
        (json!({"optional_for": ["tools/list"]}), false),
        (json!({"optional_for": ["tools/list", "ping"]}), true),
    ] {
        let worker = &mut vault("holding", &source);
        let body = format!("[{list},{ping}]");
        let (exchange, _) = sent(worker, "POST", &body);
        let (id, _) = asked(worker);
        says(worker, id, 403, &consent());
        match woken(exchange, worker, &body) {
            End::Forwarded(..) => assert!(goes),
            End::Refused(reply, _) => {
                assert!(!goes);
                assert_eq!(reply.status, 403);
                let body: Value = serde_json::from_str(&reply.body).unwrap();
                assert_eq!(body.get("id"), None, "no one request is meant");
            }
            End::Waiting => panic!("it waits"),
        }
    }
}

#[test]
fn the_ticket_for_the_credential_role_ends_with_the_request() {
    let source = json!({"placed_by": "cluster"});
    let worker = &mut with_credential("holding", &source, "t0k");
    worker.tickets = crate::attempt::Tickets::seeded([1; 32]);
    let (exchange, step) = sent(worker, "POST", &call("echo", "{}"));
    let Step::Forward {
        ticket: Some(id),
        edits: Some(edits),
        ..
    } = step
    else {
        panic!("{step:?}");
    };
    // The role sets the credential; the gate does not.
    assert!(edits.set.iter().all(|(name, _)| name != "authorization"));
    let ticket = worker.tickets.find(id.expose()).unwrap();
    assert_eq!(ticket.operation.as_ref().unwrap().0, "tools/call");
    assert!(!format!("{ticket:?} {exchange:?}").contains(ticket.token.expose()));
    exchange.advance(Input::Gone, worker, LATER_MS);
    assert!(worker.tickets.is_empty());
}

#[test]
fn the_ticket_ends_once_the_head_of_the_response_has_passed() {
    let source = json!({"placed_by": "cluster"});
    let worker = &mut with_credential("holding", &source, "t0k");
    worker.tickets = crate::attempt::Tickets::seeded([1; 32]);
    let (exchange, _) = sent(worker, "POST", &call("echo", "{}"));
    assert_eq!(worker.tickets.len(), 1);
    let input = Input::ResponseHeaders {
        headers: Headers::from([(":status", "200"), ("content-type", "text/event-stream")]),
        from_upstream: true,
        has_body: true,
    };
    let (exchange, step) = exchange.advance(input, worker, LATER_MS);
    assert!(matches!(step, Step::EditResponse(_)), "{step:?}");
    assert!(
        matches!(exchange, Exchange::Responding(_)),
        "still going on"
    );
    assert!(worker.tickets.is_empty());
}

#[test]
fn where_the_gate_sets_the_credential_there_is_no_ticket() {
    let worker = &mut with_credential("holding", &json!({}), "t0k");
    worker.tickets = crate::attempt::Tickets::seeded([1; 32]);
    let (_exchange, step) = sent(worker, "POST", &call("echo", "{}"));
    assert!(
        matches!(step, Step::Forward { ticket: None, .. }),
        "{step:?}"
    );
    assert!(worker.tickets.is_empty());
}
