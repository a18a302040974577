//! The shape of the configuration file.

use serde::Deserialize;
use serde_json::Value;

use super::strict::Strict;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) data_directory: String,
    pub(super) database: Option<Strict<Database>>,
    pub(super) listeners: Strict<Listeners>,
    pub(super) encryption: Option<Strict<Encryption>>,
    pub(super) limits: Strict<Limits>,
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
}

impl Default for Document {
    fn default() -> Self {
        Self {
            data_directory: "data".to_owned(),
            database: None,
            listeners: Strict::default(),
            encryption: None,
            limits: Strict::default(),
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
            request_seconds: 10,
            shutdown_seconds: 10,
        }
    }
}

const fn connections() -> u64 {
    10
}
