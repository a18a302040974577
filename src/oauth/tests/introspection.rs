//! Opaque tokens.

use serde_json::{Value, json};

use super::support::*;
use crate::oauth::authentication::{Audience, Authentication, Awaited, KeyEventKind};
use crate::oauth::fetch::FetchFailure;
use crate::oauth::issuer::KeySource;
use crate::oauth::token_error::TokenError;

fn is_pending(answer: &Authentication) -> bool {
    matches!(answer, Authentication::Pending(Awaited::Introspection(_)))
}

fn active() -> Value {
    json!({
        "active": true, "sub": "alice", "aud": RESOURCE, "exp": NOW + 600,
        "client_id": "client-1", "scope": "mcp:read", "token_type": "Bearer",
    })
}

/// What a token is worth after this answer.
fn after(status: u16, body: &str) -> Authentication {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    gate.answer(&call, status, body);
    gate.ask("opaque")
}

fn after_change(changes: Value) -> Option<TokenError> {
    let mut answer = active();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            answer.as_object_mut().unwrap().remove(name);
        } else {
            answer[name] = value.clone();
        }
    }
    match after(200, &answer.to_string()) {
        Authentication::Refused(error) => Some(error),
        Authentication::Verified(_) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_issuer_is_asked_as_rfc_7662_says_with_the_gates_own_credentials() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("a+b/c==")));
    let call = gate.call();
    assert_eq!(call.cluster, "as");
    assert_eq!(call.timeout_ms, 1000);
    for (name, value) in [
        (":method", "POST"),
        (":authority", "as.example"),
        (":path", "/introspect"),
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        // "the+gate:s%26cret%2F%2B"
        ("authorization", "Basic dGhlK2dhdGU6cyUyNmNyZXQlMkYlMkI="),
    ] {
        assert_eq!(header(&call, name), Some(value), "{name}");
    }
    assert_eq!(
        call.body,
        b"token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token"
    );
    let printed = format!("{call:?} {:?}", gate.authenticator);
    assert!(!printed.contains("a+b") && !printed.contains("Basic") && !printed.contains("s&cret"));
}

#[test]
fn an_active_token_becomes_an_identity() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    assert!(gate.answer(&call, 200, &active().to_string()).is_empty());
    let identity = gate.identity("opaque");
    assert_eq!(identity.issuer(), ISSUER);
    assert_eq!(identity.subject(), "alice");
    assert_eq!(identity.client(), Some("client-1"));
    assert_eq!(identity.scopes().to_string(), "mcp:read");
    assert_eq!(identity.expires_at(), NOW + 600);
    gate.no_call();
}

#[test]
fn the_answer_has_to_say_all_that_a_jwt_would() {
    assert_eq!(after_change(json!({})), None);
    assert_eq!(after_change(json!({"iss": ISSUER})), None);
    assert_eq!(after_change(json!({"token_type": null})), None);
    assert_eq!(after_change(json!({"token_type": "bearer"})), None);
    for (changes, expected) in [
        (json!({"active": false}), TokenError::Inactive),
        (json!({"sub": null}), TokenError::MissingClaim),
        (json!({"aud": null}), TokenError::MissingClaim),
        (json!({"exp": null}), TokenError::MissingClaim),
        (json!({"exp": "1"}), TokenError::InvalidClaim),
        (json!({"exp": NOW - 30}), TokenError::Expired),
        (json!({"nbf": NOW + 31}), TokenError::NotYetValid),
        (
            json!({"aud": "https://else.example"}),
            TokenError::WrongAudience,
        ),
        (json!({"aud": [RESOURCE, 1]}), TokenError::InvalidClaim),
        (
            json!({"iss": "https://else.example"}),
            TokenError::UnknownIssuer,
        ),
        (json!({"iss": 1}), TokenError::UnknownIssuer),
        (json!({"token_type": "DPoP"}), TokenError::WrongType),
        (json!({"token_type": 1}), TokenError::InvalidClaim),
        (json!({"cnf": {"jkt": "x"}}), TokenError::SenderConstrained),
        (json!({"scope": "\u{e9}"}), TokenError::InvalidClaim),
    ] {
        assert_eq!(after_change(changes.clone()), Some(expected), "{changes}");
    }
}

#[test]
fn an_answer_that_says_nothing_is_no_word_on_the_token() {
    let yes = active().to_string();
    let huge = format!("{yes}{}", " ".repeat(300_000));
    for (status, body) in [
        (500, yes.as_str()),
        (401, r#"{"active":false}"#),
        (302, ""),
        (204, ""),
        (200, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, "[]"),
        (200, "true"),
        (200, r#"{"active":"true"}"#),
        (200, r#"{"active":1}"#),
        (200, r#"{"active":null}"#),
        (200, r#"{"active":false,"active":true}"#),
        (200, &huge),
    ] {
        assert_eq!(
            after(status, body),
            Authentication::Unavailable,
            "{body:.40}"
        );
    }
}

#[test]
fn one_call_is_made_however_many_wait_and_all_of_them_see_a_failure() {
    let mut gate = Gate::new(introspecting(60));
    for _ in 0..50 {
        assert!(is_pending(&gate.ask("opaque")));
    }
    let arrived = gate.now_ms;
    let call = gate.call();
    for _ in 0..50 {
        assert!(is_pending(&gate.ask("opaque")));
    }
    gate.no_call();
    gate.now_ms += 500;
    let events = gate
        .authenticator
        .answered(call.id, None, gate.now_ms)
        .events;
    assert_eq!(
        events[0].kind,
        KeyEventKind::IntrospectionFailed(FetchFailure::NoAnswer)
    );
    gate.now_ms += 999;
    assert_eq!(gate.ask("opaque"), Authentication::Unavailable);
    gate.now_ms += 5000;
    assert_eq!(
        gate.ask_since("opaque", arrived),
        Authentication::Unavailable
    );
    gate.no_call();
    assert!(is_pending(&gate.ask("opaque")));
    gate.call();
}

#[test]
fn an_active_token_is_remembered_for_a_while_and_never_beyond_its_end() {
    for (cache_seconds, left, remembered) in [(60, 600, 60), (60, 20, 20), (0, 600, 0)] {
        let mut gate = Gate::new(introspecting(cache_seconds));
        let arrived = gate.now_ms;
        assert!(is_pending(&gate.ask("opaque")));
        let call = gate.call();
        gate.now_ms += 1;
        let mut answer = active();
        answer["exp"] = json!(NOW + left);
        gate.answer(&call, 200, &answer.to_string());
        // Whoever waited for it gets it, also where nothing is remembered.
        assert!(matches!(
            gate.ask_since("opaque", arrived),
            Authentication::Verified(_)
        ));
        if remembered > 0 {
            gate.now_ms = NOW_MS + remembered * 1000 - 1;
            gate.identity("opaque");
        }
        gate.now_ms = NOW_MS + remembered * 1000 + 2;
        assert!(is_pending(&gate.ask("opaque")));
        gate.call();
    }
}

#[test]
fn an_old_request_does_not_prolong_an_answer() {
    let mut gate = Gate::new(introspecting(60));
    let arrived = gate.now_ms;
    gate.ask("opaque");
    let call = gate.call();
    gate.answer(&call, 200, &active().to_string());
    gate.now_ms += 60_000;
    assert!(is_pending(&gate.ask_since("opaque", arrived)));
}

#[test]
fn a_refusal_is_remembered_shortly() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    gate.answer(&call, 200, r#"{"active":false}"#);
    gate.now_ms += 4_999;
    assert_eq!(gate.refusal("opaque"), Some(TokenError::Inactive));
    gate.now_ms += 1;
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    gate.answer(
        &call,
        200,
        &json!({"active": true, "sub": "a", "aud": RESOURCE, "exp": NOW + 60}).to_string(),
    );
    gate.identity("opaque");
}

#[test]
fn an_answer_counts_for_each_server_by_its_own_audience() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    gate.answer(&call, 200, &active().to_string());
    gate.identity("opaque");
    let audience = Audience {
        server: 1,
        issuers: &[0],
        audiences: &["https://gate.example/other".to_owned()],
    };
    assert_eq!(
        ask(&mut gate.authenticator, &audience, "opaque", NOW_MS, NOW_MS),
        Authentication::Refused(TokenError::WrongAudience)
    );
}

#[test]
fn as_many_tokens_wait_as_the_bound_allows_and_no_more() {
    let mut gate = Gate::new(introspecting(60));
    for n in 0..1000 {
        assert!(is_pending(&gate.ask(&format!("t{n}"))));
    }
    assert_eq!(gate.ask("one-more"), Authentication::Unavailable);
    let calls = gate.due();
    assert_eq!(calls.len(), 1000);
    assert_eq!(gate.ask("one-more"), Authentication::Unavailable);
    gate.answer(&calls[7], 200, &active().to_string());
    gate.identity("t7");
    assert!(is_pending(&gate.ask("one-more")));
}

#[test]
fn a_lost_call_is_given_up() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask("opaque")));
    let lost = gate.call();
    gate.now_ms += 31_000;
    gate.no_call();
    gate.now_ms += 1;
    assert!(gate.authenticator.has_due(gate.now_ms));
    assert!(gate.due().is_empty());
    gate.no_call();
    assert!(is_pending(&gate.ask("opaque")));
    let call = gate.call();
    gate.answer(&lost, 200, &active().to_string());
    assert!(is_pending(&gate.ask("opaque")));
    gate.answer(&call, 200, &active().to_string());
    gate.identity("opaque");
}

#[test]
fn floods_of_refused_tokens_do_not_push_out_active_ones() {
    let mut gate = Gate::new(introspecting(3600));
    gate.ask("opaque");
    let call = gate.call();
    gate.answer(&call, 200, &active().to_string());
    for n in 0..20_000 {
        gate.ask(&format!("t{n}"));
        for call in gate.due() {
            gate.answer(&call, 200, r#"{"active":false}"#);
        }
    }
    gate.identity("opaque");
}

#[test]
fn a_jwt_of_an_issuer_without_keys_is_asked_about_and_one_with_keys_is_not() {
    let mut gate = Gate::new(introspecting(60));
    assert!(is_pending(&gate.ask(&good_token())));

    let mut issuer = introspecting(60);
    issuer.keys = Some(KeySource::Inline(json(&ed_jwks())));
    let mut gate = Gate::new(issuer);
    gate.identity(&good_token());
    let stranger = sign(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"x"}"#, &claims());
    assert_eq!(gate.refusal(&stranger), Some(TokenError::UnknownKey));
    gate.no_call();
    assert!(is_pending(&gate.ask("opaque")));
}

#[test]
fn an_opaque_token_needs_exactly_one_issuer_that_could_be_asked() {
    let audiences = [RESOURCE.to_owned()];
    let mut other = introspecting(60);
    other.issuer = "https://other.example".into();
    let mut authenticator = authenticator(vec![introspecting(60), other, inline(&ed_jwks())], 10);
    let mut ask = |issuers: &[usize]| {
        let audience = Audience {
            server: 0,
            issuers,
            audiences: &audiences,
        };
        ask(&mut authenticator, &audience, "opaque", NOW_MS, NOW_MS)
    };
    let malformed = Authentication::Refused(TokenError::Malformed);
    assert_eq!(ask(&[2]), malformed);
    assert_eq!(ask(&[0, 1]), malformed);
    assert_eq!(ask(&[]), malformed);
    assert_eq!(ask(&[9]), malformed);
    assert!(is_pending(&ask(&[2, 1])));
}
