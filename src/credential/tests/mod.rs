//! A token service in a few functions, and what a worker makes of it.

mod exchange;
mod headers;
mod hostile;
mod keys;
mod memory;
mod rejection;
mod resolve;

use std::cell::OnceCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::callout::{Endpoint, Fetch, FetchAnswer, FetchIds};
use crate::oauth::{Identity, Scopes, SubjectType, TokenHashKey};
use crate::secret::Secret;

const NOW_MS: u64 = 1_790_000_000_000;
const URL: &str = "https://tokens.example/connect/Yk3";

fn endpoint() -> Endpoint {
    Endpoint {
        cluster: "token-service".to_owned(),
        scheme: "http".to_owned(),
        authority: "127.0.0.1:8082".to_owned(),
        path: "/v1/credentials/resolve".to_owned(),
    }
}

fn vault() -> TokenService {
    TokenService {
        id: "vault".into(),
        profile: Profile::Resolve {
            endpoint: endpoint(),
            key: Secret::new("filter-key".to_owned()),
        },
        timeout_ms: 5000,
        cache_seconds: 60,
    }
}

fn sts() -> TokenService {
    TokenService {
        id: "sts".into(),
        profile: Profile::Exchange {
            endpoint: endpoint(),
            client_id: "gate:1".to_owned(),
            client_secret: Secret::new("s e&cret".to_owned()),
        },
        timeout_ms: 2000,
        cache_seconds: 60,
    }
}

fn source() -> CredentialSource {
    CredentialSource {
        service: 0,
        server_id: "notes".to_owned(),
        headers: vec!["authorization".to_owned(), "x-api-key".to_owned()],
        placed_by: PlacedBy::Gate,
        optional_for: Vec::new(),
        consent_answer: ConsentAnswer::Auto,
        consent_answer_by_client: Vec::new(),
        audience: "notes".to_owned(),
        resource: None,
        scopes: Scopes::default(),
        digest: OnceCell::new(),
    }
}

/// A store, with the question of one user.
struct Desk {
    store: CredentialStore,
    ids: FetchIds,
    source: CredentialSource,
    identity: Identity,
    token: String,
    request_id: String,
    operation: (String, Option<String>),
    now_ms: u64,
}

impl Desk {
    fn new(service: TokenService) -> Self {
        Self {
            store: CredentialStore::new(vec![Rc::new(service)], 1000),
            ids: FetchIds::default(),
            source: source(),
            identity: Identity::for_test("alice", "", "{}"),
            token: "the-token".to_owned(),
            request_id: "request-1".to_owned(),
            operation: ("tools/call".to_owned(), Some("add-note".to_owned())),
            now_ms: NOW_MS,
        }
    }

    /// A request that comes now.
    fn ask(&mut self) -> Known {
        self.ask_again(self.now_ms)
    }

    /// A request that came earlier.
    fn ask_again(&mut self, arrived_ms: u64) -> Known {
        let wanted = Wanted {
            source: &self.source,
            identity: &self.identity,
            token_hash: TokenHashKey::new([7; 16]).hash(self.token.as_bytes()),
        };
        let ask = Ask {
            wanted,
            token: &self.token,
            request_id: Some(&self.request_id),
            operation: Some((&self.operation.0, self.operation.1.as_deref())),
        };
        self.store
            .look_up(wanted, &|| Some(ask), arrived_ms, self.now_ms)
    }

    fn calls(&mut self) -> Vec<Fetch> {
        let calls = self.store.due(self.now_ms, &mut self.ids);
        assert!(!self.store.has_due(self.now_ms));
        calls
    }

    /// The only call that is due.
    fn call(&mut self) -> Fetch {
        assert!(self.store.has_due(self.now_ms));
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1);
        calls.remove(0)
    }

    fn answer(&mut self, call: &Fetch, status: u16, body: &Value) -> SettledCredential {
        let body = body.to_string();
        let answer = FetchAnswer::new(status, body.as_bytes());
        self.settle(call, Some(answer))
    }

    fn settle(&mut self, call: &Fetch, answer: Option<FetchAnswer<'_>>) -> SettledCredential {
        self.store.answered(call.id, answer, self.now_ms).unwrap()
    }

    /// What a request knows after one call with this answer.
    fn after(&mut self, status: u16, body: &Value) -> Known {
        let arrived_ms = self.now_ms;
        assert!(matches!(self.ask(), Known::Pending(_)));
        let call = self.call();
        self.answer(&call, status, body);
        self.ask_again(arrived_ms)
    }

    /// The credential that a request gets at once.
    fn ready(&mut self) -> Rc<Credential> {
        match self.ask() {
            Known::Ready(credential) => credential,
            other => panic!("{other:?}"),
        }
    }

    fn must_ask(&mut self) -> bool {
        matches!(self.ask(), Known::Pending(_))
    }
}

fn authenticated(token: &str, version: &str, cache_ttl_s: u64) -> Value {
    json!({
        "status": "authenticated",
        "method": "oauth",
        "headers": [{"name": "authorization", "value": format!("Bearer {token}")}],
        "credential_version": version,
        "expires_at": 1_790_003_600,
        "scopes": ["repo"],
        "cache_ttl_s": cache_ttl_s,
    })
}

fn consent() -> Value {
    json!({
        "status": "authentication_required",
        "reason": "invalid_grant",
        "authorization_endpoint": URL,
        "detail": {
            "code": "authentication_required", "authType": "oauth", "authorizeUrl": URL,
        },
        "elicitation_id": "e-1",
        "expires_in": 600,
        "cache_ttl_s": 0,
    })
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code, "message": "no", "request_id": "request-1"}})
}

fn bearer(credential: &Credential) -> &str {
    assert_eq!(credential.headers().len(), 1);
    let (name, value) = &credential.headers()[0];
    assert_eq!(&**name, "authorization");
    value
}

fn header<'a>(call: &'a Fetch, name: &str) -> Option<&'a str> {
    call.headers
        .iter()
        .find_map(|(header, value)| (header == name).then_some(value.as_str()))
}

fn json_of(call: &Fetch) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}
