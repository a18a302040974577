//! A service without its listeners, at a provider that does what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mcp_token_service::config::Database;
use mcp_token_service::credentials::{Credentials, KeptCredential};
use mcp_token_service::grants::{
    Authenticated, ConsentKind, GrantSettings, Grants, Reason, Rejected, Resolution, ResolveAsk,
    ResolveError,
};
use mcp_token_service::outbound::{Outbound, OutboundSettings};
use mcp_token_service::owner::{Owner, SubjectType, Target};
use mcp_token_service::secret::Secret;
use mcp_token_service::servers::{
    Authentication, Client, ClientAuthentication, HeaderAuthentication, HeaderLevel, OAuth,
    Provider as ProviderConfig, Server, Source, Template, TemplatePart,
};
use mcp_token_service::storage::{Method, Slot, Storage};
use mcp_token_service::vault::{EncryptionKey, KeyId, Keyring, Vault};
use url::Url;

use crate::provider::Provider;

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const REDIRECT: &str = "http://127.0.0.1:8081/oauth/callback";

/// One replica.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) grants: Grants,
    pub(crate) server: Arc<Server>,
}

fn keyring() -> Keyring {
    let id = KeyId::new("a").unwrap();
    let key = EncryptionKey::parse(&format!("{}=", "A".repeat(43))).unwrap();
    Keyring::new(&id, [(id.clone(), key)]).unwrap()
}

impl World {
    /// A server with consent at the provider, found by its resource, with a
    /// client that is registered by the service.
    pub(crate) async fn new(database: &Database) -> Self {
        let provider = Provider::start().await;
        let oauth = oauth(by_resource(&provider, None), Client::Dynamic);
        let server = server("notes", Authentication::AuthorizationCode(oauth));
        Self::with(database, provider, server).await
    }

    pub(crate) async fn with(database: &Database, provider: Provider, server: Server) -> Self {
        let (call, patience) = (Duration::from_millis(1500), Duration::from_secs(4));
        Self::start(database, provider, server, call, patience).await
    }

    /// Another replica: a call to the provider may take that long, and a caller
    /// waits so long.
    pub(crate) async fn with_times(
        &self,
        database: &Database,
        call: Duration,
        patience: Duration,
    ) -> Self {
        let server = Server::clone(&self.server);
        Self::start(database, self.provider.clone(), server, call, patience).await
    }

    async fn start(
        database: &Database,
        provider: Provider,
        server: Server,
        call: Duration,
        patience: Duration,
    ) -> Self {
        let storage = Storage::open(database).await.unwrap();
        let credentials = Arc::new(Credentials::new(storage, Vault::new(keyring())));
        let allowed = provider.url.strip_prefix("http://").unwrap().parse();
        let outbound = Outbound::new(OutboundSettings {
            allow: vec![allowed.unwrap()],
            timeout: call,
            response_bytes: 65536,
        });
        let settings = GrantSettings {
            public_url: Url::parse("http://127.0.0.1:8081").unwrap(),
            margin_seconds: 60,
            cooldown_seconds: 30,
            lease_seconds: 45,
            patience,
        };
        Self {
            grants: Grants::new(Arc::clone(&credentials), outbound.unwrap(), settings),
            provider,
            credentials,
            server: Arc::new(server),
        }
    }

    /// Another replica on the same database.
    pub(crate) async fn replica(&self, database: &Database) -> Self {
        let server = Server::clone(&self.server);
        Self::with(database, self.provider.clone(), server).await
    }

    /// The same with another configuration of the server.
    pub(crate) fn configured(&self, authentication: Authentication) -> Self {
        let id = &self.server.id;
        Self {
            server: Arc::new(server(id, authentication)),
            ..self.clone()
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.server.sources[0]
    }

    pub(crate) fn slot(&self, owner: &Owner, method: Method) -> Slot {
        Slot {
            owner: owner.clone(),
            target: Target::server(self.server.id.clone()),
            method,
        }
    }

    /// The owner agrees at the provider.
    pub(crate) async fn connect(&self, owner: &Owner) {
        let begun = self
            .grants
            .begin(self.source(), &[], None, REDIRECT, "state", NOW);
        let begun = begun.await.unwrap();
        let code = self.provider.authorize(&begun.url);
        let iss = Some(self.provider.url.as_str());
        let (grants, source, pending) = (&self.grants, self.source(), &begun.pending);
        let finished = grants.finish(owner, source, pending, &code, iss, "request", NOW);
        finished.await.unwrap();
    }

    pub(crate) async fn resolve(
        &self,
        owner: &Owner,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        self.ask(owner, None, &[], now).await
    }

    pub(crate) async fn ask(
        &self,
        owner: &Owner,
        rejected: Option<(&str, u16)>,
        required_scopes: &[String],
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        let ask = ResolveAsk {
            owner,
            server: &self.server,
            source: None,
            subject_token: None,
            required_scopes,
            rejected: rejected.map(|(version, status)| Rejected {
                version,
                status,
                error: (status == 403).then_some("insufficient_scope"),
            }),
            request_id: "request",
        };
        self.grants.resolve(&ask, now).await
    }

    /// The credential of a call that gets one.
    pub(crate) async fn authenticated(&self, owner: &Owner, now: i64) -> Authenticated {
        authenticated(self.resolve(owner, now).await)
    }

    pub(crate) async fn kept(&self, owner: &Owner) -> KeptCredential {
        let kept = self.credentials.get(&self.slot(owner, Method::OAuth)).await;
        kept.unwrap().unwrap()
    }

    /// The outcomes of the audit records, the oldest first, without those of
    /// [`World::connect`].
    pub(crate) async fn outcomes(&self) -> Vec<String> {
        let records = self.credentials.storage().records(1000).await.unwrap();
        let records = records.into_iter().rev();
        records
            .map(|record| format!("{} {}", record.action.as_str(), record.outcome))
            .filter(|outcome| outcome != "consent finished")
            .collect()
    }
}

/// As if the time of every lease were over, by whichever clock.
pub(crate) async fn let_leases_run_out(database: &Database) {
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres { url, .. } => url.expose_text().unwrap().to_owned(),
    };
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let ended = sqlx::query("UPDATE credentials SET lease_until = 0 WHERE lease_until > 0");
    assert_eq!(ended.execute(&pool).await.unwrap().rows_affected(), 1);
}

pub(crate) fn authenticated(result: Result<Resolution, ResolveError>) -> Authenticated {
    match result {
        Ok(Resolution::Authenticated(authenticated)) => authenticated,
        other => panic!("{other:?}"),
    }
}

/// The value of the only header.
pub(crate) fn header(authenticated: &Authenticated) -> String {
    let [(name, value)] = authenticated.headers.as_slice() else {
        panic!("{:?}", authenticated.headers);
    };
    assert_eq!(name, "authorization");
    value.expose_text().unwrap().to_owned()
}

pub(crate) const fn consent(reason: Reason) -> Result<Resolution, ResolveError> {
    Ok(Resolution::ConsentRequired {
        reason,
        kind: ConsentKind::OAuth,
    })
}

pub(crate) fn owner(subject: &str) -> Owner {
    Owner {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        subject_type: SubjectType::User,
    }
}

pub(crate) fn oauth(provider: ProviderConfig, client: Client) -> OAuth {
    OAuth {
        provider,
        client,
        scopes: vec!["mcp:read".to_owned(), "mcp:write".to_owned()],
        resource: None,
        authorization_parameters: BTreeMap::new(),
        token_parameters: BTreeMap::new(),
    }
}

pub(crate) fn registered() -> Client {
    Client::Registered {
        id: "registered".to_owned(),
        authentication: ClientAuthentication::Basic(Secret::new("client secret")),
    }
}

pub(crate) fn by_resource(provider: &Provider, issuer: Option<&str>) -> ProviderConfig {
    ProviderConfig::Resource {
        url: Url::parse(&format!("{}/mcp", provider.url)).unwrap(),
        issuer: issuer.map(str::to_owned),
    }
}

pub(crate) fn issuer(provider: &Provider) -> ProviderConfig {
    ProviderConfig::Issuer(provider.url.clone())
}

pub(crate) fn header_authentication(level: HeaderLevel) -> Authentication {
    Authentication::Header(HeaderAuthentication {
        headers: vec![(
            "authorization".to_owned(),
            Template(vec![
                TemplatePart::Text("Bearer ".to_owned()),
                TemplatePart::Placeholder("API_KEY".to_owned()),
            ]),
        )],
        level,
    })
}

pub(crate) fn server(id: &str, authentication: Authentication) -> Server {
    virtual_server(id, &[(id, authentication)])
}

pub(crate) fn virtual_server(id: &str, sources: &[(&str, Authentication)]) -> Server {
    let source = |(id, authentication): &(&str, Authentication)| {
        Arc::new(Source {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            authentication: authentication.clone(),
        })
    };
    Server {
        id: id.to_owned(),
        name: id.to_owned(),
        resources: vec![],
        sources: sources.iter().map(source).collect(),
        cache_seconds: 60,
    }
}
