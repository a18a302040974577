//! Requests that come before the keys that judge them.

use super::*;
use crate::callout::{FetchAnswer, FetchId};
use crate::exchange::Awaited;
use crate::oauth;

const KEY_WAIT_MS: u64 = 5000;

fn fetching(mode: &str) -> Worker {
    let keys = json!({"jwks": {"uri": "https://as.example/jwks", "cluster": "as"}});
    worker_with(mode, &keys, &json!({}))
}

fn fetch(worker: &mut Worker) -> FetchId {
    let due = worker.due(NOW_MS);
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
    assert!(exchange.awaits().is_some());
    exchange
}

fn keys_arrive(worker: &mut Worker, id: FetchId) {
    let keys = ed_jwks();
    let answer = FetchAnswer::new(200, keys.as_bytes());
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
            _ => assert!(matches!(step, Step::ReleaseHeaders { .. }), "{step:?}"),
        }
        assert!(exchange.awaits().is_none());
        assert_eq!(worker.waiting, 0);
    }
}

#[test]
fn a_body_that_is_complete_before_the_keys_are_there_is_read_when_they_are() {
    for mode in MODES {
        let worker = &mut fetching(mode);
        let id = fetch(worker);
        let exchange = start(worker);
        let body = call("echo", "{}");
        let all = Input::RequestBody {
            held: body.len(),
            end_of_stream: true,
        };
        let (exchange, step) = exchange.advance(all, worker, NOW_MS);
        assert_eq!(step, Step::Wait);
        keys_arrive(worker, id);
        let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 10);
        assert_eq!(step, Step::ReadBody(body.len()));
        let message = Input::Message(body.as_bytes());
        let (_, step) = exchange.advance(message, worker, NOW_MS + 10);
        assert!(
            matches!(step, Step::Forward { edits: Some(_), .. }),
            "{step:?}"
        );
    }
}

/// The host would let go what it holds of the body together with the headers,
/// and only the rest of it would be decided on.
#[test]
fn headers_stay_where_they_are_once_a_part_of_the_body_is_there() {
    for mode in MODES {
        let worker = &mut fetching(mode);
        let id = fetch(worker);
        let exchange = start(worker);
        let part = Input::RequestBody {
            held: 9,
            end_of_stream: false,
        };
        let (exchange, _) = exchange.advance(part, worker, NOW_MS);
        keys_arrive(worker, id);
        let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 10);
        assert_eq!(step, Step::Wait);
        let all = Input::RequestBody {
            held: 90,
            end_of_stream: true,
        };
        let (_, step) = exchange.advance(all, worker, NOW_MS + 10);
        assert_eq!(step, Step::ReadBody(90));
    }
}

#[test]
fn a_request_waits_for_its_own_issuer_and_no_longer_than_it_may() {
    let worker = &mut fetching("holding");
    let exchange = start(worker);
    assert_eq!(
        exchange.awaits(),
        Some(Awaited::Token(oauth::Awaited::Keys(0)))
    );
    assert!(!exchange.is_overdue(&worker.limits, NOW_MS + KEY_WAIT_MS - 1));
    assert!(exchange.is_overdue(&worker.limits, NOW_MS + KEY_WAIT_MS));
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
    assert_eq!(
        (reply.status, record.unwrap().reason),
        (503, "keys_unavailable")
    );
    assert!(header(&reply, "retry-after").is_some());
    assert!(header(&reply, "www-authenticate").is_none());
    assert_eq!(worker.waiting, 0);
}

#[test]
fn only_so_many_requests_wait() {
    let worker = &mut fetching("holding");
    // The other half is for those who are known.
    worker.waiting = worker.limits.waiting_requests / 2;
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
