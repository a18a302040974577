//! How it goes when nothing goes wrong, and when the person changes their mind.

use mcp_token_service::config::Database;
use mcp_token_service::consent::{self, StartError};
use mcp_token_service::owner::Target;
use mcp_token_service::storage::{Method, Slot};
use serde_json::json;

use crate::setup::{DONE, World};

crate::on_both_databases!(
    the_owner_connects_an_account,
    a_link_can_be_looked_at_as_often_as_one_likes_and_goes_once,
    a_virtual_server_is_connected_source_by_source,
    a_source_that_wants_several_values_has_a_field_for_each,
    a_token_is_asked_for_at_the_gateway_that_the_user_comes_through,
    another_replica_goes_on_where_the_first_stopped,
    what_is_connected_already_needs_no_agreement,
    a_person_can_sign_in_as_someone_else,
    only_a_listed_redirect_url_and_gateway_begin_a_flow,
    every_page_has_its_security_headers,
);

async fn the_owner_connects_an_account(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;

    let page = browser.get(&link).await;
    page.says(200, "Sign in to connect Notes &#60;b&#62;&#38;");
    page.does_not_say("<b>");
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "You are signed in as <strong>alice</strong>");
    page.says(200, "<code>notes:read</code>");
    page.says(200, "<code>notes:write</code>");
    let host = world.notes.issuer.replace("http://", "");
    page.says(200, &format!("<strong>{host}</strong>"));

    let sent = world.press(&mut browser, &link, &page, "notes").await;
    let request = world.notes.read(&sent.location());
    assert_eq!(
        request["redirect_uri"],
        format!("{}/oauth/callback", world.public_url)
    );
    assert_eq!(request["scope"], "notes:read notes:write");
    assert!(request["state"].len() >= 43);
    assert_eq!(world.kept("alice", "notes").await, None);

    let back = world.notes.agree(&sent.location(), "alice-at-notes");
    let end = browser.get(back).await;
    assert_eq!(
        end.location().as_str(),
        format!("{}/connected", world.public_url)
    );
    browser.get(end.location()).await.says(200, "Connected");
    let kept = world.kept("alice", "notes").await.unwrap();
    assert!(kept.contains("token-of-alice-at-notes"));
    assert_eq!(world.kept("bob", "notes").await, None);
    let expected = [("started", "notes"), ("finished", "notes")];
    assert_eq!(
        world.records().await,
        expected.map(|(outcome, server)| (outcome.to_owned(), server.to_owned()))
    );
    // The exchange was that of the code, with the proof of who asked.
    let exchange = &world.notes.token_requests()[0];
    assert_eq!(exchange["grant_type"], "authorization_code");
    assert!(exchange["code_verifier"].len() >= 43);
}

async fn a_link_can_be_looked_at_as_often_as_one_likes_and_goes_once(database: Database) {
    let world = World::start(database).await;
    let link = world.link("alice", "notes").await;
    let mut scanner = world.browser();
    for _ in 0..3 {
        let page = scanner.get(&link).await;
        page.says(200, "Sign in");
        assert_eq!(page.headers.get("set-cookie"), None);
        assert_eq!(
            scanner.method(reqwest::Method::HEAD, &link).await.status,
            200
        );
    }
    assert!(scanner.cookies.is_empty());

    let mut browser = world.browser();
    let page = world.sign_in(&mut browser, &link, "alice").await;
    browser.get(&link).await.says(200, "Connect Notes");
    let csrf = page.hidden("csrf");
    let form = [("csrf", csrf.as_str()), ("source", "notes")];
    let mut other = world.browser();
    other.cookies = browser.cookies.clone();
    let (one, two) = tokio::join!(browser.post(&link, &form), other.post(&link, &form));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410], "one of two gets it");
    browser.get(&link).await.says(410, "no longer good");
    browser
        .post(&link, &form)
        .await
        .says(410, "call the tool again");
}

async fn a_virtual_server_is_connected_source_by_source(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link_to("alice", "all", Some(DONE)).await.unwrap();
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "made of 3 services");

    // The first source: the person does not agree.
    let sent = world.press(&mut browser, &link, &page, "notes").await;
    let back = world.notes.refuse(&sent.location(), "access_denied");
    let link = browser.get(back).await.location();
    let page = browser.get(&link).await;
    page.says(200, "You did not agree");
    page.says(200, "role=\"alert\"");
    page.does_not_say("555");

    // The second one works, and stays when the first fails again.
    let sent = world
        .press(&mut browser, link.as_str(), &page, "wiki")
        .await;
    let back = world.wiki.agree(&sent.location(), "alice");
    let link = browser.get(back).await.location();
    let page = browser.get(&link).await;
    page.says(200, "Connected.");
    page.says(200, "You did not agree");
    let sent = world
        .press(&mut browser, link.as_str(), &page, "notes")
        .await;
    let back = world.notes.refuse(&sent.location(), "server_error");
    let link = browser.get(back).await.location();
    let page = browser.get(&link).await;
    page.says(200, "Connected.");
    page.does_not_say("You did not agree");
    assert!(world.kept("alice", "wiki").await.is_some());

    // The third one wants a key.
    page.says(200, "<label for=\"key-3-1\">TICKET_KEY</label>");
    let csrf = page.hidden("csrf");
    let key = |value| {
        [
            ("csrf", csrf.as_str()),
            ("source", "tickets"),
            ("value", value),
        ]
    };
    let refused = browser.post(&link, &key("a\r\nX-Other: b")).await;
    refused.says(400, "what you entered is empty or has characters");
    refused.does_not_say("X-Other");
    let sent = browser.post(&link, &key("s3cret-key")).await;
    let link = sent.location();
    let page = browser.get(&link).await;
    page.does_not_say("s3cret-key");
    assert_eq!(page.text.matches("Connected.").count(), 2);
    page.says(200, "Leave the rest for later");

    // And the first one at last: there is nothing left.
    let sent = world
        .press(&mut browser, link.as_str(), &page, "notes")
        .await;
    let back = world.notes.agree(&sent.location(), "alice");
    let end = browser.get(back).await;
    assert_eq!(end.location().as_str(), DONE);
    for server in ["notes", "wiki", "tickets"] {
        assert!(world.kept("alice", server).await.is_some(), "{server}");
    }
    let outcomes: Vec<String> = world
        .records()
        .await
        .into_iter()
        .map(|(outcome, server)| format!("{outcome} {server}"))
        .collect();
    assert_eq!(
        outcomes,
        [
            "started notes",
            "denied notes",
            "started wiki",
            "finished wiki",
            "started notes",
            "failed notes",
            "finished tickets",
            "started notes",
            "finished notes",
        ]
    );
}

async fn a_source_that_wants_several_values_has_a_field_for_each(database: Database) {
    let world = World::start(database).await;
    let service = world
        .reconfigured(|document| {
            document["servers"][2]["authentication"]["headers"] = json!({
                "X-Key": "{{KEY}}", "X-User": "{{USER}} {{KEY}}"});
        })
        .await;
    let mut browser = world.browser();
    browser.go_to(service.public_address());
    let link = world.link("alice", "tickets").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "It wants 2 values of yours");
    page.says(200, "<label for=\"key-1-1\">KEY</label>");
    page.says(200, "<label for=\"key-1-2\">USER</label>");
    page.says(
        200,
        "<input id=\"key-1-2\" name=\"value-USER\" type=\"password\"",
    );
    let csrf = page.hidden("csrf");
    let form = |values: &[(&'static str, &'static str)]| {
        let mut form = vec![("csrf", csrf.as_str()), ("source", "tickets")];
        form.extend_from_slice(values);
        form
    };
    let (user, key) = (("value-USER", "alice"), ("value-KEY", "k1"));
    for wrong in [
        form(&[]),
        form(&[user]),
        form(&[("value", "k1")]),
        form(&[user, key, key]),
    ] {
        browser.post(&link, &wrong).await.says(400, "other fields");
    }
    let empty = form(&[user, ("value-KEY", "")]);
    let refused = browser.post(&link, &empty).await;
    refused.says(400, "what you entered is empty");
    assert_eq!(world.kept("alice", "tickets").await, None);
    let end = browser.post(&link, &form(&[user, key])).await;
    assert_eq!(end.location().path(), "/connected");
    let (status, body) = world.resolve(&service, "tickets", json!({})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        body["headers"],
        json!([{"name": "x-key", "value": "k1"}, {"name": "x-user", "value": "alice k1"}])
    );
}

async fn a_token_is_asked_for_at_the_gateway_that_the_user_comes_through(database: Database) {
    let world = World::start(database).await;
    let service = world
        .reconfigured(|document| {
            document["gateway_urls"] = json!(["https://one.example", "https://two.example/base"]);
            let notes = &mut document["servers"][0];
            notes["resources"] = json!(["{{mcpProxyBaseURL}}/notes/mcp"]);
            notes["authentication"]["resource"] = json!("{{mcpProxyBaseURL}}/notes");
        })
        .await;
    let app = service.app();
    let (owner, server) = (world.owner("alice"), app.servers.get("notes").unwrap());
    let now = app.clock.now();
    let of_call = async |resource: &str| {
        let call = json!({"resource": resource});
        let (status, body) = world.resolve(&service, "notes", call).await;
        assert_eq!(status, 403, "{body}");
        body["authorization_endpoint"].as_str().unwrap().to_owned()
    };
    let started = async |gateway| {
        let started = consent::start(app, &owner, server, None, gateway, vec![], now);
        started.await.unwrap().url
    };
    for (link, gateway) in [
        (started(None).await, "https://one.example"),
        (
            started(Some("https://two.example/base/")).await,
            "https://two.example/base",
        ),
        (
            of_call("https://one.example/notes/mcp").await,
            "https://one.example",
        ),
        (
            of_call("https://two.example/base/notes/mcp").await,
            "https://two.example/base",
        ),
    ] {
        let mut browser = world.browser();
        browser.go_to(service.public_address());
        let page = world.sign_in(&mut browser, &link, "alice").await;
        let sent = world.press(&mut browser, &link, &page, "notes").await;
        let request = world.notes.read(&sent.location());
        assert_eq!(request["resource"], format!("{gateway}/notes"));
        let back = world.notes.agree(&sent.location(), "alice");
        assert_eq!(browser.get(back).await.location().path(), "/connected");
        let exchange = world.notes.token_requests().pop().unwrap();
        assert_eq!(exchange["resource"], format!("{gateway}/notes"));
        let slot = Slot {
            owner: owner.clone(),
            target: Target::server("notes"),
            method: Method::OAuth,
        };
        app.credentials.take(&slot).await.unwrap();
    }
}

async fn another_replica_goes_on_where_the_first_stopped(database: Database) {
    let world = World::start(database).await;
    let second = world.replica().await;
    let (one, two) = (world.service.public_address(), second.public_address());
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    browser.go_to(two);
    let back = world.issuer_answer(&mut browser, &link, "alice").await;
    browser.go_to(one);
    browser.get(back).await.location();
    browser.go_to(two);
    let page = browser.get(&link).await;
    let sent = world.press(&mut browser, &link, &page, "notes").await;
    browser.go_to(one);
    let back = world.notes.agree(&sent.location(), "alice");
    let end = browser.get(back).await;
    assert!(end.location().path() == "/connected");
    assert!(world.kept("alice", "notes").await.is_some());
}

async fn what_is_connected_already_needs_no_agreement(database: Database) {
    let world = World::start(database).await;
    let (mut browser, at) = world.at_provider("alice", "notes").await;
    let earlier = world.link_to("alice", "notes", Some(DONE)).await.unwrap();
    browser.get(world.notes.agree(&at, "alice")).await;
    let page = browser.get(&earlier).await;
    assert_eq!(page.location().as_str(), DONE);
}

async fn a_person_can_sign_in_as_someone_else(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let page = world.sign_in(&mut browser, &link, "mallory").await;
    page.says(403, "You are signed in as mallory");
    page.does_not_say("alice");
    let again = browser
        .post(format!("{link}/sign-in"), &[("again", "yes")])
        .await;
    let request = world.issuer.read(&again.location());
    assert_eq!(request["prompt"], "login");
    assert_eq!(request["scope"], "openid");
    let back = world.issuer.agree(&again.location(), "alice");
    browser.get(back).await.location();
    browser.get(&link).await.says(200, "Connect Notes");
}

async fn only_a_listed_redirect_url_and_gateway_begin_a_flow(database: Database) {
    let world = World::start(database).await;
    for url in ["https://evil.example/", "https://portal.example/done", ""] {
        let refused = world.link_to("alice", "notes", Some(url)).await;
        assert!(matches!(refused, Err(StartError::RedirectUrl)), "{url}");
    }
    assert!(world.link_to("alice", "notes", Some(DONE)).await.is_ok());
}

async fn every_page_has_its_security_headers(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let connect = world.sign_in(&mut browser, &link, "alice").await;
    let mut other = world.browser();
    let pages = [
        connect,
        other.get(&link).await,
        other.get("/connect/short").await,
        other.get("/oauth/callback").await,
        other.get("/sign-in/callback").await,
        other.get("/connected").await,
        other.post(&link, &[]).await,
        other.post(format!("{link}/sign-in"), &[]).await,
    ];
    for page in pages {
        let header = |name| page.headers[name].to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}
