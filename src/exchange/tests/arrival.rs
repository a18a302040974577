//! What is decided on headers alone.

use super::*;
use crate::record::Outcome;

const METADATA: &str = "https://gate.example/.well-known/oauth-protected-resource/everything/mcp";
const METADATA_PATH: &str = "/.well-known/oauth-protected-resource/everything/mcp";

fn arrive(more: &[(&str, &str)]) -> (Reply, Record) {
    run(&mut worker("holding"), headers("POST", more), b"{}").refused()
}

#[test]
fn without_a_token_the_challenge_names_no_error_but_scope_and_metadata() {
    let (reply, record) = arrive(&[]);
    assert_eq!(reply.status, 401);
    assert_eq!(
        header(&reply, "www-authenticate"),
        Some(format!("Bearer scope=\"mcp:read\", resource_metadata=\"{METADATA}\"").as_str())
    );
    assert_eq!(
        (record.outcome, record.reason),
        (Outcome::Challenged, "no_token")
    );
    assert_eq!(record.request_id.as_deref(), Some("request-1"));
}

#[test]
fn a_bad_token_is_challenged_with_invalid_token() {
    let expired = sign(HEADER, &claims_with(&json!({"exp": 1})));
    for (token, reason) in [
        (expired.as_str(), "expired"),
        ("not.a.jwt", "malformed_token"),
    ] {
        let (reply, record) = arrive(&[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(reply.status, 401);
        let challenge = header(&reply, "www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
        assert!(
            challenge.contains(METADATA) && challenge.contains("scope=\"mcp:read\""),
            "{challenge}"
        );
        assert_eq!(record.reason, reason);
        assert!(!format!("{reply:?}{record:?}").contains(token));
    }
}

#[test]
fn more_than_one_credential_is_a_bad_request() {
    let bearer = bearer("mcp:read");
    let twice = [
        ("authorization", bearer.as_str()),
        ("authorization", bearer.as_str()),
    ];
    let joined = format!("{bearer},{bearer}");
    for more in [&twice[..], &[("authorization", joined.as_str())]] {
        let (reply, record) = arrive(more);
        assert_eq!(reply.status, 400);
        assert!(
            header(&reply, "www-authenticate")
                .unwrap()
                .contains("error=\"invalid_request\"")
        );
        assert_eq!(record.reason, "malformed_credentials");
    }
}

#[test]
fn a_token_in_the_query_is_not_used_and_leaves_the_path_before_anything_is_logged() {
    let bearer = bearer("mcp:read");
    for (more, status) in [
        (
            vec![(":path", "/everything/mcp?a=1&access_token=secret")],
            401,
        ),
        (
            vec![
                (":path", "/everything/mcp?a=1&access_token=secret"),
                ("authorization", bearer.as_str()),
            ],
            400,
        ),
    ] {
        let input = Input::RequestHeaders {
            headers: headers("POST", &more),
            end_of_stream: false,
        };
        let (_, step) = Exchange::default().advance(input, &mut worker("plain"), NOW_MS);
        let Step::Reply { reply, path, .. } = step else {
            panic!("{step:?}")
        };
        assert_eq!(
            (reply.status, path.as_deref()),
            (status, Some("/everything/mcp?a=1"))
        );
    }
}

#[test]
fn what_belongs_to_no_server_is_refused() {
    for more in [
        [(":path", "/other")],
        [(":path", "/everything/mcp/")],
        [(":path", "/everything//mcp")],
        [(":path", "/everything/./mcp")],
        [(":path", "/everything/x/../mcp")],
        [(":path", "/everything%2fmcp")],
        [(":path", "/Everything/mcp")],
        [(":path", "/everything/mcp;a=b")],
        [(":path", "/everything\\mcp")],
        [(":path", "(absent)")],
        [(":authority", "other.example")],
        [(":authority", "gate.example.")],
        [(":authority", "gate.example:8443")],
        [(":authority", "user@gate.example")],
        [(":authority", "(absent)")],
        [(":path", "/.well-known/oauth-protected-resource")],
    ] {
        let (reply, record) = arrive(&more);
        assert_eq!(
            (reply.status, record.reason),
            (404, "no_server"),
            "{more:?}"
        );
    }
    for authority in ["GATE.example", "gate.example:443"] {
        assert_eq!(
            arrive(&[(":authority", authority)]).0.status,
            401,
            "{authority}"
        );
    }
}

#[test]
fn other_methods_are_not_allowed_and_the_allowed_ones_are_named() {
    for method in [
        "PUT", "PATCH", "HEAD", "TRACE", "OPTIONS", "post", "MADE-UP",
    ] {
        let (reply, _) = run(&mut worker("plain"), headers(method, &[]), b"").refused();
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(header(&reply, "allow"), Some("POST, GET, DELETE, OPTIONS"));
    }
}

#[test]
fn the_metadata_document_is_for_everybody() {
    let get = |method: &str| {
        let headers = headers(
            method,
            &[
                (":path", METADATA_PATH),
                ("origin", "https://anywhere.example"),
            ],
        );
        run(&mut worker("plain"), headers, b"").refused()
    };
    let (reply, record) = get("GET");
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&reply, "content-type"), Some("application/json"));
    assert!(header(&reply, "cache-control").unwrap().contains("max-age"));
    assert_eq!(
        serde_json::from_str::<Value>(&reply.body).unwrap(),
        json!({
            "resource": RESOURCE, "authorization_servers": [ISSUER], "scopes_supported": ["mcp:read"],
            "bearer_methods_supported": ["header"],
        })
    );
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!(get("HEAD").0, reply);
    assert_eq!(get("OPTIONS").0.status, 204);
    assert_eq!(
        (get("POST").0.status, header(&get("POST").0, "allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn a_foreign_origin_is_refused_and_an_allowed_one_can_read_the_answer() {
    let (reply, record) = arrive(&[("origin", "https://evil.example")]);
    assert_eq!((reply.status, record.reason), (403, "foreign_origin"));
    assert_eq!(header(&reply, "access-control-allow-origin"), None);
    for origin in ["http://localhost:6274", "https://gate.example"] {
        let (reply, _) = arrive(&[("origin", origin)]);
        assert_eq!(reply.status, 401);
        assert_eq!(header(&reply, "access-control-allow-origin"), Some(origin));
        assert!(
            header(&reply, "access-control-expose-headers")
                .unwrap()
                .contains("WWW-Authenticate")
        );
    }
}

#[test]
fn a_preflight_is_answered_without_a_token_for_allowed_origins_only() {
    let ask = |origin: &str| {
        let more = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
        ];
        run(&mut worker("plain"), headers("OPTIONS", &more), b"")
            .refused()
            .0
    };
    let reply = ask("http://localhost:6274");
    assert_eq!(reply.status, 204);
    assert!(
        header(&reply, "access-control-allow-headers")
            .unwrap()
            .contains("authorization")
    );
    assert_eq!(ask("https://evil.example").status, 403);
}

#[test]
fn a_body_that_is_not_plain_json_is_an_unsupported_media_type() {
    let bearer = bearer("mcp:read");
    for more in [
        ("content-type", "text/plain"),
        ("content-type", "(absent)"),
        ("content-encoding", "gzip"),
    ] {
        let (reply, record) = arrive(&[("authorization", &bearer), more]);
        assert_eq!(
            (reply.status, record.reason),
            (415, "unsupported_media_type"),
            "{more:?}"
        );
    }
}
