//! The configuration: from a JSON file and the environment to the types that
//! the service works with.
//!
//! Fields that are not known are refused. Secrets are never in the file: it
//! names environment variables or other files that hold them.

mod addresses;
mod authentication;
mod document;
mod error;
mod issuers;
mod secrets;
mod servers;
#[cfg(test)]
mod tests;

use core::fmt::Display;
use core::net::SocketAddr;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::{Path, PathBuf};

use url::Url;

pub use addresses::{Tls, TlsFiles};
pub use error::ConfigError;
pub use issuers::{ClaimPath, FilterKey, Issuer, ManagerRule, SignIn, SubjectTypeRule};
pub use secrets::Outside;

use self::document::Document;
use crate::outbound::{Allowed, OutboundSettings};
use crate::secret::Secret;
use crate::servers::Servers;
use crate::strict::Strict;
use crate::vault::{EncryptionKey, KeyId, Keyring, KeyringError};

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where credentials are kept.
    pub database: Database,
    /// Where the service is called.
    pub listeners: Listeners,
    /// The keys of the vault.
    pub keyring: Keyring,
    /// Bounds on requests and on the end of the service.
    pub limits: Limits,
    /// The service's own address for browsers and users of the APIs: an origin.
    pub public_url: Url,
    /// Which listeners have TLS.
    pub tls: Tls,
    /// Who issues the tokens of callers and of the filter's users.
    pub issuers: Vec<Issuer>,
    /// By what the filter is known.
    pub filter_keys: Vec<FilterKey>,
    /// Where browsers may be sent after a consent, compared to the character.
    pub redirect_urls: Vec<String>,
    /// The gate's base URLs; the first is the default.
    pub gateway_urls: Vec<Url>,
    /// What the service may call.
    pub outbound: OutboundSettings,
    /// What it may call for the issuers' keys and for the sign-in: their
    /// origins too, wherever they are.
    pub issuers_outbound: OutboundSettings,
    /// When credentials are renewed.
    pub refresh: Refresh,
    /// For how many days audit records are kept.
    pub audit_days: u32,
    /// The MCP servers.
    pub servers: Servers,
}

/// When credentials are renewed. All in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// How long before their end.
    pub margin: i64,
    /// How long not again after a failure.
    pub cooldown: i64,
    /// How long one process may take for it before another may try.
    pub lease: i64,
}

/// Where credentials are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server, for more than one replica.
    Postgres {
        /// Its URL, which may hold a password.
        url: Secret,
        /// The most connections at a time.
        connections: u32,
    },
}

/// Where the service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// By the filter. Nobody else needs to reach it.
    pub filter: SocketAddr,
    /// By browsers and users of the APIs.
    pub public: SocketAddr,
}

/// Bounds on requests and on the end of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body that is read.
    pub request_bytes: usize,
    /// The longest that a request may take.
    pub request_time: Duration,
    /// How long requests may take to end after the service was told to stop.
    pub shutdown_time: Duration,
    /// The most requests at a time, of each listener.
    pub concurrent_requests: usize,
}

impl Limits {
    /// What of a request's time is the service's own, when a provider is called
    /// and does not answer: to find what the request is about, to record what
    /// became of it, and to say so.
    const OWN_TIME: Duration = Duration::from_secs(3);

    /// So long after a request has begun, providers are waited for.
    pub const fn provider_time(&self) -> Duration {
        /// The end of [`Self::OWN_TIME`].
        const PAGE: Duration = Duration::from_secs(2);
        self.request_time.saturating_sub(PAGE)
    }
}

impl Config {
    /// A path below the service's own address.
    pub fn address(&self, path: &str) -> String {
        let origin = self.public_url.as_str().trim_end_matches('/');
        format!("{origin}{path}")
    }
}

/// Reads a configuration.
///
/// # Errors
/// What is wrong with it, never an empty list.
pub fn parse(bytes: &[u8], outside: Outside<'_>) -> Result<Config, Vec<ConfigError>> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document: Strict<Document> = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| vec![ConfigError::of_shape(&error)])?;
    json.end()
        .map_err(|problem| vec![ConfigError::new("", "one JSON object", problem)])?;

    let mut errors = Vec::new();
    let database = check(&mut errors, database(&document, outside));
    let listeners = check(&mut errors, listeners(&document.listeners));
    let limits = check(&mut errors, limits(&document.limits));
    let keyring = check(
        &mut errors,
        keyring(document.encryption.as_deref(), outside),
    );
    let public_url = match (&document.public_url, &listeners) {
        // Without listeners there is no default, and there is an error already.
        (None, None) => None,
        (url, listeners) => check(
            &mut errors,
            addresses::public_url(url.as_deref(), listeners.as_ref(), &document.tls),
        ),
    };
    let tls = check(&mut errors, addresses::tls(&document.tls));
    let redirect_urls = check(
        &mut errors,
        addresses::redirect_urls(&document.redirect_urls),
    );
    let gateway_urls = check(&mut errors, addresses::gateway_urls(&document.gateway_urls));
    let outbound = check(&mut errors, addresses::outbound(&document.outbound));
    let refresh = check(&mut errors, refresh(&document.refresh));
    let cache_seconds = check(
        &mut errors,
        servers::cache_seconds("/cache_seconds", document.cache_seconds),
    );
    let audit_days = check(
        &mut errors,
        whole("/audit_days", document.audit_days, 1..=36_500),
    );
    let issuers = public_url
        .as_ref()
        .map(|public_url| issuers(&mut errors, &document.issuers, public_url, outside));
    let filter_keys = filter_keys(&mut errors, &document.filter_keys, outside);
    let servers = servers::servers(
        &mut errors,
        &document.servers,
        cache_seconds.unwrap_or_default(),
        gateway_urls.as_deref().unwrap_or_default(),
        outside,
    );
    if let (Some(refresh), Some(outbound)) = (&refresh, &outbound) {
        check(&mut errors, lease_and_timeout(refresh, outbound));
    }
    if let (Some(limits), Some(outbound)) = (&limits, &outbound) {
        check(&mut errors, request_and_timeout(limits, outbound));
    }
    // What these say is only meant if everything else is right.
    if errors.is_empty() {
        if let (Some(issuers), Some(outbound)) = (&issuers, &outbound) {
            issuers::by_http(&mut errors, issuers, &outbound.allow);
        }
        servers::keys_and_servers(&mut errors, &filter_keys, &servers, &document.servers);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let config = (|| {
        let issuers = issuers?;
        let outbound = outbound?;
        // Not for what others name: an MCP server could point inside.
        let mut issuers_outbound = outbound.clone();
        for issuer in &issuers {
            let urls = issuer.urls().into_iter();
            issuers_outbound
                .allow
                .extend(urls.filter_map(|(_, url)| Allowed::origin_of(&url)));
        }
        Some(Config {
            database: database?,
            listeners: listeners?,
            keyring: keyring?,
            limits: limits?,
            public_url: public_url?,
            tls: tls?,
            issuers,
            filter_keys,
            redirect_urls: redirect_urls?,
            gateway_urls: gateway_urls?,
            outbound,
            issuers_outbound,
            refresh: refresh?,
            audit_days: audit_days?,
            servers,
        })
    })();
    // Whatever is missing has left an error, which has been returned above.
    config.ok_or(errors)
}

/// All issuers. What is wrong goes to `errors`.
fn issuers(
    errors: &mut Vec<ConfigError>,
    documents: &[Strict<document::Issuer>],
    public_url: &Url,
    outside: Outside<'_>,
) -> Vec<Issuer> {
    let mut parsed: Vec<Issuer> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let issuer = check(
            errors,
            issuers::issuer(index, document, public_url, outside),
        );
        let Some(issuer) = issuer else { continue };
        if parsed.iter().any(|other| other.issuer == issuer.issuer) {
            errors.push(ConfigError::new(
                format!("/issuers/{index}/issuer"),
                "a different issuer each time",
                "one that there is already",
            ));
        }
        parsed.push(issuer);
    }
    parsed
}

/// All keys of filters. What is wrong goes to `errors`.
fn filter_keys(
    errors: &mut Vec<ConfigError>,
    documents: &[Strict<document::FilterKey>],
    outside: Outside<'_>,
) -> Vec<FilterKey> {
    let mut parsed: Vec<FilterKey> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let Some(key) = check(errors, issuers::filter_key(index, document, outside)) else {
            continue;
        };
        let error = |field: &str, expected: &str| {
            ConfigError::new(
                format!("/filter_keys/{index}/{field}"),
                expected,
                "one that there is already",
            )
        };
        if parsed.iter().any(|other| other.id == key.id) {
            errors.push(error("id", "a different id for each key"));
        }
        if parsed.iter().any(|other| other.secret == key.secret) {
            errors.push(error("secret", "a different secret for each key"));
        }
        parsed.push(key);
    }
    parsed
}

fn refresh(refresh: &document::Refresh) -> Result<Refresh, ConfigError> {
    Ok(Refresh {
        margin: whole("/refresh/margin_seconds", refresh.margin_seconds, 0..=3600)?,
        cooldown: whole(
            "/refresh/cooldown_seconds",
            refresh.cooldown_seconds,
            0..=3600,
        )?,
        lease: whole("/refresh/lease_seconds", refresh.lease_seconds, 5..=600)?,
    })
}

/// Another replica must not use a refresh token while the first one's call may
/// still bring something.
fn lease_and_timeout(refresh: &Refresh, outbound: &OutboundSettings) -> Result<(), ConfigError> {
    /// For the write of what it brought, in seconds.
    const WRITE: i64 = 2;
    let call = i64::try_from(outbound.timeout.as_secs()).unwrap_or(i64::MAX);
    let shortest = call.saturating_add(WRITE);
    if refresh.lease > shortest {
        return Ok(());
    }
    Err(ConfigError::new(
        "/refresh/lease_seconds",
        format_args!("more than {shortest}: outbound.timeout_seconds and {WRITE} seconds"),
        refresh.lease,
    ))
}

/// Who waits for a provider that does not answer is to be told so, and not that
/// the request took too long.
fn request_and_timeout(limits: &Limits, outbound: &OutboundSettings) -> Result<(), ConfigError> {
    let rest = Limits::OWN_TIME.as_secs();
    let shortest = outbound.timeout.as_secs().saturating_add(rest);
    let request = limits.request_time.as_secs();
    if request >= shortest {
        return Ok(());
    }
    Err(ConfigError::new(
        "/limits/request_seconds",
        format_args!("{shortest} or more: outbound.timeout_seconds and {rest} seconds"),
        request,
    ))
}

fn check<T>(errors: &mut Vec<ConfigError>, result: Result<T, ConfigError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn database(document: &Document, outside: Outside<'_>) -> Result<Database, ConfigError> {
    /// The name of the file in the data directory.
    const FILE: &str = "credentials.sqlite";
    let Some(database) = &document.database else {
        if document.data_directory.is_empty() {
            return Err(ConfigError::new(
                "/data_directory",
                "the path of a directory",
                "an empty string",
            ));
        }
        return Ok(Database::Sqlite(
            Path::new(&document.data_directory).join(FILE),
        ));
    };
    let connections = whole("/database/connections", database.connections, 1..=1000)?;
    let url = secrets::secret(&database.url, "/database/url", outside)?;
    let is_postgres = url.expose_text().is_some_and(|url| {
        ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
    });
    if !is_postgres {
        return Err(ConfigError::new(
            "/database/url",
            "a URL that begins with postgres:// (without a URL, SQLite is used)",
            "something else",
        ));
    }
    Ok(Database::Postgres { url, connections })
}

fn listeners(listeners: &document::Listeners) -> Result<Listeners, ConfigError> {
    let address = |pointer: &str, text: &str| {
        text.parse::<SocketAddr>().map_err(|_| {
            ConfigError::new(
                pointer,
                "an IP address and a port, as in 127.0.0.1:8081",
                format_args!("{text:?}"),
            )
        })
    };
    let filter = address("/listeners/filter", &listeners.filter)?;
    let public = address("/listeners/public", &listeners.public)?;
    if filter == public && filter.port() != 0 {
        return Err(ConfigError::new(
            "/listeners/filter",
            "an address of its own, which browsers cannot reach",
            "that of the public listener",
        ));
    }
    Ok(Listeners { filter, public })
}

fn limits(limits: &document::Limits) -> Result<Limits, ConfigError> {
    let seconds = |pointer, seconds, range| whole(pointer, seconds, range).map(Duration::from_secs);
    Ok(Limits {
        request_bytes: whole(
            "/limits/request_bytes",
            limits.request_bytes,
            1024..=16_777_216,
        )?,
        request_time: seconds("/limits/request_seconds", limits.request_seconds, 1..=120)?,
        shutdown_time: seconds("/limits/shutdown_seconds", limits.shutdown_seconds, 0..=300)?,
        concurrent_requests: whole(
            "/limits/concurrent_requests",
            limits.concurrent_requests,
            1..=100_000,
        )?,
    })
}

fn keyring(
    encryption: Option<&document::Encryption>,
    outside: Outside<'_>,
) -> Result<Keyring, ConfigError> {
    const HOW: &str = "an encryption key: make one with `mcp-token-service generate-key`, \
        put it into a file or an environment variable and name it here, as in \
        {\"writing_key\": \"1\", \"keys\": [{\"id\": \"1\", \"secret\": {\"file\": \"/path/to/key\"}}]}";
    let Some(encryption) = encryption.filter(|encryption| !encryption.keys.is_empty()) else {
        return Err(ConfigError::new("/encryption", HOW, "none"));
    };
    let key_id = |pointer: &str, text: &str| {
        KeyId::new(text).ok_or_else(|| {
            ConfigError::new(
                pointer,
                format_args!("1 to {} letters, digits, '.', '_' or '-'", KeyId::LONGEST),
                "something else",
            )
        })
    };
    let writing = key_id("/encryption/writing_key", &encryption.writing_key)?;
    let mut keys = Vec::new();
    for (index, key) in encryption.keys.iter().enumerate() {
        let pointer = format!("/encryption/keys/{index}/secret");
        let secret = secrets::secret(&key.secret, &pointer, outside)?;
        let id = key_id(&format!("/encryption/keys/{index}/id"), &key.id)?;
        let key = secret
            .expose_text()
            .and_then(|text| EncryptionKey::parse(text).ok())
            .ok_or_else(|| {
                ConfigError::new(
                    pointer,
                    "the name of what holds 32 bytes in base64, \
                     as `mcp-token-service generate-key` prints them",
                    "something else in it",
                )
            })?;
        keys.push((id, key));
    }
    Keyring::new(&writing, keys).map_err(|problem| match problem {
        KeyringError::Duplicate(_) => {
            ConfigError::new("/encryption/keys", "a different id for each key", problem)
        }
        KeyringError::NoWritingKey => ConfigError::new(
            "/encryption/writing_key",
            "the id of one of the keys",
            "another",
        ),
    })
}

fn whole<T: TryFrom<u64>>(
    pointer: &str,
    number: u64,
    range: RangeInclusive<u64>,
) -> Result<T, ConfigError> {
    let bounds = (*range.start(), *range.end());
    let error = |found: &dyn Display| {
        ConfigError::new(
            pointer,
            format_args!("a whole number from {} to {}", bounds.0, bounds.1),
            found,
        )
    };
    if !range.contains(&number) {
        return Err(error(&number));
    }
    T::try_from(number).map_err(|_| error(&number))
}
