//! Overrides and disconnect.

use mcp_token_service::config::Database;
use mcp_token_service::storage::{Action, Actor};
use serde_json::{Value, json};

use crate::NOW;
use crate::on_both_databases;
use crate::running::{GATE_KEY, Running, send};

on_both_databases!(
    who_has_one_and_since_when_is_listed_but_never_what,
    managers_act_for_everybody_and_others_for_themselves,
    each_placeholder_has_a_value_of_its_own,
    disconnecting_removes_what_is_meant_and_nothing_else,
);

const PATH: &str = "/api/svc/v1/mcp/keyed/auth";
const SECRET: &str = "the-value-of-the-key";

fn with_value(value: &str) -> Value {
    json!({"authOverride": {"type": "header", "headerValue": value}})
}

fn about(mut body: Value, subject: &str) -> Value {
    body["subjectId"] = json!(subject);
    body["subjectType"] = json!("user");
    body
}

async fn who_has_one_and_since_when_is_listed_but_never_what(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let (ann, bob, max) = (
        running.user("ann"),
        running.user("bob"),
        running.manager("max"),
    );
    assert_eq!(running.get(PATH, &max).await.json(), json!({"data": []}));
    running.put(PATH, &ann, &with_value(SECRET)).await;
    running.pass(10);
    running.put(PATH, &bob, &with_value(SECRET)).await;
    running.put(PATH, &ann, &with_value("another")).await;

    let holding = |subject: &str, created: i64, updated: i64| {
        json!({"subjectId": subject, "subjectType": "user", "subjectIssuer": running.issuer.url,
            "authSource": "auth-override", "source": "keyed",
            "createdAt": created, "updatedAt": updated})
    };
    let (of_ann, of_bob) = (
        holding("ann", NOW, NOW + 10),
        holding("bob", NOW + 10, NOW + 10),
    );
    let list = running.get(PATH, &max).await;
    assert_eq!(list.json(), json!({"data": [of_ann, of_bob]}));
    assert_eq!(
        running.get(PATH, &bob).await.json(),
        json!({"data": [of_bob]})
    );
    assert_eq!(
        running.get(PATH, &running.user("eve")).await.json(),
        json!({"data": []})
    );
    // A virtual server shows those of its sources.
    let all = running.get("/api/svc/v1/mcp/all/auth", &ann).await;
    assert_eq!(all.json(), json!({"data": [of_ann]}));
    let oauth = running.get(&format!("{PATH}?authSource=oauth"), &max).await;
    assert_eq!(oauth.json(), json!({"data": []}));
    let wrong = running.get(&format!("{PATH}?authSource=x"), &max).await;
    assert_eq!(wrong.error().0, 400);
}

async fn managers_act_for_everybody_and_others_for_themselves(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let (ann, max) = (running.user("ann"), running.manager("max"));
    let denied = running
        .put(PATH, &ann, &about(with_value("x"), "bob"))
        .await;
    assert_eq!(denied.error(), (403, "access_denied".to_owned()));
    assert_eq!(
        running
            .put(PATH, &ann, &about(with_value("of ann"), "ann"))
            .await
            .status,
        204
    );
    assert_eq!(
        running
            .put(PATH, &max, &about(with_value("of-bob"), "bob"))
            .await
            .status,
        204
    );
    let record = running.last_record().await;
    assert_eq!(
        (record.action, record.owner),
        (Action::Override, running.owner("bob"))
    );
    assert_eq!(record.actor, Actor::Caller(running.owner("max")));

    let answer = running
        .resolve(GATE_KEY, &running.question("keyed", "bob"))
        .await;
    assert_eq!(answer.json()["headers"][0]["value"], "Bearer of-bob");
    assert_eq!(answer.json()["method"], "auth-override");

    let denied = running
        .delete(PATH, &ann, Some(&about(json!({}), "bob")))
        .await;
    assert_eq!(denied.status, 403);
    let gone = running
        .delete(PATH, &max, Some(&about(json!({}), "bob")))
        .await;
    assert_eq!(gone.json()["removed"], 1, "{}", gone.text);
    let answer = running
        .resolve(GATE_KEY, &running.question("keyed", "bob"))
        .await;
    assert_eq!(answer.json()["reason"], "consent_missing");
    let answer = running
        .resolve(GATE_KEY, &running.question("keyed", "ann"))
        .await;
    assert_eq!(answer.json()["headers"][0]["value"], "Bearer of ann");
}

/// Two servers whose headers have two placeholders: each user's own, and one
/// for all.
fn with_two_placeholders(document: &mut Value) {
    let headers = json!({"X-User": "{{USER}}", "Authorization": "Key {{USER}}:{{KEY}}"});
    for (id, values) in [
        ("double", None),
        (
            "shared-double",
            Some(json!({"USER": {"environment": "SHARED"}, "KEY": {"environment": "SHARED"}})),
        ),
    ] {
        let mut authentication = json!({"type": "header", "headers": headers,
            "level": if values.is_some() { "global" } else { "per_user" }});
        if let Some(values) = values {
            authentication["values"] = values;
        }
        let server = json!({"id": id, "resources": [format!("https://gate.example/{id}/mcp")],
            "authentication": authentication});
        document["servers"].as_array_mut().unwrap().push(server);
        let keys = &mut document["filter_keys"][0]["servers"];
        keys.as_array_mut().unwrap().push(json!(id));
    }
}

async fn each_placeholder_has_a_value_of_its_own(database: Database) {
    let running = Running::on(Some(database), with_two_placeholders).await;
    let ann = running.user("ann");
    let path = |server: &str| format!("/api/svc/v1/mcp/{server}/auth");
    let with_values = |values: Value| json!({"authOverride": {"type": "header", "values": values}});
    let both = with_values(json!({"USER": "ann@example", "KEY": SECRET}));
    for server in ["double", "shared-double"] {
        let question = running.question(server, "ann");
        let before = running.resolve(GATE_KEY, &question).await.json();
        let expected = match server {
            "double" => "authentication_required",
            _ => "authenticated",
        };
        assert_eq!(before["status"], expected);
        let set = running.put(&path(server), &ann, &both).await;
        assert_eq!(set.status, 204, "{}", set.text);
        let answer = running.resolve(GATE_KEY, &question).await.json();
        assert_eq!(answer["method"], "auth-override");
        assert_eq!(
            answer["headers"],
            json!([
                {"name": "authorization", "value": format!("Key ann@example:{SECRET}")},
                {"name": "x-user", "value": "ann@example"},
            ])
        );
    }
    // What is not right changes nothing, and says what would be.
    for values in [
        json!({}),
        json!({"KEY": "k"}),
        json!({"USER": "u", "KEY": "k", "MORE": "m"}),
        json!({"USER": "u", "key": "k"}),
        json!({"USER": "u", "KEY": ""}),
        json!({"USER": "u", "KEY": "a\r\nb: c"}),
        json!({"USER": "u", "KEY": null}),
        json!(["u", "k"]),
    ] {
        let (path, body) = (path("double"), with_values(values.clone()));
        let refused = running.put(&path, &ann, &body).await;
        assert_eq!(refused.error(), (400, "invalid_request".to_owned()));
        assert!(refused.message().contains("authOverride"), "{values}");
    }
    let refused = running
        .put(&path("double"), &ann, &with_value(SECRET))
        .await;
    assert!(
        refused.message().contains("each of USER, KEY"),
        "{}",
        refused.text
    );
    let none = with_values(json!({"API_KEY": SECRET, "MORE": SECRET}));
    let refused = running.put(PATH, &ann, &none).await;
    assert!(
        refused.message().contains("each of API_KEY"),
        "{}",
        refused.text
    );
    let question = running.question("double", "ann");
    let answer = running.resolve(GATE_KEY, &question).await.json();
    assert_eq!(answer["headers"][1]["value"], "ann@example");
    // Also where there is one placeholder, it may be named.
    let named = with_values(json!({"API_KEY": "k"}));
    assert_eq!(running.put(PATH, &ann, &named).await.status, 204);
    let question = running.question("keyed", "ann");
    let answer = running.resolve(GATE_KEY, &question).await.json();
    assert_eq!(answer["headers"][0]["value"], "Bearer k");
}

async fn disconnecting_removes_what_is_meant_and_nothing_else(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let ann = running.user("ann");
    for subject in ["ann", "bob"] {
        running
            .put(PATH, &running.user(subject), &with_value("x"))
            .await;
    }
    let removed = async |path: &str, body: Option<Value>| {
        let answer = running.delete(path, &ann, body.as_ref()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["removed"].as_u64().unwrap()
    };
    assert_eq!(removed(PATH, Some(json!({"authSource": "oauth"}))).await, 0);
    assert_eq!(removed(&format!("{PATH}?authSource=oauth"), None).await, 0);
    // Nothing said: all of the caller's own.
    assert_eq!(removed(PATH, None).await, 1);
    let record = running.last_record().await;
    assert_eq!(record.owner, running.owner("ann"));
    assert_eq!(record.actor, Actor::Owner);
    assert_eq!(removed(PATH, None).await, 0);
    running.put(PATH, &ann, &with_value("x")).await;
    assert_eq!(
        removed(&format!("{PATH}?authSource=auth-override"), None).await,
        1
    );
    running.put(PATH, &ann, &with_value("x")).await;
    let all = "/api/svc/v1/mcp/all/auth";
    assert_eq!(removed(all, Some(json!({"source": "oauth"}))).await, 0);
    assert_eq!(removed(all, Some(json!({}))).await, 1);
    let left = running.get(PATH, &running.manager("max")).await.json();
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bodies_that_are_not_as_documented_are_refused_and_nothing_is_kept() {
    let running = Running::start().await;
    let ann = running.user("ann");
    let mut unknown = with_value(SECRET);
    unknown["more"] = json!(SECRET);
    let mut in_override = with_value(SECRET);
    in_override["authOverride"]["more"] = json!(SECRET);
    let cases = [
        (json!([]), ""),
        (json!({}), "authOverride"),
        (json!({"authOverride": []}), "/authOverride"),
        (json!({"authOverride": {"type": "header"}}), "headerValue"),
        (
            json!({"authOverride": {"type": "header", "headerValue": SECRET,
                "values": {"API_KEY": SECRET}}}),
            "headerValue or values",
        ),
        (
            json!({"authOverride": {"type": "query", "headerValue": SECRET}}),
            "/authOverride",
        ),
        (
            json!({"authOverride": {"type": "header", "headerValue": [SECRET]}}),
            "/authOverride",
        ),
        (unknown, "/more"),
        (in_override, "/authOverride"),
        (with_value(""), "authOverride.headerValue"),
        (with_value("a\r\nb: c"), "authOverride.headerValue"),
        (with_value("ä\u{0}"), "authOverride.headerValue"),
        (
            json!({"subjectId": "ann", "authOverride": {"type": "header", "headerValue": SECRET}}),
            "subjectId",
        ),
        (
            json!({"subjectType": "user", "authOverride": {"type": "header", "headerValue": SECRET}}),
            "subjectId",
        ),
        (
            json!({"subjectId": "ann", "subjectType": "User", "authOverride": {"type": "header", "headerValue": SECRET}}),
            "/subjectType",
        ),
        (
            json!({"source": "oauth", "authOverride": {"type": "header", "headerValue": SECRET}}),
            "source",
        ),
    ];
    for (body, place) in cases {
        let answer = running.put(PATH, &ann, &body).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request".to_owned()),
            "{body}"
        );
        assert!(
            answer.message().contains(place),
            "{body}: {}",
            answer.message()
        );
        assert!(!answer.text.contains(SECRET), "{}", answer.text);
    }
    for body in [
        "",
        "{",
        "{}{}",
        "null",
        "\"x\"",
        r#"{"authOverride": {}, "authOverride": {}}"#,
        r#"{"authOverride": {"type": "header", "values": {"API_KEY": "a", "API_KEY": "b"}}}"#,
    ] {
        let request = running
            .on_public(reqwest::Method::PUT, PATH, &ann)
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(send(request).await.error().0, 400, "{body}");
    }
    for kind in [
        "text/plain",
        "application/json; charset=latin1",
        "application/x-www-form-urlencoded",
    ] {
        let request = running
            .on_public(reqwest::Method::PUT, PATH, &ann)
            .header("content-type", kind)
            .body(with_value(SECRET).to_string());
        assert_eq!(send(request).await.error().0, 415, "{kind}");
    }
    let without_a_key = running
        .put("/api/svc/v1/mcp/none/auth", &ann, &with_value(SECRET))
        .await;
    assert_eq!(without_a_key.error().0, 400);
    let not_text = running.get("/api/svc/v1/mcp/%ff/auth", &ann).await;
    assert_eq!(not_text.error(), (400, "invalid_request".to_owned()));
    let too_long = with_value(&"x".repeat(8193));
    assert_eq!(running.put(PATH, &ann, &too_long).await.error().0, 400);
    let which = running
        .put("/api/svc/v1/mcp/all/auth", &ann, &with_value(SECRET))
        .await;
    assert_eq!(which.error().0, 400);
    assert_eq!(running.get(PATH, &ann).await.json(), json!({"data": []}));
}

#[tokio::test]
async fn what_to_give_back_is_said_in_one_place_and_in_known_words() {
    let running = Running::start().await;
    let ann = running.user("ann");
    let both = running
        .delete(
            &format!("{PATH}?authSource=oauth"),
            &ann,
            Some(&json!({"authSource": "oauth"})),
        )
        .await;
    assert_eq!(both.error().0, 400);
    for query in [
        "authSource=x",
        "subjectType=x",
        "subjectId=ann",
        "source=x",
        "authSource=oauth&authSource=oauth",
    ] {
        let answer = running.delete(&format!("{PATH}?{query}"), &ann, None).await;
        assert_eq!(answer.error().0, 400, "{query}");
    }
    for body in [
        json!({"authSource": "x"}),
        json!({"source": "x"}),
        json!({"more": 1}),
        json!([]),
    ] {
        assert_eq!(
            running.delete(PATH, &ann, Some(&body)).await.error().0,
            400,
            "{body}"
        );
    }
}
