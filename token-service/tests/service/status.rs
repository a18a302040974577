//! Status and consent link (seeds 000 and 001), to the letter.

use mcp_token_service::config::Database;
use serde_json::{Value, json};

use crate::on_both_databases;
use crate::running::{Running, SERVICE};

on_both_databases!(
    the_three_statuses_are_those_of_the_seeds,
    users_ask_about_themselves_and_managers_about_everybody,
    names_of_any_shape_are_kept_apart,
);

const NO_AUTHENTICATION: &str = "This MCP server has no authentication configured.";
const NO_CONSENT: &str = "User needs to complete the OAuth2 authorization flow.";

fn authorize(server: &str) -> String {
    format!("/api/svc/v1/mcp/{server}/authorize")
}

fn status_of(server: &str, subject: &str) -> String {
    format!("/api/svc/v1/mcp/{server}/auth/status?subjectId={subject}&subjectType=user")
}

async fn the_three_statuses_are_those_of_the_seeds(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let token = running.user("ann");
    let both = async |server: &str| {
        let link = running.get(&authorize(server), &token).await;
        let status = running.get(&status_of(server, "ann"), &token).await;
        assert_eq!((link.status, status.status), (200, 200), "{}", link.text);
        (link.json(), status.json())
    };
    let not_required =
        json!({"status": "authentication_not_required", "reason": NO_AUTHENTICATION});
    assert_eq!(both("none").await, (not_required.clone(), not_required));
    assert_eq!(
        both("shared").await.0["status"],
        "authentication_not_required"
    );

    let (mut link, status) = both("oauth").await;
    let required = json!({"status": "authentication_required", "method": "oauth",
        "reason": NO_CONSENT});
    assert_eq!(status, required);
    let endpoint = link
        .as_object_mut()
        .unwrap()
        .remove("authorization_endpoint");
    assert_eq!(link, required);
    let endpoint = endpoint.unwrap();
    let handle = endpoint
        .as_str()
        .unwrap()
        .strip_prefix(&format!("{SERVICE}/connect/"));
    assert_eq!(handle.unwrap().len(), 43, "256 bits");

    let answer = running
        .put(
            "/api/svc/v1/mcp/keyed/auth",
            &token,
            &json!({"authOverride": {"type": "header", "headerValue": "k"}}),
        )
        .await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let authenticated = json!({"status": "authenticated", "method": "auth-override"});
    assert_eq!(both("keyed").await, (authenticated.clone(), authenticated));

    // A virtual server needs all of its sources.
    assert_eq!(both("all").await.1, required);
    for (server, source) in [("oauth", None), ("all", Some("oauth"))] {
        let mut body = json!({"authOverride": {"type": "header", "headerValue": "Bearer t"}});
        if let Some(source) = source {
            body["source"] = json!(source);
        }
        let path = format!("/api/svc/v1/mcp/{server}/auth");
        assert_eq!(running.put(&path, &token, &body).await.status, 204);
    }
    assert_eq!(both("all").await.0["status"], "authenticated");
}

async fn users_ask_about_themselves_and_managers_about_everybody(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let (user, manager) = (running.user("ann"), running.manager("max"));
    let set = json!({"authOverride": {"type": "header", "headerValue": "k"}});
    running.put("/api/svc/v1/mcp/keyed/auth", &user, &set).await;

    let path = status_of("keyed", "ann");
    assert_eq!(
        running.get(&path, &user).await.json()["status"],
        "authenticated"
    );
    assert_eq!(
        running.get(&path, &manager).await.json()["status"],
        "authenticated"
    );
    let other = running.get(&path, &running.user("bob")).await;
    assert_eq!(other.error(), (403, "access_denied".to_owned()));
    // Another type of the same name is another subject.
    let robot = path.replace("subjectType=user", "subjectType=virtualaccount");
    assert_eq!(running.get(&robot, &user).await.status, 403);
    assert_eq!(
        running.get(&robot, &manager).await.json()["status"],
        "authentication_required"
    );

    let issuer = |issuer: &str| format!("{path}&subjectIssuer={issuer}");
    let own = issuer(&running.issuer.url);
    assert_eq!(
        running.get(&own, &user).await.json()["status"],
        "authenticated"
    );
    assert_eq!(
        running.get(&own, &manager).await.json()["status"],
        "authenticated"
    );
    let foreign = issuer("https://foreign.example");
    assert_eq!(running.get(&foreign, &user).await.status, 403);
    assert_eq!(running.get(&foreign, &manager).await.error().0, 400);
}

async fn names_of_any_shape_are_kept_apart(database: Database) {
    let running = Running::on(Some(database), |_| {}).await;
    let manager = running.manager("max");
    let set = json!({"authOverride": {"type": "header", "headerValue": "k"}});
    running
        .put(
            "/api/svc/v1/mcp/keyed/auth",
            &running.user("a b%'\"|ä"),
            &set,
        )
        .await;
    let status = async |subject: &str| {
        let answer = running.get(&status_of("keyed", subject), &manager).await;
        answer.json()["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(status("a%20b%25%27%22%7C%C3%A4").await, "authenticated");
    for other in [
        "a%20b",
        "A%20b%25%27%22%7C%C3%A4",
        "a%20b%25%27%22%7C%C3%A4%20",
        "%",
    ] {
        assert_eq!(status(other).await, "authentication_required", "{other}");
    }
    for broken in ["", "%00", "a%0Ab", &"x".repeat(1025)] {
        let answer = running.get(&status_of("keyed", broken), &manager).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request".to_owned()),
            "{broken:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_server_is_404_for_everybody_whatever_else_is_wrong() {
    let running = Running::start().await;
    for token in [running.user("ann"), running.manager("max")] {
        for path in [
            authorize("nothing"),
            authorize("nothing?redirectURL=x"),
            authorize("NONE"),
            authorize("none%2F"),
            authorize("..%2Fnone"),
            status_of("nothing", "somebody"),
            "/api/svc/v1/mcp/nothing/auth/status".to_owned(),
            "/api/svc/v1/mcp/nothing/auth".to_owned(),
        ] {
            let path = path.replace(
                "nothing?redirectURL=x/authorize",
                "nothing/authorize?redirectURL=x",
            );
            let answer = running.get(&path, &token).await;
            assert_eq!(answer.error(), (404, "unknown_server".to_owned()), "{path}");
        }
    }
    assert_eq!(running.get(&authorize("nothing"), "x").await.status, 401);
}

#[tokio::test]
async fn parameters_that_are_missing_double_or_wrong_are_400() {
    let running = Running::start().await;
    let token = running.user("ann");
    for query in [
        "",
        "?subjectId=ann",
        "?subjectType=user",
        "?subjectId=ann&subjectType=",
        "?subjectId=ann&subjectType=User",
        "?subjectId=ann&subjectType=person",
        "?subjectId=ann&subjectId=ann&subjectType=user",
        "?subjectId=ann&subjectType=user&subjectType=user",
        "?subjectId=&subjectType=user",
    ] {
        let path = format!("/api/svc/v1/mcp/none/auth/status{query}");
        let answer = running.get(&path, &token).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request".to_owned()),
            "{query}"
        );
        assert!(
            answer.message().starts_with("subject"),
            "{}",
            answer.message()
        );
    }
}

#[tokio::test]
async fn gateway_and_redirect_are_those_configured_whatever_the_status() {
    let running = Running::start().await;
    let token = running.user("ann");
    for server in ["none", "oauth"] {
        let ask = async |query: &str| {
            running
                .get(&format!("{}?{query}", authorize(server)), &token)
                .await
        };
        for query in [
            "gatewayBaseURL=https://gate.example",
            "gatewayBaseURL=https%3A%2F%2Fgate.example%2F",
            "redirectURL=https://portal.example/done",
            "somethingElse=1",
        ] {
            assert_eq!(ask(query).await.status, 200, "{query}");
        }
        for (query, field) in [
            ("gatewayBaseURL=", "gatewayBaseURL"),
            ("gatewayBaseURL=gate.example", "gatewayBaseURL"),
            ("gatewayBaseURL=https://evil.example", "gatewayBaseURL"),
            ("gatewayBaseURL=http://gate.example", "gatewayBaseURL"),
            (
                "gatewayBaseURL=https://gate.example&gatewayBaseURL=https://gate.example",
                "gatewayBaseURL",
            ),
            ("redirectURL=", "redirectURL"),
            ("redirectURL=https://portal.example/done/", "redirectURL"),
            ("redirectURL=https://portal.example/done?x", "redirectURL"),
            ("redirectURL=//portal.example/done", "redirectURL"),
            ("redirectURL=javascript:alert(1)", "redirectURL"),
        ] {
            let answer = ask(query).await;
            assert_eq!(
                answer.error(),
                (400, "invalid_request".to_owned()),
                "{query}"
            );
            assert!(answer.message().starts_with(field), "{}", answer.message());
        }
    }
}

#[tokio::test]
async fn the_document_has_every_path_and_the_schemas_of_the_three_statuses() {
    let running = Running::start().await;
    let document: Value = running.get("/openapi.json", "x").await.json();
    assert_eq!(
        document["openapi"].as_str().unwrap().split('.').next(),
        Some("3")
    );
    for path in [
        "/api/svc/v1/mcp/{mcpServerId}/authorize",
        "/api/svc/v1/mcp/{mcpServerId}/auth/status",
        "/api/svc/v1/mcp/{mcpServerId}/auth",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let text = document.to_string();
    for status in [
        "authenticated",
        "authentication_required",
        "authentication_not_required",
    ] {
        assert!(text.contains(&format!("[\"{status}\"]")), "{status}");
    }
}
