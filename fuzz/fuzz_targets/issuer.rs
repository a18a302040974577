//! One issuer for the targets, as a configuration would describe it. The seeds
//! are written for it.

use std::convert::Infallible;
use std::rc::Rc;

use mcp_auth_filter::callout::Endpoint;
use mcp_auth_filter::json::Json;
use mcp_auth_filter::oauth::issuer::{
    Algorithm, ClaimNames, Introspection, KeySource, SubjectTypeSource,
};
use mcp_auth_filter::oauth::{
    Audience, Authentication, Authenticator, BearerToken, ClaimPath, Issuer, SubjectType,
    TokenHashKey, TokenLimits,
};
use mcp_auth_filter::secret::Secret;

pub const NOW_MS: u64 = 1_800_000_000_000;

pub fn authenticator(keys: Option<Json<'static>>) -> Authenticator {
    let introspection = keys.is_none().then(|| Introspection {
        endpoint: Endpoint {
            cluster: "as".to_owned(),
            scheme: "https".to_owned(),
            authority: "as.example".to_owned(),
            path: "/introspect".to_owned(),
        },
        client_id: "gate".to_owned(),
        client_secret: Secret::new("secret".to_owned()),
        cache_seconds: 60,
        timeout_ms: 1000,
    });
    let path = |text| ClaimPath::parse(text).expect("a valid path");
    let issuer = Issuer {
        id: "as".into(),
        issuer: "https://as.example/realm".into(),
        keys: keys.map(KeySource::Inline),
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
        introspection,
    };
    let limits = TokenLimits {
        token_bytes: 16 * 1024,
        cache_entries: 100,
    };
    Authenticator::new(vec![Rc::new(issuer)], limits, TokenHashKey::new([7; 16]))
        .expect("usable keys")
}

pub fn authenticate(authenticator: &mut Authenticator, token: &BearerToken<'_>) -> Authentication {
    let audience = Audience {
        server: 0,
        issuers: &[0],
        audiences: &["https://gate.example/everything/mcp".to_owned()],
    };
    let hash = authenticator.hash_of(token.as_str().as_bytes());
    let read = || Ok::<_, Infallible>(*token);
    let Ok(answer) = authenticator.authenticate(&audience, hash, read, NOW_MS, NOW_MS);
    answer
}
