//! The servers, from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use url::Url;

use super::addresses::web_url;
use super::authentication::authentication;
use super::document;
use super::error::ConfigError;
use super::issuers::FilterKey;
use super::secrets::Outside;
use super::{check, whole};
use crate::servers::{Authentication, Server, Servers, Source};
use crate::strict::Strict;

/// The longest that the filter may keep an answer, whatever is configured.
const LONGEST_CACHE: u64 = 300;

/// What stands for the gateway's base URL in the servers' own URLs (seed 000).
const GATEWAY: &str = "{{mcpProxyBaseURL}}";

pub(super) fn cache_seconds(pointer: &str, seconds: u64) -> Result<u32, ConfigError> {
    whole(pointer, seconds, 0..=LONGEST_CACHE)
}

/// All servers. What is wrong goes to `errors`.
pub(super) fn servers(
    errors: &mut Vec<ConfigError>,
    documents: &[Strict<document::Server>],
    cache_seconds: u32,
    gateways: &[Url],
    outside: Outside<'_>,
) -> Servers {
    let mut sources = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut servers = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        if !ids.insert(document.id.as_str()) {
            errors.push(ConfigError::new(
                format!("/servers/{index}/id"),
                "a different id for each server",
                "one that there is already",
            ));
        }
        if let Some(source) = check(errors, source(index, document, gateways, outside)).flatten() {
            sources.insert(document.id.as_str(), Arc::new(source));
        }
    }
    let virtual_ids: BTreeSet<&str> = documents
        .iter()
        .filter(|document| document.sources.is_some())
        .map(|document| document.id.as_str())
        .collect();
    for (index, document) in documents.iter().enumerate() {
        let sources = match &document.sources {
            Some(names) if document.authentication.is_none() => check(
                errors,
                named_sources(index, names, &virtual_ids, &ids, &sources),
            ),
            _ => sources
                .get(document.id.as_str())
                .map(|source| vec![Arc::clone(source)]),
        };
        let resources = check(errors, resources(index, &document.resources, gateways));
        let pointer = format!("/servers/{index}/cache_seconds");
        let cache_seconds = match document.cache_seconds {
            Some(seconds) => check(errors, self::cache_seconds(&pointer, seconds)),
            None => Some(cache_seconds),
        };
        let (Some(sources), Some(resources), Some(cache_seconds)) =
            (sources, resources, cache_seconds)
        else {
            continue;
        };
        servers.push(Server {
            id: document.id.clone(),
            name: name(document),
            resources,
            sources,
            cache_seconds,
        });
    }
    Servers::new(servers)
}

/// Whether every key names servers that there are, and every server that needs
/// it says which tokens are meant for it.
pub(super) fn keys_and_servers(
    errors: &mut Vec<ConfigError>,
    keys: &[FilterKey],
    servers: &Servers,
    documents: &[Strict<document::Server>],
) {
    for (index, key) in keys.iter().enumerate() {
        for id in &key.servers {
            if servers.get(id).is_none() {
                errors.push(ConfigError::new(
                    format!("/filter_keys/{index}/servers"),
                    "the ids of servers",
                    format_args!("{id:?}, which is none"),
                ));
            }
        }
    }
    for (index, document) in documents.iter().enumerate() {
        let Some(server) = servers.get(&document.id) else {
            continue;
        };
        let prover = keys
            .iter()
            .find(|key| !key.trust_asserted_subject && key.servers.contains(&server.id));
        if let Some(key) = prover
            && server.resources.is_empty()
            && server.needs_credentials()
        {
            errors.push(ConfigError::new(
                format!("/servers/{index}/resources"),
                format_args!(
                    "at least one: the tokens that the filter key {:?} has to show \
                     are meant for one of them",
                    key.id
                ),
                "none",
            ));
        }
    }
}

fn name(document: &document::Server) -> String {
    document.name.clone().unwrap_or_else(|| document.id.clone())
}

/// The server as something with credentials of its own; `None`: it is virtual.
fn source(
    index: usize,
    document: &document::Server,
    gateways: &[Url],
    outside: Outside<'_>,
) -> Result<Option<Source>, ConfigError> {
    let pointer = |field: &str| format!("/servers/{index}/{field}");
    if !is_id(&document.id) {
        return Err(ConfigError::new(
            pointer("id"),
            "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
            format_args!("{:?}", document.id),
        ));
    }
    if document.name.as_deref().is_some_and(str::is_empty) {
        return Err(ConfigError::new(
            pointer("name"),
            "the name that people see",
            "an empty string",
        ));
    }
    let one = "either authentication or, of a virtual server, sources";
    match (&document.authentication, &document.sources) {
        (Some(document_authentication), None) => Ok(Some(Source {
            id: document.id.clone(),
            name: name(document),
            authentication: authentication(
                &pointer("authentication"),
                document_authentication,
                gateways,
                outside,
            )?,
        })),
        (None, Some(_)) => Ok(None),
        (Some(_), Some(_)) => Err(ConfigError::new(format!("/servers/{index}"), one, "both")),
        (None, None) => Err(ConfigError::new(format!("/servers/{index}"), one, "none")),
    }
}

fn named_sources(
    index: usize,
    names: &[String],
    virtual_ids: &BTreeSet<&str>,
    ids: &BTreeSet<&str>,
    sources: &BTreeMap<&str, Arc<Source>>,
) -> Result<Vec<Arc<Source>>, ConfigError> {
    let pointer = |at: usize| format!("/servers/{index}/sources/{at}");
    if names.is_empty() {
        return Err(ConfigError::new(
            format!("/servers/{index}/sources"),
            "the ids of the servers that it is made of",
            "none",
        ));
    }
    let mut seen = BTreeSet::new();
    names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| {
            let error = |found: &str| {
                Some(Err(ConfigError::new(
                    pointer(at),
                    "the id of a server with authentication of its own",
                    found,
                )))
            };
            if !seen.insert(name) {
                return error("one that is named already");
            }
            if let Some(source) = sources.get(name.as_str()) {
                return Some(Ok(Arc::clone(source)));
            }
            if virtual_ids.contains(name.as_str()) {
                return error("a virtual server");
            }
            if !ids.contains(name.as_str()) {
                return error("no server of that id");
            }
            // It is wrong in itself, which has been said.
            None
        })
        .collect()
}

/// Resource identifiers stay as they were written: they are compared as text.
fn resources(index: usize, texts: &[String], gateways: &[Url]) -> Result<Vec<String>, ConfigError> {
    let mut resources = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let pointer = format!("/servers/{index}/resources/{at}");
        for resource in with_gateways(&pointer, text, gateways)? {
            web_url(&pointer, &resource)?;
            resources.push(resource);
        }
    }
    Ok(resources)
}

/// The text, once for each gateway if it names the gateway.
pub(super) fn with_gateways(
    pointer: &str,
    text: &str,
    gateways: &[Url],
) -> Result<Vec<String>, ConfigError> {
    if !text.contains(GATEWAY) {
        return Ok(vec![text.to_owned()]);
    }
    if gateways.is_empty() {
        return Err(ConfigError::new(
            pointer,
            format_args!("gateway_urls, which {GATEWAY} stands for"),
            "none",
        ));
    }
    Ok(gateways
        .iter()
        .map(|gateway| text.replace(GATEWAY, gateway.as_str().trim_end_matches('/')))
        .collect())
}

fn is_id(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Server {
    /// Whether anything of it has credentials.
    pub fn needs_credentials(&self) -> bool {
        self.sources
            .iter()
            .any(|source| !matches!(source.authentication, Authentication::None))
    }
}
