//! Requests while they wait for a credential: every state, every input.

use super::credentials::{
    LATER_MS, LONGEST_WAIT_MS, asked, authenticated, consent, says, sent, set, vault, with_body,
    woken,
};
use super::*;
use crate::callout::FetchAnswer;

/// Every state that waits for a credential, with a name.
fn waiting_states() -> Vec<(&'static str, Worker, Exchange)> {
    let body = call("echo", "{}");
    let mut states = Vec::new();
    for (name, mode, method, body) in [
        (
            "holding, after the permit",
            "holding",
            "POST",
            body.as_str(),
        ),
        ("holding, a GET", "holding", "GET", ""),
        (
            "plain, before the headers go",
            "plain",
            "POST",
            body.as_str(),
        ),
        ("plain, a GET", "plain", "GET", ""),
    ] {
        let mut worker = vault(mode, &json!({}));
        let (exchange, step) = sent(&mut worker, method, body);
        assert_eq!(step, Step::Wait, "{name}");
        assert_eq!(worker.waiting, 1);
        states.push((name, worker, exchange));
    }
    states
}

fn replied(step: &Step) -> (u16, &'static str) {
    let Step::Reply { reply, record, .. } = step else {
        panic!("{step:?}")
    };
    (reply.status, record.as_ref().unwrap().reason)
}

#[test]
fn callbacks_that_should_not_come_meanwhile_end_the_wait_with_500() {
    for index in 0..3 {
        for (name, mut worker, exchange) in waiting_states() {
            let input = match index {
                0 => Input::RequestHeaders {
                    headers: headers("POST", &[]),
                    end_of_stream: false,
                },
                1 => Input::Message(b"{}"),
                _ => Input::ReadFailed,
            };
            let (exchange, step) = exchange.advance(input, &mut worker, NOW_MS);
            assert_eq!(replied(&step), (500, "unexpected_callback"), "{name}");
            assert!(matches!(exchange, Exchange::Answered));
            assert_eq!(worker.waiting, 0);
        }
    }
}

#[test]
fn a_wake_before_the_answer_changes_nothing_and_one_after_the_time_is_503() {
    for (name, mut worker, exchange) in waiting_states() {
        let (exchange, step) = exchange.advance(Input::Wake, &mut worker, LATER_MS);
        assert_eq!(step, Step::Wait, "{name}");
        assert_eq!(worker.waiting, 1);
        let overdue_ms = NOW_MS + LONGEST_WAIT_MS;
        assert!(!exchange.is_overdue(&worker.limits, overdue_ms - 1));
        assert!(exchange.is_overdue(&worker.limits, overdue_ms));
        let (exchange, step) = exchange.advance(Input::Wake, &mut worker, overdue_ms);
        assert_eq!(worker.waiting, 0, "{name}");
        let step = match step {
            // Plain mode: without a credential, and the answer waits for the
            // permit.
            Step::ReleaseHeaders { edits, .. } => {
                assert!(set(&edits, "authorization").is_empty());
                with_body(exchange, &mut worker, &call("echo", "{}"), overdue_ms).1
            }
            step => step,
        };
        assert_eq!(replied(&step), (503, "credential_unavailable"), "{name}");
    }
}

#[test]
fn who_goes_away_is_written_down_and_the_call_goes_on_for_the_others() {
    for is_response in [false, true] {
        for (name, mut worker, exchange) in waiting_states() {
            let input = if is_response {
                Input::ResponseHeaders {
                    headers: Headers::from([(":status", "408")]),
                    from_upstream: false,
                    has_body: true,
                }
            } else {
                Input::Gone
            };
            let (exchange, step) = exchange.advance(input, &mut worker, NOW_MS);
            let Step::Note(record) = step else {
                panic!("{name}: {step:?}")
            };
            assert_eq!(record.reason, "aborted");
            assert!(matches!(exchange, Exchange::Answered));
            assert_eq!(worker.waiting, 0);

            let (other, step) = sent(&mut worker, "POST", &call("echo", "{}"));
            assert_eq!(step, Step::Wait);
            let (id, _) = asked(&mut worker);
            says(&mut worker, id, 200, &authenticated("up"));
            woken(other, &mut worker, &call("echo", "{}")).forwarded();
        }
    }
}

#[test]
fn the_end_of_a_body_that_was_decided_on_is_waited_out_and_more_of_it_is_refused() {
    for (name, mut worker, exchange) in waiting_states() {
        let Exchange::AwaitingCredential(state) = &exchange else {
            continue;
        };
        let held = state.body_bytes();
        let end = Input::RequestBody {
            held,
            end_of_stream: true,
        };
        let (exchange, step) = exchange.advance(end, &mut worker, NOW_MS);
        assert_eq!(step, Step::Wait, "{name}");
        let more = Input::RequestBody {
            held: held + 1,
            end_of_stream: true,
        };
        let (_, step) = exchange.advance(more, &mut worker, NOW_MS);
        assert_eq!(replied(&step).1, "unexpected_body", "{name}");
        assert_eq!(worker.waiting, 0);
    }
}

/// As on hosts that can hold headers: then the body comes meanwhile.
#[test]
fn a_body_that_comes_before_the_credential_is_decided_on_first() {
    let body = call("echo", "{}");
    let worker = &mut vault("plain", &json!({}));
    let (exchange, _) = sent(worker, "POST", &body);
    assert!(matches!(exchange, Exchange::Preparing(_)));
    let part = Input::RequestBody {
        held: 5,
        end_of_stream: false,
    };
    let (exchange, step) = exchange.advance(part, worker, NOW_MS);
    assert_eq!((step, worker.waiting), (Step::Wait, 0));
    let (exchange, step) = with_body(exchange, worker, &body, NOW_MS);
    assert_eq!((step, worker.waiting), (Step::Wait, 1));
    let (id, _) = asked(worker);
    says(worker, id, 200, &authenticated("up"));
    let (edits, _) = woken(exchange, worker, &body).forwarded();
    assert_eq!(set(&edits, "authorization"), ["Bearer up"]);
}

#[test]
fn a_body_over_the_limit_ends_the_wait() {
    let worker = &mut vault("plain", &json!({}));
    let (exchange, _) = sent(worker, "POST", "{}");
    let input = Input::RequestBody {
        held: worker.limits.body_bytes + 1,
        end_of_stream: false,
    };
    let (_, step) = exchange.advance(input, worker, NOW_MS);
    assert_eq!(replied(&step), (413, "body_too_large"));
    assert_eq!(worker.waiting, 0);
}

#[test]
fn only_so_many_requests_wait_for_credentials() {
    for mode in MODES {
        let worker = &mut vault(mode, &json!({}));
        worker.waiting = worker.limits.waiting_requests;
        let (reply, record) = post(worker, "mcp:read", &call("echo", "{}")).refused();
        assert_eq!(
            (reply.status, record.reason),
            (503, "too_many_waiting"),
            "{mode}"
        );
    }
}

#[test]
fn many_who_want_the_same_credential_cost_one_call() {
    for mode in MODES {
        let worker = &mut vault(mode, &json!({}));
        let body = call("echo", "{}");
        let waiting: Vec<Exchange> = (0..10).map(|_| sent(worker, "POST", &body).0).collect();
        let (id, _) = asked(worker);
        says(worker, id, 200, &authenticated("up"));
        assert_eq!(worker.waiting, 10);
        for (left, exchange) in waiting.into_iter().enumerate() {
            let (_, step) = exchange.advance(Input::Wake, worker, LATER_MS);
            assert_eq!(worker.waiting, 9 - left);
            assert!(
                matches!(step, Step::Forward { .. } | Step::ReleaseHeaders { .. }),
                "{step:?}"
            );
        }
        assert!(worker.due(LATER_MS).is_empty());
    }
}

#[test]
fn those_who_wait_get_a_missing_consent_and_the_next_one_asks_anew() {
    let worker = &mut vault("holding", &json!({}));
    let body = call("echo", "{}");
    let waiting: Vec<Exchange> = (0..3).map(|_| sent(worker, "POST", &body).0).collect();
    let (id, _) = asked(worker);
    says(worker, id, 403, &consent());
    for exchange in waiting {
        let (_, record) = woken(exchange, worker, &body).refused();
        assert_eq!(record.reason, "consent_needed");
    }
    let input = Input::RequestHeaders {
        headers: headers("POST", &[("authorization", &bearer("mcp:read"))]),
        end_of_stream: false,
    };
    let (exchange, _) = Exchange::default().advance(input, worker, NOW_MS + 30);
    let (exchange, step) = with_body(exchange, worker, &body, NOW_MS + 30);
    assert_eq!(step, Step::Wait, "for a new answer");
    let (id, _) = asked(worker);
    let answer = authenticated("up").to_string();
    worker.answered(
        id,
        Some(FetchAnswer::new(200, answer.as_bytes())),
        NOW_MS + 40,
    );
    let (_, step) = exchange.advance(Input::Wake, worker, NOW_MS + 40);
    ended(step, None).forwarded();
}

#[test]
fn a_call_that_gets_no_answer_is_503() {
    for mode in MODES {
        let worker = &mut vault(mode, &json!({}));
        let body = call("echo", "{}");
        let (exchange, _) = sent(worker, "POST", &body);
        let (id, _) = asked(worker);
        worker.answered(id, None, NOW_MS + 10);
        let (reply, record) = woken(exchange, worker, &body).refused();
        assert_eq!(
            (reply.status, record.reason),
            (503, "credential_unavailable"),
            "{mode}"
        );
    }
}
