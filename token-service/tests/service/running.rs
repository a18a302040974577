//! The service, running in the test's process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mcp_token_service::clock::Clock;
use mcp_token_service::config::{self, Config, Database, Outside};
use mcp_token_service::owner::{Owner, SubjectType};
use mcp_token_service::service::Service;
use mcp_token_service::storage::{AuditRecord, Storage};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::issuer::Issuer;

/// When the tests begin.
pub(crate) const NOW: i64 = 1_800_000_000;

/// What tokens for the APIs are meant for.
pub(crate) const SERVICE: &str = "http://127.0.0.1:8081";

/// What tokens for the server `keyed` and others are meant for.
pub(crate) const RESOURCE: &str = "https://gate.example/keyed/mcp";

pub(crate) const GATE_KEY: &str = "gate-key-of-the-tests";
pub(crate) const TRUSTED_KEY: &str = "trusted-key-of-the-tests";
pub(crate) const SHARED_SECRET: &str = "the-shared-api-key";

pub(crate) struct Running {
    pub(crate) issuer: Issuer,
    pub(crate) public: String,
    pub(crate) filter: String,
    pub(crate) client: reqwest::Client,
    pub(crate) app: mcp_token_service::app::App,
    time: Arc<AtomicI64>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    _directory: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// The configuration of most tests.
pub(crate) fn document(issuer: &Issuer, directory: &TempDir) -> Value {
    json!({
        "data_directory": directory.path().join("data"),
        "listeners": {"public": "127.0.0.1:0", "filter": "127.0.0.1:0"},
        "public_url": SERVICE,
        "encryption": {
            "writing_key": "1",
            "keys": [{"id": "1", "secret": {"environment": "KEY"}}],
        },
        "issuers": [{
            "issuer": issuer.url,
            "algorithms": ["EdDSA"],
            "manager": {"claim": "realm.roles", "contains": "admin"},
        }],
        "filter_keys": [
            {"id": "gate", "secret": {"environment": "GATE"},
             "servers": ["none", "shared", "keyed", "oauth", "all"]},
            {"id": "other", "secret": {"environment": "OTHER"}, "servers": ["none"]},
            {"id": "trusted", "secret": {"environment": "TRUSTED"},
             "servers": ["none", "shared", "keyed"], "trust_asserted_subject": true},
        ],
        "redirect_urls": ["https://portal.example/done"],
        "gateway_urls": ["https://gate.example"],
        "servers": [
            {"id": "none", "name": "No authentication", "authentication": {"type": "none"}},
            {"id": "shared", "name": "One key", "resources": ["https://gate.example/shared/mcp"],
             "authentication": {"type": "header", "level": "global",
                "headers": {"Authorization": "Bearer {{API_KEY}}"},
                "values": {"API_KEY": {"environment": "SHARED"}}}},
            {"id": "keyed", "name": "A key of one's own", "resources": [RESOURCE],
             "authentication": {"type": "header", "level": "per_user",
                "headers": {"Authorization": "Bearer {{API_KEY}}"}}},
            {"id": "oauth", "name": "OAuth",
             "resources": ["https://gate.example/oauth/mcp"],
             "authentication": {"type": "oauth2",
                "provider": {"endpoints": {"issuer": "https://as.invalid",
                    "authorization": "https://as.invalid/authorize",
                    "token": "https://as.invalid/token"}},
                "client": {"registration": "registered", "client_id": "us"},
                "scopes": ["read"]}},
            {"id": "all", "name": "Several", "sources": ["keyed", "oauth"],
             "resources": ["https://gate.example/all/mcp"]},
        ],
    })
}

pub(crate) fn configuration(document: &Value) -> Config {
    let outside = Outside {
        environment: &|name| {
            let value = match name {
                "KEY" => "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
                "GATE" => GATE_KEY,
                "OTHER" => "other-key-of-the-tests",
                "TRUSTED" => TRUSTED_KEY,
                "SHARED" => SHARED_SECRET,
                _ => return None,
            };
            Some(value.to_owned())
        },
        file: &|path| std::fs::read(path),
    };
    config::parse(document.to_string().as_bytes(), outside).unwrap()
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With changes to the configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        Self::on(None, change).await
    }

    /// On another database than SQLite's.
    pub(crate) async fn on(database: Option<Database>, change: impl FnOnce(&mut Value)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issuer = Issuer::start().await;
        let mut document = document(&issuer, &directory);
        change(&mut document);
        let mut config = configuration(&document);
        if let Some(database) = database {
            config.database = database;
        }
        let time = Arc::new(AtomicI64::new(NOW));
        let clock = Arc::clone(&time);
        let clock = Clock::new(move || clock.load(Ordering::SeqCst));
        let scheme = |tls: bool| if tls { "https" } else { "http" };
        let tls = (config.tls.public.is_some(), config.tls.filter.is_some());
        let service = Service::start(config, clock).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let app = service.app().clone();
        let public = format!("{}://{}", scheme(tls.0), service.public_address());
        let filter = format!("{}://{}", scheme(tls.1), service.filter_address());
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            service.run(stopped).await.unwrap();
        });
        let certificate = reqwest::Certificate::from_pem(include_bytes!("tls-certificate.pem"));
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .add_root_certificate(certificate.unwrap())
            .build()
            .unwrap();
        Self {
            issuer,
            public,
            filter,
            client,
            app,
            time,
            stop: Some(stop),
            task,
            _directory: directory,
        }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn storage(&self) -> &Storage {
        self.app.credentials.storage()
    }

    pub(crate) async fn last_record(&self) -> AuditRecord {
        self.storage().records(1).await.unwrap().remove(0)
    }

    pub(crate) fn owner(&self, subject: &str) -> Owner {
        Owner {
            issuer: self.issuer.url.clone(),
            subject: subject.to_owned(),
            subject_type: SubjectType::User,
        }
    }

    pub(crate) fn user(&self, subject: &str) -> String {
        self.issuer.token(subject, SERVICE)
    }

    pub(crate) fn manager(&self, subject: &str) -> String {
        self.issuer.manager_token(subject, SERVICE)
    }

    pub(crate) fn on_public(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.public))
            .bearer_auth(token)
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        send(self.on_public(Method::GET, path, token)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        send(json_body(self.on_public(Method::PUT, path, token), body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let request = self.on_public(Method::DELETE, path, token);
        send(match body {
            Some(body) => json_body(request, body),
            None => request,
        })
        .await
    }

    pub(crate) async fn resolve(&self, key: &str, body: &Value) -> Answer {
        let url = format!("{}/v1/credentials/resolve", self.filter);
        send(json_body(self.client.post(url).bearer_auth(key), body)).await
    }

    /// A question with everything right.
    pub(crate) fn question(&self, server: &str, subject: &str) -> Value {
        let audience = format!("https://gate.example/{server}/mcp");
        json!({
            "server_id": server,
            "subject": {"type": "user", "iss": self.issuer.url, "id": subject},
            "subject_token": self.issuer.token(subject, &audience),
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        })
    }

    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    pub(crate) async fn ended(self) {
        self.task.await.unwrap();
    }
}

pub(crate) fn json_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(body.to_string())
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The status, and the code of the error.
    pub(crate) fn error(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["error"];
        assert!(!error["message"].as_str().unwrap().is_empty(), "{body}");
        assert_eq!(error["request_id"], self.header("x-request-id"), "{body}");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}
