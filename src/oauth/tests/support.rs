//! An authorization server in a few functions.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Ed25519KeyPair, EdDSAKeyPairLike as _, RS256KeyPair};
use serde_json::{Value, json};

use crate::callout::{Endpoint, Fetch, FetchAnswer, FetchIds};
use crate::json::{self, Json};
use crate::oauth::authentication::{Audience, Authentication, TokenLimits};
use crate::oauth::authenticator::Authenticator;
use crate::oauth::bearer::{BearerToken, bearer_token};
use crate::oauth::identity::{Identity, SubjectType};
use crate::oauth::issuer::{
    Algorithm, ClaimNames, FetchSchedule, Introspection, Issuer, KeySource, SubjectTypeSource,
};
use crate::oauth::token_error::TokenError;
use crate::oauth::{ClaimPath, KeyEvent, TokenHashKey};
use crate::secret::Secret;

pub(crate) const ISSUER: &str = "https://as.example/realm";
pub(crate) const RESOURCE: &str = "https://gate.example/everything/mcp";
/// Now, in seconds and in milliseconds.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const NOW_MS: u64 = NOW * 1000;
pub(crate) const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed"}"#;

pub(super) const SCHEDULE: FetchSchedule = FetchSchedule {
    refresh_seconds: 300,
    retry_seconds: 10,
    timeout_ms: 2000,
};

// === keys and tokens ===

/// The key that signs most tokens: it is fast, and it signs any text.
pub(super) fn ed_key() -> &'static Ed25519KeyPair {
    static KEY: OnceLock<Ed25519KeyPair> = OnceLock::new();
    KEY.get_or_init(|| Ed25519KeyPair::generate().with_key_id("ed"))
}

/// Slow to make, so there is one.
pub(super) fn rsa_key() -> &'static RS256KeyPair {
    static KEY: OnceLock<RS256KeyPair> = OnceLock::new();
    KEY.get_or_init(|| RS256KeyPair::generate(2048).unwrap().with_key_id("rsa"))
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with exactly these texts as header and claims.
pub(super) fn sign_with(key: &Ed25519KeyPair, header: &[u8], claims: &[u8]) -> String {
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = key.key_pair().as_ref().sk.sign(&input, None);
    format!("{input}.{}", encode(*signature))
}

pub(crate) fn sign(header: &str, claims: &Value) -> String {
    sign_with(ed_key(), header.as_bytes(), claims.to_string().as_bytes())
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "alice", "client_id": "client-1",
        "iat": NOW - 10, "exp": NOW + 600, "jti": "1", "scope": "mcp:read mcp:write",
    })
}

/// The claims of a good token, with some replaced, or removed by null.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

pub(crate) fn good_token() -> String {
    sign(HEADER, &claims())
}

pub(super) fn jwks(keys: &[String]) -> String {
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

pub(crate) fn ed_jwks() -> String {
    jwks(&[ed_key().public_key().to_jwk()])
}

pub(super) fn json(text: &str) -> Json<'static> {
    json::parse(text.as_bytes(), 32).unwrap()
}

// === configuration ===

pub(super) fn path(text: &str) -> ClaimPath {
    ClaimPath::parse(text).unwrap()
}

pub(super) fn issuer_with(keys: Option<KeySource>) -> Issuer {
    Issuer {
        id: "as".into(),
        issuer: ISSUER.into(),
        keys,
        algorithms: Algorithm::ALL.to_vec(),
        token_types: vec!["at+jwt".to_owned()],
        leeway_seconds: 30,
        claims: ClaimNames {
            subject: path("sub"),
            subject_type: SubjectTypeSource {
                claim: None,
                default: SubjectType::User,
            },
            scopes: vec![path("scope"), path("scp")],
            client: path("client_id"),
        },
        introspection: None,
    }
}

pub(super) fn inline(set: &str) -> Issuer {
    issuer_with(Some(KeySource::Inline(json(set))))
}

pub(super) fn endpoint(path: &str) -> Endpoint {
    Endpoint {
        cluster: "as".to_owned(),
        scheme: "https".to_owned(),
        authority: "as.example".to_owned(),
        path: path.to_owned(),
    }
}

pub(super) fn remote() -> Issuer {
    issuer_with(Some(KeySource::Jwks {
        endpoint: endpoint("/jwks"),
        schedule: SCHEDULE,
    }))
}

pub(super) fn introspecting(cache_seconds: u64) -> Issuer {
    Issuer {
        introspection: Some(Introspection {
            endpoint: endpoint("/introspect"),
            client_id: "the gate".to_owned(),
            client_secret: Secret::new("s&cret/+".to_owned()),
            cache_seconds,
            timeout_ms: 1000,
        }),
        ..issuer_with(None)
    }
}

// === running it ===

/// How long a request waits for keys.
pub(super) const KEY_WAIT_MS: u64 = 15_000;

/// An authenticator with one issuer and one server, and a clock.
pub(super) struct Gate {
    pub(super) authenticator: Authenticator,
    pub(super) now_ms: u64,
    pub(super) audiences: Vec<String>,
    pub(super) ids: FetchIds,
}

pub(super) fn authenticator(issuers: Vec<Issuer>, cache_entries: usize) -> Authenticator {
    let limits = TokenLimits {
        token_bytes: 16 * 1024,
        cache_entries,
        key_wait_ms: KEY_WAIT_MS,
    };
    let issuers = issuers.into_iter().map(Rc::new).collect();
    Authenticator::new(issuers, limits, TokenHashKey::new([7; 16])).unwrap()
}

/// What is known of a token. The grammar does not matter here; the tests of
/// bearer tokens have it.
pub(super) fn ask(
    authenticator: &mut Authenticator,
    audience: &Audience<'_>,
    text: &str,
    arrived_ms: u64,
    now_ms: u64,
) -> Authentication {
    let hash = authenticator.hash_of(text.as_bytes());
    let read = || Ok::<_, Infallible>(BearerToken::for_test(text));
    let Ok(answer) = authenticator.authenticate(audience, hash, read, arrived_ms, now_ms);
    answer
}

impl Gate {
    pub(super) fn new(issuer: Issuer) -> Self {
        Self {
            authenticator: authenticator(vec![issuer], 1000),
            now_ms: NOW_MS,
            audiences: vec![RESOURCE.to_owned()],
            ids: FetchIds::default(),
        }
    }

    /// A request that comes now.
    pub(super) fn ask(&mut self, text: &str) -> Authentication {
        self.ask_since(text, self.now_ms)
    }

    /// A request that came at `arrived_ms` and asks again.
    pub(super) fn ask_since(&mut self, text: &str, arrived_ms: u64) -> Authentication {
        let audience = Audience {
            server: 0,
            issuers: &[0],
            audiences: &self.audiences,
        };
        ask(
            &mut self.authenticator,
            &audience,
            text,
            arrived_ms,
            self.now_ms,
        )
    }

    pub(super) fn identity(&mut self, text: &str) -> Rc<Identity> {
        match self.ask(text) {
            Authentication::Verified(identity) => identity,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refusal(&mut self, text: &str) -> Option<TokenError> {
        match self.ask(text) {
            Authentication::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// The calls that are due.
    pub(super) fn due(&mut self) -> Vec<Fetch> {
        self.authenticator.due(self.now_ms, &mut self.ids)
    }

    /// The only call that is due.
    pub(super) fn call(&mut self) -> Fetch {
        assert!(self.authenticator.has_due(self.now_ms));
        let mut calls = self.due();
        assert_eq!(calls.len(), 1);
        calls.pop().unwrap()
    }

    pub(super) fn answer(&mut self, call: &Fetch, status: u16, body: &str) -> Vec<KeyEvent> {
        let answer = FetchAnswer::new(status, body.as_bytes());
        self.authenticator
            .answered(call.id, Some(answer), self.now_ms)
            .events
    }

    pub(super) fn no_call(&mut self) {
        assert!(!self.authenticator.has_due(self.now_ms));
        assert!(self.due().is_empty());
    }
}

/// What a client would send.
pub(super) fn from_header(value: &str) -> Option<BearerToken<'_>> {
    bearer_token(&[value.as_bytes()]).unwrap()
}

pub(super) fn header<'a>(call: &'a Fetch, name: &str) -> Option<&'a str> {
    call.headers
        .iter()
        .find_map(|(header, value)| (header == name).then_some(value.as_str()))
}
