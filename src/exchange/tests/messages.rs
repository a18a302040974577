//! What is decided on messages.

use super::*;
use crate::record::{Outcome, audit_line};

#[test]
fn an_allowed_call_goes_on_with_the_identity_and_without_the_token() {
    for mode in MODES {
        let bearer = bearer("mcp:read");
        let more = [
            ("authorization", bearer.as_str()),
            ("x-mcp-subject", "root"),
            ("x_mcp_client", "forged"),
            ("accept-encoding", "gzip, br"),
            ("accept_encoding", "gzip"),
            ("x-other", "stays"),
        ];
        let end = run(
            &mut worker(mode),
            headers("POST", &more),
            call("echo", "{}").as_bytes(),
        );
        let (edits, record) = end.forwarded();
        for name in [
            "authorization",
            "x-mcp-subject",
            "x_mcp_client",
            "accept-encoding",
            "accept_encoding",
        ] {
            assert!(edits.remove.iter().any(|removed| removed == name), "{name}");
        }
        assert!(!edits.remove.iter().any(|removed| removed == "x-other"));
        for (name, value) in [
            ("x-mcp-subject", "alice"),
            ("x-mcp-issuer", ISSUER),
            ("x-mcp-client", "client-1"),
            ("accept-encoding", "identity"),
        ] {
            assert!(edits.set.contains(&(name.into(), value.into())), "{name}");
        }
        assert_eq!(
            (record.outcome, record.reason),
            (Outcome::Allowed, "allowed")
        );
        assert_eq!(record.calls[0].rule.as_deref(), Some("read"));
        assert!(!format!("{record:?}").contains(&bearer));
    }
}

#[test]
fn a_request_that_asks_for_a_plain_answer_by_itself_keeps_asking() {
    let bearer = bearer("mcp:read");
    let body = call("echo", "{}");
    for (codings, is_kept) in [
        (&["identity"][..], true),
        (&["identity", "gzip"], false),
        (&["identity, gzip"], false),
        (&[], false),
    ] {
        let mut more = vec![("authorization", bearer.as_str())];
        more.extend(codings.iter().map(|coding| ("accept-encoding", *coding)));
        let end = run(
            &mut worker("holding"),
            headers("POST", &more),
            body.as_bytes(),
        );
        let (edits, _) = end.forwarded();
        let is_set = edits
            .set
            .contains(&("accept-encoding".into(), "identity".into()));
        let is_removed = edits.remove.contains(&"accept-encoding".into());
        assert_eq!(is_set, !is_kept, "{codings:?}");
        assert_eq!(is_removed, !is_kept && !codings.is_empty(), "{codings:?}");
    }
}

#[test]
fn a_missing_scope_is_a_step_up_with_everything_that_the_operation_needs() {
    let (reply, record) = post(
        &mut worker("holding"),
        "mcp:read",
        &call("sum", r#"{"a":1}"#),
    )
    .refused();
    assert_eq!(reply.status, 403);
    let challenge = header(&reply, "www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(
        challenge.contains("scope=\"mcp:read mcp:write\""),
        "{challenge}"
    );
    assert!(
        challenge.contains("resource_metadata=\"https://gate.example/.well-known/"),
        "{challenge}"
    );
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(
        (&body["id"], &body["error"]["code"]),
        (&json!(7), &json!(403))
    );
    assert_eq!(
        (record.outcome, record.reason),
        (Outcome::Challenged, "insufficient_scope")
    );
}

#[test]
fn a_rule_on_arguments_that_does_not_hold_is_a_tool_result_that_says_so() {
    let body = call("sum", r#"{"a":5000}"#);
    let (status, answer) = post(&mut worker("holding"), "mcp:read mcp:write", &body).answer();
    assert_eq!(
        (status, &answer["id"], &answer["result"]["isError"]),
        (200, &json!(7), &json!(true))
    );
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("\"sum\"") && text.contains("at most 10"),
        "{text}"
    );
    assert!(answer["result"].get("resultType").is_none());
}

#[test]
fn a_hidden_tool_and_one_that_does_not_exist_are_told_apart_by_the_audit_only() {
    let mut worker = worker("holding");
    let (hidden, hidden_record) = post(&mut worker, "mcp:read", &call("env", "{}")).refused();
    let (unnamed, unnamed_record) = post(&mut worker, "mcp:read", &call("nil", "{}")).refused();
    assert_eq!(hidden.status, 200);
    assert_eq!(hidden.body.replace("env", "nil"), unnamed.body);
    assert_eq!(hidden.headers, unnamed.headers);
    let answer: Value = serde_json::from_str(&hidden.body).unwrap();
    assert_eq!(
        answer["error"],
        json!({"code": -32602, "message": "Unknown tool: env"})
    );
    assert_eq!(
        (hidden_record.reason, unnamed_record.reason),
        ("hidden", "no_rule")
    );
}

#[test]
fn a_hidden_resource_has_the_error_of_its_era() {
    let legacy =
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"demo://secret"}}"#;
    let (status, answer) = post(&mut worker("holding"), "mcp:read", legacy).answer();
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32002)));
    let (status, answer) = modern(
        "resources/read",
        "demo://secret",
        r#""uri":"demo://secret""#,
    )
    .answer();
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32602)));
}

fn modern(method: &str, name: &str, params: &str) -> End {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let bearer = bearer("mcp:read mcp:write");
    let more = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", method),
        ("mcp-name", name),
    ];
    run(
        &mut worker("holding"),
        headers("POST", &more),
        body.as_bytes(),
    )
}

#[test]
fn modern_answers_carry_what_their_era_wants() {
    modern("tools/call", "echo", r#""name":"echo""#).forwarded();
    let (_, answer) = modern("tools/call", "sum", r#""name":"sum","arguments":{"a":11}"#).answer();
    assert_eq!(answer["result"]["resultType"], json!("complete"));
    let (status, answer) = modern("tools/call", "sum", r#""name":"echo""#).answer();
    assert_eq!(
        (status, &answer["error"]["code"], &answer["id"]),
        (400, &json!(-32020), &json!(1))
    );
    let (status, answer) = modern("ping", "(absent)", r#""a":1"#).answer();
    assert_eq!((status, &answer["error"]["code"]), (404, &json!(-32601)));
}

#[test]
fn an_unknown_method_is_not_found_and_an_extra_one_is_for_the_rules() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"vendor/do"}"#;
    let (status, answer) = post(&mut worker("holding"), "mcp:read", body).answer();
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32601)));
    let mut extra = worker_with(
        "holding",
        &inline_keys(),
        &json!({"extra_methods": ["vendor/*"]}),
    );
    post(&mut extra, "mcp:read", body).forwarded();
}

#[test]
fn what_is_no_request_is_refused_with_403_and_no_id() {
    for body in [
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/made/up"}"#,
    ] {
        let (status, answer) = post(&mut worker("holding"), "mcp:read", body).answer();
        assert_eq!((status, answer.get("id")), (403, None), "{body}");
    }
    let refusing = json!({"rules": [{"id": "tools", "what": {"tools": ["echo"]}}]});
    let mut worker = worker_with("holding", &inline_keys(), &refusing);
    for body in [
        r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    ] {
        let (status, answer) = post(&mut worker, "mcp:read", body).answer();
        assert_eq!((status, answer.get("id")), (403, None), "{body}");
    }
}

#[test]
fn notifications_and_responses_go_on_where_a_rule_allows_them() {
    for body in [
        r#"{"jsonrpc":"2.0","id":3,"result":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    ] {
        post(&mut worker("plain"), "mcp:read", body).forwarded();
    }
}

#[test]
fn a_malformed_message_is_a_bad_request_whoever_sends_it() {
    for (body, code) in [
        ("{", -32700),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#,
            -32700,
        ),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        ("[]", -32600),
    ] {
        let (status, answer) = post(&mut worker("holding"), "mcp:read", body).answer();
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{body}"
        );
    }
    let (status, _) = post(&mut worker("plain"), "mcp:read", &" ".repeat(2049)).answer();
    assert_eq!(status, 413);
    let bearer = bearer("mcp:read");
    let (status, _) = run(
        &mut worker("plain"),
        headers("POST", &[("authorization", &bearer)]),
        b"",
    )
    .answer();
    assert_eq!(status, 400);
}

#[test]
fn an_unsupported_version_is_answered_with_the_supported_ones() {
    let bearer = bearer("mcp:read");
    let more = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "1999-01-01"),
    ];
    let end = run(
        &mut worker("holding"),
        headers("POST", &more),
        call("echo", "{}").as_bytes(),
    );
    let (status, answer) = end.answer();
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32022)));
    assert_eq!(answer["error"]["data"]["requested"], json!("1999-01-01"));
    assert_eq!(
        answer["error"]["data"]["supported"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn a_batch_goes_on_whole_or_not_at_all() {
    let echo = call("echo", "{}");
    post(
        &mut worker("holding"),
        "mcp:read",
        &format!("[{echo},{}]", echo.replace("\"id\":7", "\"id\":8")),
    )
    .forwarded();

    let hidden = call("env", "{}").replace("\"id\":7", "\"id\":8");
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let end = post(
        &mut worker("holding"),
        "mcp:read",
        &format!("[{echo},{hidden},{notification}]"),
    );
    let (reply, record) = end.refused();
    let answers: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(
        (&answers[0]["id"], &answers[0]["error"]["code"]),
        (&json!(7), &json!(403))
    );
    assert_eq!(
        (&answers[1]["id"], &answers[1]["error"]["code"]),
        (&json!(8), &json!(-32602))
    );
    assert_eq!(answers.as_array().unwrap().len(), 2);
    let line: Value = serde_json::from_str(&audit_line(&record, 0)).unwrap();
    let outcomes: Vec<&Value> = line["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["outcome"])
        .collect();
    assert_eq!(outcomes, ["allowed", "denied", "allowed"]);

    let sum = call("sum", r#"{"a":1}"#).replace("\"id\":7", "\"id\":8");
    let (reply, _) = post(
        &mut worker("holding"),
        "mcp:read",
        &format!("[{echo},{sum}]"),
    )
    .refused();
    assert_eq!(reply.status, 403);
    assert!(
        header(&reply, "www-authenticate")
            .unwrap()
            .contains("insufficient_scope")
    );

    let mixed = format!("[{hidden},{}]", call("sum", r#"{"a":1}"#));
    let (reply, _) = post(&mut worker("holding"), "mcp:read", &mixed).refused();
    let answers: Value = serde_json::from_str(&reply.body).unwrap();
    let ids: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| &answer["id"])
        .collect();
    assert_eq!(
        (reply.status, ids),
        (200, vec![&json!(8), &json!(7)]),
        "every request has an answer"
    );

    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    let (status, _) = post(
        &mut worker("holding"),
        "mcp:read",
        &format!("[{initialize}]"),
    )
    .answer();
    assert_eq!(status, 400);
}

#[test]
fn each_kind_of_denial_is_told_as_the_servers_entry_says() {
    for (style, status, code) in [
        ("jsonrpc_error", 200, 403),
        ("http_403", 403, 403),
        ("hidden", 200, -32602),
    ] {
        let answers = json!({"answers": {"arguments": style}});
        let mut worker = worker_with("holding", &inline_keys(), &answers);
        let end = post(
            &mut worker,
            "mcp:read mcp:write",
            &call("sum", r#"{"a":11}"#),
        );
        let (got, answer) = end.answer();
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{style}"
        );
    }
}

#[test]
fn audit_only_lets_pass_and_writes_down_what_it_would_have_refused() {
    let mut worker = worker_with("holding", &inline_keys(), &json!({"audit_only": true}));
    let (_, record) = post(&mut worker, "mcp:read", &call("env", "{}")).forwarded();
    assert_eq!(record.calls[0].unenforced, Some("hidden"));
    let (reply, _) = run(&mut worker, headers("POST", &[]), b"{}").refused();
    assert_eq!(reply.status, 401, "tokens are demanded all the same");
}
