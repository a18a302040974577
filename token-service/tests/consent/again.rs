//! A user who is asked again: what the link of an answer brings is enough for
//! the next call, whatever the reason was, and nothing is called connected
//! before.

use mcp_token_service::config::Database;
use mcp_token_service::grants::OverrideValue;
use mcp_token_service::secret::Secret;
use mcp_token_service::service::Service;
use serde_json::{Value, json};

use crate::browser::{Browser, Page};
use crate::setup::World;

crate::on_both_databases!(
    a_refused_key_is_asked_for_by_its_link,
    a_refused_override_gives_way_to_what_the_user_agrees_to,
    missing_scopes_are_brought_by_the_link,
    what_the_upstream_wants_is_asked_for_until_all_of_it_is_granted,
    a_grant_of_another_client_is_replaced_by_the_link,
    a_grant_of_a_lost_registration_is_replaced_by_the_link,
);

/// The link of an answer that asks the user.
fn link(answer: &(u16, Value), reason: &str) -> String {
    let (status, body) = answer;
    assert_eq!((*status, body["reason"].as_str()), (403, Some(reason)));
    body["authorization_endpoint"].as_str().unwrap().to_owned()
}

#[track_caller]
fn version(answer: &(u16, Value)) -> String {
    let (status, body) = answer;
    assert_eq!(
        (*status, &body["status"]),
        (200, &json!("authenticated")),
        "{body}"
    );
    body["credential_version"].as_str().unwrap().to_owned()
}

fn refused(version: &str) -> Value {
    json!({"rejected": {"credential_version": version, "status": 401, "error": "invalid_token"}})
}

fn is_connected(page: &Page) -> bool {
    page.location().path() == "/connected"
}

/// The user agrees to what the link asks for; whether that was all.
async fn agree(world: &World, browser: &mut Browser, link: &str, server: &str) -> Page {
    let page = world.sign_in(browser, link, "alice").await;
    page.says(200, "name=\"source\"");
    let sent = world.press(browser, link, &page, server).await;
    let provider = match server {
        "notes" => &world.notes,
        _ => &world.wiki,
    };
    let back = provider.agree(&sent.location(), "alice");
    browser.get(back).await
}

/// The user gives a key.
async fn enter(world: &World, browser: &mut Browser, link: &str, key: &str) -> Page {
    let page = world.sign_in(browser, link, "alice").await;
    page.says(200, "TICKET_KEY");
    let csrf = page.hidden("csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("source", "tickets"),
        ("value", key),
    ];
    browser.post(link, &form).await
}

/// A link that the user has from elsewhere asks too.
async fn any_link_asks(world: &World, browser: &mut Browser, server: &str) {
    let other = world.link("alice", server).await;
    let page = world.sign_in(browser, &other, "alice").await;
    page.says(200, "name=\"source\"");
}

async fn a_refused_key_is_asked_for_by_its_link(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let ask = async |more| world.resolve(&world.service, "tickets", more).await;
    let first = link(&ask(json!({})).await, "consent_missing");
    assert!(is_connected(
        &enter(&world, &mut browser, &first, "key-1").await
    ));
    let rejected = refused(&version(&ask(json!({})).await));

    let again = link(&ask(rejected.clone()).await, "revoked");
    any_link_asks(&world, &mut browser, "tickets").await;
    // The refusal is remembered.
    link(&ask(json!({})).await, "revoked");
    assert!(is_connected(
        &enter(&world, &mut browser, &again, "key-2").await
    ));
    let (_, body) = ask(rejected).await;
    assert_eq!(body["headers"][0]["value"], "Key key-2");
}

async fn a_refused_override_gives_way_to_what_the_user_agrees_to(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let app = world.service.app();
    let (alice, notes) = (world.owner("alice"), app.servers.get("notes").unwrap());
    let value = OverrideValue::One(Secret::new("Bearer mine"));
    app.grants
        .set_override(&alice, notes, None, &value, "r", app.clock.now())
        .await
        .unwrap();
    let ask = async |more| world.resolve(&world.service, "notes", more).await;
    let rejected = refused(&version(&ask(json!({})).await));

    let answer = ask(rejected.clone()).await;
    assert_eq!(answer.1["detail"]["authType"], "oauth");
    let again = link(&answer, "revoked");
    any_link_asks(&world, &mut browser, "notes").await;
    assert!(is_connected(
        &agree(&world, &mut browser, &again, "notes").await
    ));
    let (_, body) = ask(rejected).await;
    assert_eq!(body["headers"][0]["value"], "Bearer token-of-alice");
}

async fn missing_scopes_are_brought_by_the_link(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let ask = async |more| world.resolve(&world.service, "wiki", more).await;
    let needs = |scope: &str| json!({"required_scopes": [scope]});
    let first = link(&ask(json!({})).await, "consent_missing");
    assert!(is_connected(
        &agree(&world, &mut browser, &first, "wiki").await
    ));
    version(&ask(json!({})).await);

    // The provider gives less than is needed: that is not connected.
    let again = link(&ask(needs("edit")).await, "insufficient_scope");
    world.wiki.answer_next(
        200,
        json!({"access_token": "less", "token_type": "Bearer", "expires_in": 3600,
               "refresh_token": "r", "scope": "read"}),
    );
    let next = agree(&world, &mut browser, &again, "wiki").await.location();
    let page = browser.get(&next).await;
    page.says(200, "did not give all the permissions");
    page.says(200, "<code>edit</code>");
    // The rest of the calls go on.
    version(&ask(json!({})).await);
    link(&ask(needs("edit")).await, "insufficient_scope");

    let sent = world
        .press(&mut browser, next.as_str(), &page, "wiki")
        .await;
    assert_eq!(world.wiki.read(&sent.location())["scope"], "edit read");
    let back = world.wiki.agree(&sent.location(), "alice");
    assert!(is_connected(&browser.get(back).await));
    version(&ask(needs("edit")).await);

    // Another call needs something else, and the first one keeps what it has.
    let again = link(&ask(needs("admin")).await, "insufficient_scope");
    assert!(is_connected(
        &agree(&world, &mut browser, &again, "wiki").await
    ));
    version(&ask(needs("admin")).await);
    let current = version(&ask(needs("edit")).await);

    // The upstream wants more than it names: there is nothing more to ask for.
    let (status, body) = ask(wants_more(&current)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("access_denied"))
    );
}

fn wants_more(version: &str) -> Value {
    json!({"rejected": {"credential_version": version, "status": 403,
        "error": "insufficient_scope"}})
}

async fn what_the_upstream_wants_is_asked_for_until_all_of_it_is_granted(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let ask = async |more| world.resolve(&world.service, "notes", more).await;
    let first = link(&ask(json!({})).await, "consent_missing");
    world.notes.answer_next(
        200,
        json!({"access_token": "less", "token_type": "Bearer", "expires_in": 3600,
               "refresh_token": "r", "scope": "notes:read"}),
    );
    agree(&world, &mut browser, &first, "notes").await;
    let few = wants_more(&version(&ask(json!({})).await));
    let again = link(&ask(few.clone()).await, "insufficient_scope");
    assert!(is_connected(
        &agree(&world, &mut browser, &again, "notes").await
    ));
    // The refusal of what was there before says nothing of the new one.
    let all = version(&ask(few).await);
    let (status, body) = ask(wants_more(&all)).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("access_denied"))
    );
}

/// Connects, waits until the token is over, and lets the link of the next call
/// bring a new one.
async fn over_and_again(world: &World, later: &Service, server: &str, trouble: impl AsyncFnOnce()) {
    let mut browser = world.browser();
    let first = world.resolve(&world.service, server, json!({})).await;
    let first = link(&first, "consent_missing");
    assert!(is_connected(
        &agree(world, &mut browser, &first, server).await
    ));
    version(&world.resolve(&world.service, server, json!({})).await);

    world.wait(3600);
    trouble().await;
    let mut browser = world.browser();
    browser.go_to(later.public_address());
    let again = world.resolve(later, server, json!({})).await;
    let again = link(&again, "refresh_failed");
    any_link_asks(world, &mut browser, server).await;
    assert!(is_connected(
        &agree(world, &mut browser, &again, server).await
    ));
    version(&world.resolve(later, server, json!({})).await);
}

async fn a_grant_of_another_client_is_replaced_by_the_link(database: Database) {
    let world = World::start(database).await;
    let later = world
        .reconfigured(|document| {
            document["servers"][0]["authentication"]["client"]["client_id"] = json!("another");
        })
        .await;
    over_and_again(&world, &later, "notes", async || {}).await;
}

async fn a_grant_of_a_lost_registration_is_replaced_by_the_link(database: Database) {
    let world = World::start(database).await;
    over_and_again(&world, &world.service, "dynamic", async || {
        let refusal = json!({"error": "invalid_client"});
        world.wiki.answer_next(401, refusal.clone());
        let (status, body) = world.resolve(&world.service, "dynamic", json!({})).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (502, &json!("upstream_error"))
        );
        world.wait(300);
        world.wiki.answer_next(401, refusal);
    })
    .await;
    let clients: Vec<String> = world
        .wiki
        .token_requests()
        .into_iter()
        .map(|form| form["client_id"].clone())
        .collect();
    assert_eq!(
        clients,
        ["dynamic-1", "dynamic-1", "dynamic-1", "dynamic-2"]
    );
}
