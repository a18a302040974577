//! Whose token counts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use mcp_token_service::oauth::ProviderError;
use mcp_token_service::outbound::{OutboundError, Refusal};
use serde_json::{Value, json};

use crate::NOW;
use crate::issuer::{FIRST, Issuer, SECOND, sign, sign_with};
use crate::running::{Answer, Running, SERVICE, send};

const PATH: &str = "/api/svc/v1/mcp/none/authorize";

async fn with_claims(running: &Running, change: impl FnOnce(&mut Value)) -> Answer {
    let mut claims = running.issuer.claims("ann", SERVICE);
    change(&mut claims);
    running.get(PATH, &sign(FIRST, &claims)).await
}

#[tokio::test]
async fn without_a_token_the_answer_says_where_to_get_one() {
    let running = Running::start().await;
    let url = format!("{}{PATH}", running.public);
    for header in [None, Some("Basic YTpi"), Some("Bearer")] {
        let mut request = running.client.get(&url);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = send(request).await;
        assert_eq!(answer.error(), (401, "unauthorized".to_owned()));
        let metadata = format!("{SERVICE}/.well-known/oauth-protected-resource");
        assert_eq!(
            answer.header("www-authenticate"),
            format!("Bearer resource_metadata=\"{metadata}\"")
        );
    }
    let url = format!("{}/.well-known/oauth-protected-resource", running.public);
    let metadata = send(running.client.get(url)).await.json();
    assert_eq!(metadata["resource"], SERVICE);
    assert_eq!(
        metadata["authorization_servers"],
        json!([running.issuer.url])
    );
}

#[tokio::test]
async fn a_token_for_the_service_counts_with_and_without_a_slash() {
    let running = Running::start().await;
    for audience in [
        json!(SERVICE),
        json!(format!("{SERVICE}/")),
        json!(["x", SERVICE]),
    ] {
        let answer = with_claims(&running, |claims| claims["aud"] = audience).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_token_with_a_wrong_claim_is_refused_and_the_answer_says_which() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 14] = [
        (
            |claims| claims["iss"] = json!("https://evil.example"),
            "issuer",
        ),
        (|claims| claims["iss"] = json!(null), "issuer"),
        (
            |claims| claims["aud"] = json!("https://other.example"),
            "audience",
        ),
        (|claims| claims["aud"] = json!([]), "audience"),
        (|claims| claims["aud"] = json!([SERVICE, 1]), "audience"),
        (|claims| claims["aud"] = json!(null), "audience"),
        (|claims| claims["exp"] = json!(NOW - 31), "expired"),
        (|claims| claims["exp"] = json!("soon"), "time"),
        (
            |claims| drop(claims.as_object_mut().unwrap().remove("exp")),
            "exp",
        ),
        (|claims| claims["nbf"] = json!(NOW + 31), "not valid yet"),
        (|claims| claims["iat"] = json!(NOW + 31), "not valid yet"),
        (|claims| claims["sub"] = json!(""), "sub"),
        (|claims| claims["sub"] = json!(1), "sub"),
        (|claims| claims["nonce"] = json!("n"), "ID token"),
    ];
    let running = Running::start().await;
    for (change, word) in cases {
        let answer = with_claims(&running, change).await;
        assert_eq!(answer.error(), (401, "invalid_token".to_owned()), "{word}");
        assert!(answer.message().contains(word), "{}", answer.message());
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn only_the_issuers_signature_with_an_accepted_algorithm_counts() {
    let running = Running::start().await;
    let claims = running.issuer.claims("ann", SERVICE);
    let good = sign(FIRST, &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut altered = claims.clone();
    altered["sub"] = json!("bob");
    let twice = format!(
        "{}.{}.{signature}",
        part(json!({"alg": "EdDSA", "kid": "first"})),
        URL_SAFE_NO_PAD.encode(r#"{"sub":"ann","sub":"bob"}"#)
    );
    let mut foreign = Header::new(Algorithm::EdDSA);
    foreign.kid = Some("first".to_owned());
    let tokens = [
        String::new(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(20_000),
        format!("{signed}."),
        format!("{signed}.{}", "A".repeat(86)),
        format!("{}.{}.", part(json!({"alg": "none"})), part(claims.clone())),
        format!(
            "{}.{}.{signature}",
            part(json!({"alg": "HS256", "kid": "first"})),
            part(claims.clone())
        ),
        format!(
            "{}.{}.{signature}",
            part(json!({"alg": "EdDSA", "kid": "first"})),
            part(altered)
        ),
        format!(
            "{}.{}.{signature}",
            part(json!({"alg": "EdDSA", "kid": 1})),
            part(claims.clone())
        ),
        format!(
            "{}.{}.{signature}",
            part(json!({"alg": "EdDSA", "crit": ["x"]})),
            part(claims.clone())
        ),
        twice,
        sign_with(SECOND, &foreign, &claims),
    ];
    for token in tokens {
        let answer = running.get(PATH, &token).await;
        let (status, code) = answer.error();
        assert_eq!(status, 401, "{token}");
        assert!(
            ["invalid_token", "unauthorized"].contains(&code.as_str()),
            "{code}"
        );
        assert!(token.len() < 16 || !answer.text.contains(&token));
    }
    assert_eq!(running.get(PATH, &good).await.status, 200);
}

#[tokio::test]
async fn a_token_that_says_at_jwt_has_what_rfc_9068_wants() {
    let running = Running::start().await;
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("first".to_owned());
    let mut claims = running.issuer.claims("ann", SERVICE);
    let answer = running.get(PATH, &sign_with(FIRST, &header, &claims)).await;
    assert_eq!(answer.status, 401);
    claims["client_id"] = json!("c");
    claims["iat"] = json!(NOW);
    claims["jti"] = json!("j");
    let answer = running.get(PATH, &sign_with(FIRST, &header, &claims)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    header.typ = Some("logout+jwt".to_owned());
    let answer = running.get(PATH, &sign_with(FIRST, &header, &claims)).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let running = Running::start().await;
    let token = running.user("ann");
    let request = running
        .on_public(reqwest::Method::GET, PATH, &token)
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(
        send(request).await.error(),
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn a_new_key_is_fetched_once_and_an_invented_one_not_again_and_again() {
    let running = Running::start().await;
    let token = |key| sign(key, &running.issuer.claims("ann", SERVICE));
    assert_eq!(running.get(PATH, &token(FIRST)).await.status, 200);
    assert_eq!(running.issuer.fetches(), 1);
    // Too soon: an invented key id costs no fetch.
    for _ in 0..3 {
        assert_eq!(running.get(PATH, &token(SECOND)).await.status, 401);
    }
    assert_eq!(running.issuer.fetches(), 1);
    running.issuer.publish(&[FIRST, SECOND]);
    running.pass(30);
    assert_eq!(running.get(PATH, &token(SECOND)).await.status, 200);
    assert_eq!(running.issuer.fetches(), 2);
    assert_eq!(running.get(PATH, &token(FIRST)).await.status, 200);
    assert_eq!(running.issuer.fetches(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_no_longer_good_after_ten_minutes() {
    let running = Running::start().await;
    let mut claims = running.issuer.claims("ann", SERVICE);
    claims["exp"] = json!(NOW + 3600);
    let token = sign(FIRST, &claims);
    assert_eq!(running.get(PATH, &token).await.status, 200);
    running.issuer.publish(&[SECOND]);
    running.pass(601);
    assert_eq!(running.get(PATH, &token).await.status, 401);
}

#[tokio::test]
async fn while_the_issuer_is_down_known_keys_stay_good_for_a_day() {
    let running = Running::start().await;
    let mut claims = running.issuer.claims("ann", SERVICE);
    claims["exp"] = json!(NOW + 200_000);
    let token = sign(FIRST, &claims);
    assert_eq!(running.get(PATH, &token).await.status, 200);
    running.issuer.set_up(false);
    running.pass(3600);
    assert_eq!(running.get(PATH, &token).await.status, 200);
    running.pass(86_400);
    let answer = running.get(PATH, &token).await;
    assert_eq!(answer.error(), (503, "unavailable".to_owned()));
    running.issuer.set_up(true);
    running.pass(31);
    assert_eq!(running.get(PATH, &token).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_hangs_stops_nobody_whose_key_is_known() {
    let running = Running::with(|document| {
        document["outbound"] = json!({"timeout_seconds": 30});
        document["limits"] = json!({"request_seconds": 33});
    })
    .await;
    let mut claims = running.issuer.claims("ann", SERVICE);
    claims["exp"] = json!(NOW + 3600);
    let token = sign(FIRST, &claims);
    assert_eq!(running.get(PATH, &token).await.status, 200);
    running.issuer.hang();
    running.pass(601);
    let begun = std::time::Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let request = running.on_public(reqwest::Method::GET, PATH, &token);
        all.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    // Far less than the fetch takes, or a request may.
    assert!(begun.elapsed() < std::time::Duration::from_secs(4));
    assert_eq!(running.issuer.fetches(), 2);
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_no_reason_to_refuse_a_token() {
    let running = Running::start().await;
    running.issuer.set_up(false);
    let answer = running.get(PATH, &running.user("ann")).await;
    assert_eq!(answer.error(), (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn many_tokens_at_once_cost_one_fetch_of_the_keys() {
    let running = Running::start().await;
    let token = running.user("ann");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let request = running.on_public(reqwest::Method::GET, PATH, &token);
        all.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(running.issuer.fetches(), 1);
}

#[tokio::test]
async fn who_signed_in_is_in_an_id_token_for_the_services_client_and_that_nonce() {
    let running = Running::with(|document| {
        document["issuers"][0]["sign_in"] = json!({"client_id": "pages"});
    })
    .await;
    let issuer: &Issuer = &running.issuer;
    let access = &running.app.access;
    let mut claims = issuer.claims("ann", "pages");
    claims["nonce"] = json!("n");
    let verify = async |claims: &Value, from: &str, nonce: &str| {
        access
            .id_token(from, &sign(FIRST, claims), nonce, NOW)
            .await
    };
    assert_eq!(
        verify(&claims, &issuer.url, "n").await.unwrap(),
        running.owner("ann")
    );
    assert!(verify(&claims, &issuer.url, "m").await.is_err());
    assert!(verify(&claims, "https://other.example", "n").await.is_err());
    let mut other = claims.clone();
    other["aud"] = json!("another client");
    assert!(verify(&other, &issuer.url, "n").await.is_err());
    let mut other = claims.clone();
    other["azp"] = json!("another client");
    assert!(verify(&other, &issuer.url, "n").await.is_err());
    // It is no access token, whatever its audience.
    claims["aud"] = json!(["pages", SERVICE]);
    assert_eq!(running.get(PATH, &sign(FIRST, &claims)).await.status, 401);
}

#[tokio::test]
async fn the_kind_of_a_subject_is_what_a_claim_says_and_of_who_signed_in_a_person() {
    let running = Running::with(|document| {
        document["issuers"][0]["sign_in"] = json!({"client_id": "pages"});
        document["issuers"][0]["subject_type"] =
            json!({"claim": "kind", "values": {"robot": "virtualaccount"}});
    })
    .await;
    let robot = with_claims(&running, |claims| claims["kind"] = json!("robot")).await;
    assert_eq!(robot.status, 200);
    for kind in [json!(null), json!("person")] {
        let other = with_claims(&running, |claims| claims["kind"] = kind).await;
        assert_eq!(other.error(), (401, "invalid_token".to_owned()));
    }
    let mut claims = running.issuer.claims("ann", "pages");
    claims["nonce"] = json!("n");
    let token = sign(FIRST, &claims);
    let access = &running.app.access;
    let person = access.id_token(&running.issuer.url, &token, "n", NOW).await;
    assert_eq!(person.unwrap(), running.owner("ann"));
}

#[tokio::test]
async fn what_others_name_does_not_lead_to_where_the_issuer_is() {
    let running = Running::start().await;
    let issuer = &running.issuer.url;
    let named = running.app.grants.providers().issuer(issuer).await;
    let refused = |error: &ProviderError| {
        matches!(
            error,
            ProviderError::Outbound(OutboundError::Refused(Refusal::Scheme | Refusal::Address))
        )
    };
    assert!(named.as_ref().is_err_and(refused), "{named:?}");
    // For the sign-in it is asked; here it has no token endpoint.
    let asked = running.app.issuers.issuer(issuer).await;
    assert!(
        matches!(asked, Err(ProviderError::Metadata(_))),
        "{asked:?}"
    );
}
