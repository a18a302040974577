//! The shape of the configuration file.

use serde::Deserialize;
use serde_json::Value;

use crate::strict::{Members, Strict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) data_directory: String,
    pub(super) database: Option<Strict<Database>>,
    pub(super) listeners: Strict<Listeners>,
    pub(super) encryption: Option<Strict<Encryption>>,
    pub(super) limits: Strict<Limits>,
    pub(super) public_url: Option<String>,
    pub(super) tls: Strict<Tls>,
    pub(super) issuers: Vec<Strict<Issuer>>,
    pub(super) filter_keys: Vec<Strict<FilterKey>>,
    pub(super) redirect_urls: Vec<String>,
    pub(super) gateway_urls: Vec<String>,
    pub(super) outbound: Strict<Outbound>,
    pub(super) refresh: Strict<Refresh>,
    pub(super) cache_seconds: u64,
    pub(super) audit_days: u64,
    pub(super) servers: Vec<Strict<Server>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    /// A secret: it holds a password.
    pub(super) url: Value,
    #[serde(default = "connections")]
    pub(super) connections: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listeners {
    pub(super) filter: String,
    pub(super) public: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Encryption {
    pub(super) writing_key: String,
    pub(super) keys: Vec<Strict<Key>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) request_bytes: u64,
    pub(super) request_seconds: u64,
    pub(super) shutdown_seconds: u64,
    pub(super) concurrent_requests: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) public: Option<Strict<TlsFiles>>,
    pub(super) filter: Option<Strict<TlsFiles>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsFiles {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) jwks_url: Option<String>,
    #[serde(default)]
    pub(super) algorithms: Option<Vec<String>>,
    #[serde(default)]
    pub(super) audiences: Option<Vec<String>>,
    /// A name, or a claim with what its values mean.
    #[serde(default)]
    pub(super) subject_type: Option<Value>,
    #[serde(default)]
    pub(super) manager: Option<Strict<Manager>>,
    #[serde(default)]
    pub(super) sign_in: Option<Strict<SignIn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manager {
    pub(super) claim: String,
    pub(super) contains: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    pub(super) client_id: String,
    #[serde(default)]
    pub(super) client_secret: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterKey {
    pub(super) id: String,
    pub(super) secret: Value,
    pub(super) servers: Vec<String>,
    #[serde(default)]
    pub(super) trust_asserted_subject: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outbound {
    pub(super) allow: Vec<String>,
    pub(super) timeout_seconds: u64,
    pub(super) response_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Refresh {
    pub(super) margin_seconds: u64,
    pub(super) cooldown_seconds: u64,
    pub(super) lease_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) cache_seconds: Option<u64>,
    #[serde(default)]
    pub(super) authentication: Option<Strict<Authentication>>,
    #[serde(default)]
    pub(super) sources: Option<Vec<String>>,
}

/// The fields of every type: which of them belong to which is checked with
/// more to say than serde has about a tagged enum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authentication {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) level: Option<String>,
    #[serde(default)]
    pub(super) headers: Option<Members<String>>,
    #[serde(default)]
    pub(super) values: Option<Members<Value>>,
    #[serde(default)]
    pub(super) grant: Option<String>,
    #[serde(default)]
    pub(super) provider: Option<Strict<Provider>>,
    #[serde(default)]
    pub(super) client: Option<Strict<Client>>,
    #[serde(default)]
    pub(super) scopes: Option<Vec<String>>,
    #[serde(default)]
    pub(super) resource: Option<String>,
    #[serde(default)]
    pub(super) audience: Option<String>,
    #[serde(default)]
    pub(super) authorization_parameters: Option<Members<String>>,
    #[serde(default)]
    pub(super) token_parameters: Option<Members<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    #[serde(default)]
    pub(super) resource: Option<String>,
    #[serde(default)]
    pub(super) issuer: Option<String>,
    #[serde(default)]
    pub(super) endpoints: Option<Strict<Endpoints>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    #[serde(default)]
    pub(super) issuer: Option<String>,
    #[serde(default)]
    pub(super) authorization: Option<String>,
    pub(super) token: String,
    #[serde(default)]
    pub(super) registration: Option<String>,
    #[serde(default)]
    pub(super) revocation: Option<String>,
    #[serde(default)]
    pub(super) introspection: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    pub(super) registration: String,
    #[serde(default)]
    pub(super) client_id: Option<String>,
    #[serde(default)]
    pub(super) client_secret: Option<Value>,
    #[serde(default)]
    pub(super) authentication: Option<String>,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            data_directory: "data".to_owned(),
            database: None,
            listeners: Strict::default(),
            encryption: None,
            limits: Strict::default(),
            public_url: None,
            tls: Strict::default(),
            issuers: Vec::new(),
            filter_keys: Vec::new(),
            redirect_urls: Vec::new(),
            gateway_urls: Vec::new(),
            outbound: Strict::default(),
            refresh: Strict::default(),
            cache_seconds: 60,
            audit_days: 90,
            servers: Vec::new(),
        }
    }
}

impl Default for Listeners {
    fn default() -> Self {
        Self {
            filter: "127.0.0.1:8082".to_owned(),
            public: "127.0.0.1:8081".to_owned(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 65_536,
            request_seconds: 15,
            shutdown_seconds: 10,
            concurrent_requests: 1024,
        }
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            timeout_seconds: 10,
            response_bytes: 262_144,
        }
    }
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            margin_seconds: 60,
            cooldown_seconds: 30,
            lease_seconds: 45,
        }
    }
}

const fn connections() -> u64 {
    10
}
