//! Keys over the network: at the start, on a schedule, on demand.

use jwt_simple::prelude::Ed25519KeyPair;
use serde_json::json;

use super::support::*;
use crate::oauth::authentication::{Authentication, Awaited, KeyEventKind};
use crate::oauth::fetch::FetchFailure;
use crate::oauth::issuer::{Issuer, KeySource};
use crate::oauth::token_error::TokenError;

const KEYS: Authentication = Authentication::Pending(Awaited::Keys(0));
const UNKNOWN: Authentication = Authentication::Pending(Awaited::Keys(0));

fn kinds(events: &[crate::oauth::KeyEvent]) -> Vec<KeyEventKind> {
    events.iter().map(|event| event.kind).collect()
}

/// A gate whose keys have been fetched.
fn with_keys(set: &str) -> Gate {
    let mut gate = Gate::new(remote());
    let call = gate.call();
    gate.answer(&call, 200, set);
    gate
}

fn new_key() -> (Ed25519KeyPair, String) {
    let key = Ed25519KeyPair::generate().with_key_id("new");
    let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"new"}"#;
    let token = sign_with(&key, header.as_bytes(), claims().to_string().as_bytes());
    (key, token)
}

#[test]
fn keys_are_fetched_at_the_start_and_a_request_before_them_waits() {
    let mut gate = Gate::new(remote());
    assert_eq!(gate.ask(&good_token()), KEYS);
    let call = gate.call();
    assert_eq!(call.cluster, "as");
    assert_eq!(call.timeout_ms, 2000);
    assert!(call.body.is_empty());
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "as.example"),
        (":path", "/jwks"),
        ("accept", "application/json"),
    ] {
        assert_eq!(header(&call, name), Some(value));
    }
    gate.no_call();
    assert_eq!(gate.ask(&good_token()), KEYS);
    let events = gate.answer(&call, 200, &ed_jwks());
    assert_eq!(&*events[0].issuer_id, "as");
    assert_eq!(
        kinds(&events),
        [KeyEventKind::Loaded {
            usable: 1,
            skipped: 0
        }]
    );
    gate.identity(&good_token());
    gate.no_call();
}

#[test]
fn what_costs_little_is_refused_before_any_key_is_there() {
    let mut gate = Gate::new(remote());
    for (token, expected) in [
        ("x".to_owned(), TokenError::Malformed),
        (
            sign(HEADER, &claims_with(&json!({"exp": 1}))),
            TokenError::Expired,
        ),
        (
            sign(HEADER, &claims_with(&json!({"aud": "x"}))),
            TokenError::WrongAudience,
        ),
        (
            sign(HEADER, &claims_with(&json!({"iss": "x"}))),
            TokenError::UnknownIssuer,
        ),
        (
            sign(r#"{"alg":"none","typ":"at+jwt"}"#, &claims()),
            TokenError::Algorithm,
        ),
        (
            sign(r#"{"alg":"EdDSA","typ":"jwt"}"#, &claims()),
            TokenError::WrongType,
        ),
    ] {
        assert_eq!(gate.refusal(&token), Some(expected));
    }
}

#[test]
fn a_failed_first_fetch_is_tried_again_later_and_later_but_soon_if_someone_waits() {
    let mut gate = Gate::new(remote());
    let token = sign(HEADER, &claims_with(&json!({"exp": NOW + 7200})));
    for pause in [10, 20, 40, 80, 160, 300, 300] {
        let call = gate.call();
        let events = gate
            .authenticator
            .answered(call.id, None, gate.now_ms)
            .events;
        assert_eq!(
            kinds(&events),
            [KeyEventKind::KeysFailed(FetchFailure::NoAnswer)]
        );
        gate.now_ms += pause * 1000 - 1;
        gate.no_call();
        gate.now_ms += 1;
    }
    let call = gate.call();
    gate.authenticator.answered(call.id, None, gate.now_ms);
    assert_eq!(gate.ask(&token), KEYS);
    gate.now_ms += 9_999;
    gate.no_call();
    gate.now_ms += 1;
    let call = gate.call();
    gate.answer(&call, 200, &ed_jwks());
    gate.identity(&token);
}

#[test]
fn keys_are_refreshed_in_the_background_and_the_old_ones_stay_when_that_fails() {
    let mut gate = with_keys(&ed_jwks());
    gate.now_ms += 299_999;
    gate.no_call();
    gate.now_ms += 1;
    for (status, body, failure) in [
        (500, "", FetchFailure::Status(500)),
        (204, "", FetchFailure::Status(204)),
        (302, "", FetchFailure::Status(302)),
        (200, "<html>", FetchFailure::Malformed),
        (200, "{}", FetchFailure::Malformed),
        (200, r#"{"keys":[]}"#, FetchFailure::NoUsableKey),
        (
            200,
            r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
            FetchFailure::NoUsableKey,
        ),
        (200, r#"{"keys":[],"keys":[]}"#, FetchFailure::Malformed),
        (200, &" ".repeat(600_000), FetchFailure::TooLarge),
    ] {
        let call = gate.call();
        let token = sign(
            HEADER,
            &claims_with(&json!({"exp": gate.now_ms / 1000 + 60})),
        );
        gate.identity(&token);
        let events = gate.answer(&call, status, body);
        assert_eq!(kinds(&events), [KeyEventKind::KeysFailed(failure)]);
        gate.identity(&token);
        gate.now_ms += 300_000;
    }
}

#[test]
fn one_fetch_is_under_way_at_a_time_and_only_its_own_answer_counts() {
    let mut gate = Gate::new(remote());
    let call = gate.call();
    gate.now_ms += 31_000;
    gate.no_call();
    // Nobody ever reported on the call: it is given up.
    gate.now_ms += 1_001;
    let second = gate.call();
    assert_ne!(call.id, second.id);
    assert!(gate.answer(&call, 200, &ed_jwks()).is_empty());
    assert_eq!(gate.ask(&good_token()), KEYS);
    gate.answer(&second, 200, &ed_jwks());
    gate.identity(&good_token());
    assert!(gate.answer(&second, 200, &ed_jwks()).is_empty());
}

#[test]
fn a_rotation_is_seen_by_the_unknown_kid_without_a_failed_request() {
    let mut gate = with_keys(&ed_jwks());
    let (key, token) = new_key();
    gate.now_ms += 60_000;
    let arrived = gate.now_ms;
    assert_eq!(gate.ask(&token), UNKNOWN);
    let call = gate.call();
    assert_eq!(gate.ask_since(&token, arrived), UNKNOWN);
    gate.identity(&good_token());
    let both = jwks(&[ed_key().public_key().to_jwk(), key.public_key().to_jwk()]);
    gate.answer(&call, 200, &both);
    assert!(matches!(
        gate.ask_since(&token, arrived),
        Authentication::Verified(_)
    ));
}

#[test]
fn an_unknown_kid_is_refused_after_a_fetch_that_began_after_it_came() {
    let mut gate = with_keys(&ed_jwks());
    let (_, token) = new_key();
    gate.now_ms += 60_000;
    let arrived = gate.now_ms;
    assert_eq!(gate.ask(&token), UNKNOWN);
    let call = gate.call();
    gate.now_ms += 5;
    // This one came while the fetch was under way.
    let later = gate.now_ms;
    assert_eq!(gate.ask(&token), UNKNOWN);
    gate.answer(&call, 200, &ed_jwks());
    assert_eq!(
        gate.ask_since(&token, arrived),
        Authentication::Refused(TokenError::UnknownKey)
    );
    assert_eq!(gate.ask_since(&token, later), UNKNOWN);
    // It brings about one more fetch, but not before its time.
    gate.no_call();
    gate.now_ms = arrived + 10_000;
    let call = gate.call();
    gate.authenticator.answered(call.id, None, gate.now_ms);
    assert_eq!(gate.ask_since(&token, later), Authentication::Unavailable);
    gate.identity(&good_token());
}

#[test]
fn unknown_kids_do_not_bring_about_more_fetches_than_the_schedule_allows() {
    let mut gate = with_keys(&ed_jwks());
    let mut calls = 0;
    let end = gate.now_ms + 100_000;
    while gate.now_ms < end {
        let header = format!(
            r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"k{}"}}"#,
            gate.now_ms
        );
        gate.ask(&sign(&header, &claims()));
        for call in gate.due() {
            calls += 1;
            gate.answer(&call, 200, &ed_jwks());
        }
        gate.now_ms += 500;
    }
    assert_eq!(calls, 9);
}

#[test]
fn an_unknown_kid_that_may_not_be_asked_about_in_time_is_refused_at_once() {
    let mut issuer = remote();
    let Some(KeySource::Jwks { schedule, .. }) = &mut issuer.keys else {
        panic!("an issuer with a key set at an address");
    };
    schedule.retry_seconds = KEY_WAIT_MS / 1000 + 5;
    let mut gate = Gate::new(issuer);
    let call = gate.call();
    gate.answer(&call, 200, &ed_jwks());
    let (key, token) = new_key();
    gate.now_ms += 1000;
    assert_eq!(gate.refusal(&token), Some(TokenError::UnknownKey));
    gate.no_call();
    // It is asked about all the same, as soon as that is allowed.
    gate.now_ms += KEY_WAIT_MS + 4000;
    let call = gate.call();
    let both = jwks(&[ed_key().public_key().to_jwk(), key.public_key().to_jwk()]);
    gate.answer(&call, 200, &both);
    gate.identity(&token);
}

#[test]
fn a_key_without_a_name_that_stands_in_does_not_hide_that_one_is_missing() {
    let nameless = Ed25519KeyPair::generate().public_key().to_jwk();
    let mut gate = with_keys(&jwks(&[ed_key().public_key().to_jwk(), nameless.clone()]));
    let (key, token) = new_key();
    gate.now_ms += 60_000;
    let arrived = gate.now_ms;
    assert_eq!(gate.ask(&token), UNKNOWN);
    let call = gate.call();
    let all = [
        ed_key().public_key().to_jwk(),
        nameless,
        key.public_key().to_jwk(),
    ];
    gate.answer(&call, 200, &jwks(&all));
    assert!(matches!(
        gate.ask_since(&token, arrived),
        Authentication::Verified(_)
    ));
    let mallory = Ed25519KeyPair::generate().with_key_id("made-up");
    let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"made-up"}"#;
    let forged = sign_with(&mallory, header.as_bytes(), claims().to_string().as_bytes());
    gate.now_ms += 60_000;
    let arrived = gate.now_ms;
    assert_eq!(gate.ask(&forged), UNKNOWN);
    let call = gate.call();
    gate.answer(&call, 200, &jwks(&all));
    assert_eq!(
        gate.ask_since(&forged, arrived),
        Authentication::Refused(TokenError::BadSignature)
    );
}

#[test]
fn a_wrong_signature_under_a_known_kid_brings_about_no_fetch() {
    let mut gate = with_keys(&ed_jwks());
    gate.now_ms += 60_000;
    let mallory = Ed25519KeyPair::generate();
    let token = sign_with(&mallory, HEADER.as_bytes(), claims().to_string().as_bytes());
    assert_eq!(gate.refusal(&token), Some(TokenError::BadSignature));
    gate.no_call();
}

#[test]
fn a_wrong_signature_without_a_kid_is_refused_at_once_and_brings_newer_keys() {
    let mut gate = with_keys(&ed_jwks());
    gate.now_ms += 60_000;
    let (key, _) = new_key();
    let token = sign_with(
        &key,
        br#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        claims().to_string().as_bytes(),
    );
    assert_eq!(gate.refusal(&token), Some(TokenError::BadSignature));
    let call = gate.call();
    gate.answer(&call, 200, &jwks(&[key.public_key().to_jwk()]));
    gate.identity(&token);
}

#[test]
fn tokens_of_a_key_that_went_away_are_forgotten() {
    let mut gate = with_keys(&ed_jwks());
    let (key, token) = new_key();
    gate.identity(&good_token());
    // A key more takes nothing away.
    gate.now_ms += 300_000;
    let call = gate.call();
    let both = jwks(&[ed_key().public_key().to_jwk(), key.public_key().to_jwk()]);
    gate.answer(&call, 200, &both);
    gate.identity(&good_token());
    gate.identity(&token);
    gate.now_ms += 299_000;
    gate.identity(&token);
    gate.now_ms += 1_000;
    let call = gate.call();
    gate.answer(&call, 200, &jwks(&[key.public_key().to_jwk()]));
    gate.now_ms += 1;
    let since = gate.now_ms;
    assert_eq!(gate.ask_since(&good_token(), since), UNKNOWN);
    gate.identity(&token);
}

#[test]
fn a_key_replaced_under_its_own_name_ends_the_tokens_of_the_old_one() {
    let mut gate = with_keys(&ed_jwks());
    gate.identity(&good_token());
    gate.now_ms += 300_000;
    let call = gate.call();
    let other = Ed25519KeyPair::generate().with_key_id("ed");
    gate.answer(&call, 200, &jwks(&[other.public_key().to_jwk()]));
    assert_eq!(gate.refusal(&good_token()), Some(TokenError::BadSignature));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_refresh() {
    let mut gate = with_keys(&ed_jwks());
    gate.now_ms -= 100_000_000;
    let call = gate.call();
    gate.answer(&call, 200, &ed_jwks());
    gate.no_call();
    gate.now_ms += 300_000;
    gate.call();
}

// === discovery ===

fn discovered(issuer: &str) -> Issuer {
    Issuer {
        issuer: issuer.into(),
        ..issuer_with(Some(KeySource::Discovery {
            cluster: "as".to_owned(),
            schedule: SCHEDULE,
        }))
    }
}

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string()
}

#[test]
fn metadata_is_looked_for_in_the_three_places_in_order() {
    let mut gate = Gate::new(discovered(ISSUER));
    for path in [
        "/.well-known/oauth-authorization-server/realm",
        "/realm/.well-known/openid-configuration",
    ] {
        let call = gate.call();
        assert_eq!(header(&call, ":path"), Some(path));
        assert_eq!(header(&call, ":authority"), Some("as.example"));
        assert!(gate.answer(&call, 404, "").is_empty());
    }
    let call = gate.call();
    assert_eq!(
        header(&call, ":path"),
        Some("/.well-known/openid-configuration/realm")
    );
    let found = metadata(ISSUER, "https://keys.example:8443/set?v=1");
    assert!(gate.answer(&call, 200, &found).is_empty());
    let call = gate.call();
    assert_eq!(header(&call, ":authority"), Some("keys.example:8443"));
    assert_eq!(header(&call, ":path"), Some("/set?v=1"));
    assert_eq!(call.cluster, "as");
    assert_eq!(gate.answer(&call, 200, &ed_jwks()).len(), 1);
    gate.identity(&good_token());
    gate.no_call();
}

#[test]
fn an_issuer_without_a_path_has_two_places_and_a_slash_at_its_end_is_not_doubled() {
    for issuer in ["https://as.example", "https://as.example/"] {
        let mut gate = Gate::new(discovered(issuer));
        let call = gate.call();
        assert_eq!(
            header(&call, ":path"),
            Some("/.well-known/oauth-authorization-server")
        );
        gate.answer(&call, 404, "");
        let call = gate.call();
        assert_eq!(
            header(&call, ":path"),
            Some("/.well-known/openid-configuration")
        );
        assert_eq!(
            kinds(&gate.answer(&call, 404, "")),
            [KeyEventKind::KeysFailed(FetchFailure::Status(404))]
        );
        gate.no_call();
    }
}

#[test]
fn metadata_of_another_issuer_or_with_a_bad_address_gives_no_keys() {
    for (body, failure) in [
        (
            metadata("https://as.example/realm/", "https://as.example/k"),
            FetchFailure::WrongIssuer,
        ),
        (
            metadata("https://mallory.example", "https://as.example/k"),
            FetchFailure::WrongIssuer,
        ),
        (
            json!({"jwks_uri": "https://as.example/k"}).to_string(),
            FetchFailure::WrongIssuer,
        ),
        (
            json!({"issuer": ISSUER}).to_string(),
            FetchFailure::KeySetAddress,
        ),
        (
            metadata(ISSUER, "http://as.example/k"),
            FetchFailure::KeySetAddress,
        ),
        (
            metadata(ISSUER, "ftp://as.example/k"),
            FetchFailure::KeySetAddress,
        ),
        (metadata(ISSUER, "/k"), FetchFailure::KeySetAddress),
        (
            metadata(ISSUER, "https://u:p@as.example/k"),
            FetchFailure::KeySetAddress,
        ),
        (
            metadata(ISSUER, "https://as.example/k#f"),
            FetchFailure::KeySetAddress,
        ),
        (
            metadata(ISSUER, &format!("https://as.example/{}", "k".repeat(3000))),
            FetchFailure::KeySetAddress,
        ),
        ("[]".to_owned(), FetchFailure::Malformed),
        ("x".to_owned(), FetchFailure::Malformed),
    ] {
        let mut gate = Gate::new(discovered(ISSUER));
        let mut events = Vec::new();
        for _ in 0..3 {
            assert!(events.is_empty());
            let call = gate.call();
            events = gate.answer(&call, 200, &body);
        }
        assert_eq!(kinds(&events), [KeyEventKind::KeysFailed(failure)]);
        assert_eq!(gate.ask(&good_token()), KEYS);
    }
}

#[test]
fn an_issuer_on_loopback_may_have_its_keys_under_http() {
    let issuer = "http://127.0.0.1:9000";
    let mut gate = Gate::new(discovered(issuer));
    let call = gate.call();
    assert_eq!(header(&call, ":authority"), Some("127.0.0.1:9000"));
    gate.answer(&call, 200, &metadata(issuer, "http://127.0.0.1:9000/jwks"));
    let call = gate.call();
    assert_eq!(header(&call, ":scheme"), Some("http"));
    gate.answer(&call, 200, &ed_jwks());
    gate.identity(&sign(HEADER, &claims_with(&json!({"iss": issuer}))));
}

#[test]
fn no_answer_to_the_first_question_ends_the_attempt() {
    let mut gate = Gate::new(discovered(ISSUER));
    let call = gate.call();
    let events = gate
        .authenticator
        .answered(call.id, None, gate.now_ms)
        .events;
    assert_eq!(
        kinds(&events),
        [KeyEventKind::KeysFailed(FetchFailure::NoAnswer)]
    );
    gate.no_call();
}
