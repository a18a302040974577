//! Refusals that are known at the headers: when they are told.

use super::*;
use crate::config::Limits;
use crate::record::Outcome;

/// The headers of a request without a token, with this length announced.
fn begin(worker: &mut Worker, length: &str, more: &[(&str, &str)]) -> (Exchange, Step) {
    let mut all = vec![("content-length", length)];
    all.extend(more);
    let input = Input::RequestHeaders {
        headers: headers("POST", &all),
        end_of_stream: false,
    };
    Exchange::default().advance(input, worker, NOW_MS)
}

fn body(held: usize, end_of_stream: bool) -> Input<'static> {
    Input::RequestBody {
        held,
        end_of_stream,
    }
}

/// Status, outcome and reason of an answer.
fn told(step: Step) -> (u16, Outcome, &'static str) {
    match step {
        Step::Reply {
            reply,
            record: Some(record),
            ..
        } => (reply.status, record.outcome, record.reason),
        step => panic!("{step:?}"),
    }
}

const NO_TOKEN: (u16, Outcome, &str) = (401, Outcome::Challenged, "no_token");

#[test]
fn a_refusal_waits_for_the_end_of_a_short_body_which_is_dropped_unread() {
    let worker = &mut worker("holding");
    let (exchange, step) = begin(worker, "10", &[]);
    assert_eq!((step, worker.refusing, worker.waiting), (Step::Wait, 1, 0));
    let (exchange, step) = exchange.advance(body(4, false), worker, NOW_MS);
    assert_eq!(step, Step::DropBody(4));
    let (exchange, step) = exchange.advance(body(6, false), worker, NOW_MS);
    assert_eq!(step, Step::DropBody(6));
    let (exchange, step) = exchange.advance(body(0, true), worker, NOW_MS);
    assert_eq!((told(step), worker.refusing), (NO_TOKEN, 0));
    assert_eq!(
        exchange.advance(Input::Gone, worker, NOW_MS).1,
        Step::Continue,
        "it is written down once"
    );
}

#[test]
fn a_refusal_is_told_as_soon_as_more_comes_than_was_announced() {
    let worker = &mut worker("holding");
    let (exchange, _) = begin(worker, "10", &[]);
    let (exchange, _) = exchange.advance(body(10, false), worker, NOW_MS);
    let (_, step) = exchange.advance(body(1, false), worker, NOW_MS);
    assert_eq!(told(step), NO_TOKEN);
}

#[test]
fn a_refusal_is_told_at_once_where_no_short_body_is_certain_to_come() {
    for (mode, length, more) in [
        ("plain", "10", &[][..]),
        ("holding", "65537", &[]),
        ("holding", "0", &[]),
        ("holding", "-1", &[]),
        ("holding", "(absent)", &[("transfer-encoding", "chunked")]),
        ("holding", "10", &[("expect", "100-continue")]),
        ("holding", "10", &[("content-length", "10")]),
    ] {
        let longer = json!({"limits": {"body_bytes": 100_000}});
        let worker = &mut worker_of(mode, &inline_keys(), &json!({}), &longer);
        let (_, step) = begin(worker, length, more);
        assert_eq!(told(step), NO_TOKEN, "{mode} {length} {more:?}");
    }
    let nothing_follows = Input::RequestHeaders {
        headers: headers("POST", &[("content-length", "10")]),
        end_of_stream: true,
    };
    let (_, step) = Exchange::default().advance(nothing_follows, &mut worker("holding"), NOW_MS);
    assert_eq!(told(step), NO_TOKEN);
}

#[test]
fn a_path_with_a_token_is_cleaned_at_once() {
    let path = (":path", "/everything/mcp?access_token=s3cr3t");
    let (_, step) = begin(&mut worker("holding"), "10", &[path]);
    assert!(
        matches!(&step, Step::Reply { path: Some(path), .. } if path == "/everything/mcp"),
        "{step:?}"
    );
}

#[test]
fn who_does_not_send_what_was_announced_is_told_after_five_seconds() {
    let worker = &mut worker("holding");
    let limits = Limits::default();
    let (exchange, _) = begin(worker, "10", &[]);
    assert!(exchange.has_deadline() && exchange.awaits().is_none());
    assert!(!exchange.is_overdue(&limits, NOW_MS + 4999));
    let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 4999);
    assert_eq!(step, Step::Wait);
    assert!(exchange.is_overdue(&limits, NOW_MS + 5000));
    let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 5000);
    assert_eq!(told(step), NO_TOKEN);
    assert!(!exchange.has_deadline());
}

#[test]
fn who_leaves_before_the_answer_was_refused_all_the_same() {
    let envoys_own = Input::ResponseHeaders {
        headers: Headers::from([(":status", "408")]),
        from_upstream: false,
        has_body: true,
    };
    for end in [Input::Gone, envoys_own] {
        let worker = &mut worker("holding");
        let (exchange, _) = begin(worker, "10", &[]);
        let (exchange, step) = exchange.advance(end, worker, NOW_MS);
        let Step::Note(record) = step else {
            panic!("{step:?}")
        };
        assert_eq!((record.status, record.outcome, record.reason), NO_TOKEN);
        assert_eq!(worker.refusing, 0);
        assert_eq!(
            exchange.advance(Input::Gone, worker, NOW_MS).1,
            Step::Continue
        );
    }
}

#[test]
fn only_so_many_refusals_wait_and_they_take_no_place_of_those_who_wait_for_keys() {
    let limits = json!({"limits": {"waiting_requests": 1}});
    let worker = &mut worker_of("holding", &inline_keys(), &json!({}), &limits);
    let (first, step) = begin(worker, "10", &[]);
    assert_eq!((step, worker.waiting), (Step::Wait, 0));
    let (_, step) = begin(worker, "10", &[]);
    assert_eq!(told(step), NO_TOKEN);
    let (_, step) = first.advance(body(10, true), worker, NOW_MS);
    assert_eq!(told(step), NO_TOKEN);
    assert_eq!(begin(worker, "10", &[]).1, Step::Wait);
}

#[test]
fn whatever_the_headers_are_refused_for_waits() {
    let bearer = bearer("mcp:read");
    for (more, status) in [
        (("authorization", "Bearer x"), 401),
        (("authorization", "Bearer a,Bearer b"), 400),
        (("origin", "https://evil.example"), 403),
        (("content-type", "text/plain"), 415),
        ((":path", "/elsewhere"), 404),
        ((":method", "PUT"), 405),
    ] {
        let worker = &mut worker("holding");
        let more = [("authorization", bearer.as_str()), more];
        let more = if more[1].0 == "authorization" {
            &more[1..]
        } else {
            &more[..]
        };
        let (exchange, step) = begin(worker, "10", more);
        assert_eq!(step, Step::Wait, "{more:?}");
        let (_, step) = exchange.advance(body(10, true), worker, NOW_MS);
        assert_eq!(told(step).0, status, "{more:?}");
    }
}
