//! Requests that come before the keys that judge them.

use super::*;
use crate::oauth::{FetchAnswer, FetchId};

const KEY_WAIT_MS: u64 = 5000;

fn fetching(mode: &str) -> Worker {
    let keys = json!({"jwks": {"uri": "https://as.example/jwks", "cluster": "as"}});
    worker_with(mode, &keys, &json!({}))
}

fn fetch(worker: &mut Worker) -> FetchId {
    let due = worker.authenticator.due(NOW_MS);
    assert_eq!(due.len(), 1);
    due[0].id
}

fn start(worker: &mut Worker) -> Exchange {
    let bearer = bearer("mcp:read");
    let headers = headers("POST", &[("authorization", &bearer)]);
    let input = Input::RequestHeaders {
        headers,
        end_of_stream: false,
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    assert_eq!(step, Step::Wait);
    assert!(exchange.is_waiting());
    exchange
}

fn keys_arrive(worker: &mut Worker, id: FetchId) {
    let keys = ed_jwks();
    let answer = FetchAnswer {
        status: 200,
        body: keys.as_bytes(),
    };
    worker.authenticator.answered(id, Some(answer), NOW_MS + 10);
}

#[test]
fn a_request_waits_for_the_keys_and_goes_on_when_they_are_there() {
    for mode in MODES {
        let worker = &mut fetching(mode);
        let id = fetch(worker);
        let exchange = start(worker);
        keys_arrive(worker, id);
        let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 10);
        match mode {
            "holding" => assert_eq!(step, Step::Wait, "for the body"),
            _ => assert!(matches!(step, Step::ReleaseHeaders(_)), "{step:?}"),
        }
        assert!(!exchange.is_waiting());
        assert_eq!(worker.waiting, 0);
    }
}

#[test]
fn a_body_that_is_complete_before_the_keys_are_there_is_kept() {
    let worker = &mut fetching("holding");
    let id = fetch(worker);
    let exchange = start(worker);
    let body = call("echo", "{}");
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, step) = exchange.advance(input, worker, NOW_MS);
    assert_eq!(step, Step::ReadBody);
    let (exchange, step) = exchange.advance(Input::Message(body.as_bytes()), worker, NOW_MS);
    assert_eq!(step, Step::Wait);
    keys_arrive(worker, id);
    let (_, step) = exchange.advance(Input::Wake, worker, NOW_MS + 10);
    assert!(
        matches!(step, Step::Forward { edits: Some(_), .. }),
        "{step:?}"
    );
}

#[test]
fn without_keys_a_request_gets_503_when_its_time_is_up() {
    let worker = &mut fetching("holding");
    let id = fetch(worker);
    let exchange = start(worker);
    worker.authenticator.answered(id, None, NOW_MS + 10);
    let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + KEY_WAIT_MS - 1);
    assert_eq!(step, Step::Wait);
    let (_, step) = exchange.advance(Input::Wake, worker, NOW_MS + KEY_WAIT_MS);
    let Step::Reply { reply, record, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!((reply.status, record.reason), (503, "keys_unavailable"));
    assert!(header(&reply, "retry-after").is_some());
    assert!(header(&reply, "www-authenticate").is_none());
    assert_eq!(worker.waiting, 0);
}

#[test]
fn only_so_many_requests_wait() {
    let worker = &mut fetching("holding");
    worker.waiting = worker.limits.waiting_requests;
    let bearer = bearer("mcp:read");
    let (reply, record) = run(
        worker,
        headers("POST", &[("authorization", &bearer)]),
        b"{}",
    )
    .refused();
    assert_eq!((reply.status, record.reason), (503, "too_many_waiting"));
}

#[test]
fn a_client_that_leaves_while_it_waits_waits_no_more() {
    let worker = &mut fetching("plain");
    let exchange = start(worker);
    assert_eq!(worker.waiting, 1);
    let (_, step) = exchange.advance(Input::Gone, worker, NOW_MS);
    assert!(matches!(step, Step::Note(_)), "{step:?}");
    assert_eq!(worker.waiting, 0);
}
