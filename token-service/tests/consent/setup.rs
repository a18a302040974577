//! A running service with its issuer, two providers and four servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_token_service::clock::Clock;
use mcp_token_service::config::{self, Config, Database, Outside};
use mcp_token_service::consent::{self, StartError};
use mcp_token_service::owner::{Owner, SubjectType, Target};
use mcp_token_service::secret::Secret;
use mcp_token_service::service::Service;
use mcp_token_service::storage::{Action, Method, Slot};
use serde_json::{Value, json};
use url::Url;

use crate::browser::{Browser, Page};
use crate::provider::Provider;

pub(crate) const DONE: &str = "https://portal.example/done?from=notes";

const GATE_KEY: &str = "gate-key-of-the-tests-of-consent";

pub(crate) struct World {
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) issuer: Provider,
    pub(crate) notes: Provider,
    pub(crate) wiki: Provider,
    pub(crate) public_url: String,
    config: Config,
    pub(crate) service: Service,
}

/// The configuration file of the service, and the address that browsers know.
pub(crate) fn document(
    issuer: &Provider,
    notes: &Provider,
    wiki: &Provider,
    public_url: &str,
) -> Value {
    let oauth = |provider: &Provider, scopes: &[&str]| {
        json!({
            "type": "oauth2",
            "provider": {"issuer": provider.issuer},
            "client": {"registration": "registered", "client_id": "service",
                       "authentication": "none"},
            "scopes": scopes,
        })
    };
    let host = |provider: &Provider| provider.issuer.replace("http://", "");
    let resources = |server: &str| json!([resource(server)]);
    json!({
        "encryption": {"writing_key": "1", "keys": [{"id": "1", "secret": {"environment": "KEY"}}]},
        "public_url": public_url,
        "listeners": {"public": "127.0.0.1:0", "filter": "127.0.0.1:0"},
        "issuers": [{
            "issuer": issuer.issuer,
            "algorithms": ["EdDSA"],
            "sign_in": {"client_id": "connect-page"},
        }],
        "redirect_urls": [DONE],
        "filter_keys": [{"id": "gate", "secret": {"environment": "GATE"},
            "servers": ["notes", "wiki", "tickets", "dynamic", "all"]}],
        "outbound": {"allow": [host(notes), host(wiki)]},
        "servers": [
            {"id": "notes", "name": "Notes <b>&", "resources": resources("notes"),
             "authentication": oauth(notes, &["notes:read", "notes:write"])},
            {"id": "wiki", "name": "Wiki", "resources": resources("wiki"),
             "authentication": oauth(wiki, &[])},
            {"id": "tickets", "name": "Tickets", "resources": resources("tickets"),
             "authentication": {
                "type": "header", "level": "per_user",
                "headers": {"X-Key": "Key {{TICKET_KEY}}"}}},
            {"id": "dynamic", "name": "Dynamic", "resources": resources("dynamic"),
             "authentication": {
                "type": "oauth2", "provider": {"issuer": wiki.issuer},
                "client": {"registration": "dynamic"}}},
            {"id": "all", "name": "All of it", "resources": resources("all"),
             "sources": ["notes", "wiki", "tickets"]},
        ],
    })
}

/// For what the users' tokens of a server are meant.
fn resource(server: &str) -> String {
    format!("http://127.0.0.1:1/{server}")
}

pub(crate) fn parse(document: &Value) -> Config {
    let key = format!("{}=", "A".repeat(43));
    let outside = Outside {
        environment: &|name| match name {
            "GATE" => Some(GATE_KEY.to_owned()),
            _ => Some(key.clone()),
        },
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    config::parse(document.to_string().as_bytes(), outside).unwrap()
}

impl World {
    pub(crate) async fn start(database: Database) -> Self {
        Self::start_with(database, |_| ()).await
    }

    /// The same with changes to what the configuration says.
    pub(crate) async fn start_with(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Arc::new(AtomicI64::new(i64::try_from(now.as_secs()).unwrap()));
        let issuer = Provider::start(&now).await;
        let notes = Provider::start(&now).await;
        let wiki = Provider::start(&now).await;
        let public_url = "http://127.0.0.1:8081".to_owned();
        let mut config = parse(&document(&issuer, &notes, &wiki, &public_url));
        config.database = database;
        change(&mut config);
        let service = Self::serve(&config, &now).await;
        Self {
            now,
            issuer,
            notes,
            wiki,
            public_url,
            config,
            service,
        }
    }

    async fn serve(config: &Config, now: &Arc<AtomicI64>) -> Service {
        let now = Arc::clone(now);
        let clock = Clock::new(move || now.load(Ordering::SeqCst));
        Service::start(config.clone(), clock).await.unwrap()
    }

    /// Another replica on the same database.
    pub(crate) async fn replica(&self) -> Service {
        Self::serve(&self.config, &self.now).await
    }

    /// Another replica on the same database, with changes to the configuration.
    pub(crate) async fn reconfigured(&self, change: impl FnOnce(&mut Value)) -> Service {
        let mut document = document(&self.issuer, &self.notes, &self.wiki, &self.public_url);
        change(&mut document);
        let mut config = parse(&document);
        config.database = self.config.database.clone();
        Self::serve(&config, &self.now).await
    }

    /// What the filter gets for a call of Alice's: the status and the body.
    pub(crate) async fn resolve(
        &self,
        service: &Service,
        server: &str,
        more: Value,
    ) -> (u16, Value) {
        let called = more["resource"].as_str();
        let called = called.map_or_else(|| resource(server), str::to_owned);
        let mut question = json!({
            "server_id": server,
            "subject": {"type": "user", "iss": self.issuer.issuer, "id": "alice"},
            "subject_token": self.issuer.access_token("alice", &called),
        });
        for (name, value) in more.as_object().unwrap() {
            question[name] = value.clone();
        }
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/v1/credentials/resolve", service.filter_address());
        let request = client.post(url).bearer_auth(GATE_KEY);
        let request = request.header("content-type", "application/json");
        let answer = request.body(question.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.service.public_address())
    }

    pub(crate) fn owner(&self, subject: &str) -> Owner {
        Owner {
            issuer: self.issuer.issuer.clone(),
            subject: subject.to_owned(),
            subject_type: SubjectType::User,
        }
    }

    pub(crate) async fn link(&self, subject: &str, server: &str) -> String {
        self.link_to(subject, server, None).await.unwrap()
    }

    pub(crate) async fn link_to(
        &self,
        subject: &str,
        server: &str,
        redirect_url: Option<&str>,
    ) -> Result<String, StartError> {
        let app = self.service.app();
        let server = app.servers.get(server).unwrap();
        let now = app.clock.now();
        let owner = self.owner(subject);
        let started = consent::start(app, &owner, server, redirect_url, None, vec![], now).await?;
        assert_eq!(started.expires_in, 600);
        assert!(
            started
                .url
                .starts_with(&format!("{}/connect/", self.public_url))
        );
        Ok(started.url)
    }

    /// Signs in where the link's page leads to; the page afterwards.
    pub(crate) async fn sign_in(&self, browser: &mut Browser, link: &str, subject: &str) -> Page {
        let back = self.issuer_answer(browser, link, subject).await;
        let page = browser.get(back).await;
        assert_eq!(page.location().as_str(), link);
        browser.get(link).await
    }

    /// What the issuer sends the browser back with.
    pub(crate) async fn issuer_answer(
        &self,
        browser: &mut Browser,
        link: &str,
        subject: &str,
    ) -> Url {
        let request = browser.post(format!("{link}/sign-in"), &[]).await;
        self.issuer.agree(&request.location(), subject)
    }

    /// Presses the button of a source on the page of a link.
    pub(crate) async fn press(
        &self,
        browser: &mut Browser,
        link: &str,
        page: &Page,
        source: &str,
    ) -> Page {
        let csrf = page.hidden("csrf");
        browser
            .post(link, &[("csrf", &csrf), ("source", source)])
            .await
    }

    /// A browser that is at the provider, with where it is.
    pub(crate) async fn at_provider(&self, subject: &str, server: &str) -> (Browser, Url) {
        let mut browser = self.browser();
        let link = self.link(subject, server).await;
        let page = self.sign_in(&mut browser, &link, subject).await;
        let sent = self.press(&mut browser, &link, &page, server).await;
        (browser, sent.location())
    }

    /// What is kept for the owner; a token's text.
    pub(crate) async fn kept(&self, subject: &str, server: &str) -> Option<String> {
        let slot = |method| Slot {
            owner: self.owner(subject),
            target: Target::server(server),
            method,
        };
        let credentials = &self.service.app().credentials;
        for method in [Method::OAuth, Method::Override] {
            if let Some(kept) = credentials.get(&slot(method)).await.unwrap() {
                let Secret { .. } = &kept.credential.secret;
                return kept.credential.secret.expose_text().map(str::to_owned);
            }
        }
        None
    }

    /// The outcomes of the audit records of consents, the oldest first, with
    /// the server that each is about.
    pub(crate) async fn records(&self) -> Vec<(String, String)> {
        let storage = self.service.app().credentials.storage();
        let mut records: Vec<_> = storage
            .records(100)
            .await
            .unwrap()
            .into_iter()
            .filter(|record| record.action == Action::Consent)
            .map(|record| (record.outcome, record.target.server))
            .collect();
        records.reverse();
        records
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}
