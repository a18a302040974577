//! The claims of a token that is signed as it should be.

use serde_json::{Value, json};

use super::support::*;
use crate::oauth::identity::SubjectType;
use crate::oauth::issuer::SubjectTypeSource;
use crate::oauth::token_error::TokenError;

fn refusal(changes: &Value) -> Option<TokenError> {
    Gate::new(inline(&ed_jwks())).refusal(&sign(HEADER, &claims_with(changes)))
}

fn refusal_of_text(name: &str, value: &str) -> Option<TokenError> {
    let rest = claims_with(&json!({name: null})).to_string();
    let claims = format!("{{\"{name}\":{value},{}", rest.strip_prefix('{').unwrap());
    let token = sign_with(ed_key(), HEADER.as_bytes(), claims.as_bytes());
    Gate::new(inline(&ed_jwks())).refusal(&token)
}

#[test]
fn a_good_token_becomes_an_identity() {
    let identity = Gate::new(inline(&ed_jwks())).identity(&good_token());
    assert_eq!(identity.issuer_id(), "as");
    assert_eq!(identity.issuer(), ISSUER);
    assert_eq!(identity.subject(), "alice");
    assert_eq!(identity.subject_type(), SubjectType::User);
    assert_eq!(identity.client(), Some("client-1"));
    assert_eq!(identity.scopes().to_string(), "mcp:read mcp:write");
    assert_eq!(identity.expires_at(), NOW + 600);
    assert_eq!(
        identity.claims().get("jti").and_then(|jti| jti.as_str()),
        Some("1")
    );
}

#[test]
fn the_issuer_has_to_be_one_of_the_servers_to_the_character() {
    for iss in [
        json!("https://as.example/realm/"),
        json!("https://AS.example/realm"),
        json!("https://other.example"),
        json!(""),
        json!([ISSUER]),
        json!(1),
        Value::Null,
    ] {
        assert_eq!(
            refusal(&json!({"iss": iss})),
            Some(TokenError::UnknownIssuer),
            "{iss}"
        );
    }
}

#[test]
fn an_issuer_that_the_server_does_not_trust_is_unknown_to_it() {
    let mut other = inline(&ed_jwks());
    other.issuer = "https://other.example".into();
    let mut authenticator = authenticator(vec![inline(&ed_jwks()), other], 10);
    let audiences = [RESOURCE.to_owned()];
    let text = sign(
        HEADER,
        &claims_with(&json!({"iss": "https://other.example"})),
    );
    let mut ask = |issuers: &[usize]| {
        let audience = crate::oauth::Audience {
            server: issuers.len(),
            issuers,
            audiences: &audiences,
        };
        ask(&mut authenticator, &audience, &text, NOW_MS, NOW_MS)
    };
    assert_eq!(
        ask(&[0]),
        crate::oauth::Authentication::Refused(TokenError::UnknownIssuer)
    );
    assert_eq!(
        ask(&[]),
        crate::oauth::Authentication::Refused(TokenError::UnknownIssuer)
    );
    assert!(matches!(
        ask(&[0, 1]),
        crate::oauth::Authentication::Verified(_)
    ));
}

#[test]
fn the_audience_has_to_contain_one_of_the_servers() {
    let accepted = |aud: Value| {
        let mut gate = Gate::new(inline(&ed_jwks()));
        gate.audiences.push("api://gate".to_owned());
        gate.refusal(&sign(HEADER, &claims_with(&json!({"aud": aud}))))
    };
    for aud in [
        json!(RESOURCE),
        json!([RESOURCE]),
        json!(["https://else.example", RESOURCE]),
        json!("api://gate"),
    ] {
        assert_eq!(accepted(aud), None);
    }
    for aud in [
        json!("https://else.example"),
        json!([]),
        json!(format!("{RESOURCE}/")),
        json!(RESOURCE.to_uppercase()),
        json!("https://gate.example"),
        json!(""),
    ] {
        assert_eq!(accepted(aud), Some(TokenError::WrongAudience));
    }
    for aud in [
        json!([RESOURCE, 1]),
        json!([[RESOURCE]]),
        json!(1),
        json!({}),
    ] {
        assert_eq!(accepted(aud), Some(TokenError::InvalidClaim));
    }
    assert_eq!(accepted(Value::Null), Some(TokenError::MissingClaim));
    assert_eq!(
        refusal_of_text("aud", "null"),
        Some(TokenError::InvalidClaim)
    );
}

#[test]
fn a_token_ends_at_exp_plus_the_leeway_and_not_a_second_later() {
    for (exp, expected) in [
        (json!(NOW + 1), None),
        (json!(NOW), None),
        (json!(NOW - 29), None),
        (json!(NOW - 30), Some(TokenError::Expired)),
        (json!(NOW - 31), Some(TokenError::Expired)),
        (json!(0), Some(TokenError::Expired)),
        (json!((NOW - 30) as f64 + 0.5), None),
        (json!((NOW - 31) as f64 + 0.5), Some(TokenError::Expired)),
        (json!(u64::MAX), None),
        (json!(1e300), None),
        (json!(-1), Some(TokenError::InvalidClaim)),
        (json!(-0.5), Some(TokenError::InvalidClaim)),
        (json!(i64::MIN), Some(TokenError::InvalidClaim)),
        (
            json!((NOW + 600).to_string()),
            Some(TokenError::InvalidClaim),
        ),
        (json!([NOW + 600]), Some(TokenError::InvalidClaim)),
        (json!(true), Some(TokenError::InvalidClaim)),
        (Value::Null, Some(TokenError::MissingClaim)),
    ] {
        assert_eq!(refusal(&json!({"exp": exp})), expected, "{exp}");
    }
    assert_eq!(
        refusal_of_text("exp", "null"),
        Some(TokenError::InvalidClaim)
    );
    assert_eq!(refusal_of_text("exp", "1e400"), Some(TokenError::Malformed));
}

#[test]
fn nbf_and_iat_do_not_lie_in_the_future_beyond_the_leeway() {
    for name in ["nbf", "iat"] {
        for (value, expected) in [
            (json!(NOW), None),
            (json!(NOW + 30), None),
            (json!(NOW + 31), Some(TokenError::NotYetValid)),
            (json!(1e300), Some(TokenError::NotYetValid)),
            (json!(0), None),
            (json!(-1), Some(TokenError::InvalidClaim)),
            (json!("1"), Some(TokenError::InvalidClaim)),
        ] {
            assert_eq!(refusal(&json!({name: value})), expected, "{name} {value}");
        }
    }
}

#[test]
fn the_claims_that_rfc_9068_demands_have_to_be_there_and_to_be_what_they_are() {
    for name in ["sub", "client_id", "jti"] {
        assert_eq!(
            refusal(&json!({name: null})),
            Some(TokenError::MissingClaim),
            "{name}"
        );
        for value in [
            json!(""),
            json!(1),
            json!(["x"]),
            json!("a\nb"),
            json!("a\u{0}b"),
        ] {
            assert_eq!(
                refusal(&json!({name: value})),
                Some(TokenError::InvalidClaim),
                "{name}"
            );
        }
        assert_eq!(
            refusal_of_text(name, "null"),
            Some(TokenError::InvalidClaim)
        );
    }
    assert_eq!(
        refusal(&json!({"iat": null})),
        Some(TokenError::MissingClaim)
    );
}

#[test]
fn another_type_does_without_the_claims_of_rfc_9068_but_not_without_the_rest() {
    let header = r#"{"alg":"EdDSA","typ":"JWT","kid":"ed"}"#;
    let ask = |changes: Value| {
        let mut issuer = inline(&ed_jwks());
        issuer.token_types.push("jwt".to_owned());
        let mut claims = claims_with(&json!({"client_id": null, "jti": null, "iat": null}));
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        Gate::new(issuer).refusal(&sign(header, &claims))
    };
    assert_eq!(ask(json!({})), None);
    assert_eq!(ask(json!({"typ": "Bearer"})), None);
    for name in ["exp", "aud", "sub"] {
        assert_eq!(ask(json!({name: null})), Some(TokenError::MissingClaim));
    }
    for other in [
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"events": {}}),
        json!({"htm": "POST", "htu": "https://gate.example"}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
    ] {
        assert_eq!(ask(other.clone()), Some(TokenError::WrongType), "{other}");
    }
}

#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({}),
        json!("x"),
    ] {
        assert_eq!(
            refusal(&json!({"cnf": cnf})),
            Some(TokenError::SenderConstrained)
        );
    }
    assert_eq!(
        refusal_of_text("cnf", "null"),
        Some(TokenError::SenderConstrained)
    );
}

#[test]
fn scopes_come_from_the_first_claim_that_is_there_as_text_or_list() {
    for (changes, expected) in [
        (json!({"scope": "b a"}), "a b"),
        (json!({"scope": "b a", "scp": "c"}), "a b"),
        (json!({"scope": null, "scp": ["c", "d"]}), "c d"),
        (json!({"scope": null, "scp": "c"}), "c"),
        (json!({"scope": null}), ""),
        (json!({"scope": ""}), ""),
    ] {
        let token = sign(HEADER, &claims_with(&changes));
        let identity = Gate::new(inline(&ed_jwks())).identity(&token);
        assert_eq!(identity.scopes().to_string(), expected, "{changes}");
    }
    for scope in [
        json!(1),
        json!({}),
        json!(["a", 1]),
        json!(["a b"]),
        json!([""]),
        json!("a\"b"),
        json!("a\tb"),
        json!("\u{e9}"),
    ] {
        assert_eq!(
            refusal(&json!({"scope": scope})),
            Some(TokenError::InvalidClaim),
            "{scope}"
        );
    }
}

#[test]
fn subject_client_and_kind_of_subject_come_from_the_claims_that_the_entry_names() {
    let mut issuer = inline(&ed_jwks());
    issuer.claims.subject = path("user.name");
    issuer.claims.client = path("azp");
    issuer.claims.subject_type = SubjectTypeSource {
        claim: Some((
            path("kind"),
            vec![("svc".to_owned(), SubjectType::VirtualAccount)],
        )),
        default: SubjectType::ExternalIdentity,
    };
    let ask = |changes: &Value| {
        let mut gate = Gate::new(issuer.clone());
        let token = sign(HEADER, &claims_with(changes));
        let refusal = gate.refusal(&token);
        (refusal, refusal.is_none().then(|| gate.identity(&token)))
    };
    let (_, identity) = ask(&json!({"user": {"name": "bob"}, "azp": "app", "kind": "svc"}));
    let identity = identity.unwrap();
    assert_eq!(identity.subject(), "bob");
    assert_eq!(identity.client(), Some("app"));
    assert_eq!(identity.subject_type(), SubjectType::VirtualAccount);

    let (_, identity) = ask(&json!({"user": {"name": "bob"}}));
    let identity = identity.unwrap();
    assert_eq!(identity.client(), None);
    assert_eq!(identity.subject_type(), SubjectType::ExternalIdentity);

    for (changes, expected) in [
        (json!({}), TokenError::MissingClaim),
        (json!({"user": {"name": ""}}), TokenError::InvalidClaim),
        (json!({"user": {"name": 1}}), TokenError::InvalidClaim),
        (
            json!({"user": {"name": "bob"}, "kind": "robot"}),
            TokenError::InvalidClaim,
        ),
        (
            json!({"user": {"name": "bob"}, "kind": 1}),
            TokenError::InvalidClaim,
        ),
        (
            json!({"user": {"name": "bob"}, "azp": 1}),
            TokenError::InvalidClaim,
        ),
        (
            json!({"user": {"name": "bob"}, "sub": null}),
            TokenError::MissingClaim,
        ),
    ] {
        assert_eq!(ask(&changes).0, Some(expected), "{changes}");
    }
}
