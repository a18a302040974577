//! An answer of a token service gives a credential that was checked, or none.

use std::convert::Infallible;
use std::rc::Rc;

use mcp_auth_filter::callout::FetchAnswer;
use mcp_auth_filter::config::{self, Config};
use mcp_auth_filter::credential::{Ask, Known, Wanted, may_be_injected};
use mcp_auth_filter::exchange::Worker;
use mcp_auth_filter::oauth::{Audience, Authentication, Identity, TokenHashKey, bearer_token};

const NOW_MS: u64 = 1_790_000_000_000;
const HASH_KEY: TokenHashKey = TokenHashKey::new([7; 16]);
const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 409, 429, 502];
const CONFIGURATION: &str = r#"{
  "issuers": [{"id": "as", "issuer": "https://as.example", "introspection": {
    "uri": "https://as.example/introspect", "cluster": "as",
    "client_id": "gate", "client_secret": "secret"}}],
  "token_services": [
    {"id": "vault", "resolve": {"cluster": "t", "url": "http://t.example/", "key": "key"}},
    {"id": "sts", "exchange": {"cluster": "t", "url": "http://t.example/",
      "client_id": "gate", "client_secret": "secret"}}],
  "servers": [
    {"id": "a", "resource": "https://mcp.example/a", "issuers": ["as"], "rules": [],
      "credential": {"token_service": "vault", "headers": ["authorization", "x-api-key"]}},
    {"id": "b", "resource": "https://mcp.example/b", "issuers": ["as"], "rules": [],
      "credential": {"token_service": "sts"}}]
}"#;
const ACTIVE: &str = r#"{"active": true, "iss": "https://as.example", "sub": "alice",
  "aud": "https://mcp.example/a", "exp": 1790003600}"#;

/// The first byte chooses profile and status, the others are the body.
pub(crate) fn check(bytes: &[u8]) {
    let [choice, body @ ..] = bytes else {
        return;
    };
    let config = config::parse(CONFIGURATION.as_bytes(), &|_| None).expect("a configuration");
    let mut worker = Worker::new(&config, HASH_KEY).expect("a worker");
    let identity = identity(&config, &mut worker);
    let server = usize::from(choice & 1);
    let source = config.servers[server]
        .credential
        .as_ref()
        .expect("a source");
    let wanted = Wanted {
        source,
        identity: &identity,
        token_hash: HASH_KEY.hash(b"opaque"),
    };
    let ask = Ask {
        wanted,
        token: "opaque",
        request_id: None,
        operation: None,
    };
    worker
        .credentials
        .look_up(wanted, &|| Some(ask), NOW_MS, NOW_MS);
    let status = STATUSES[usize::from(choice >> 1) % STATUSES.len()];
    for call in worker.due(NOW_MS) {
        let answer = FetchAnswer::new(status, body);
        worker.credentials.answered(call.id, Some(answer), NOW_MS);
    }
    match worker
        .credentials
        .look_up(wanted, &|| Some(ask), NOW_MS, NOW_MS)
    {
        Known::Ready(credential) => {
            assert_eq!(status, 200);
            assert!(!credential.headers().is_empty());
            for (name, value) in credential.headers() {
                assert!(
                    may_be_injected(name) && source.headers.iter().any(|listed| **listed == **name)
                );
                assert!(
                    value
                        .bytes()
                        .all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
                );
            }
        }
        Known::Consent(needed) => {
            assert!(
                needed
                    .url
                    .as_deref()
                    .is_none_or(|url| url.starts_with("http"))
            );
        }
        Known::NotNeeded => assert_eq!(status, 200),
        Known::Refused(_) => {}
        Known::Pending(_) => assert_eq!(status, 409),
    }
}

fn identity(config: &Config, worker: &mut Worker) -> Rc<Identity> {
    let token = bearer_token(&[b"Bearer opaque"])
        .ok()
        .flatten()
        .expect("a token");
    let audience = Audience {
        server: 0,
        issuers: &[0],
        audiences: &config.servers[0].audiences,
    };
    let ask = |worker: &mut Worker| {
        let authenticator = &mut worker.authenticator;
        let hash = authenticator.hash_of(token.as_str().as_bytes());
        let read = || Ok::<_, Infallible>(token);
        let Ok(answer) = authenticator.authenticate(&audience, hash, read, NOW_MS, NOW_MS);
        answer
    };
    ask(worker);
    for call in worker.due(NOW_MS) {
        let answer = FetchAnswer::new(200, ACTIVE.as_bytes());
        worker.authenticator.answered(call.id, Some(answer), NOW_MS);
    }
    match ask(worker) {
        Authentication::Verified(identity) => identity,
        other => panic!("{other:?}"),
    }
}
