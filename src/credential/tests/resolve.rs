use super::*;

#[test]
fn the_call_says_who_what_and_for_which_request() {
    let mut desk = Desk::new(vault());
    desk.ask();
    let call = desk.call();
    assert_eq!(call.cluster, "token-service");
    assert_eq!(call.timeout_ms, 5000);
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "127.0.0.1:8082"),
        (":path", "/v1/credentials/resolve"),
        ("authorization", "Bearer filter-key"),
        ("content-type", "application/json"),
        ("x-request-id", "request-1"),
    ] {
        assert_eq!(header(&call, name), Some(value), "{name}");
    }
    assert_eq!(
        json_of(&call),
        json!({
            "server_id": "notes",
            "subject": {"type": "user", "iss": "https://issuer.example", "id": "alice"},
            "subject_token": "the-token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "operation": {"method": "tools/call", "name": "add-note"},
            "request_id": "request-1",
        })
    );
    assert!(!format!("{call:?}{:?}", desk.store).contains("the-token"));
}

#[test]
fn what_a_client_chooses_cannot_make_a_question_that_is_refused() {
    let endless = "x".repeat(60_000);
    for id in [
        "a/b",
        "Root=1-67891233",
        "YWJj+ZGVm/w==",
        "",
        " ",
        &"a".repeat(129),
    ] {
        let mut desk = Desk::new(vault());
        desk.request_id = id.to_owned();
        desk.operation = ("resources/read".to_owned(), Some(endless.clone()));
        assert!(desk.must_ask());
        let call = desk.call();
        let question = json_of(&call);
        assert_eq!(question.get("request_id"), None, "{id:?}");
        assert_eq!(header(&call, "x-request-id"), None, "{id:?}");
        assert_eq!(question["operation"], json!({"method": "resources/read"}));
    }
    let mut desk = Desk::new(vault());
    desk.operation = (endless, None);
    assert!(desk.must_ask());
    assert_eq!(json_of(&desk.call()).get("operation"), None);
}

#[test]
fn a_credential_is_given_and_not_printed() {
    let mut desk = Desk::new(vault());
    let mut body = authenticated("secret-1", "17", 60);
    body["headers"] = json!([
        {"name": "Authorization", "value": "Bearer secret-1"},
        {"name": "X-API-Key", "value": "key 2"},
    ]);
    let Known::Ready(credential) = desk.after(200, &body) else {
        panic!("a credential");
    };
    assert_eq!(
        credential.headers(),
        [
            ("authorization".into(), "Bearer secret-1".into()),
            ("x-api-key".into(), "key 2".into()),
        ]
    );
    assert_eq!(credential.version(), Some("17"));
    let printed = format!("{credential:?} {:?}", desk.store);
    assert!(!printed.contains("secret-1") && !printed.contains("key 2"));
}

#[test]
fn a_server_that_needs_none_gets_none() {
    let mut desk = Desk::new(vault());
    let body = json!({"status": "authentication_not_required", "reason": "r", "cache_ttl_s": 300});
    assert_eq!(desk.after(200, &body), Known::NotNeeded);
    desk.now_ms += 59_999;
    assert_eq!(desk.ask(), Known::NotNeeded);
    desk.now_ms += 1;
    assert!(desk.must_ask());
}

#[test]
fn a_missing_consent_comes_with_all_that_a_client_may_need() {
    for status in [200, 403] {
        let Known::Consent(needed) = Desk::new(vault()).after(status, &consent()) else {
            panic!("consent");
        };
        assert_eq!(
            *needed,
            ConsentNeeded {
                url: Some(URL.to_owned()),
                reason: Some("invalid_grant".to_owned()),
                elicitation_id: Some("e-1".to_owned()),
                auth_type: AuthType::OAuth,
                app_uuid: None,
                expires_in: Some(600),
            }
        );
        assert!(!format!("{needed:?}").contains("Yk3"));
    }
    let app = json!({
        "status": "authentication_required",
        "detail": {"authType": "direct_auth", "appUuid": "0b1c"},
    });
    let Known::Consent(needed) = Desk::new(vault()).after(403, &app) else {
        panic!("consent");
    };
    assert_eq!(needed.auth_type, AuthType::DirectAuth);
    assert_eq!(needed.app_uuid.as_deref(), Some("0b1c"));
    assert_eq!(needed.url, None);
}

#[test]
fn each_error_means_what_the_contract_says() {
    use CredentialFailure as F;
    for (status, code, failure) in [
        (400, "invalid_request", F::Configuration),
        (400, "invalid_target", F::Configuration),
        (400, "invalid_subject_token", F::InvalidSubjectToken),
        (401, "invalid_client", F::ServiceRefusesUs),
        (403, "access_denied", F::AccessDenied),
        (404, "unknown_server", F::Configuration),
        (429, "rate_limited", F::Busy { retry_after_s: 1 }),
        (502, "upstream_error", F::Upstream),
        (503, "unavailable", F::Unavailable),
        (500, "internal", F::Unavailable),
        (418, "teapot", F::Unavailable),
    ] {
        let mut desk = Desk::new(vault());
        let arrived_ms = desk.now_ms;
        desk.ask();
        let call = desk.call();
        let settled = desk.answer(&call, status, &error(code));
        assert_eq!(
            desk.ask_again(arrived_ms),
            Known::Refused(failure),
            "{code}"
        );
        let line = settled.event.unwrap().to_string();
        assert!(line.contains("vault") && line.contains("notes"), "{line}");
    }
}

#[test]
fn the_number_of_the_status_alone_means_nothing() {
    let unavailable = Known::Refused(CredentialFailure::Unavailable);
    for (status, body) in [
        (201, authenticated("t", "1", 60)),
        (403, authenticated("t", "1", 60)),
        (500, authenticated("t", "1", 60)),
        (403, json!({})),
        (403, json!({"status": "authentication_not_required"})),
        (404, consent()),
        (404, json!({"detail": "not found"})),
        (200, json!({"status": "authentication"})),
        (200, json!({})),
        (200, error("access_denied")),
        (200, error("invalid_subject_token")),
        (401, json!({"error": "invalid_client"})),
        (
            400,
            json!({"status": "authenticated", "error": {"code": "access_denied"}}),
        ),
    ] {
        assert_eq!(
            Desk::new(vault()).after(status, &body),
            unavailable,
            "{status} {body}"
        );
    }
}

#[test]
fn somebody_elses_refresh_is_waited_for_once_and_not_for_long() {
    let mut desk = Desk::new(vault());
    let arrived_ms = desk.now_ms;
    desk.ask();
    let body = error("refresh_in_progress").to_string();
    let in_progress = |retry_after_s| FetchAnswer {
        retry_after_s,
        ..FetchAnswer::new(409, body.as_bytes())
    };
    let call = desk.call();
    let settled = desk.settle(&call, Some(in_progress(Some(1))));
    assert_eq!(settled.awaited, None);
    assert!(matches!(desk.ask(), Known::Pending(_)));
    assert!(!desk.store.has_due(desk.now_ms + 999));
    desk.now_ms += 1000;
    let call = desk.call();
    let settled = desk.settle(&call, Some(in_progress(Some(1))));
    assert!(settled.awaited.is_some());
    assert_eq!(
        desk.ask_again(arrived_ms),
        Known::Refused(CredentialFailure::Busy { retry_after_s: 1 })
    );

    let mut desk = Desk::new(vault());
    desk.ask();
    let call = desk.call();
    assert!(
        desk.settle(&call, Some(in_progress(Some(7))))
            .awaited
            .is_some()
    );
    assert_eq!(
        desk.ask(),
        Known::Refused(CredentialFailure::Busy { retry_after_s: 7 })
    );
}

#[test]
fn a_refresh_that_ends_meanwhile_gives_the_credential() {
    let mut desk = Desk::new(vault());
    let arrived_ms = desk.now_ms;
    desk.ask();
    let call = desk.call();
    desk.answer(&call, 409, &error("refresh_in_progress"));
    desk.now_ms += 1000;
    let call = desk.call();
    assert_eq!(json_of(&call)["server_id"], "notes");
    desk.answer(&call, 200, &authenticated("t", "1", 0));
    assert!(matches!(desk.ask_again(arrived_ms), Known::Ready(_)));
}

#[test]
fn a_service_that_is_away_is_no_reason_for_consent() {
    for answer in [
        None,
        Some(FetchAnswer::new(503, b"no healthy upstream")),
        Some(FetchAnswer::new(504, b"upstream request timeout")),
        Some(FetchAnswer::new(200, b"")),
        Some(FetchAnswer::new(302, b"")),
    ] {
        let mut desk = Desk::new(vault());
        desk.ask();
        let call = desk.call();
        let settled = desk.settle(&call, answer);
        assert!(settled.event.is_some());
        assert_eq!(desk.ask(), Known::Refused(CredentialFailure::Unavailable));
    }
}
