//! What people could try who are not the owner of a link, or not in their
//! browser.

use mcp_token_service::config::Database;
use serde_json::json;

use crate::setup::World;

crate::on_both_databases!(
    another_persons_link_is_refused_and_stays_good_for_its_owner,
    a_person_of_the_same_name_at_another_issuer_is_another_person,
    an_answer_counts_in_the_browser_that_began_only,
    a_state_works_once,
    an_answer_without_the_right_issuer_brings_nothing,
    an_answer_with_a_parameter_twice_or_without_a_state_is_refused,
    a_form_without_the_proof_of_its_page_changes_nothing,
    nobody_can_be_signed_in_as_somebody_else,
    an_id_token_that_breaks_a_rule_signs_nobody_in,
    a_cookie_cannot_be_read_by_scripts_or_sent_by_other_sites_forms,
    the_body_of_a_form_is_waited_for_with_a_link_only_and_not_for_long,
    an_answer_that_names_its_sender_is_not_that_of_a_provider_without_a_name,
);

fn words(records: &[(String, String)]) -> Vec<&str> {
    records
        .iter()
        .map(|(outcome, _)| outcome.as_str())
        .collect()
}

async fn another_persons_link_is_refused_and_stays_good_for_its_owner(database: Database) {
    let world = World::start(database).await;
    let link = world.link("alice", "notes").await;
    let mut mallory = world.browser();
    let own = world.link("mallory", "notes").await;
    let own_page = world.sign_in(&mut mallory, &own, "mallory").await;

    let page = mallory.get(&link).await;
    page.says(403, "This link is for somebody else");
    page.does_not_say("alice");
    page.does_not_say("name=\"csrf\"");
    let csrf = own_page.hidden("csrf");
    let form = [("csrf", csrf.as_str()), ("source", "notes")];
    mallory.post(&link, &form).await.says(403, "somebody else");
    assert_eq!(words(&world.records().await), ["mismatch", "mismatch"]);
    assert!(world.notes.token_requests().is_empty());

    let mut alice = world.browser();
    let page = world.sign_in(&mut alice, &link, "alice").await;
    page.says(200, "Connect Notes");
}

async fn a_person_of_the_same_name_at_another_issuer_is_another_person(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    // The wiki's authorization server would say so, but nobody signs in there.
    world
        .issuer
        .claim_next(json!({"iss": world.wiki.issuer, "sub": "alice"}));
    let back = world.issuer_answer(&mut browser, &link, "alice").await;
    browser.get(back).await.says(502, "did not work");
    browser.get(&link).await.says(200, "Sign in to connect");
}

async fn an_answer_counts_in_the_browser_that_began_only(database: Database) {
    let world = World::start(database).await;
    let (mut alice, at) = world.at_provider("alice", "notes").await;
    // Mallory makes Alice's provider send its answer to his browser, or makes
    // her browser come here with an answer of his.
    let back = world.notes.agree(&at, "mallory-at-notes");
    let mut mallory = world.browser();
    mallory.get(&back).await.says(403, "another browser");
    let own = world.link("mallory", "notes").await;
    world.sign_in(&mut mallory, &own, "mallory").await;
    mallory.get(&back).await.says(403, "another browser");
    assert_eq!(world.kept("mallory", "notes").await, None);
    assert_eq!(world.kept("alice", "notes").await, None);
    assert!(world.notes.token_requests().is_empty());
    assert_eq!(
        words(&world.records().await),
        ["started", "mismatch", "mismatch"]
    );
    // It is still good where it belongs.
    assert_eq!(alice.get(&back).await.location().path(), "/connected");
}

async fn a_state_works_once(database: Database) {
    let world = World::start(database).await;
    let (mut browser, at) = world.at_provider("alice", "notes").await;
    let back = world.notes.agree(&at, "alice");
    browser.get(&back).await.location();
    browser.get(&back).await.says(410, "no longer good");
    assert_eq!(world.notes.token_requests().len(), 1);
}

async fn an_answer_without_the_right_issuer_brings_nothing(database: Database) {
    let world = World::start(database).await;
    let evil = world.wiki.issuer.clone();
    for iss in [None, Some(evil.as_str()), Some("")] {
        let (mut browser, at) = world.at_provider("alice", "notes").await;
        let mut back = world.notes.agree(&at, "alice");
        let pairs: Vec<(String, String)> = back
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| name != "iss")
            .collect();
        back.query_pairs_mut().clear().extend_pairs(pairs);
        if let Some(iss) = iss {
            back.query_pairs_mut().append_pair("iss", iss);
        }
        let link = browser.get(back).await.location();
        let page = browser.get(&link).await;
        page.says(200, "an answer that cannot be used");
        assert_eq!(world.kept("alice", "notes").await, None);
    }
    assert!(world.notes.token_requests().is_empty());
}

async fn an_answer_with_a_parameter_twice_or_without_a_state_is_refused(database: Database) {
    let world = World::start(database).await;
    let (mut browser, at) = world.at_provider("alice", "notes").await;
    let back = world.notes.agree(&at, "alice").to_string();
    for bad in [
        format!("{back}&code=other"),
        format!("{back}&state=other"),
        format!("{back}&error=access_denied"),
        format!("{}/oauth/callback?code=x", world.public_url),
        format!("{}/oauth/callback?code=x&state=%00", world.public_url),
    ] {
        browser.get(&bad).await.says(400, "cannot be used");
    }
    assert_eq!(browser.get(&back).await.location().path(), "/connected");
}

async fn a_form_without_the_proof_of_its_page_changes_nothing(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    let other_link = world.link("alice", "notes").await;
    let of_other_link = browser.get(&other_link).await.hidden("csrf");
    let csrf = page.hidden("csrf");
    let mut tampered = csrf.clone().into_bytes();
    tampered[0] ^= 1;
    let tampered = String::from_utf8(tampered).unwrap();
    let forms: [&[(&str, &str)]; 5] = [
        &[("source", "notes")],
        &[("source", "notes"), ("csrf", "")],
        &[("source", "notes"), ("csrf", &tampered)],
        &[("source", "notes"), ("csrf", &of_other_link)],
        &[("source", "notes"), ("csrf", &csrf), ("csrf", &csrf)],
    ];
    for form in forms {
        browser.post(&link, form).await.says(403, "out of date");
    }
    let good = [("source", "notes"), ("csrf", csrf.as_str())];
    let foreign: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", &world.public_url),
        ],
    ];
    for headers in foreign {
        let page = browser.post_with(&link, &good, headers).await;
        page.says(403, "out of date");
        let page = browser
            .post_with(format!("{link}/sign-in"), &[], headers)
            .await;
        page.says(403, "out of date");
    }
    for source in ["wiki", "nothing", ""] {
        let form = [("source", source), ("csrf", csrf.as_str())];
        browser.post(&link, &form).await.says(400, "other fields");
    }
    assert!(world.records().await.is_empty());
    // Nothing was used up.
    browser.post(&link, &good).await.location();
}

async fn nobody_can_be_signed_in_as_somebody_else(database: Database) {
    let world = World::start(database).await;
    let link = world.link("mallory", "notes").await;
    let mut mallory = world.browser();
    // Mallory begins to sign in and lets Alice's browser end it.
    let back = world.issuer_answer(&mut mallory, &link, "mallory").await;
    let mut alice = world.browser();
    alice.get(&back).await.says(403, "another browser");
    assert!(alice.cookies.is_empty());
    // What was in the cookie before is not what is in it afterwards.
    let planted = "A".repeat(43);
    mallory
        .cookies
        .insert("mcp_ts_session".to_owned(), planted.clone());
    mallory.get(&back).await.location();
    assert_ne!(mallory.cookies["mcp_ts_session"], planted);
    assert!(!mallory.cookies.contains_key("mcp_ts_sign_in"));
    mallory.get(&back).await.says(410, "no longer good");
}

async fn an_id_token_that_breaks_a_rule_signs_nobody_in(database: Database) {
    let world = World::start(database).await;
    let link = world.link("alice", "notes").await;
    let mut browser = world.browser();
    for claims in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"aud": "another-client"}),
        json!({"aud": ["connect-page", "another"], "azp": "another"}),
        json!({"exp": 1000}),
        json!({"sub": ""}),
        json!({"iss": "https://evil.example"}),
    ] {
        world.issuer.claim_next(claims.clone());
        let back = world.issuer_answer(&mut browser, &link, "alice").await;
        let page = browser.get(back).await;
        page.says(502, "The sign-in did not work");
        assert!(!browser.cookies.contains_key("mcp_ts_session"), "{claims}");
    }
    for answer in [
        json!({"access_token": "a", "token_type": "Bearer"}),
        json!({"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}),
    ] {
        world.issuer.answer_next(200, answer);
        let back = world.issuer_answer(&mut browser, &link, "alice").await;
        browser.get(back).await.says(502, "did not work");
    }
    // Without `iss`, though the issuer promises it.
    let mut back = world.issuer_answer(&mut browser, &link, "alice").await;
    let query = back.query().unwrap().replace("iss=", "not=");
    back.set_query(Some(&query));
    browser.get(back).await.says(502, "did not work");
    assert!(!browser.cookies.contains_key("mcp_ts_session"));
}

async fn a_cookie_cannot_be_read_by_scripts_or_sent_by_other_sites_forms(database: Database) {
    let world = World::start(database).await;
    let mut browser = world.browser();
    let link = world.link("alice", "notes").await;
    let begun = browser.post(format!("{link}/sign-in"), &[]).await;
    let back = world.issuer.agree(&begun.location(), "alice");
    let ended = browser.get(back).await;
    for page in [&begun, &ended] {
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        assert!(!cookie.contains("alice"));
    }
}

/// The answer to the head of a form whose body does not come.
async fn answer_without_a_body(world: &World, path: &str, headers: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = world.service.public_address();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n{headers}\
         content-type: application/x-www-form-urlencoded\r\n\r\ncsrf="
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    // Long before the time of a request is over.
    let read = tokio::time::timeout(core::time::Duration::from_secs(8), read);
    read.await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn the_body_of_a_form_is_waited_for_with_a_link_only_and_not_for_long(database: Database) {
    let world = World::start(database).await;
    let unknown = format!("/connect/{}", "A".repeat(43));
    for path in [unknown.clone(), format!("{unknown}/sign-in")] {
        let begun = std::time::Instant::now();
        let answer = answer_without_a_body(&world, &path, "").await;
        assert_eq!(answer, "HTTP/1.1 410", "{path}");
        assert!(begun.elapsed().as_secs_f32() < 1.5, "the body is not read");
    }

    let link = world.link("alice", "notes").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &link, "alice").await;
    let cookies: Vec<String> = browser
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let cookies = format!("cookie: {}\r\n", cookies.join("; "));
    let path = link.strip_prefix(&world.public_url).unwrap();
    for (path, headers) in [
        (path.to_owned(), cookies.as_str()),
        (format!("{path}/sign-in"), ""),
    ] {
        let answer = answer_without_a_body(&world, &path, headers).await;
        assert_eq!(answer, "HTTP/1.1 400", "{path}");
    }
}

async fn an_answer_that_names_its_sender_is_not_that_of_a_provider_without_a_name(
    database: Database,
) {
    let world = World::start(database).await;
    let wiki = world.wiki.issuer.clone();
    let service = world
        .reconfigured(|document| {
            document["servers"][1]["authentication"]["provider"] = json!({"endpoints": {
                "authorization": format!("{wiki}/auth"), "token": format!("{wiki}/token")}});
        })
        .await;
    let mut browser = world.browser();
    browser.go_to(service.public_address());
    let link = world.link("alice", "wiki").await;
    let page = world.sign_in(&mut browser, &link, "alice").await;
    let sent = world.press(&mut browser, &link, &page, "wiki").await;
    let back = world.notes.answer_to(&world.wiki.read(&sent.location()));
    let next = browser.get(back).await.location();
    browser.get(&next).await.says(200, "cannot be used");
    assert!(world.wiki.token_requests().is_empty(), "no code goes there");
    assert_eq!(world.kept("alice", "wiki").await, None);
}
