//! The two listeners, and what holds for every request.

use std::time::Duration;

use mcp_token_service::config::Database;
use mcp_token_service::storage::Storage;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{GATE_KEY, Running, SERVICE, json_body, send};

const RESOLVE: &str = "/v1/credentials/resolve";
const AUTHORIZE: &str = "/api/svc/v1/mcp/none/authorize";

/// On PostgreSQL, where a statement waits for a lock as long as it has to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tidying_up_that_hangs_does_not_keep_the_service_from_its_end() {
    let Some((database, _)) = crate::support::postgres() else {
        return;
    };
    // The tables are there before the service is.
    let storage = Storage::open(&database).await.unwrap();
    storage.close().await;
    let Database::Postgres { url, .. } = &database else {
        panic!("another database");
    };
    let url = url.expose_text().unwrap();
    let mut blocker = sqlx::PgConnection::connect(url).await.unwrap();
    let mut blocked = blocker.begin().await.unwrap();
    let lock = sqlx::query("LOCK TABLE consents IN EXCLUSIVE MODE");
    lock.execute(&mut *blocked).await.unwrap();
    let change = |document: &mut Value| document["limits"] = json!({"shutdown_seconds": 1});
    let mut running = Running::on(Some(database.clone()), change).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted \
        AND relation = 'consents'::regclass";
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&mut *blocked)
        .await
        .unwrap()
        == 0
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.stop();
    let ended = tokio::time::timeout(Duration::from_secs(20), running.ended()).await;
    ended.expect("the service ends");
}

#[tokio::test]
async fn each_listener_answers_its_own_and_nothing_of_the_other() {
    let running = Running::start().await;
    let get = async |base: &str, path: &str| {
        send(running.client.get(format!("{base}{path}")))
            .await
            .status
    };
    for base in [&running.public, &running.filter] {
        assert_eq!(get(base, "/healthz").await, 200);
        assert_eq!(get(base, "/readyz").await, 200);
        assert_eq!(get(base, "/openapi.json").await, 200);
        assert_eq!(get(base, "/").await, 404);
    }
    assert_eq!(get(&running.filter, "/metrics").await, 200);
    assert_eq!(get(&running.public, "/metrics").await, 404);
    assert_eq!(get(&running.filter, AUTHORIZE).await, 404);
    assert_eq!(get(&running.filter, "/connect/x").await, 404);
    let post = running.client.post(format!("{}{RESOLVE}", running.public));
    let question = running.question("none", "ann");
    let answer = send(json_body(post.bearer_auth(GATE_KEY), &question)).await;
    assert_eq!(answer.error(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn another_method_is_answered_with_those_that_there_are() {
    let running = Running::start().await;
    let answer = send(running.on_public(Method::POST, AUTHORIZE, "x")).await;
    assert_eq!(answer.error(), (405, "method_not_allowed".to_owned()));
    let allow = answer.header("allow");
    assert!(allow.contains("GET"), "{allow}");
    let answer = send(running.client.get(format!("{}{RESOLVE}", running.filter))).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_kept_by_nobody() {
    let running = Running::start().await;
    let token = running.user("ann");
    let answer = running.get(AUTHORIZE, &token).await;
    let fresh = answer.header("x-request-id").to_owned();
    assert!(fresh.len() >= 16, "{fresh}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_ne!(
        running.get(AUTHORIZE, &token).await.header("x-request-id"),
        fresh
    );

    let sent = |id: &str| {
        running
            .on_public(Method::GET, "/nothing", &token)
            .header("x-request-id", id)
    };
    let answer = send(sent("a-1.b_C")).await;
    assert_eq!(answer.header("x-request-id"), "a-1.b_C");
    assert_eq!(answer.json()["error"]["request_id"], "a-1.b_C");
    for id in ["a b", "a\"b", &"x".repeat(129)] {
        assert_ne!(send(sent(id)).await.header("x-request-id"), id);
    }
    let twice = sent("one").header("x-request-id", "two");
    let answer = send(twice).await;
    assert!(!["one", "two"].contains(&answer.header("x-request-id")));
}

#[tokio::test]
async fn the_client_document_has_its_own_address_as_the_client_id_and_may_be_kept() {
    let running = Running::start().await;
    let answer = send(
        running
            .client
            .get(format!("{}/oauth/client.json", running.public)),
    )
    .await;
    assert_eq!(
        answer.json()["client_id"],
        format!("{SERVICE}/oauth/client.json")
    );
    assert_eq!(
        answer.json()["redirect_uris"],
        json!([format!("{SERVICE}/oauth/callback")])
    );
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(answer.header("pragma"), "");
}

#[tokio::test]
async fn the_host_header_does_not_matter() {
    let running = Running::start().await;
    let request = running
        .on_public(Method::GET, "/healthz", "x")
        .header("host", "evil.example");
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_and_without_its_length() {
    let running = Running::with(|document| {
        document["limits"] = json!({"request_bytes": 1024});
    })
    .await;
    let mut question = running.question("none", "ann");
    question["request_id"] = json!("x".repeat(2000));
    let answer = running.resolve(GATE_KEY, &question).await;
    assert_eq!(answer.error(), (413, "invalid_request".to_owned()));

    let mut stream = connect(&running.filter).await;
    let head = format!(
        "POST {RESOLVE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GATE_KEY}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    stream.write_all(chunk.repeat(2).as_bytes()).await.unwrap();
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(status_line(&mut stream).await.contains(" 413 "));
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_the_request_in_time() {
    let running = Running::with(|document| {
        document["outbound"]["timeout_seconds"] = json!(1);
        document["limits"] = json!({"request_seconds": 4});
    })
    .await;
    let mut stream = connect(&running.filter).await;
    let head = format!(
        "POST {RESOLVE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GATE_KEY}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let line = tokio::time::timeout(Duration::from_secs(60), status_line(&mut stream)).await;
    assert!(line.unwrap().contains(" 503 "));
}

#[tokio::test]
async fn more_requests_than_places_are_refused_at_once() {
    let running = Running::with(|document| {
        document["outbound"]["timeout_seconds"] = json!(1);
        document["limits"] = json!({"concurrent_requests": 1, "request_seconds": 5});
    })
    .await;
    let mut stream = connect(&running.filter).await;
    let head = format!(
        "POST {RESOLVE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GATE_KEY}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The first request holds the place as soon as it has arrived.
    let document = format!("{}/openapi.json", running.filter);
    let refused = async {
        loop {
            let answer = send(running.client.get(&document)).await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(4), refused).await;
    let refused = refused.unwrap();
    assert_eq!(refused.error().1, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    // Probes need none.
    for probe in ["healthz", "readyz"] {
        let probe = format!("{}/{probe}", running.filter);
        assert_eq!(send(running.client.get(probe)).await.status, 200);
    }
    // The other listener has places of its own.
    let document = format!("{}/openapi.json", running.public);
    assert_eq!(send(running.client.get(document)).await.status, 200);
    stream.write_all(b"{}").await.unwrap();
    assert!(status_line(&mut stream).await.contains(" 400 "));
}

#[tokio::test]
async fn with_a_certificate_a_listener_speaks_tls_and_nothing_else() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service");
    let running = Running::with(|document| {
        document["tls"]["filter"] = json!({
            "certificate": format!("{directory}/tls-certificate.pem"),
            "key": format!("{directory}/tls-key.pem"),
        });
    })
    .await;
    assert!(running.filter.starts_with("https:"));
    let health = |base: &str| format!("{base}/healthz");
    assert_eq!(
        send(running.client.get(health(&running.filter)))
            .await
            .status,
        200
    );
    assert_eq!(
        send(running.client.get(health(&running.public)))
            .await
            .status,
        200
    );
    let plain = running.filter.replace("https:", "http:");
    assert!(running.client.get(health(&plain)).send().await.is_err());
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(stranger.get(health(&running.filter)).send().await.is_err());
}

#[tokio::test]
async fn when_the_database_is_gone_it_lives_but_is_not_ready() {
    let running = Running::start().await;
    running.storage().close().await;
    let get =
        async |path: &str| send(running.client.get(format!("{}{path}", running.public))).await;
    assert_eq!(get("/healthz").await.status, 200);
    assert_eq!(
        get("/readyz").await.error(),
        (503, "unavailable".to_owned())
    );
    let answer = running
        .get("/api/svc/v1/mcp/keyed/authorize", &running.user("ann"))
        .await;
    assert_eq!(answer.error(), (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_resolves_by_status() {
    let running = Running::start().await;
    running.get(AUTHORIZE, &running.user("ann")).await;
    running.get("/nothing/of/the/kind", "x").await;
    running
        .resolve(GATE_KEY, &running.question("unknown", "ann"))
        .await;
    let answer = send(running.client.get(format!("{}/metrics", running.filter))).await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    let has = |name: &str, labels: &[&str]| {
        answer
            .text
            .lines()
            .any(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)))
    };
    let requests = "token_service_http_requests_total{";
    let route = "route=\"/api/svc/v1/mcp/{mcpServerId}/authorize\"";
    assert!(
        has(requests, &[route, "method=\"GET\"", "listener=\"public\""]),
        "{}",
        answer.text
    );
    assert!(
        has(requests, &["route=\"other\"", "status=\"404\""]),
        "{}",
        answer.text
    );
    for name in [
        "consents_started",
        "consents_completed",
        "decrypt_failures",
        "cooldowns",
        "lease_contention",
    ] {
        assert!(
            has(&format!("token_service_{name}_total "), &[]),
            "{name}: {}",
            answer.text
        );
    }
    assert!(!answer.text.contains("nothing/of"));
}

#[tokio::test]
async fn what_was_kept_and_does_not_open_is_counted_whatever_it_is() {
    let running = Running::start().await;
    let counted = async || {
        let answer = send(running.client.get(format!("{}/metrics", running.filter))).await;
        let mut lines = answer.text.lines();
        let line = lines
            .find_map(|line| line.strip_prefix("token_service_decrypt_failures_total "))
            .map(str::to_owned);
        line.unwrap().parse::<u64>().unwrap()
    };
    let question = running.question("keyed", "ann");
    let answer = running.resolve(GATE_KEY, &question).await.json();
    let link = answer["authorization_endpoint"].as_str().unwrap();
    let link = link.replace(SERVICE, &running.public);
    let Database::Sqlite(path) = &running.app.config.database else {
        panic!("SQLite is the default");
    };
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", path.display())).await;
    let moved = sqlx::query("UPDATE consents SET subject = 'bob'");
    moved.execute(&pool.unwrap()).await.unwrap();
    let before = counted().await;
    let page = send(running.client.get(&link)).await;
    assert_eq!(page.status, 503, "{}", page.text);
    // Others in this process may count, too, but nothing is taken back.
    assert!(counted().await > before);
}

#[tokio::test]
async fn a_request_that_is_under_way_ends_well_after_the_service_was_told_to_stop() {
    let mut running = Running::start().await;
    let body = running.question("unknown", "ann").to_string();
    let mut stream = connect(&running.filter).await;
    let head = format!(
        "POST {RESOLVE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GATE_KEY}\r\n\
         content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It asks for the body: so the request has begun.
    assert!(status_line(&mut stream).await.contains(" 100 "));
    let address = running.filter.replace("http://", "");
    running.stop();
    // No more connections are taken.
    let refused = async {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(status_line(&mut stream).await.contains(" 404 "));
    tokio::time::timeout(Duration::from_secs(5), running.ended())
        .await
        .unwrap();
}

async fn connect(base: &str) -> TcpStream {
    TcpStream::connect(base.replace("http://", ""))
        .await
        .unwrap()
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        read.push(byte[0]);
    }
    String::from_utf8(read).unwrap()
}
