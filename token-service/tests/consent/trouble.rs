//! Time, trouble at the issuer, the providers and the service itself.

use mcp_token_service::config::Database;
use serde_json::json;

use crate::setup::World;

crate::on_both_databases!(
    a_link_ends_after_ten_minutes_and_a_session_after_fifteen,
    a_person_has_ten_minutes_at_the_provider,
    what_is_no_link_is_not_found,
    trouble_at_the_token_endpoint_leaves_the_rest_and_can_be_tried_again,
    a_cancelled_or_broken_sign_in_leaves_the_link_good,
    without_its_database_the_service_says_so,
);

async fn a_link_ends_after_ten_minutes_and_a_session_after_fifteen(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    world.wait(599);
    browser.get(&link).await.says(200, "You are signed in");
    world.wait(1);
    browser.get(&link).await.says(410, "call the tool again");
    let form = [
        ("csrf", page.hidden("csrf")),
        ("source", "notes".to_owned()),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    browser.post(&link, &form).await.says(410, "no longer good");
    let link = world.link("alice", "notes").await;
    world.wait(300);
    browser.get(&link).await.says(200, "Sign in to connect");
}

async fn a_person_has_ten_minutes_at_the_provider(database: Database) {
    let world = World::start(database).await;
    for (seconds, status) in [(599, 303), (600, 410)] {
        let mut browser = world.browser();
        let link = world.link("alice", "notes").await;
        let page = world.sign_in(&mut browser, &link, "alice").await;
        // Late in the session: it lasts as long as the provider needs.
        world.wait(500);
        let sent = world.press(&mut browser, &link, &page, "notes").await;
        world.wait(seconds);
        let back = world.notes.refuse(&sent.location(), "access_denied");
        assert_eq!(browser.get(back).await.status, status);
    }
}

async fn what_is_no_link_is_not_found(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    for path in ["/connect/x", "/connect/%3Cscript%3E", "/connect/%00"] {
        let page = browser.get(path).await;
        page.says(404, "There is no such link");
        page.does_not_say("script");
    }
    let unknown = format!("/connect/{}", "A".repeat(43));
    browser.get(&unknown).await.says(410, "call the tool again");
    browser
        .post(&unknown, &[])
        .await
        .says(410, "no longer good");
}

async fn trouble_at_the_token_endpoint_leaves_the_rest_and_can_be_tried_again(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "all").await;
    let mut page = world.sign_in(&mut browser, &link, "alice").await;
    let mut link = link;
    for (status, body, words) in [
        (500, json!({}), "did not answer"),
        (400, json!({"error": "invalid_grant"}), "invalid_grant"),
        (
            400,
            json!({"error": "<script>", "error_description": "call 555"}),
            "is not connected",
        ),
        (200, json!({"access_token": 5}), "cannot be used"),
    ] {
        let sent = world.press(&mut browser, &link, &page, "notes").await;
        world.notes.answer_next(status, body);
        let back = world.notes.agree(&sent.location(), "alice");
        link = browser.get(back).await.location().to_string();
        page = browser.get(&link).await;
        page.says(200, words);
        page.says(200, "Notes &#60;b&#62;&#38; is not connected");
        page.does_not_say("<script>");
        page.does_not_say("555");
        assert_eq!(world.kept("alice", "notes").await, None);
    }
    let sent = world.press(&mut browser, &link, &page, "notes").await;
    let back = world.notes.agree(&sent.location(), "alice");
    let link = browser.get(back).await.location();
    let page = browser.get(&link).await;
    page.says(200, "Connected.");
    page.does_not_say("role=\"alert\"");
}

async fn a_cancelled_or_broken_sign_in_leaves_the_link_good(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    for (error, status, words) in [
        ("access_denied", 403, "was cancelled"),
        ("login_required", 502, "did not work"),
        ("<script>", 502, "did not work"),
    ] {
        let request = browser.post(format!("{link}/sign-in"), &[]).await;
        let back = world.issuer.refuse(&request.location(), error);
        let page = browser.get(back).await;
        page.says(status, words);
        page.says(status, "Back to the link");
        page.does_not_say("script");
    }
    world.issuer.answer_next(503, json!({}));
    let back = world.issuer_answer(&mut browser, &link, "alice").await;
    let page = browser.get(back).await;
    page.says(502, "does not answer");
    let id = page.headers["x-request-id"].to_str().unwrap();
    page.says(502, id);
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "Connect Notes");
}

async fn without_its_database_the_service_says_so(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    world.service.app().credentials.storage().close().await;
    let page = browser.get(&link).await;
    page.says(503, "The service has trouble");
    page.says(503, page.headers["x-request-id"].to_str().unwrap());
}
