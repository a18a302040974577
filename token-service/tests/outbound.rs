//! The guarded client, on real sockets.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_token_service::outbound::{
    Allowed, LookingUp, Lookup, Outbound, OutboundError, OutboundSettings, Refusal,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// A server that says the same to everybody, and counts its connections.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(answer: &'static str) -> Self {
        Self::with(answer, Duration::ZERO).await
    }

    /// Every byte after a pause.
    async fn with(answer: &'static str, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = socket.read(&mut request).await;
                    if pause.is_zero() {
                        let _ = socket.write_all(answer.as_bytes()).await;
                        return;
                    }
                    for byte in answer.bytes() {
                        if socket.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(pause).await;
                    }
                });
            }
        });
        Self {
            address,
            connections,
        }
    }

    fn url(&self, host: &str) -> Url {
        Url::parse(&format!("http://{host}:{}/", self.address.port())).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// Another answer each time; the last one stays.
struct Rebinding(Mutex<VecDeque<Vec<IpAddr>>>);

impl Lookup for Rebinding {
    fn lookup(&self, _: String) -> LookingUp {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front().unwrap()
        } else {
            answers[0].clone()
        };
        Box::pin(async move { Ok(answer) })
    }
}

fn settings(allow: &[&str]) -> OutboundSettings {
    OutboundSettings {
        allow: allow.iter().map(|text| text.parse().unwrap()).collect(),
        timeout: Duration::from_millis(600),
        response_bytes: 1024,
    }
}

fn resolving(allow: &[&str], answers: &[&[&str]]) -> Outbound {
    let answers = answers
        .iter()
        .map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect());
    let lookup = Rebinding(Mutex::new(answers.collect()));
    Outbound::with_lookup(settings(allow), Arc::new(lookup)).unwrap()
}

async fn get(outbound: &Outbound, url: &Url) -> Result<u16, OutboundError> {
    let answer = outbound.get(url, "application/json").await;
    answer.map(|answer| answer.status)
}

const ADDRESS: OutboundError = OutboundError::Refused(Refusal::Address);
const SCHEME: OutboundError = OutboundError::Refused(Refusal::Scheme);

#[tokio::test]
async fn what_is_allowed_is_called_and_nothing_else() {
    let server = Server::start(FINE).await;
    let address = server.address.to_string();
    let url = server.url("127.0.0.1");
    let named = Outbound::new(settings(&[&address])).unwrap();
    assert_eq!(get(&named, &url).await, Ok(200));
    let network = Outbound::new(settings(&["127.0.0.0/8"])).unwrap();
    assert_eq!(get(&network, &url).await, Ok(200));
    assert_eq!(server.connections(), 2);
    for allow in [&["127.0.0.1:1"][..], &["10.0.0.0/8"], &[]] {
        let outbound = Outbound::new(settings(allow)).unwrap();
        assert_eq!(get(&outbound, &url).await, Err(SCHEME), "{allow:?}");
        let mut secure = url.clone();
        secure.set_scheme("https").unwrap();
        assert_eq!(get(&outbound, &secure).await, Err(ADDRESS), "{allow:?}");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_address_is_recognised_in_every_spelling() {
    let server = Server::start(FINE).await;
    let outbound = Outbound::new(settings(&[])).unwrap();
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ] {
        let mut url = server.url(host);
        url.set_scheme("https").unwrap();
        assert_eq!(get(&outbound, &url).await, Err(ADDRESS), "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_called_whatever_it_led_to_before() {
    let server = Server::start(FINE).await;
    let mut url = server.url("rebinding.example");
    url.set_scheme("https").unwrap();
    // Public at the first look, internal at the second.
    let outbound = resolving(&[], &[&["192.0.2.1"], &["127.0.0.1"]]);
    assert_eq!(outbound.check(&url), Ok(()));
    for _ in 0..3 {
        assert_eq!(get(&outbound, &url).await, Err(ADDRESS));
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_called_are() {
    let server = Server::start(FINE).await;
    // 127.0.0.1 is the server; the network that is allowed is another one.
    let mixed: &[&str] = &["127.0.0.1", "::1", "::ffff:127.0.0.1"];
    let outbound = resolving(&["127.9.0.0/16"], &[mixed]);
    let url = server.url("mixed.example");
    assert_eq!(get(&outbound, &url).await, Err(ADDRESS));
    assert_eq!(server.connections(), 0);
    let outbound = resolving(&["127.0.0.0/16"], &[&["10.0.0.1", "127.0.0.1"]]);
    assert_eq!(get(&outbound, &url).await, Ok(200));
}

#[tokio::test]
async fn a_name_is_trusted_with_its_port_only() {
    let server = Server::start(FINE).await;
    let port = server.address.port();
    let named = format!("inside.example:{port}");
    let outbound = resolving(&[&named], &[&["127.0.0.1"]]);
    assert_eq!(get(&outbound, &server.url("INSIDE.example")).await, Ok(200));
    for other in [
        format!("http://inside.example:{}/", port ^ 1),
        format!("http://other.example:{port}/"),
        format!("http://inside.example.evil.example:{port}/"),
    ] {
        let url = Url::parse(&other).unwrap();
        assert_eq!(get(&outbound, &url).await, Err(SCHEME), "{other}");
    }
}

#[tokio::test]
async fn plain_http_leads_to_allowed_networks_only() {
    let server = Server::start(FINE).await;
    let outbound = resolving(&["10.0.0.0/8"], &[&["127.0.0.1"]]);
    let url = server.url("somewhere.example");
    assert_eq!(get(&outbound, &url).await, Err(ADDRESS));
    // Not even to a public address.
    let outbound = resolving(&["10.0.0.0/8"], &[&["1.1.1.1"]]);
    assert_eq!(get(&outbound, &url).await, Err(ADDRESS));
    assert_eq!(server.connections(), 0);
}

#[test]
fn urls_that_are_no_plain_web_addresses_are_refused() {
    let outbound = Outbound::new(settings(&["127.0.0.1:80"])).unwrap();
    for (url, refusal) in [
        ("http://as.example/", Refusal::Scheme),
        ("ftp://127.0.0.1:80/", Refusal::Scheme),
        ("file:///etc/passwd", Refusal::Host),
        ("https://user@as.example/", Refusal::UserInfo),
        ("https://:secret@as.example/", Refusal::UserInfo),
        ("http://127.0.0.1:80@evil.example/", Refusal::UserInfo),
        ("https://as.example:22/", Refusal::Port),
        ("data:text/plain,x", Refusal::Host),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(outbound.check(&url), Err(refusal), "{url}");
    }
    for url in ["https://as.example/", "https://as.example:8443/"] {
        assert_eq!(outbound.check(&Url::parse(url).unwrap()), Ok(()));
    }
}

#[tokio::test]
async fn redirects_are_answers() {
    const ELSEWHERE: &str = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    let server = Server::start(ELSEWHERE).await;
    let outbound = Outbound::new(settings(&["127.0.0.0/8"])).unwrap();
    let url = server.url("127.0.0.1");
    assert_eq!(get(&outbound, &url).await, Ok(307));
    let document = outbound.get_json::<serde_json::Value>(&url);
    assert_eq!(document.await, Err(OutboundError::Status(307)));
}

#[tokio::test]
async fn answers_that_are_too_large_or_too_slow_are_given_up() {
    const ANNOUNCED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n";
    const SLOW: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n\
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let large: &'static str = Box::leak(
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}",
            "x".repeat(5000)
        )
        .into_boxed_str(),
    );
    let outbound = Outbound::new(settings(&["127.0.0.0/8"])).unwrap();
    let server = Server::start(large).await;
    let result = get(&outbound, &server.url("127.0.0.1")).await;
    assert_eq!(result, Err(OutboundError::TooLarge));
    for (answer, pause) in [
        (ANNOUNCED, 1),
        (SLOW, 20),
        // Each byte in time, and all of them too late.
        (SLOW, 100),
        // Not even a head.
        ("", 1),
    ] {
        let server = Server::with(answer, Duration::from_millis(pause)).await;
        let began = Instant::now();
        let result = get(&outbound, &server.url("127.0.0.1")).await;
        assert!(result.is_err(), "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn what_was_not_sent_is_told_from_what_may_have_arrived() {
    let outbound = Outbound::new(settings(&["127.0.0.0/8"])).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    let error = get(&outbound, &url).await.unwrap_err();
    assert_eq!(error, OutboundError::Unreachable);
    assert!(!error.may_have_arrived());
    let broken = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await;
    let error = get(&outbound, &broken.url("127.0.0.1")).await.unwrap_err();
    assert_eq!(error, OutboundError::Broken);
    assert!(error.may_have_arrived());
    let garbage = Server::start("no HTTP at all\r\n\r\n").await;
    let error = get(&outbound, &garbage.url("127.0.0.1")).await.unwrap_err();
    assert_eq!(error, OutboundError::Broken);
}

#[test]
fn the_origin_of_a_url_can_be_allowed() {
    let url = Url::parse("https://as.example/path").unwrap();
    let parsed: Allowed = "as.example:443".parse().unwrap();
    assert_eq!(Allowed::origin_of(&url), Some(parsed));
}
