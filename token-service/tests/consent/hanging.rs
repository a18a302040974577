//! Providers and issuers that accept a call and never answer: the person is
//! told so in time, and nothing else is lost.

use std::time::Duration;

use mcp_token_service::config::{Config, Database};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::setup::World;

crate::on_both_databases!(
    a_token_endpoint_that_hangs_is_named_and_the_rest_is_kept,
    a_discovery_that_hangs_is_named_and_leaves_the_link_good,
    an_issuer_that_hangs_leaves_the_link_good,
    a_sign_in_that_hangs_leaves_the_link_good,
    a_request_of_a_browser_that_takes_too_long_is_answered_with_a_page,
);

/// A call ends well before the request.
fn a_call_ends_first(config: &mut Config) {
    limit(config, Duration::from_secs(1), Duration::from_secs(12));
}

/// Only the end of the request's time could end a call: so many of them may
/// come one after the other.
fn no_call_ends(config: &mut Config) {
    limit(config, Duration::from_secs(600), Duration::from_secs(7));
}

/// The time of a request is over before that of its form.
fn a_request_ends_first(config: &mut Config) {
    limit(config, Duration::from_secs(1), Duration::from_secs(1));
}

const fn limit(config: &mut Config, call: Duration, request: Duration) {
    config.outbound.timeout = call;
    config.issuers_outbound.timeout = call;
    config.limits.request_time = request;
}

async fn a_token_endpoint_that_hangs_is_named_and_the_rest_is_kept(database: Database) {
    let world = World::start_with(database, a_call_ends_first).await;
    let mut browser = world.browser();
    let link = world.link("alice", "all").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    let sent = world.press(&mut browser, &link, &page, "wiki").await;
    let back = world.wiki.agree(&sent.location(), "alice");
    let link = browser.get(back).await.location();
    let page = browser.get(&link).await;

    let sent = world
        .press(&mut browser, link.as_str(), &page, "notes")
        .await;
    world.notes.hang("/token");
    let back = world.notes.agree(&sent.location(), "alice");
    let next = browser.get(back).await.location();
    let page = browser.get(&next).await;
    page.says(200, "Notes &#60;b&#62;&#38; is not connected");
    page.says(200, "did not answer");
    page.says(200, "Connected.");
    assert!(world.kept("alice", "wiki").await.is_some());
    assert_eq!(world.kept("alice", "notes").await, None);

    // It can be tried again from there.
    world.notes.hang_no_more();
    let sent = world
        .press(&mut browser, next.as_str(), &page, "notes")
        .await;
    let back = world.notes.agree(&sent.location(), "alice");
    browser.get(back).await.location();
    assert!(world.kept("alice", "notes").await.is_some());
    let outcomes: Vec<String> = world
        .records()
        .await
        .into_iter()
        .map(|(outcome, server)| format!("{outcome} {server}"))
        .collect();
    assert_eq!(
        outcomes,
        [
            "started wiki",
            "finished wiki",
            "started notes",
            "failed notes",
            "started notes",
            "finished notes",
        ]
    );
}

async fn a_discovery_that_hangs_is_named_and_leaves_the_link_good(database: Database) {
    let world = World::start_with(database, no_call_ends).await;
    let mut browser = world.browser();
    world.notes.hang("/.well-known/oauth-authorization-server");
    let link = world.link("alice", "all").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    let page = world.press(&mut browser, &link, &page, "notes").await;
    page.says(502, "Notes &#60;b&#62;&#38; is not connected");
    page.says(502, "did not answer");
    // The others go on from there.
    let sent = world.press(&mut browser, &link, &page, "wiki").await;
    let back = world.wiki.agree(&sent.location(), "alice");
    browser.get(back).await.location();
    assert!(world.kept("alice", "wiki").await.is_some());
    let outcomes = ["failed notes", "started wiki", "finished wiki"];
    let found = world.records().await.into_iter();
    let found: Vec<String> = found.map(|(what, of)| format!("{what} {of}")).collect();
    assert_eq!(found, outcomes);
}

async fn an_issuer_that_hangs_leaves_the_link_good(database: Database) {
    let world = World::start_with(database, a_call_ends_first).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    world.issuer.hang("/.well-known/oauth-authorization-server");
    let page = browser.post(format!("{link}/sign-in"), &[]).await;
    page.says(502, "does not answer");
    page.says(502, "Back to the link");
    world.issuer.hang_no_more();

    world.issuer.hang("/jwks");
    let back = world.issuer_answer(&mut browser, &link, "alice").await;
    let page = browser.get(back).await;
    page.says(502, "does not answer");
    page.says(502, "Back to the link");
    world.issuer.hang_no_more();
    // Keys are not asked for at every turn.
    world.wait(60);
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "Connect Notes");
}

async fn a_sign_in_that_hangs_leaves_the_link_good(database: Database) {
    let world = World::start_with(database, no_call_ends).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let back = world.issuer_answer(&mut browser, &link, "alice").await;
    world.issuer.hang("/token");
    let page = browser.get(back).await;
    page.says(502, "does not answer");
    page.says(502, "Back to the link");
    world.issuer.hang_no_more();
    let page = world.sign_in(&mut browser, &link, "alice").await;
    page.says(200, "Connect Notes");
}

async fn a_request_of_a_browser_that_takes_too_long_is_answered_with_a_page(database: Database) {
    let world = World::start_with(database, a_request_ends_first).await;
    let link = world.link("alice", "notes").await;
    let path = link.trim_start_matches(&world.public_url);
    let at = world.service.public_address();
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    // The rest of the form never comes.
    let head = format!(
        "POST {path}/sign-in HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\na"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    for header in [
        "content-type: text/html",
        "content-security-policy: default-src 'none'; ",
        "cache-control: no-store",
        "retry-after: 1",
        "connection: close",
    ] {
        assert!(head.contains(header), "no {header}: {head}");
    }
    let id = head.split("x-request-id: ").nth(1).unwrap();
    let id = id.split("\r\n").next().unwrap();
    assert!(body.contains("The service has trouble"), "{body}");
    assert!(body.to_ascii_lowercase().contains(id), "{body}");
    // And a program gets what it can read.
    let mut browser = world.browser();
    browser.get("/nothing").await.says(404, "\"not_found\"");
}
