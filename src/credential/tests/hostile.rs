//! Whatever a token service answers is a credential that was checked, or
//! none.

use proptest::prelude::*;

use super::*;

fn fails_closed(service: TokenService, status: u16, body: &[u8]) {
    let mut desk = Desk::new(service);
    desk.ask();
    let call = desk.call();
    let settled = desk.settle(&call, Some(FetchAnswer::new(status, body)));
    match desk.ask() {
        Known::Ready(credential) => {
            assert_eq!(status, 200);
            assert!(!credential.headers().is_empty());
            for (name, value) in credential.headers() {
                assert!(["authorization", "x-api-key"].contains(&&**name));
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
        Known::Refused(_) => assert!(settled.event.is_some()),
        Known::Pending(_) => assert_eq!(settled.awaited, None),
    }
}

/// Answers that are nearly right.
fn answers() -> Vec<Value> {
    vec![
        authenticated("t", "1", 60),
        consent(),
        error("access_denied"),
        error("refresh_in_progress"),
        json!({"status": "authentication_not_required", "cache_ttl_s": 1}),
        json!({"access_token": "t", "token_type": "Bearer", "expires_in": 60}),
        json!({"error": "consent_required", "error_uri": URL}),
    ]
}

fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("a\r\nb: c"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([[]]),
        json!({}),
        json!([{"name": "host", "value": "x"}]),
        json!([{"name": "authorization", "value": "a\nb"}]),
        json!([{"name": "authorization"}]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_fail_closed(status in 100_u16..600, body: Vec<u8>) {
        fails_closed(vault(), status, &body);
        fails_closed(sts(), status, &body);
    }

    #[test]
    fn a_changed_answer_fails_closed(
        answer in prop::sample::select(answers()),
        value in prop::sample::select(odd_values()),
        place: prop::sample::Index,
        status in prop::sample::select(vec![200_u16, 400, 401, 403, 404, 409, 429, 500, 502, 503]),
        remove: bool,
    ) {
        let mut answer = answer;
        let members = answer.as_object_mut().unwrap();
        let name = place.get(&members.keys().cloned().collect::<Vec<_>>()).clone();
        if remove {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
        let body = answer.to_string();
        fails_closed(vault(), status, body.as_bytes());
        fails_closed(sts(), status, body.as_bytes());
    }

    #[test]
    fn an_answer_that_is_cut_off_fails_closed(
        answer in prop::sample::select(answers()), length: prop::sample::Index,
    ) {
        let body = answer.to_string();
        let cut = &body.as_bytes()[..length.index(body.len())];
        for service in [vault(), sts()] {
            let mut desk = Desk::new(service);
            desk.ask();
            let call = desk.call();
            desk.settle(&call, Some(FetchAnswer::new(200, cut)));
            prop_assert_eq!(desk.ask(), Known::Refused(CredentialFailure::Unavailable));
        }
    }
}

#[test]
fn an_answer_over_the_limit_is_not_read() {
    let mut body = authenticated("t", "1", 60);
    body["padding"] = "x".repeat(64 * 1024).into();
    let mut desk = Desk::new(vault());
    desk.ask();
    let call = desk.call();
    let settled = desk.answer(&call, 200, &body);
    assert_eq!(settled.event.unwrap().problem, AnswerProblem::TooLarge);
    assert_eq!(desk.ask(), Known::Refused(CredentialFailure::Unavailable));
}

#[test]
fn a_member_that_comes_twice_refuses_the_answer() {
    let body = authenticated("t", "1", 60).to_string();
    let body = body.replacen('{', r#"{"status":"authentication_not_required","#, 1);
    let mut desk = Desk::new(vault());
    desk.ask();
    let call = desk.call();
    desk.settle(&call, Some(FetchAnswer::new(200, body.as_bytes())));
    assert_eq!(desk.ask(), Known::Refused(CredentialFailure::Unavailable));
}

#[test]
fn nothing_of_an_answer_is_in_the_log() {
    for service in [vault(), sts()] {
        for status in [200, 400, 403, 500] {
            let mut desk = Desk::new(service.clone());
            desk.ask();
            let call = desk.call();
            let body = json!({"error": {"code": "hunter2", "message": "hunter2"}});
            let settled = desk.answer(&call, status, &body);
            assert!(!settled.event.unwrap().to_string().contains("hunter2"));
        }
    }
}

#[test]
fn the_users_own_token_is_no_credential() {
    for token in ["the-token", "opaque/token+1=="] {
        for value in [
            "TOKEN",
            "Bearer TOKEN",
            "bearer \tTOKEN",
            "Token token=\"TOKEN\", nonce=\"1\"",
            "session=TOKEN; a=b",
            "alice:TOKEN",
        ] {
            let value = value.replace("TOKEN", token);
            for name in ["authorization", "x-api-key"] {
                let mut desk = Desk::new(vault());
                desk.token = token.to_owned();
                let mut body = authenticated("up-1", "v1", 60);
                body["headers"] = json!([{"name": name, "value": value}]);
                assert_eq!(
                    desk.after(200, &body),
                    Known::Refused(CredentialFailure::Configuration),
                    "{value}"
                );
            }
        }
        let mut desk = Desk::new(sts());
        desk.token = token.to_owned();
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 60});
        let arrived_ms = desk.now_ms;
        desk.ask();
        let call = desk.call();
        let settled = desk.answer(&call, 200, &body);
        assert_eq!(
            settled.event.unwrap().problem,
            AnswerProblem::Header(HeaderProblem::SubjectToken)
        );
        assert_eq!(
            desk.ask_again(arrived_ms),
            Known::Refused(CredentialFailure::Configuration)
        );
    }
}

#[test]
fn a_credential_that_only_resembles_the_users_token_is_one() {
    for value in [
        "Bearer the-token2",
        "Bearer a.the-token",
        "the-toke",
        "THE-TOKEN",
    ] {
        let mut desk = Desk::new(vault());
        let mut body = authenticated("up-1", "v1", 60);
        body["headers"] = json!([{"name": "authorization", "value": value}]);
        assert!(matches!(desk.after(200, &body), Known::Ready(_)), "{value}");
    }
}
