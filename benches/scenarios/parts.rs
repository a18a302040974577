//! Single parts of the core.

use core::convert::Infallible;
use core::hint::black_box;
use std::rc::Rc;

use mcp_auth_filter::exchange::Worker;
use mcp_auth_filter::http::Headers;
use mcp_auth_filter::mcp::Call;
use mcp_auth_filter::mcp::envelope::{self, Body, BodyLimits, Message};
use mcp_auth_filter::oauth::{
    Authentication, Challenge, ChallengeError, Identity, Scopes, bearer_token,
};
use mcp_auth_filter::policy::Decision;
use mcp_auth_filter::record::{CallRecord, Record, audit_line};
use mcp_auth_filter::site::Site;
use serde_json::{Value, json};

use super::Scenario;
use super::setting::{AUTHORITY, NOW_MS, PATH, call, token, token_of_unknown_key, tool, worker};

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
        audit(),
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
    Scenario::new("token/remembered", || {
        let mut worker = worker(20, &Value::Null);
        let token = token();
        let first = authenticate(&mut worker, &token);
        assert!(matches!(first, Authentication::Verified(_)));
        move || authenticate(&mut worker, &token)
    })
}

/// Everything that is checked before the signature, which nobody can check.
fn checks_without_signature() -> Scenario {
    Scenario::new("token/checks-without-signature", || {
        let mut worker = worker(20, &Value::Null);
        let token = token_of_unknown_key();
        move || authenticate(&mut worker, &token)
    })
}

fn parsing(name: &str, bytes: usize) -> Scenario {
    Scenario::new(format!("message/{name}"), move || {
        let body = call(&tool(20), bytes);
        move || {
            let _ = black_box(envelope::parse(&body, LIMITS, &[]));
        }
    })
}

fn policy(rules: usize) -> Scenario {
    deciding(format!("policy/{rules}"), rules, Value::Null)
}

fn arguments() -> Scenario {
    let rule = json!({
        "id": "arguments", "what": {"tools": [tool(20)]},
        "arguments": [
            {"argument": "path", "matches": "/srv/*"},
            {"argument": "limit", "minimum": 0, "maximum": 100},
        ],
    });
    deciding("policy/arguments", 20, json!({"rules": [rule]}))
}

fn deciding(name: impl Into<String>, rules: usize, more: Value) -> Scenario {
    Scenario::new(name, move || {
        let mut worker = worker(rules, &more);
        let identity = identity(&mut worker);
        let server = Rc::clone(&site(&worker).server);
        let Ok(Body::Single(Message::Request { params, .. })) =
            envelope::parse(call(&tool(rules), 40).leak(), LIMITS, &[])
        else {
            panic!("no request");
        };
        move || {
            let call = Call::of("tools/call", &params).expect("a call");
            let decision = server.policy.decide(&identity, &call);
            assert!(matches!(decision, Decision::Permit(_)));
            decision
        }
    })
}

fn challenge() -> Scenario {
    Scenario::new("challenge/insufficient-scope", || {
        let scopes = Scopes::parse("mcp:read mcp:write").expect("scopes");
        move || {
            Challenge {
                error: Some(ChallengeError::InsufficientScope),
                description: Some("The token lacks scopes that this operation needs"),
                scope: Some(&scopes),
                resource_metadata: "https://mcp.example/.well-known/oauth-protected-resource/mcp",
            }
            .header_value()
        }
    })
}

/// The audit line of a call that was permitted.
fn audit() -> Scenario {
    Scenario::new("audit/line", || {
        let mut worker = worker(20, &Value::Null);
        let identity = identity(&mut worker);
        let Ok(Body::Single(Message::Request { params, .. })) =
            envelope::parse(call(&tool(20), 40).leak(), LIMITS, &[])
        else {
            panic!("no request");
        };
        let called = Call::of("tools/call", &params).expect("a call");
        let record = Record {
            server: Some(Rc::clone(&site(&worker).server.id)),
            identity: Some(identity),
            request_id: Some("8d59701b-f7d1-49d7-93ab-400fa8b0641a".to_owned()),
            http_method: "POST".into(),
            calls: vec![CallRecord::of(&called, &[])],
            reason: "allowed",
            ..Record::default()
        };
        move || audit_line(&record, NOW_MS)
    })
}

/// The one header that matters most, among as many as a client sends.
fn headers() -> Scenario {
    Scenario::new("headers/bearer-token", || {
        let headers = Headers::new(super::requests::headers(&format!("Bearer {}", token()), 40));
        move || {
            let values: Vec<&[u8]> = headers.all("authorization").collect();
            bearer_token(&values).is_ok()
        }
    })
}

fn identity(worker: &mut Worker) -> Rc<Identity> {
    match authenticate(worker, &token()) {
        Authentication::Verified(identity) => identity,
        other => panic!("{other:?}"),
    }
}

fn authenticate(worker: &mut Worker, token: &str) -> Authentication {
    let site = site(worker);
    let value = format!("Bearer {token}");
    let token = bearer_token(&[value.as_bytes()]);
    let token = token.ok().flatten().expect("a token");
    let authenticator = &mut worker.authenticator;
    let hash = authenticator.hash_of(token.as_str().as_bytes());
    let read = || Ok::<_, Infallible>(token);
    let Ok(answer) = authenticator.authenticate(&site.audience(), hash, read, NOW_MS, NOW_MS);
    answer
}

fn site(worker: &Worker) -> Rc<Site> {
    let found = worker.sites.find(AUTHORITY, PATH);
    found.map(|(site, _)| Rc::clone(site)).expect("a site")
}
