use super::*;

fn issued() -> Value {
    json!({
        "access_token": "up.stream-1",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "bearer",
        "expires_in": 45,
    })
}

fn form_of(call: &Fetch) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&call.body)
        .into_owned()
        .collect()
}

#[test]
fn the_call_is_a_token_exchange_with_the_gates_own_client() {
    let mut desk = Desk::new(sts());
    desk.source.audience = "api://notes".to_owned();
    desk.source.resource = Some("https://notes.example/mcp?a=b".to_owned());
    desk.source.scopes = Scopes::parse("write read").unwrap();
    desk.ask();
    let call = desk.call();
    assert_eq!(header(&call, ":method"), Some("POST"));
    assert_eq!(
        header(&call, "content-type"),
        Some("application/x-www-form-urlencoded")
    );
    // base64("gate%3A1:s+e%26cret")
    assert_eq!(
        header(&call, "authorization"),
        Some("Basic Z2F0ZSUzQTE6cytlJTI2Y3JldA==")
    );
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "the-token"),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", "api://notes"),
        ("resource", "https://notes.example/mcp?a=b"),
        ("scope", "read write"),
    ];
    assert_eq!(
        form_of(&call),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn what_is_not_configured_is_not_asked_for() {
    let mut desk = Desk::new(sts());
    desk.ask();
    let names: Vec<String> = form_of(&desk.call())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name == "resource" || name == "scope")
    );
}

#[test]
fn an_issued_token_becomes_the_authorization_until_it_ends() {
    for token_type in ["bearer", "Bearer", "BEARER"] {
        let mut desk = Desk::new(sts());
        let mut body = issued();
        body["token_type"] = token_type.into();
        let Known::Ready(credential) = desk.after(200, &body) else {
            panic!("a credential");
        };
        assert_eq!(bearer(&credential), "Bearer up.stream-1");
        assert_eq!(credential.version(), None);
        desk.now_ms += 29_999;
        desk.ready();
        desk.now_ms += 1;
        assert!(desk.must_ask());
    }
}

#[test]
fn a_token_without_an_end_is_remembered_for_as_long_as_the_operator_allows() {
    let mut desk = Desk::new(sts());
    let mut body = issued();
    body.as_object_mut().unwrap().remove("expires_in");
    desk.after(200, &body);
    desk.now_ms += 59_999;
    desk.ready();
    desk.now_ms += 1;
    assert!(desk.must_ask());
}

#[test]
fn what_is_no_bearer_token_is_not_used() {
    for (member, value) in [
        ("token_type", json!("DPoP")),
        ("token_type", json!("N_A")),
        ("token_type", json!(null)),
        ("access_token", json!("")),
        ("access_token", json!("a b")),
        ("access_token", json!("a\r\nx: y")),
        ("access_token", json!("=")),
        ("access_token", json!("a=b")),
        ("access_token", json!("é")),
        ("access_token", json!(7)),
        ("access_token", json!("a".repeat(9000))),
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:refresh_token"),
        ),
        (
            "issued_token_type",
            json!("urn:ietf:params:oauth:token-type:id_token"),
        ),
        ("expires_in", json!("45")),
        ("expires_in", json!(-1)),
        ("error", json!("invalid_grant")),
    ] {
        let mut body = issued();
        body[member] = value;
        assert_eq!(
            Desk::new(sts()).after(200, &body),
            Known::Refused(CredentialFailure::Unavailable),
            "{body}"
        );
    }
}

#[test]
fn each_error_means_what_the_contract_says() {
    use CredentialFailure as F;
    for (status, code, failure) in [
        (400, "invalid_request", F::InvalidSubjectToken),
        (400, "invalid_grant", F::InvalidSubjectToken),
        (400, "invalid_target", F::AccessDenied),
        (400, "invalid_scope", F::AccessDenied),
        (403, "access_denied", F::AccessDenied),
        (401, "invalid_client", F::ServiceRefusesUs),
        (400, "invalid_client", F::ServiceRefusesUs),
        (400, "unauthorized_client", F::ServiceRefusesUs),
        (400, "unsupported_grant_type", F::Configuration),
        (400, "something_else", F::Unavailable),
        (500, "server_error", F::Unavailable),
        (503, "invalid_grant", F::Unavailable),
        (302, "invalid_grant", F::Unavailable),
    ] {
        let body = json!({"error": code, "error_description": "no"});
        assert_eq!(
            Desk::new(sts()).after(status, &body),
            Known::Refused(failure),
            "{status} {code}"
        );
    }
}

#[test]
fn the_ways_to_say_that_consent_is_missing_are_understood() {
    for (status, body, url, reason) in [
        (
            400,
            json!({"error": "interaction_required", "authorization_endpoint": URL}),
            Some(URL),
            Some("interaction_required"),
        ),
        (
            401,
            json!({"error": "consent_required", "error_uri": URL}),
            Some(URL),
            Some("consent_required"),
        ),
        (
            400,
            json!({"error": "consent_required"}),
            None,
            Some("consent_required"),
        ),
        (404, json!({"detail": "no token"}), None, None),
    ] {
        let Known::Consent(needed) = Desk::new(sts()).after(status, &body) else {
            panic!("{body}");
        };
        assert_eq!(needed.url.as_deref(), url, "{body}");
        assert_eq!(needed.reason.as_deref(), reason, "{body}");
    }
    let mut desk = Desk::new(sts());
    desk.ask();
    let call = desk.call();
    desk.settle(&call, Some(FetchAnswer::new(404, b"not found")));
    assert!(matches!(desk.ask(), Known::Consent(_)));
}

#[test]
fn an_address_that_no_person_should_be_sent_to_is_no_consent() {
    for url in [
        "javascript:alert(1)",
        "ftp://a.example/",
        "https://user:secret@a.example/",
        "//a.example/",
        "https://",
        "https://a.example/\n",
        "https://a.example/ b",
        "https://a.example\\b",
        "https://a.example/\"onload",
        "",
    ] {
        for (service, body) in [
            (
                sts(),
                json!({"error": "consent_required", "error_uri": url}),
            ),
            (
                vault(),
                json!({"status": "authentication_required", "authorization_endpoint": url}),
            ),
        ] {
            assert_eq!(
                Desk::new(service).after(403, &body),
                Known::Refused(CredentialFailure::Unavailable),
                "{url:?}"
            );
        }
    }
}

#[test]
fn too_many_requests_is_told_on() {
    let mut desk = Desk::new(sts());
    desk.ask();
    let call = desk.call();
    let answer = FetchAnswer {
        retry_after_s: Some(100_000),
        ..FetchAnswer::new(429, b"slow down")
    };
    desk.settle(&call, Some(answer));
    assert_eq!(
        desk.ask(),
        Known::Refused(CredentialFailure::Busy { retry_after_s: 300 })
    );
}
