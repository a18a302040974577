//! Tests of whole exchanges: what the client gets, what goes on, what is
//! written down.
#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

mod arrival;
mod capabilities;
mod consent;
mod credential_waits;
mod credentials;
mod handles;
mod keys;
mod messages;
mod modes;
mod refusals;
mod responses;
mod sessions;
mod upstream;

use serde_json::{Value, json};

use super::{Exchange, HeaderEdits, Input, Step, Worker};
use crate::config;
use crate::http::Headers;
use crate::oauth::TokenHashKey;
use crate::oauth::tests::support::{HEADER, ISSUER, NOW_MS, RESOURCE, claims_with, ed_jwks, sign};
use crate::record::{CredentialUse, Record};
use crate::reply::Reply;

const MODES: [&str; 2] = ["holding", "plain"];

/// Rules for scope `mcp:read`, one tool with a rule on an argument for
/// `mcp:write`, one that nobody may use, one for administrators.
fn rules() -> Value {
    json!([
        {"id": "read", "who": {"scopes": ["mcp:read"]}, "what": {"tools": ["echo"], "methods": ["*"]}},
        {"id": "sum", "who": {"scopes": ["mcp:write"]}, "what": {"tools": ["sum"]},
         "arguments": [{"argument": "a", "maximum": 10}]},
        {"id": "env", "who": {"claims": [{"claim": "roles", "contains": "admin"}]}, "what": {"tools": ["env"]}},
        {"id": "documents", "what": {"resources": ["demo://documents/*"]}},
    ])
}

fn worker_with(mode: &str, keys: &Value, changes: &Value) -> Worker {
    worker_of(mode, keys, changes, &json!({}))
}

/// With changes to the server's entry, and to the whole.
fn worker_of(mode: &str, keys: &Value, changes: &Value, more: &Value) -> Worker {
    let mut server = json!({
        "id": "everything", "resource": RESOURCE, "issuers": ["as"], "scopes": ["mcp:read"],
        "obtainable_scopes": [{"scopes": ["mcp:write"]}],
        "allowed_origins": ["http://localhost:6274"], "rules": rules(),
    });
    for (name, value) in changes.as_object().unwrap() {
        server[name] = value.clone();
    }
    let mut config = json!({
        "header_mode": mode,
        "issuers": [{"id": "as", "issuer": ISSUER, "keys": keys, "algorithms": ["EdDSA"]}],
        "servers": [server],
        "limits": {"body_bytes": 2048, "json_depth": 16},
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    let config = config::parse(config.to_string().as_bytes(), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    Worker::new(&config, TokenHashKey::new([7; 16])).unwrap()
}

fn inline_keys() -> Value {
    json!({"inline": serde_json::from_str::<Value>(&ed_jwks()).unwrap()})
}

fn worker(mode: &str) -> Worker {
    worker_with(mode, &inline_keys(), &json!({}))
}

fn token(scope: &str) -> String {
    sign(HEADER, &claims_with(&json!({"scope": scope})))
}

fn bearer(scope: &str) -> String {
    format!("Bearer {}", token(scope))
}

/// The headers of a request to the endpoint, with more or others.
fn headers(method: &str, more: &[(&str, &str)]) -> Headers {
    let usual = [
        (":method", method),
        (":path", "/everything/mcp"),
        (":authority", "gate.example"),
        ("content-type", "application/json"),
        ("x-request-id", "request-1"),
    ];
    let mut pairs: Vec<(String, Vec<u8>)> = usual
        .iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name))
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    pairs.retain(|(_, value)| value != b"(absent)");
    Headers::new(pairs)
}

/// How an exchange went on the way to the upstream.
#[derive(Debug)]
enum End {
    /// The upstream gets the request with these header changes.
    Forwarded(HeaderEdits, Record),
    /// The client gets this, and the upstream nothing.
    Refused(Reply, Record),
    /// It waits.
    Waiting,
}

impl End {
    fn refused(self) -> (Reply, Record) {
        match self {
            Self::Refused(reply, record) => (reply, record),
            other => panic!("{other:?}"),
        }
    }

    fn forwarded(self) -> (HeaderEdits, Record) {
        match self {
            Self::Forwarded(edits, record) => (edits, record),
            other => panic!("{other:?}"),
        }
    }

    fn answer(self) -> (u16, Value) {
        let (reply, _) = self.refused();
        (
            reply.status,
            serde_json::from_str(&reply.body).unwrap_or(Value::Null),
        )
    }
}

/// A whole request: headers, and the body in one piece.
fn run(worker: &mut Worker, headers: Headers, body: &[u8]) -> End {
    let end_of_stream = body.is_empty();
    let input = Input::RequestHeaders {
        headers,
        end_of_stream,
    };
    let (exchange, step) = Exchange::default().advance(input, worker, NOW_MS);
    let released = match step {
        Step::Wait if end_of_stream => return End::Waiting,
        Step::Wait => None,
        Step::ReleaseHeaders { edits, .. } => Some(edits),
        step => return ended(step, None),
    };
    let input = Input::RequestBody {
        held: body.len(),
        end_of_stream: true,
    };
    let (exchange, step) = exchange.advance(input, worker, NOW_MS);
    if !matches!(step, Step::ReadBody(_)) {
        return ended(step, released);
    }
    let (_, step) = exchange.advance(Input::Message(body), worker, NOW_MS);
    ended(step, released)
}

fn ended(step: Step, released: Option<HeaderEdits>) -> End {
    match step {
        Step::Forward { edits, record, .. } => {
            assert!(
                edits.is_some() != released.is_some(),
                "headers are changed exactly once"
            );
            End::Forwarded(edits.or(released).unwrap(), (*record).clone())
        }
        Step::Reply { reply, record, .. } => End::Refused(reply, *record.unwrap()),
        Step::Wait => End::Waiting,
        step => panic!("{step:?}"),
    }
}

/// A POST of a message with these scopes.
fn post(worker: &mut Worker, scope: &str, body: &str) -> End {
    run(
        worker,
        headers("POST", &[("authorization", &bearer(scope))]),
        body.as_bytes(),
    )
}

fn call(name: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
    )
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find_map(|(header, value)| (*header == name).then_some(value.as_str()))
}
