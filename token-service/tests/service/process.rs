//! The program, from its start to its end.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mcp_token_service::config::Database;
use mcp_token_service::credentials::{Credential, Credentials};
use mcp_token_service::owner::{Owner, SubjectType, Target};
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::{Method, Slot, Storage};
use mcp_token_service::vault::Vault;
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::running::{GATE_KEY, SHARED_SECRET, configuration, document};

/// What a configuration's environment has.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("GATE", GATE_KEY),
    ("OTHER", "other-key-of-the-tests"),
    ("TRUSTED", "trusted-key-of-the-tests"),
    ("SHARED", SHARED_SECRET),
];

struct Program {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    log: String,
}

impl Program {
    fn start(directory: &Path, document: &Value, environment: &[(&str, &str)]) -> Self {
        let path = directory.join("config.json");
        std::fs::write(&path, document.to_string()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-token-service"))
            .args(["serve", "--config", path.to_str().unwrap()])
            .env_clear()
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            lines,
            log: String::new(),
        }
    }

    /// Reads the log up to a line with that message.
    fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended: {}", self.log);
            self.log.push_str(&line);
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["message"] == message {
                return event;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }

    /// The whole log, and whether it ended well, in time.
    fn end(mut self, time: Duration) -> (String, bool) {
        let begun = Instant::now();
        self.lines.read_to_string(&mut self.log).unwrap();
        let status = self.child.wait().unwrap();
        assert!(begun.elapsed() < time, "{}", self.log);
        (std::mem::take(&mut self.log), status.success())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_where_it_listens_and_ends_well_on_either_signal() {
    for signal in ["-TERM", "-INT"] {
        let directory = tempfile::tempdir().unwrap();
        let issuer = Issuer::start().await;
        let document = document(&issuer, &directory);
        let mut program = Program::start(directory.path(), &document, &ENVIRONMENT);
        let event = program.wait_for("listening");
        let health = format!("http://{}/healthz", event["filter"].as_str().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .get(health)
            .header("connection", "close")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        drop(answer);
        program.signal(signal);
        let (log, success) = program.end(Duration::from_secs(8));
        assert!(success, "{log}");
        assert!(log.contains("\"stopped\""), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_is_in_the_log_at_any_level() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let mut document = document(&issuer, &directory);
    // Tokens are checked against the real clock here.
    document["issuers"][0]["manager"] = json!(null);
    let environment = [&ENVIRONMENT[..], &[("MCP_TOKEN_SERVICE_LOG", "trace")]].concat();
    let mut program = Program::start(directory.path(), &document, &environment);
    let event = program.wait_for("listening");
    let public = format!("http://{}", event["public"].as_str().unwrap());
    let filter = format!("http://{}", event["filter"].as_str().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let mut claims = issuer.claims("ann", crate::running::SERVICE);
    claims["exp"] = json!(now + 300);
    let token = crate::issuer::sign(crate::issuer::FIRST, &claims);
    claims["aud"] = json!(crate::running::RESOURCE);
    let subject_token = crate::issuer::sign(crate::issuer::FIRST, &claims);

    let put = client
        .put(format!(
            "{public}/api/svc/v1/mcp/keyed/auth?secret=in-the-query"
        ))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .header("x-request-id", "the-put")
        .body(
            json!({"authOverride": {"type": "header", "headerValue": "value-of-the-key"}})
                .to_string(),
        );
    assert!(put.send().await.unwrap().status().as_u16() < 500);
    let malformed = client
        .put(format!("{public}/api/svc/v1/mcp/keyed/auth"))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(r#"{"authOverride": {"type": "header", "headerValue": 1, "value-of-the-key": 1}}"#);
    let answer = malformed.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(!answer.text().await.unwrap().contains("value-of-the-key"));
    let question = json!({
        "server_id": "keyed",
        "subject": {"type": "user", "iss": issuer.url, "id": "ann"},
        "subject_token": subject_token,
    });
    let resolve = client
        .post(format!("{filter}/v1/credentials/resolve"))
        .bearer_auth(GATE_KEY)
        .header("content-type", "application/json")
        .body(question.to_string());
    let answer = resolve.send().await.unwrap();
    assert!(
        answer.status() == 200 || answer.status() == 403,
        "{answer:?}"
    );
    let link = client
        .get(format!("{public}/api/svc/v1/mcp/oauth/authorize"))
        .bearer_auth(&token);
    let answer = link.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let link = answer["authorization_endpoint"].as_str().unwrap();
    let handle = link.rsplit_once('/').unwrap().1.to_owned();
    let page = client.get(format!("{public}/connect/{handle}"));
    page.send().await.unwrap();

    drop(client);
    program.signal("-TERM");
    let (log, success) = program.end(Duration::from_secs(12));
    assert!(success, "{log}");
    assert!(log.contains("\"request_id\":\"the-put\""), "{log}");
    let signature = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    for secret in [
        &signature(&token),
        &signature(&subject_token),
        &handle,
        GATE_KEY,
        SHARED_SECRET,
        "value-of-the-key",
        "in-the-query",
        "AQEBAQEBAQEB",
    ] {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_other_keys_than_those_of_the_database_it_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let document = document(&issuer, &directory);
    let config = configuration(&document);
    let Database::Sqlite(_) = &config.database else {
        panic!("not SQLite");
    };
    let storage = Storage::open(&config.database).await.unwrap();
    let credentials = Credentials::new(storage, Vault::new(config.keyring.clone()));
    let slot = Slot {
        owner: Owner {
            issuer: issuer.url.clone(),
            subject: "ann".to_owned(),
            subject_type: SubjectType::User,
        },
        target: Target::server("keyed"),
        method: Method::Override,
    };
    let credential = Credential {
        secret: Secret::new("x"),
        scopes: vec![],
        expires_at: None,
    };
    credentials.put(&slot, &credential, 0).await.unwrap();
    credentials.storage().close().await;

    let another = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    let mut environment = ENVIRONMENT;
    environment[0].1 = another;
    let program = Program::start(directory.path(), &document, &environment);
    let (log, success) = program.end(Duration::from_secs(8));
    assert!(!success, "{log}");
    assert!(
        log.contains("credentials with the key \"1\"") && log.contains("encryption.keys"),
        "{log}"
    );

    let mut program = Program::start(directory.path(), &document, &ENVIRONMENT);
    program.wait_for("listening");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_it_from_starting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(Change<'_>, &str); 4] = [
        (
            &|document| document["encryption"] = json!(null),
            "generate-key",
        ),
        (
            &|document| document["listeners"]["public"] = json!(address),
            "listening on",
        ),
        (
            &|document| {
                document["tls"]["public"] = json!({"certificate": "/nowhere", "key": "/nowhere"});
            },
            "/nowhere",
        ),
        (
            &|document| document["data_directory"] = json!("/dev/null/x"),
            "the database file",
        ),
    ];
    for (change, word) in cases {
        let mut document = document(&issuer, &directory);
        change(&mut document);
        let program = Program::start(directory.path(), &document, &ENVIRONMENT);
        let (log, success) = program.end(Duration::from_secs(8));
        assert!(!success && log.contains(word), "{word}: {log}");
    }
}
