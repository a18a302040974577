//! Single parts of the core.

use mcp_auth_filter::exchange::Worker;
use mcp_auth_filter::http::Headers;
use mcp_auth_filter::mcp::Call;
use mcp_auth_filter::mcp::envelope::{self, Body, BodyLimits, Message};
use mcp_auth_filter::oauth::{
    Authentication, Challenge, ChallengeError, Identity, Scopes, bearer_token,
};
use mcp_auth_filter::policy::Decision;
use serde_json::{Value, json};
use std::rc::Rc;

use super::Scenario;
use super::setting::{
    AUTHORITY, NOW_MS, PATH, SCOPE, call, token, token_of_unknown_key, tool, worker,
};

const LIMITS: BodyLimits = BodyLimits {
    depth: 64,
    batch_elements: 50,
};

/// The scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = vec![
        remembered_token(),
        checks_without_signature(),
        challenge(),
        headers(),
    ];
    for (name, bytes) in [("40B", 40), ("4KiB", 4096), ("64KiB", 65_536)] {
        all.push(parsing(name, bytes));
    }
    for rules in [20, 1000] {
        all.push(policy(rules));
    }
    all.push(arguments());
    all
}

/// A hash and a look-up.
fn remembered_token() -> Scenario {
    let mut worker = worker(20, &Value::Null);
    let token = token();
    assert!(matches!(
        authenticate(&mut worker, &token),
        Authentication::Verified(_)
    ));
    Scenario::new("token/remembered", move || {
        authenticate(&mut worker, &token)
    })
}

/// Everything that is checked before the signature, which nobody can check.
fn checks_without_signature() -> Scenario {
    let mut worker = worker(20, &Value::Null);
    let token = token_of_unknown_key();
    Scenario::new("token/checks-without-signature", move || {
        authenticate(&mut worker, &token)
    })
}

fn parsing(name: &str, bytes: usize) -> Scenario {
    let body = call(&tool(20), bytes);
    Scenario::new(format!("message/{name}"), move || {
        envelope::parse(&body, LIMITS)
    })
}

fn policy(rules: usize) -> Scenario {
    deciding(format!("policy/{rules}"), rules, &Value::Null)
}

fn arguments() -> Scenario {
    let rule = json!({
        "id": "arguments", "what": {"tools": [tool(20)]},
        "arguments": [
            {"argument": "path", "matches": "/srv/*"},
            {"argument": "limit", "minimum": 0, "maximum": 100},
        ],
    });
    deciding("policy/arguments".to_owned(), 20, &json!({"rules": [rule]}))
}

fn deciding(name: String, rules: usize, more: &Value) -> Scenario {
    let mut worker = worker(rules, more);
    let identity = identity(&mut worker);
    let site = worker
        .sites
        .find(AUTHORITY, PATH)
        .map(|(site, _)| Rc::clone(site));
    let server = Rc::clone(&site.expect("a site").server);
    let Ok(Body::Single(Message::Request { params, .. })) =
        envelope::parse(&call(&tool(rules), 40), LIMITS)
    else {
        panic!("no request");
    };
    Scenario::new(name, move || {
        let call = Call::of("tools/call", &params).expect("a call");
        let decision = server.policy.decide(&identity, &call);
        assert!(matches!(decision, Decision::Permit(_)));
        decision
    })
}

fn challenge() -> Scenario {
    let scopes = Scopes::parse("mcp:read mcp:write").expect("scopes");
    Scenario::new("challenge/insufficient-scope", move || {
        Challenge {
            error: Some(ChallengeError::InsufficientScope),
            description: Some("The token lacks scopes that this operation needs"),
            scope: Some(&scopes),
            resource_metadata: "https://mcp.example/.well-known/oauth-protected-resource/mcp",
        }
        .header_value()
    })
}

/// The one header that matters most, among as many as a client sends.
fn headers() -> Scenario {
    let headers = Headers::new(super::requests::headers(&format!("Bearer {}", token()), 40));
    Scenario::new("headers/bearer-token", move || {
        let values: Vec<&[u8]> = headers.all("authorization").collect();
        bearer_token(&values).is_ok()
    })
}

fn identity(worker: &mut Worker) -> Rc<Identity> {
    match authenticate(worker, &token()) {
        Authentication::Verified(identity) => identity,
        other => panic!("{other:?} where {SCOPE} was expected"),
    }
}

fn authenticate(worker: &mut Worker, token: &str) -> Authentication {
    let site = worker
        .sites
        .find(AUTHORITY, PATH)
        .map(|(site, _)| Rc::clone(site));
    let site = site.expect("a site");
    let value = format!("Bearer {token}");
    let token = bearer_token(&[value.as_bytes()])
        .ok()
        .flatten()
        .expect("a token");
    worker
        .authenticator
        .authenticate(&site.audience(), &token, NOW_MS, NOW_MS)
}
