//! Responses of upstreams that do not take what they got.

use super::credentials::{
    asked, consent, knowing, says, sent, vault, vault_with, with_credential, woken,
};
use super::*;

fn response(status: &str, challenge: &str) -> Headers {
    Headers::from([(":status", status), ("www-authenticate", challenge)])
}

/// A forwarded request, and the upstream's answer to it.
fn responded(worker: &mut Worker, method: &str, body: &str, headers: Headers) -> Step {
    let (exchange, step) = sent(worker, method, body);
    assert!(matches!(step, Step::Forward { .. }), "{step:?}");
    let input = Input::ResponseHeaders {
        headers,
        from_upstream: true,
        has_body: true,
    };
    exchange.advance(input, worker, NOW_MS + 30).1
}

fn replaced(step: Step) -> (Reply, Record) {
    let Step::ReplaceResponse { reply, record } = step else {
        panic!("{step:?}")
    };
    assert_eq!(header(&reply, "www-authenticate"), None);
    assert!(!reply.body.contains("up.example"));
    (reply, *record)
}

const CHALLENGE: &str = "Bearer error=\"invalid_token\", resource_metadata=\"https://up.example/\"";
const SCOPE: &str = "Bearer realm=\"up.example\", error=\"insufficient_scope\", scope=\"a b\"";

#[test]
fn a_credential_that_the_upstream_refuses_is_dropped_and_the_client_is_told_to_try_again() {
    for mode in MODES {
        for (status, challenge, error) in [
            ("401", CHALLENGE, json!("invalid_token")),
            ("401", "Basic realm=\"x\"", Value::Null),
            ("403", SCOPE, json!("insufficient_scope")),
        ] {
            let worker = &mut with_credential(mode, &json!({}), "up");
            let step = responded(
                worker,
                "POST",
                &call("echo", "{}"),
                response(status, challenge),
            );
            let (reply, record) = replaced(step);
            let answer: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!((reply.status, &answer["id"]), (200, &json!(7)));
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            let text = answer["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.contains("try again"), "{text}");
            assert_eq!(record.reason, "credential_rejected");
            assert_eq!(record.credential, Some(CredentialUse::Rejected));

            let (_, step) = sent(worker, "POST", &call("echo", "{}"));
            assert_eq!(step, Step::Wait, "for a fresh one");
            let (_, ask) = asked(worker);
            assert_eq!(ask["rejected"]["credential_version"], "17");
            assert_eq!(ask["rejected"]["status"].to_string(), status);
            assert_eq!(ask["rejected"].get("error").unwrap_or(&Value::Null), &error);
        }
    }
}

#[test]
fn what_is_no_tool_call_gets_503_with_its_id() {
    let worker = &mut with_credential("holding", &json!({}), "up");
    let list = r#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
    let (reply, _) = replaced(responded(worker, "POST", list, response("401", CHALLENGE)));
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((reply.status, &answer["id"]), (503, &json!("l")));
    assert_eq!(header(&reply, "retry-after"), Some("0"));

    let worker = &mut with_credential("holding", &json!({}), "up");
    let (reply, _) = replaced(responded(worker, "GET", "", response("401", CHALLENGE)));
    assert_eq!(reply.status, 503);
}

#[test]
fn a_newer_credential_stays_when_an_older_one_is_refused() {
    let worker = &mut with_credential("holding", &json!({}), "up");
    let body = call("echo", "{}");
    let (first, _) = sent(worker, "POST", &body);
    let (second, _) = sent(worker, "POST", &body);
    let refused = || Input::ResponseHeaders {
        headers: response("401", CHALLENGE),
        from_upstream: true,
        has_body: true,
    };
    first.advance(refused(), worker, NOW_MS + 30);
    let (third, step) = sent(worker, "POST", &body);
    assert_eq!(step, Step::Wait);
    let (id, _) = asked(worker);
    let mut fresh = super::credentials::authenticated("fresh");
    fresh["credential_version"] = json!("18");
    says(worker, id, 200, &fresh);
    woken(third, worker, &body).forwarded();
    second.advance(refused(), worker, NOW_MS + 40);
    let (edits, _) = post(worker, "mcp:read", &body).forwarded();
    assert!(
        edits
            .set
            .contains(&("authorization".into(), "Bearer fresh".into()))
    );
}

#[test]
fn an_ordinary_403_passes_without_its_challenge() {
    let worker = &mut with_credential("holding", &json!({}), "up");
    for challenge in [
        "Bearer realm=\"up.example\"",
        "Bearer error=\"access_denied\"",
    ] {
        let step = responded(
            worker,
            "POST",
            &call("echo", "{}"),
            response("403", challenge),
        );
        let Step::EditResponse(edits) = step else {
            panic!("{step:?}")
        };
        assert_eq!(edits.remove, ["www-authenticate"]);
    }
    post(worker, "mcp:read", &call("echo", "{}")).forwarded();
}

#[test]
fn where_the_gate_has_no_credential_401_is_502_and_no_client_is_sent_to_sign_in() {
    for mode in MODES {
        let worker = &mut super::worker(mode);
        let step = responded(
            worker,
            "POST",
            &call("echo", "{}"),
            response("401", CHALLENGE),
        );
        let (reply, record) = replaced(step);
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &answer["id"]), (502, &json!(7)), "{mode}");
        assert_eq!(record.reason, "upstream_unauthorized");
        let step = responded(worker, "POST", &call("echo", "{}"), response("403", SCOPE));
        let Step::EditResponse(edits) = step else {
            panic!("{step:?}")
        };
        assert_eq!(edits.remove, ["www-authenticate"], "{mode}");
    }
}

#[test]
fn where_challenges_are_kept_a_401_passes_unless_the_gate_has_a_credential() {
    let keep = json!({"response_headers": {"keep": ["www-authenticate"]}});
    for mode in MODES {
        let worker = &mut worker_with(mode, &inline_keys(), &keep);
        for (status, challenge) in [("401", CHALLENGE), ("403", SCOPE)] {
            let headers = response(status, challenge);
            let step = responded(worker, "POST", &call("echo", "{}"), headers);
            assert_eq!(step, Step::EditResponse(HeaderEdits::default()), "{mode}");
        }
        let worker = &mut knowing(vault_with(mode, &json!({}), &keep), "up");
        let headers = response("401", CHALLENGE);
        let step = responded(worker, "POST", &call("echo", "{}"), headers);
        let (_, record) = replaced(step);
        assert_eq!(record.reason, "credential_rejected", "{mode}");
    }
}

#[test]
fn cookies_are_removed_unless_they_are_kept() {
    let cookie = || Headers::from([(":status", "200"), ("set-cookie", "a=b")]);
    for (keep, removed) in [
        (json!([]), &["set-cookie"][..]),
        (json!(["set-cookie"]), &[]),
    ] {
        let changes = json!({"response_headers": {"keep": keep}});
        let worker = &mut worker_with("holding", &inline_keys(), &changes);
        let (exchange, _) = sent(worker, "POST", &call("echo", "{}"));
        let input = Input::ResponseHeaders {
            headers: cookie(),
            from_upstream: true,
            has_body: false,
        };
        let (_, step) = exchange.advance(input, worker, NOW_MS + 30);
        let Step::EditResponse(edits) = step else {
            panic!("{step:?}")
        };
        assert_eq!(edits.remove, removed);
    }
}

#[test]
fn what_went_on_without_a_credential_and_cannot_gets_the_answer_to_a_missing_consent() {
    let worker = &mut vault("holding", &json!({"optional_for": ["tools/call"]}));
    let body = call("echo", "{}");
    let (exchange, _) = sent(worker, "POST", &body);
    let (id, _) = asked(worker);
    says(worker, id, 403, &consent());
    let (exchange, step) = exchange.advance(Input::Wake, worker, NOW_MS + 20);
    assert!(matches!(step, Step::Forward { .. }), "{step:?}");
    let input = Input::ResponseHeaders {
        headers: response("401", CHALLENGE),
        from_upstream: true,
        has_body: true,
    };
    let (reply, record) = replaced(exchange.advance(input, worker, NOW_MS + 30).1);
    assert!(reply.body.contains("https://tokens.example/connect/h"));
    assert_eq!(record.reason, "consent_needed");
}

/// As another filter of the same Envoy may make them.
#[test]
fn a_401_that_is_not_the_upstreams_passes_as_it_is() {
    let worker = &mut with_credential("holding", &json!({}), "up");
    let (exchange, _) = sent(worker, "POST", &call("echo", "{}"));
    let input = Input::ResponseHeaders {
        headers: response("401", "Basic realm=\"proxy\""),
        from_upstream: false,
        has_body: true,
    };
    let (_, step) = exchange.advance(input, worker, NOW_MS + 30);
    assert_eq!(step, Step::EditResponse(HeaderEdits::default()));
    post(worker, "mcp:read", &call("echo", "{}")).forwarded();
}

/// The upstream answers to the head, before the body is there.
#[test]
fn in_plain_mode_a_credential_refused_before_the_permit_is_dropped_as_well() {
    let worker = &mut with_credential("plain", &json!({}), "up");
    let input = Input::RequestHeaders {
        headers: headers("POST", &[("authorization", &bearer("mcp:read"))]),
        end_of_stream: false,
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    assert!(matches!(step, Step::ReleaseHeaders { .. }), "{step:?}");
    let input = Input::ResponseHeaders {
        headers: response("401", CHALLENGE),
        from_upstream: true,
        has_body: true,
    };
    let (_, step) = exchange.advance(input, worker, NOW_MS + 30);
    let Step::Reply { reply, record, .. } = step else {
        panic!("{step:?}")
    };
    assert_eq!(
        (reply.status, record.unwrap().reason),
        (503, "credential_rejected")
    );
    sent(worker, "POST", &call("echo", "{}"));
    let (_, ask) = asked(worker);
    assert_eq!(ask["rejected"]["credential_version"], "17");
}

#[test]
fn a_body_that_comes_after_a_get_was_let_go_is_refused() {
    let worker = &mut with_credential("plain", &json!({}), "up");
    let (exchange, _) = sent(worker, "GET", "");
    let input = Input::RequestBody {
        held: 1,
        end_of_stream: true,
    };
    let (_, step) = exchange.advance(input, worker, NOW_MS);
    assert!(matches!(step, Step::Reply { record: None, .. }), "{step:?}");
}
