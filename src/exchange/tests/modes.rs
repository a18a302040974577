//! The order of callbacks: both header modes, bodies in pieces, early ends.

use super::*;
use crate::record::Outcome;

fn start(worker: &mut Worker, method: &str, end_of_stream: bool) -> (Exchange, Step) {
    let bearer = bearer("mcp:read");
    let headers = headers(method, &[("authorization", &bearer)]);
    Exchange::default().advance(
        Input::RequestHeaders {
            headers,
            end_of_stream,
        },
        worker,
        NOW_MS,
    )
}

fn response(from_upstream: bool) -> Input<'static> {
    Input::ResponseHeaders {
        headers: Headers::from([(":status", if from_upstream { "200" } else { "413" })]),
        from_upstream,
        has_body: true,
    }
}

#[test]
fn the_holding_mode_lets_nothing_go_before_the_permit() {
    let worker = &mut worker("holding");
    let (exchange, step) = start(worker, "POST", false);
    assert_eq!(step, Step::Wait);
    let (exchange, step) = exchange.advance(
        Input::RequestBody {
            held: 5,
            end_of_stream: false,
        },
        worker,
        NOW_MS,
    );
    assert_eq!(step, Step::Wait);
    let (exchange, step) = exchange.advance(
        Input::RequestBody {
            held: 9,
            end_of_stream: true,
        },
        worker,
        NOW_MS,
    );
    assert!(matches!(step, Step::ReadBody(_)), "{step:?}");
    let (_, step) = exchange.advance(
        Input::Message(call("echo", "{}").as_bytes()),
        worker,
        NOW_MS,
    );
    assert!(
        matches!(step, Step::Forward { edits: Some(_), .. }),
        "{step:?}"
    );
}

#[test]
fn the_plain_mode_lets_the_headers_go_and_withholds_the_body() {
    let worker = &mut worker("plain");
    let (exchange, step) = start(worker, "POST", false);
    let Step::ReleaseHeaders { edits, .. } = step else {
        panic!("{step:?}")
    };
    assert!(edits.remove.iter().any(|name| name == "authorization"));
    let (exchange, step) = exchange.advance(
        Input::RequestBody {
            held: 5,
            end_of_stream: false,
        },
        worker,
        NOW_MS,
    );
    assert_eq!(step, Step::Wait);
    let (exchange, step) = exchange.advance(
        Input::RequestBody {
            held: 9,
            end_of_stream: true,
        },
        worker,
        NOW_MS,
    );
    assert!(matches!(step, Step::ReadBody(_)), "{step:?}");
    let (_, step) = exchange.advance(Input::Message(call("env", "{}").as_bytes()), worker, NOW_MS);
    assert!(matches!(step, Step::Reply { .. }), "{step:?}");
}

#[test]
fn a_response_before_the_permit_is_replaced_in_the_plain_mode() {
    let worker = &mut worker("plain");
    let (exchange, _) = start(worker, "POST", false);
    let (exchange, step) = exchange.advance(response(true), worker, NOW_MS);
    let Step::Reply { reply, record, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(
        (reply.status, record.unwrap().reason),
        (502, "early_response")
    );
    // The gate's own answer comes by the response callbacks as well.
    let (_, step) = exchange.advance(response(false), worker, NOW_MS);
    assert_eq!(step, Step::Continue);
}

#[test]
fn an_answer_of_envoy_itself_passes_and_is_written_down() {
    for mode in MODES {
        let worker = &mut worker(mode);
        let (exchange, _) = start(worker, "POST", false);
        let (_, step) = exchange.advance(response(false), worker, NOW_MS);
        let Step::Note(record) = step else {
            panic!("{step:?}")
        };
        assert_eq!(record.outcome, Outcome::Aborted);
    }
}

#[test]
fn a_success_that_envoy_makes_up_before_the_permit_is_replaced_in_the_plain_mode() {
    let worker = &mut worker("plain");
    let (exchange, _) = start(worker, "POST", false);
    let headers = Headers::from([(":status", "200")]);
    let made_up = Input::ResponseHeaders {
        headers,
        from_upstream: false,
        has_body: true,
    };
    let (_, step) = exchange.advance(made_up, worker, NOW_MS);
    assert!(matches!(step, Step::Reply { reply, .. } if reply.status == 502));
}

#[test]
fn a_client_that_leaves_before_the_decision_is_written_down_once() {
    let worker = &mut worker("holding");
    let (exchange, _) = start(worker, "POST", false);
    let (exchange, step) = exchange.advance(Input::Gone, worker, NOW_MS + 40);
    let Step::Note(record) = step else {
        panic!("{step:?}")
    };
    assert_eq!((record.outcome, record.elapsed_ms), (Outcome::Aborted, 40));
    assert_eq!(
        exchange.advance(Input::Gone, worker, NOW_MS).1,
        Step::Continue
    );
}

#[test]
fn get_and_delete_are_decided_on_as_well() {
    for mode in MODES {
        for method in ["GET", "DELETE"] {
            let (_, step) = start(&mut worker(mode), method, true);
            assert!(
                matches!(step, Step::Forward { edits: Some(_), .. }),
                "{step:?}"
            );
            let none = json!({"rules": [{"id": "tools", "what": {"tools": ["*"]}}]});
            let (_, step) = start(&mut worker_with(mode, &inline_keys(), &none), method, true);
            let Step::Reply { reply, .. } = step else {
                panic!("{step:?}")
            };
            assert_eq!(reply.status, 403);
        }
    }
}

#[test]
fn get_has_no_body_but_may_end_with_an_empty_frame() {
    let worker = &mut worker("holding");
    let (exchange, _) = start(worker, "GET", false);
    let (exchange, step) = exchange.advance(
        Input::RequestBody {
            held: 0,
            end_of_stream: true,
        },
        worker,
        NOW_MS,
    );
    assert!(matches!(step, Step::ReadBody(_)), "{step:?}");
    assert!(matches!(
        exchange.advance(Input::Message(b""), worker, NOW_MS).1,
        Step::Forward { .. }
    ));

    let (exchange, _) = start(worker, "GET", false);
    let (exchange, _) = exchange.advance(
        Input::RequestBody {
            held: 2,
            end_of_stream: true,
        },
        worker,
        NOW_MS,
    );
    let (_, step) = exchange.advance(Input::Message(b"{}"), worker, NOW_MS);
    let Step::Reply { reply, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(reply.status, 400);
}

#[test]
fn the_plain_mode_releases_no_head_of_a_get_or_delete_undecided() {
    let none = json!({"rules": [{"id": "tools", "what": {"tools": ["*"]}}]});
    for method in ["GET", "DELETE"] {
        let (_, step) = start(
            &mut worker_with("plain", &inline_keys(), &none),
            method,
            false,
        );
        assert!(matches!(step, Step::Reply { .. }), "{step:?}");

        let worker = &mut worker("plain");
        let (exchange, step) = start(worker, method, false);
        assert!(
            matches!(step, Step::Forward { edits: Some(_), .. }),
            "{step:?}"
        );
        let nothing = Input::RequestBody {
            held: 0,
            end_of_stream: true,
        };
        let (exchange, step) = exchange.advance(nothing, worker, NOW_MS);
        assert_eq!(step, Step::Continue);
        let something = Input::RequestBody {
            held: 1,
            end_of_stream: true,
        };
        let (_, step) = exchange.advance(something, worker, NOW_MS);
        assert!(matches!(step, Step::Reply { .. }), "{step:?}");
    }
}

#[test]
fn an_announced_body_decides_before_any_header_goes() {
    for (method, length, status) in [("GET", "2", 400), ("DELETE", "1", 400), ("POST", "0", 400)] {
        let bearer = bearer("mcp:read");
        let more = [
            ("authorization", bearer.as_str()),
            ("content-length", length),
        ];
        let input = Input::RequestHeaders {
            headers: headers(method, &more),
            end_of_stream: false,
        };
        let (_, step) = Exchange::default().advance(input, &mut worker("plain"), NOW_MS);
        let Step::Reply { reply, .. } = step else {
            panic!("{method}: {step:?}")
        };
        assert_eq!(reply.status, status, "{method}");
    }
}

#[test]
fn get_and_delete_are_of_the_legacy_era() {
    let bearer = bearer("mcp:read");
    let more = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
    ];
    let (reply, _) = run(&mut worker("holding"), headers("GET", &more), b"").refused();
    assert_eq!(
        (reply.status, header(&reply, "allow")),
        (405, Some("POST, OPTIONS"))
    );
}

#[test]
fn the_upstreams_response_passes_with_the_gates_word_on_cors() {
    let worker = &mut worker("holding");
    let bearer = bearer("mcp:read");
    let headers = headers(
        "GET",
        &[
            ("authorization", &bearer),
            ("origin", "http://localhost:6274"),
        ],
    );
    let (exchange, _) = Exchange::default().advance(
        Input::RequestHeaders {
            headers,
            end_of_stream: true,
        },
        worker,
        NOW_MS,
    );
    let headers = Headers::from([(":status", "200"), ("access-control-allow-origin", "*")]);
    let (_, step) = exchange.advance(
        Input::ResponseHeaders {
            headers,
            from_upstream: true,
            has_body: true,
        },
        worker,
        NOW_MS,
    );
    let Step::EditResponse(edits) = step else {
        panic!("{step:?}")
    };
    assert_eq!(edits.remove, ["access-control-allow-origin"]);
    assert!(
        edits
            .set
            .iter()
            .any(|(name, value)| name == "access-control-allow-origin"
                && value == "http://localhost:6274")
    );
}

#[test]
fn a_callback_that_should_not_come_lets_nothing_go() {
    let worker = &mut worker("holding");
    let (_, step) = Exchange::default().advance(Input::Message(b"{}"), worker, NOW_MS);
    let Step::Reply { reply, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(reply.status, 500);
}
