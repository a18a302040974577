//! The keys of an issuer (RFC 7517), fetched when they are needed.

use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::outbound::{Outbound, OutboundError};

/// After this time keys are fetched again, in seconds.
const FRESH: i64 = 600;

/// As long as the issuer cannot be reached, keys are used until this age, in
/// seconds: a withdrawn key must not be good for ever.
const LAST: i64 = 86_400;

/// Between two fetches for keys that are not known, in seconds: anybody can
/// invent a key id.
const PAUSE: i64 = 30;

/// More keys than this are not read.
const MOST_KEYS: usize = 64;

/// The keys of one issuer.
pub(super) struct Keys {
    issuer: String,
    jwks_url: Option<Url>,
    known: Mutex<Known>,
    /// Held by the one that fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<[Key]>,
    /// When they were fetched; `None`: never.
    fetched_at: Option<i64>,
    /// When it was last tried, and whether that went well.
    tried: Option<(i64, bool)>,
}

struct Key {
    id: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    key: DecodingKey,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none that fits.
    Unknown,
    /// The issuer's keys cannot be had.
    Unavailable,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Keys {
    pub(super) fn new(issuer: &str, jwks_url: Option<Url>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            jwks_url,
            known: Mutex::default(),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// The key that a token with this header was signed with.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        outbound: &Outbound,
        now: i64,
    ) -> Result<DecodingKey, NoKey> {
        let known = self.known();
        if known.age(now).is_some_and(|age| age < FRESH)
            && let Some(key) = known.find(id, algorithm)
        {
            return Ok(key);
        }
        let _fetching = self.fetching.lock().await;
        // Somebody may have fetched them meanwhile.
        let mut known = self.known();
        let found = known.find(id, algorithm);
        let is_fresh = known.age(now).is_some_and(|age| age < FRESH);
        let may_try = known
            .tried
            .is_none_or(|(at, _)| now.saturating_sub(at) >= PAUSE);
        if may_try && !(is_fresh && found.is_some()) {
            let fetched = self.fetch(outbound).await;
            known.tried = Some((now, fetched.is_ok()));
            match fetched {
                Ok(keys) => {
                    known.keys = keys;
                    known.fetched_at = Some(now);
                }
                Err(problem) => {
                    tracing::warn!(issuer = self.issuer, %problem, "keys cannot be fetched");
                }
            }
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known.clone();
        }
        if known.age(now).is_none_or(|age| age >= LAST) {
            return Err(NoKey::Unavailable);
        }
        match (known.find(id, algorithm), known.tried) {
            (Some(key), _) => Ok(key),
            // It may be one of those that could not be fetched.
            (None, Some((_, false))) => Err(NoKey::Unavailable),
            (None, _) => Err(NoKey::Unknown),
        }
    }

    fn known(&self) -> Known {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn fetch(&self, outbound: &Outbound) -> Result<Arc<[Key]>, OutboundError> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover(outbound).await?,
        };
        let set: KeySet = outbound.get_json(&url).await?;
        Ok(set
            .keys
            .into_iter()
            .take(MOST_KEYS)
            // A key of a kind that is not known is no reason to refuse others.
            .filter_map(Key::parse)
            .collect())
    }

    async fn discover(&self, outbound: &Outbound) -> Result<Url, OutboundError> {
        let mut last = OutboundError::NotJson;
        for url in metadata_urls(&self.issuer) {
            match outbound.get_json::<Metadata>(&url).await {
                // RFC 8414, section 3.3.
                Ok(metadata) if metadata.issuer == self.issuer => {
                    return Url::parse(&metadata.jwks_uri).map_err(|_| OutboundError::NotJson);
                }
                Ok(_) => last = OutboundError::NotJson,
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }
}

/// Where the metadata of an issuer may be: RFC 8414, section 3.1; OpenID
/// Connect Discovery, section 4.
fn metadata_urls(issuer: &str) -> Vec<Url> {
    let Ok(base) = Url::parse(issuer) else {
        return Vec::new();
    };
    let path = base.path().trim_end_matches('/');
    let mut paths = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ];
    if !path.is_empty() {
        paths.push(format!("/.well-known/openid-configuration{path}"));
    }
    paths
        .into_iter()
        .map(|path| {
            let mut url = base.clone();
            url.set_path(&path);
            url
        })
        .collect()
}

impl Known {
    fn age(&self, now: i64) -> Option<i64> {
        self.fetched_at.map(|at| now.saturating_sub(at))
    }

    /// The key of that id; without an id the only one that fits.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.fits(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key.key.clone()),
            _ => None,
        }
    }
}

impl Key {
    fn parse(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let for_signatures = jwk
            .common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && jwk
                .common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        // A symmetric key that is published is no secret.
        (for_signatures && key.family() != AlgorithmFamily::Hmac).then_some(Self {
            id: jwk.common.key_id,
            algorithm: jwk.common.key_algorithm,
            key,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let named = self
            .algorithm
            .is_none_or(|named| named.to_string().parse() == Ok(algorithm));
        named && self.key.family().algorithms().contains(&algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        let urls =
            |issuer| -> Vec<String> { metadata_urls(issuer).iter().map(Url::to_string).collect() };
        assert_eq!(
            urls("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            urls("https://as.example/realms/a/"),
            [
                "https://as.example/.well-known/oauth-authorization-server/realms/a",
                "https://as.example/realms/a/.well-known/openid-configuration",
                "https://as.example/.well-known/openid-configuration/realms/a",
            ]
        );
    }
}
