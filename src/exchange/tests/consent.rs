//! How a missing consent is told, by what the client can do.

use super::credentials::{asked, consent, says, sent_with, vault, woken};
use super::*;

const URL: &str = "https://tokens.example/connect/h";

/// The answer to a request of this revision where consent is missing.
fn told(
    source: &Value,
    service: &Value,
    revision: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Reply {
    let worker = &mut vault("holding", source);
    told_by(worker, service, revision, more, body)
}

fn told_by(
    worker: &mut Worker,
    service: &Value,
    revision: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Reply {
    let bearer = bearer("mcp:read");
    let mut sent_headers = vec![
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", revision),
    ];
    sent_headers.extend_from_slice(more);
    let method = if body.is_empty() { "GET" } else { "POST" };
    let (exchange, step) = sent_with(worker, headers(method, &sent_headers), body);
    assert_eq!(step, Step::Wait);
    let (id, _) = asked(worker);
    says(worker, id, 403, service);
    let (reply, record) = woken(exchange, worker, body).refused();
    assert_eq!(record.reason, "consent_needed");
    assert_eq!(record.outcome.as_str(), "challenged");
    assert_eq!(record.credential, Some(CredentialUse::Consent));
    reply
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

fn modern(method: &str, capabilities: &Value) -> (String, Vec<(&'static str, &'static str)>) {
    let mut params = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }});
    let (member, name) = match method {
        "resources/read" => ("uri", "demo://documents/a"),
        _ => ("name", "echo"),
    };
    params[member] = json!(name);
    let body = json!({"jsonrpc": "2.0", "id": "r-1", "method": method, "params": params});
    let method = match method {
        "tools/call" => "tools/call",
        "prompts/get" => "prompts/get",
        "resources/read" => "resources/read",
        _ => "tools/list",
    };
    let mut headers = vec![("mcp-method", method)];
    if method != "tools/list" {
        headers.push(("mcp-name", name));
    }
    (body.to_string(), headers)
}

#[test]
fn a_modern_client_that_can_open_urls_is_asked_for_input() {
    for method in ["tools/call", "prompts/get", "resources/read"] {
        let (body, headers) = modern(method, &json!({"elicitation": {"url": {}}}));
        let reply = told(&json!({}), &consent(), MODERN, &headers, &body);
        assert_eq!(reply.status, 200);
        let answer = json_of(&reply);
        let result = &answer["result"];
        assert_eq!(answer["id"], "r-1");
        assert_eq!(result["resultType"], "input_required", "{answer}");
        let requests = result["inputRequests"].as_object().unwrap();
        assert_eq!(requests.len(), 1);
        let request = requests.values().next().unwrap();
        assert_eq!(request["method"], "elicitation/create");
        assert_eq!(request["params"]["mode"], "url");
        assert_eq!(request["params"]["url"], URL);
        assert!(
            request["params"]["message"]
                .as_str()
                .unwrap()
                .contains("Notes")
        );
        assert!(
            result["requestState"]
                .as_str()
                .is_some_and(|state| !state.is_empty())
        );
    }
}

#[test]
fn a_modern_client_that_cannot_gets_the_link_in_a_tool_result_or_403() {
    for capabilities in [
        json!({}),
        json!({"elicitation": {}}),
        json!({"elicitation": {"form": {}}}),
    ] {
        let (body, headers) = modern("tools/call", &capabilities);
        let reply = told(&json!({}), &consent(), MODERN, &headers, &body);
        let answer = json_of(&reply);
        assert_eq!(
            (reply.status, &answer["result"]["isError"]),
            (200, &json!(true))
        );
        assert_eq!(answer["result"]["resultType"], "complete");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(URL) && text.contains("Notes"), "{text}");

        let (body, headers) = modern("prompts/get", &capabilities);
        let reply = told(&json!({}), &consent(), MODERN, &headers, &body);
        assert_eq!(reply.status, 403);
    }
    let (body, headers) = modern("tools/list", &json!({"elicitation": {"url": {}}}));
    let reply = told(&json!({}), &consent(), MODERN, &headers, &body);
    assert_eq!(reply.status, 403, "a list cannot ask for input");
}

#[test]
fn a_legacy_client_that_declares_urls_with_initialize_gets_the_elicitation_error() {
    let initialize = |version: &str, elicitation: &Value| {
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": version, "clientInfo": {"name": "c", "version": "1"},
            "capabilities": {"elicitation": elicitation}}})
        .to_string()
    };
    let reply = told(
        &json!({}),
        &consent(),
        LEGACY,
        &[],
        &initialize(LEGACY, &json!({"url": {}})),
    );
    let answer = json_of(&reply);
    assert_eq!(
        (reply.status, &answer["error"]["code"]),
        (200, &json!(-32042)),
        "{answer}"
    );
    assert_eq!(answer["id"], 0);
    let elicitation = &answer["error"]["data"]["elicitations"][0];
    assert_eq!(elicitation["mode"], "url");
    assert_eq!(elicitation["elicitationId"], "e-1");
    assert_eq!(elicitation["url"], URL);
    assert!(elicitation["message"].as_str().unwrap().contains("Notes"));

    for (version, declared) in [(LEGACY, json!({})), ("2025-06-18", json!({"url": {}}))] {
        let reply = told(
            &json!({}),
            &consent(),
            LEGACY,
            &[],
            &initialize(version, &declared),
        );
        assert_eq!(reply.status, 403, "{version} {declared}");
    }
}

#[test]
fn a_legacy_call_without_a_session_gets_the_link_in_a_tool_result() {
    for revision in [LEGACY, "2025-06-18", "2025-03-26"] {
        let reply = told(&json!({}), &consent(), revision, &[], &call("echo", "{}"));
        let answer = json_of(&reply);
        assert_eq!(
            (reply.status, &answer["result"]["isError"]),
            (200, &json!(true))
        );
        assert_eq!(answer["id"], 7);
        assert!(answer["result"].get("resultType").is_none(), "{answer}");
        assert!(
            answer["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains(URL)
        );
    }
}

#[test]
fn everything_else_gets_403_with_the_structured_detail() {
    let detail =
        json!({"code": "authentication_required", "authType": "oauth", "authorizeUrl": URL});
    let list = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let answer = json_of(&told(&json!({}), &consent(), LEGACY, &[], list));
    assert_eq!(answer["error"]["data"], detail);
    assert_eq!(answer["error"]["code"], 403);
    assert_eq!(answer["id"], 7);
    for body in [
        "",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    ] {
        let reply = told(&json!({}), &consent(), LEGACY, &[], body);
        let answer = json_of(&reply);
        assert_eq!((reply.status, answer.get("id")), (403, None), "{body}");
        assert_eq!(answer["error"]["data"], detail);
    }
}

#[test]
fn without_a_url_nobody_is_sent_anywhere() {
    let mut service = consent();
    service
        .as_object_mut()
        .unwrap()
        .remove("authorization_endpoint");
    service["detail"] =
        json!({"code": "authentication_required", "authType": "api_key", "appUuid": "app-1"});
    let (body, headers) = modern("tools/call", &json!({"elicitation": {"url": {}}}));
    let answer = json_of(&told(&json!({}), &service, MODERN, &headers, &body));
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("administrator") && !text.contains("http"),
        "{text}"
    );
    let list = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let answer = json_of(&told(&json!({}), &service, LEGACY, &[], list));
    assert_eq!(
        answer["error"]["data"],
        json!({"code": "authentication_required", "authType": "api_key", "appUuid": "app-1"})
    );
}

#[test]
fn the_configuration_chooses_for_all_and_for_single_clients() {
    let (body, headers) = modern("tools/call", &json!({"elicitation": {"url": {}}}));
    let told = |source: &Value| told(source, &consent(), MODERN, &headers, &body);
    assert_eq!(told(&json!({"consent_answer": "http_403"})).status, 403);
    let result = json_of(&told(&json!({"consent_answer": "tool_result"})));
    assert_eq!(result["result"]["resultType"], "complete");
    let result = json_of(&told(&json!({"consent_answer": "elicit"})));
    assert_eq!(result["result"]["resultType"], "input_required");
    let reply = told(&json!({"consent_answer_by_client": {"client-1": "http_403"}}));
    assert_eq!(reply.status, 403);
    let reply = told(&json!({"consent_answer_by_client": {"client-2": "http_403"}}));
    assert_eq!(reply.status, 200);

    let reply = told(&json!({"consent_answer": "challenge"}));
    assert_eq!(reply.status, 401);
    let challenge = header(&reply, "www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer error=\"invalid_token\""),
        "{challenge}"
    );
    assert!(challenge.contains("resource_metadata="), "{challenge}");
}

#[test]
fn no_answer_but_the_configured_challenge_makes_a_client_sign_in() {
    for source in ["auto", "elicit", "tool_result", "http_403"] {
        let reply = told(
            &json!({"consent_answer": source}),
            &consent(),
            LEGACY,
            &[],
            &call("echo", "{}"),
        );
        assert_ne!(reply.status, 401);
        assert_eq!(header(&reply, "www-authenticate"), None);
    }
}

#[test]
fn a_page_of_an_allowed_origin_can_read_the_answer() {
    let origin = [("origin", "http://localhost:6274")];
    let reply = told(&json!({}), &consent(), LEGACY, &origin, &call("echo", "{}"));
    assert_eq!(
        header(&reply, "access-control-allow-origin"),
        Some("http://localhost:6274")
    );
    assert_eq!(header(&reply, "cache-control"), Some("no-store"));
}
