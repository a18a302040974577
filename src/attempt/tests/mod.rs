//! Attempts: the credential role between a gate, a token service and an
//! upstream.

use std::rc::Rc;

use super::*;
use crate::callout::{Fetch, FetchAnswer, FetchIds};
use crate::config;
use crate::credential::{ConsentNeeded, CredentialFailure};
use crate::oauth::{Identity, TokenHashKey};
use crate::secret::Secret;

const NOW_MS: u64 = 1_790_000_000_000;
const HASH_KEY: TokenHashKey = TokenHashKey::new([7; 16]);

struct Cluster {
    worker: Worker,
    ids: FetchIds,
    now_ms: u64,
}

impl Cluster {
    fn new() -> Self {
        let bytes = include_bytes!("../../../tests/config/good/placed-by-cluster.json");
        let secret = |_: &str| Some("a-secret-of-more-than-32-characters".to_owned());
        let config = config::parse(bytes, &secret).unwrap();
        let mut worker = Worker::new(&config, HASH_KEY).unwrap();
        worker.tickets = Tickets::seeded([7; 32]);
        Self {
            worker,
            ids: FetchIds::default(),
            now_ms: NOW_MS,
        }
    }

    fn ticket(&self, user: &str, goes_without: bool) -> HeldTicket {
        let bytes = include_bytes!("../../../tests/config/good/placed-by-cluster.json");
        let secret = |_: &str| Some("a-secret-of-more-than-32-characters".to_owned());
        let config = config::parse(bytes, &secret).unwrap();
        let ticket = Ticket {
            server_id: "one".into(),
            source: Rc::clone(config.servers[0].credential.as_ref().unwrap()),
            identity: Rc::new(Identity::for_test(user, "", "{}")),
            token: Secret::new(format!("token-of-{user}")),
            token_hash: HASH_KEY.hash(format!("token-of-{user}").as_bytes()),
            request_id: None,
            operation: None,
            goes_without,
            asked_ms: self.now_ms,
            progress: Progress::default(),
        };
        self.worker.tickets.issue(ticket).unwrap()
    }

    fn arrive(&mut self, permit: &str, server: &str) -> (Attempt, Step) {
        let headers = Headers::from([
            (":path", "/mcp"),
            ("authorization", "Bearer of-the-client"),
            ("Authorization", "Bearer again"),
            ("x-other", "1"),
        ]);
        let input = Input::RequestHeaders {
            headers: &headers,
            ticket: self.worker.tickets.find(permit),
            server,
        };
        Attempt::default().advance(input, &mut self.worker, self.now_ms)
    }

    fn calls(&mut self) -> Vec<Fetch> {
        self.worker.credentials.due(self.now_ms, &mut self.ids)
    }

    /// Answers the only call that is due; the body of the call.
    fn answer(&mut self, status: u16, body: &str) -> String {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1);
        let call = calls.remove(0);
        let answer = FetchAnswer::new(status, body.as_bytes());
        let credentials = &mut self.worker.credentials;
        credentials.answered(call.id, Some(answer), self.now_ms);
        String::from_utf8(call.body).unwrap()
    }

    fn wake(&mut self, attempt: Attempt) -> (Attempt, Step) {
        attempt.advance(Input::Wake, &mut self.worker, self.now_ms)
    }

    fn respond(&mut self, attempt: Attempt, status: &str, challenge: Option<&str>) -> Attempt {
        let mut pairs = vec![(":status".to_owned(), status.as_bytes().to_vec())];
        if let Some(challenge) = challenge {
            pairs.push(("www-authenticate".to_owned(), challenge.into()));
        }
        let headers = Headers::new(pairs);
        let input = Input::ResponseHeaders(&headers);
        let (attempt, step) = attempt.advance(input, &mut self.worker, self.now_ms);
        assert_eq!(step, Step::Continue);
        attempt
    }

    /// An attempt that waits for this answer of the token service.
    fn attempt(&mut self, held: &HeldTicket, status: u16, body: &str) -> (Attempt, Step) {
        let (attempt, step) = self.arrive(held.id().expose(), "one");
        assert_eq!(step, Step::Wait);
        self.answer(status, body);
        self.wake(attempt)
    }
}

fn issued(token: &str, version: &str) -> String {
    format!(
        r#"{{"status":"authenticated","credential_version":"{version}","cache_ttl_s":60,
             "headers":[{{"name":"authorization","value":"Bearer {token}"}}]}}"#
    )
}

const CONSENT: &str = r#"{"status":"authentication_required",
    "authorization_endpoint":"https://tokens.example/connect/1"}"#;

fn sent(step: &Step) -> &str {
    let Step::Send(edits) = step else {
        panic!("{step:?}");
    };
    assert_eq!(edits.remove, ["authorization"]);
    match &edits.set[..] {
        [] => "nothing",
        [(name, value)] if name == "authorization" => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_ticket_an_attempt_is_refused() {
    let cluster = &mut Cluster::new();
    let refused = Step::Refuse(Refusal::NoTicket);
    assert_eq!(cluster.arrive("", "one").1, refused);
    assert_eq!(cluster.arrive("0123", "one").1, refused);
    let held = cluster.ticket("alice", false);
    assert_eq!(cluster.arrive(held.id().expose(), "two").1, refused);
    let id = held.id().expose().to_owned();
    drop(held);
    assert_eq!(cluster.arrive(&id, "one").1, refused);
    assert!(cluster.calls().is_empty());
    assert!(cluster.worker.tickets.is_empty());
}

#[test]
fn no_ticket_is_issued_without_a_seed_and_no_two_have_one_id() {
    let mut cluster = Cluster::new();
    let (first, second) = (cluster.ticket("a", false), cluster.ticket("a", false));
    assert_ne!(first.id(), second.id());
    let printed = format!("{first:?} {:?}", first.id());
    assert!(!printed.contains("token-of") && !printed.contains(first.id().expose()));
    let other = Tickets::seeded([8; 32]);
    cluster.worker.tickets = Tickets::default();
    let bytes = include_bytes!("../../../tests/config/good/placed-by-cluster.json");
    let config = config::parse(bytes, &|_| Some("x".repeat(40))).unwrap();
    let ticket = || Ticket {
        server_id: "one".into(),
        source: Rc::clone(config.servers[0].credential.as_ref().unwrap()),
        identity: Rc::new(Identity::for_test("a", "", "{}")),
        token: Secret::new(String::new()),
        token_hash: HASH_KEY.hash(b""),
        request_id: None,
        operation: None,
        goes_without: false,
        asked_ms: 0,
        progress: Progress::default(),
    };
    assert!(cluster.worker.tickets.issue(ticket()).is_none());
    let held = other.issue(ticket()).unwrap();
    assert_ne!(held.id(), first.id());
}

#[test]
fn the_upstream_gets_the_users_credential_and_nothing_of_the_clients() {
    let cluster = &mut Cluster::new();
    let alice = cluster.ticket("alice", false);
    let bob = cluster.ticket("bob", false);
    let (_, step) = cluster.attempt(&alice, 200, &issued("of-alice", "1"));
    assert_eq!(sent(&step), "Bearer of-alice");
    let (_, step) = cluster.attempt(&bob, 200, &issued("of-bob", "1"));
    assert_eq!(sent(&step), "Bearer of-bob");
    // What is remembered needs no call.
    assert_eq!(
        sent(&cluster.arrive(alice.id().expose(), "one").1),
        "Bearer of-alice"
    );
}

#[test]
fn a_server_that_needs_no_credential_gets_none_of_anybody() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let body = r#"{"status":"authentication_not_required","cache_ttl_s":60}"#;
    let (_, step) = cluster.attempt(&held, 200, body);
    assert_eq!(sent(&step), "nothing");
}

#[test]
fn after_a_401_the_next_attempt_has_a_fresh_credential() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let (attempt, _) = cluster.attempt(&held, 200, &issued("old", "17"));
    let challenge = "Bearer error=\"invalid_token\"";
    cluster.respond(attempt, "401", Some(challenge));
    cluster.now_ms += 5;
    let (attempt, step) = cluster.arrive(held.id().expose(), "one");
    assert_eq!(step, Step::Wait);
    let asked = cluster.answer(200, &issued("new", "18"));
    assert!(asked.contains(r#""credential_version":"17""#), "{asked}");
    let (attempt, step) = cluster.wake(attempt);
    assert_eq!(sent(&step), "Bearer new");
    cluster.respond(attempt, "200", None);
    assert_eq!(held.obstacle(), None);
    assert_eq!(
        sent(&cluster.arrive(held.id().expose(), "one").1),
        "Bearer new"
    );
}

#[test]
fn a_403_counts_only_if_it_is_about_scopes() {
    for (challenge, drops) in [
        (None, false),
        (Some("Bearer error=\"other\""), false),
        (Some("Bearer error=\"insufficient_scope\""), true),
    ] {
        let cluster = &mut Cluster::new();
        let held = cluster.ticket("alice", false);
        let (attempt, _) = cluster.attempt(&held, 200, &issued("t", "1"));
        cluster.respond(attempt, "403", challenge);
        let (_, step) = cluster.arrive(held.id().expose(), "one");
        assert_eq!(step == Step::Wait, drops, "{challenge:?}");
    }
}

#[test]
fn a_401_that_stays_ends_after_two_attempts_whatever_envoy_is_told() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    for version in ["1", "2"] {
        let (attempt, step) = cluster.attempt(&held, 200, &issued("t", version));
        assert_eq!(sent(&step), "Bearer t");
        cluster.respond(attempt, "401", None);
    }
    let (_, step) = cluster.arrive(held.id().expose(), "one");
    assert_eq!(step, Step::Refuse(Refusal::NoCredential));
    assert_eq!(held.obstacle(), Some(Obstacle::Rejected));
    assert!(cluster.calls().is_empty());
}

#[test]
fn an_attempt_without_a_credential_leaves_the_reason_to_the_gate() {
    let consent = Obstacle::Consent(Rc::new(ConsentNeeded {
        url: Some("https://tokens.example/connect/1".to_owned()),
        reason: None,
        elicitation_id: None,
        auth_type: crate::credential::AuthType::OAuth,
        app_uuid: None,
        expires_in: None,
    }));
    for (status, body, obstacle) in [
        (403, CONSENT, consent),
        (
            403,
            r#"{"error":{"code":"access_denied"}}"#,
            Obstacle::Failure(CredentialFailure::AccessDenied),
        ),
        (500, "", Obstacle::Failure(CredentialFailure::Unavailable)),
    ] {
        let cluster = &mut Cluster::new();
        let held = cluster.ticket("alice", false);
        let (_, step) = cluster.attempt(&held, status, body);
        assert_eq!(step, Step::Refuse(Refusal::NoCredential));
        assert_eq!(held.obstacle(), Some(obstacle));
    }
}

#[test]
fn what_may_go_without_a_credential_goes_without_where_consent_is_missing() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", true);
    let (attempt, step) = cluster.attempt(&held, 403, CONSENT);
    assert_eq!(sent(&step), "nothing");
    cluster.respond(attempt, "401", None);
    assert_eq!(held.obstacle(), None);

    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", true);
    let (_, step) = cluster.attempt(&held, 503, "");
    assert_eq!(step, Step::Refuse(Refusal::NoCredential));
}

#[test]
fn an_attempt_waits_no_longer_than_it_may() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let (attempt, _) = cluster.arrive(held.id().expose(), "one");
    assert_eq!(cluster.worker.waiting, 1);
    assert!(!attempt.is_overdue(NOW_MS + 5999));
    assert!(attempt.is_overdue(NOW_MS + 6000));
    let (attempt, step) = cluster.wake(attempt);
    assert_eq!(step, Step::Wait, "woken too early");
    cluster.now_ms += 6000;
    let (_, step) = cluster.wake(attempt);
    assert_eq!(step, Step::Refuse(Refusal::NoCredential));
    assert_eq!(
        held.obstacle(),
        Some(Obstacle::Failure(CredentialFailure::Unavailable))
    );
    assert_eq!(cluster.worker.waiting, 0);
}

#[test]
fn an_attempt_that_ends_while_it_waits_is_counted_no_longer() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let (attempt, _) = cluster.arrive(held.id().expose(), "one");
    let (attempt, step) = attempt.advance(Input::Gone, &mut cluster.worker, NOW_MS);
    assert_eq!((cluster.worker.waiting, step), (0, Step::Continue));
    let (_, step) = cluster.wake(attempt);
    assert_eq!(step, Step::Wait);
}

#[test]
fn what_comes_out_of_order_is_refused() {
    let cluster = &mut Cluster::new();
    let unexpected = Step::Refuse(Refusal::Unexpected);
    assert_eq!(cluster.wake(Attempt::Fresh).1, unexpected);
    let held = cluster.ticket("alice", false);
    let (attempt, _) = cluster.attempt(&held, 200, &issued("t", "1"));
    let headers = Headers::default();
    let input = Input::RequestHeaders {
        headers: &headers,
        ticket: None,
        server: "one",
    };
    let (_, step) = attempt.advance(input, &mut cluster.worker, NOW_MS);
    assert_eq!(step, unexpected);
}

#[test]
fn a_body_passes_only_once_the_credential_is_there() {
    let body = |attempt: Attempt, cluster: &mut Cluster| {
        attempt.advance(Input::RequestBody, &mut cluster.worker, cluster.now_ms)
    };
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let (attempt, _) = cluster.arrive(held.id().expose(), "one");
    let (attempt, step) = body(attempt, cluster);
    assert_eq!((attempt.awaits().is_some(), step), (true, Step::Wait));
    cluster.answer(200, &issued("t", "1"));
    let (attempt, step) = cluster.wake(attempt);
    assert_eq!(sent(&step), "Bearer t");
    let (attempt, step) = body(attempt, cluster);
    assert_eq!(step, Step::Continue);
    // An upstream may answer before it has read everything.
    let attempt = cluster.respond(attempt, "200", None);
    assert_eq!(body(attempt, cluster).1, Step::Continue);

    for (user, status, answer) in [("bob", 403, CONSENT), ("carol", 500, "")] {
        let held = cluster.ticket(user, false);
        let (attempt, step) = cluster.attempt(&held, status, answer);
        assert_eq!(step, Step::Refuse(Refusal::NoCredential));
        let (attempt, step) = body(attempt, cluster);
        assert_eq!(step, Step::Wait);
        // The refusal itself comes by as a response.
        let attempt = cluster.respond(attempt, "503", None);
        assert_eq!(body(attempt, cluster).1, Step::Wait);
    }
    let (attempt, _) = cluster.arrive("unknown", "one");
    assert_eq!(body(attempt, cluster).1, Step::Wait);
    let unexpected = Step::Refuse(Refusal::Unexpected);
    assert_eq!(body(Attempt::Fresh, cluster).1, unexpected);

    let held = cluster.ticket("dave", false);
    let (attempt, _) = cluster.arrive(held.id().expose(), "one");
    let attempt = cluster.respond(attempt, "504", None);
    assert_eq!(body(attempt, cluster).1, Step::Wait, "answered by another");
}

#[test]
fn an_attempt_that_succeeds_leaves_no_obstacle_of_an_earlier_one() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    let (_, step) = cluster.attempt(&held, 503, "");
    assert_eq!(step, Step::Refuse(Refusal::NoCredential));
    assert!(held.obstacle().is_some());
    // Another request has had the credential fetched since.
    cluster.now_ms += 5;
    let other = cluster.ticket("alice", false);
    let (_, step) = cluster.attempt(&other, 200, &issued("t", "1"));
    assert_eq!(sent(&step), "Bearer t");
    let (attempt, step) = cluster.arrive(held.id().expose(), "one");
    assert_eq!(sent(&step), "Bearer t");
    assert_eq!(held.obstacle(), None);
    cluster.respond(attempt, "200", None);
    assert_eq!(held.obstacle(), None);
}

#[test]
fn an_obstacle_is_forgotten_as_soon_as_the_next_attempt_begins() {
    let cluster = &mut Cluster::new();
    let held = cluster.ticket("alice", false);
    cluster.attempt(&held, 503, "");
    cluster.now_ms += 11_000;
    let (_, step) = cluster.arrive(held.id().expose(), "one");
    assert_eq!((held.obstacle(), step), (None, Step::Wait));
}
