//! What the filter asks (contract 6.2).

use mcp_token_service::config::Database;
use mcp_token_service::credentials::Credential;
use mcp_token_service::owner::Target;
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::{Action, Actor, Method, Operation, Slot};
use serde_json::{Value, json};

use crate::issuer::{FIRST, SECOND, sign};
use crate::running::{
    GATE_KEY, RESOURCE, Running, SERVICE, SHARED_SECRET, TRUSTED_KEY, json_body, send,
};
use crate::{NOW, on_both_databases};

on_both_databases!(
    every_question_is_answered_by_status_and_recorded,
    what_is_called_is_on_record_whatever_it_says,
    what_the_upstream_has_refused_is_not_given_again,
    only_a_filters_key_for_that_server_gets_an_answer,
    a_subject_is_believed_with_its_own_token_for_this_server_only,
    where_no_token_can_be_verified_a_person_gets_nothing,
    of_a_server_that_takes_no_credential_nobody_gets_one_that_was_kept,
    while_the_keys_of_the_issuer_cannot_be_had_the_answer_is_503_not_400,
    questions_that_are_not_as_documented_are_refused,
    an_answer_has_the_id_that_the_question_has,
    who_tries_what_is_not_theirs_is_on_record,
    a_virtual_server_needs_to_be_told_the_source,
    nothing_is_kept_longer_than_the_token_that_asked_for_it,
    what_cannot_be_recorded_is_not_given,
);

async fn every_question_is_answered_by_status_and_recorded(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;

    let answer = running
        .resolve(GATE_KEY, &running.question("none", "ann"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let body = answer.json();
    assert_eq!(body["status"], "authentication_not_required");
    assert_eq!(body["cache_ttl_s"], 60);
    assert!(body["reason"].is_string());

    let mut question = running.question("shared", "ann");
    question["request_id"] = json!("the-call");
    question["operation"] = json!({"method": "tools/call", "name": "x"});
    question["required_scopes"] = json!([]);
    question["resource"] = json!("https://gate.example/shared/mcp");
    let answer = running.resolve(GATE_KEY, &question).await;
    let mut body = answer.json();
    assert!(body["credential_version"].is_string(), "{body}");
    body.as_object_mut().unwrap().remove("credential_version");
    assert_eq!(
        body,
        json!({"status": "authenticated", "method": "shared", "scopes": [], "cache_ttl_s": 60,
            "headers": [{"name": "authorization", "value": format!("Bearer {SHARED_SECRET}")}]})
    );
    let record = running.last_record().await;
    assert_eq!(record.request_id, "the-call");
    assert_eq!(record.action, Action::Resolve);
    assert_eq!(record.actor, Actor::Filter("gate".to_owned()));
    assert_eq!((record.outcome.as_str(), record.at), ("authenticated", NOW));
    assert_eq!(
        (record.owner, record.target.server.as_str()),
        (running.owner("ann"), "shared")
    );
    assert_eq!(
        record.operation,
        Some(Operation::new("tools/call", Some("x")))
    );

    for (server, kind) in [("oauth", "oauth"), ("keyed", "api_key")] {
        let answer = running
            .resolve(GATE_KEY, &running.question(server, "ann"))
            .await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("pragma"), "no-cache");
        let body = answer.json();
        let link = body["authorization_endpoint"].as_str().unwrap();
        assert!(link.starts_with(&format!("{SERVICE}/connect/")), "{link}");
        assert_eq!(body["status"], "authentication_required");
        assert_eq!(body["reason"], "consent_missing");
        assert_eq!(body["detail"]["code"], "authentication_required");
        assert_eq!(body["detail"]["authType"], kind);
        assert_eq!(body["detail"]["authorizeUrl"], link);
        assert_eq!(
            (&body["cache_ttl_s"], &body["expires_in"]),
            (&json!(0), &json!(600))
        );
        assert_eq!(body["elicitation_id"].as_str().unwrap().len(), 32);
        assert_eq!(running.last_record().await.outcome, "consent_missing");
    }
}

async fn what_is_called_is_on_record_whatever_it_says(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let record = async |server, operation: Value| {
        let mut question = running.question(server, "ann");
        question["operation"] = operation;
        let status = running.resolve(GATE_KEY, &question).await.status;
        (status, running.last_record().await.operation)
    };
    let long = format!("file:///{}", "x".repeat(9000));
    for (method, name) in [
        ("tools/call", "add-note"),
        ("resources/read", &long),
        ("prompts/get", "a\u{0}b\r\n\u{1b}[2J"),
        ("a\u{0}", ""),
    ] {
        let kept = record("shared", json!({"method": method, "name": name})).await;
        let wanted = Operation::new(method, Some(name));
        assert_eq!(kept, (200, Some(wanted)), "{method}");
    }
    let listed = record("shared", json!({"method": "tools/list"})).await;
    assert_eq!(listed, (200, Some(Operation::new("tools/list", None))));
    assert_eq!(record("shared", Value::Null).await, (200, None));
    // What is refused, too.
    let (status, refused) = record("oauth", json!({"method": "tools/call", "name": "x"})).await;
    assert_eq!(status, 403);
    assert_eq!(refused, Some(Operation::new("tools/call", Some("x"))));
}

async fn what_the_upstream_has_refused_is_not_given_again(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let set = json!({"authOverride": {"type": "header", "headerValue": "k"}});
    running
        .put("/api/svc/v1/mcp/keyed/auth", &running.user("ann"), &set)
        .await;
    let mut question = running.question("keyed", "ann");
    let first = running.resolve(GATE_KEY, &question).await.json();
    assert_eq!(
        first["headers"],
        json!([{"name": "authorization", "value": "Bearer k"}])
    );
    question["rejected"] = json!({"credential_version": "17", "status": 401,
        "error": "invalid_token"});
    // An older version than the current one: the current one is the answer.
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(
        answer.json()["credential_version"],
        first["credential_version"]
    );
    question["rejected"]["credential_version"] = first["credential_version"].clone();
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (403, Some("revoked"))
    );
}

async fn only_a_filters_key_for_that_server_gets_an_answer(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let question = running.question("keyed", "ann");
    let url = format!("{}/v1/credentials/resolve", running.filter);
    for key in ["", "x", "gate-key-of-the-test", "gate-key-of-the-testss"] {
        let answer = running.resolve(key, &question).await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{key}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let without = send(json_body(running.client.post(&url), &question)).await;
    assert_eq!(without.error().0, 401);
    let users = running.resolve(&running.user("ann"), &question).await;
    assert_eq!(users.error().0, 401);
    let twice = running
        .client
        .post(&url)
        .bearer_auth(GATE_KEY)
        .bearer_auth(GATE_KEY);
    assert_eq!(send(json_body(twice, &question)).await.error().0, 401);
    let others = running.resolve("other-key-of-the-tests", &question).await;
    assert_eq!(others.error(), (403, "access_denied".to_owned()));
    assert!(others.json().get("authorization_endpoint").is_none());
    let unknown = running
        .resolve(GATE_KEY, &running.question("nothing", "ann"))
        .await;
    assert_eq!(unknown.error(), (404, "unknown_server".to_owned()));
}

async fn a_subject_is_believed_with_its_own_token_for_this_server_only(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let wrong = async |change: &dyn Fn(&mut Value)| {
        let mut question = running.question("keyed", "ann");
        change(&mut question);
        running.resolve(GATE_KEY, &question).await.error()
    };
    let claims = running.issuer.claims("ann", RESOURCE);
    let token = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        json!(sign(FIRST, &claims))
    };
    let invalid = (400, "invalid_subject_token".to_owned());
    assert_eq!(
        wrong(&|q| drop(q.as_object_mut().unwrap().remove("subject_token"))).await,
        invalid
    );
    assert_eq!(wrong(&|q| q["subject"]["id"] = json!("bob")).await, invalid);
    assert_eq!(
        wrong(&|q| q["subject"]["type"] = json!("virtualaccount")).await,
        invalid
    );
    assert_eq!(
        wrong(&|q| q["subject"]["iss"] = json!("https://other.example")).await,
        invalid
    );
    assert_eq!(wrong(&|q| q["subject_token"] = json!("x")).await, invalid);
    let expired = token(&|claims| claims["exp"] = json!(NOW - 60));
    assert_eq!(
        wrong(&|q| q["subject_token"] = expired.clone()).await,
        invalid
    );
    // The service's own audience is not the server's, nor is another server's.
    for audience in [SERVICE, "https://gate.example/oauth/mcp"] {
        let other = token(&|claims| claims["aud"] = json!(audience));
        assert_eq!(
            wrong(&|q| q["subject_token"] = other.clone()).await,
            invalid
        );
    }
    let forged = json!(sign(SECOND, &claims));
    assert_eq!(
        wrong(&|q| q["subject_token"] = forged.clone()).await,
        invalid
    );
    // A refused question is recorded as well.
    assert_eq!(running.last_record().await.outcome, "invalid_subject_token");

    // Neither is a person believed without a token by a key that is trusted.
    for kind in ["user", "external-identity"] {
        let mut question = running.question("shared", "ann");
        question["subject"]["type"] = json!(kind);
        question.as_object_mut().unwrap().remove("subject_token");
        let answer = running.resolve(TRUSTED_KEY, &question).await;
        assert_eq!(answer.error(), invalid, "{kind}");
    }
    // A machine account is; but a token counts where there is one.
    let mut question = running.question("shared", "robot");
    question["subject"]["type"] = json!("virtualaccount");
    question.as_object_mut().unwrap().remove("subject_token");
    assert_eq!(running.resolve(TRUSTED_KEY, &question).await.status, 200);
    assert_eq!(running.resolve(GATE_KEY, &question).await.error(), invalid);
    question["subject_token"] = json!("x");
    assert_eq!(
        running.resolve(TRUSTED_KEY, &question).await.error(),
        invalid
    );
}

async fn where_no_token_can_be_verified_a_person_gets_nothing(database: Database) {
    let running = Running::on(Some(database), |document| {
        document["filter_keys"][0]["servers"] = json!(["none"]);
        let shared = document["servers"][1].as_object_mut().unwrap();
        shared.remove("resources");
    })
    .await;
    let mut question = running.question("shared", "ann");
    let answer = running.resolve(TRUSTED_KEY, &question).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    question["subject"]["type"] = json!("virtualaccount");
    question["subject_token"] = json!("of another kind");
    assert_eq!(running.resolve(TRUSTED_KEY, &question).await.status, 200);
}

async fn of_a_server_that_takes_no_credential_nobody_gets_one_that_was_kept(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    for server in ["none", "keyed"] {
        let slot = Slot {
            owner: running.owner("ann"),
            target: Target::server(server),
            method: Method::Override,
        };
        let credential = Credential {
            secret: Secret::new(r#"{"one":"k"}"#),
            scopes: vec![],
            expires_at: None,
        };
        let kept = running.app.credentials.put(&slot, &credential, NOW).await;
        kept.unwrap();
    }
    let keyed = running.question("keyed", "ann");
    let answer = running.resolve(GATE_KEY, &keyed).await.json();
    assert_eq!(answer["headers"][0]["value"], "Bearer k");
    // Here nobody has to prove who they are.
    let mut question = running.question("none", "ann");
    question["subject"]["type"] = json!("virtualaccount");
    question.as_object_mut().unwrap().remove("subject_token");
    for key in [GATE_KEY, TRUSTED_KEY] {
        let answer = running.resolve(key, &question).await;
        // A key that is not trusted is told so before.
        assert!(answer.json().get("headers").is_none(), "{}", answer.text);
    }
    let answer = running.resolve(TRUSTED_KEY, &question).await.json();
    assert_eq!(answer["status"], "authentication_not_required");
}

async fn while_the_keys_of_the_issuer_cannot_be_had_the_answer_is_503_not_400(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    running.issuer.set_up(false);
    let answer = running
        .resolve(GATE_KEY, &running.question("keyed", "ann"))
        .await;
    assert_eq!(answer.error(), (503, "unavailable".to_owned()));
}

async fn questions_that_are_not_as_documented_are_refused(database: Database) {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str); 19] = [
        (
            |q| drop(q.as_object_mut().unwrap().remove("server_id")),
            "invalid_request",
            "server_id",
        ),
        (
            |q| drop(q.as_object_mut().unwrap().remove("subject")),
            "invalid_request",
            "subject",
        ),
        (
            |q| q["server_id"] = json!(1),
            "invalid_request",
            "/server_id",
        ),
        (
            |q| q["subject"] = json!("ann"),
            "invalid_request",
            "/subject",
        ),
        (
            |q| q["subject"]["type"] = json!("person"),
            "invalid_request",
            "/subject/type",
        ),
        (
            |q| q["subject"]["id"] = json!(""),
            "invalid_request",
            "/subject/id",
        ),
        (
            |q| q["subject"]["id"] = json!("a\u{0}"),
            "invalid_request",
            "/subject/id",
        ),
        (
            |q| q["subject"]["email"] = json!("a@b"),
            "invalid_request",
            "/subject/email",
        ),
        (|q| q["more"] = json!(1), "invalid_request", "/more"),
        (
            |q| q["subject_token_type"] = json!("saml"),
            "invalid_request",
            "/subject_token_type",
        ),
        (
            |q| q["resource"] = json!("https://other.example"),
            "invalid_target",
            "resource",
        ),
        (|q| q["source"] = json!("oauth"), "invalid_target", "source"),
        (
            |q| q["required_scopes"] = json!("a"),
            "invalid_request",
            "/required_scopes",
        ),
        (
            |q| q["required_scopes"] = json!(["a b"]),
            "invalid_request",
            "/required_scopes",
        ),
        (
            |q| q["rejected"] = json!({"status": 401}),
            "invalid_request",
            "credential_version",
        ),
        (
            |q| q["rejected"] = json!({"credential_version": "1", "status": 200}),
            "invalid_request",
            "/rejected/status",
        ),
        (
            |q| q["redirect_url"] = json!("https://evil.example"),
            "invalid_request",
            "redirect_url",
        ),
        (
            |q| q["request_id"] = json!("a b"),
            "invalid_request",
            "request_id",
        ),
        (
            |q| q["operation"] = json!({"name": "x"}),
            "invalid_request",
            "method",
        ),
    ];
    let running = Running::on(Some(database), |_| {}).await;
    for (change, code, place) in cases {
        let mut question = running.question("keyed", "ann");
        change(&mut question);
        let answer = running.resolve(GATE_KEY, &question).await;
        assert_eq!(answer.error(), (400, code.to_owned()), "{question}");
        assert!(
            answer.message().contains(place),
            "{place}: {}",
            answer.message()
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
    }
    let url = format!("{}/v1/credentials/resolve", running.filter);
    for body in ["", "{", "[]", "null"] {
        let request = running.client.post(&url).bearer_auth(GATE_KEY);
        let request = request
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(
            send(request).await.error(),
            (400, "invalid_request".to_owned()),
            "{body}"
        );
    }
    let request = running.client.post(&url).bearer_auth(GATE_KEY).body("{}");
    assert_eq!(send(request).await.error().0, 415);
}

async fn an_answer_has_the_id_that_the_question_has(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let mut question = running.question("all", "ann");
    question["request_id"] = json!("the-call");
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    assert_eq!(answer.header("x-request-id"), "the-call");
    assert_eq!(running.last_record().await.request_id, "the-call");
}

async fn who_tries_what_is_not_theirs_is_on_record(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let question = |server| running.question(server, "ann");
    let other = "other-key-of-the-tests";
    let mut unreadable = question("keyed");
    unreadable["subject"]["id"] = json!("a\u{0}");
    for (key, id, question, outcome, server, subject) in [
        (
            other,
            "other",
            question("keyed"),
            "access_denied",
            "keyed",
            "ann",
        ),
        (
            GATE_KEY,
            "gate",
            question("nothing"),
            "unknown_server",
            "nothing",
            "ann",
        ),
        (other, "other", unreadable, "invalid_request", "", ""),
        (
            other,
            "other",
            json!({"more": 1}),
            "invalid_request",
            "",
            "",
        ),
        (other, "other", json!(null), "invalid_request", "", ""),
    ] {
        running.resolve(key, &question).await.error();
        let record = running.last_record().await;
        assert_eq!(record.actor, Actor::Filter(id.to_owned()), "{question}");
        assert_eq!(record.outcome, outcome, "{question}");
        assert_eq!(record.target.server, server, "{question}");
        assert_eq!(record.owner.subject, subject, "{question}");
    }
}

async fn a_virtual_server_needs_to_be_told_the_source(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let mut question = running.question("all", "ann");
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.error(), (400, "invalid_target".to_owned()));
    let set = json!({"authOverride": {"type": "header", "headerValue": "k"}});
    running
        .put("/api/svc/v1/mcp/keyed/auth", &running.user("ann"), &set)
        .await;
    question["source"] = json!("keyed");
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.json()["headers"][0]["value"], "Bearer k");
}

async fn nothing_is_kept_longer_than_the_token_that_asked_for_it(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let mut claims = running
        .issuer
        .claims("ann", "https://gate.example/shared/mcp");
    claims["exp"] = json!(NOW + 20);
    let mut question = running.question("shared", "ann");
    question["subject_token"] = json!(sign(FIRST, &claims));
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.json()["cache_ttl_s"], 20);
}

async fn what_cannot_be_recorded_is_not_given(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let question = running.question("shared", "ann");
    assert_eq!(running.resolve(GATE_KEY, &question).await.status, 200);
    running.storage().close().await;
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.error(), (503, "unavailable".to_owned()));
    assert!(!answer.text.contains(SHARED_SECRET));
}
