//! The keys of an issuer (RFC 7517), fetched when they are needed.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
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

/// So long, keys that are no longer fresh wait for new ones before they are
/// used as they are.
const GRACE: Duration = Duration::from_millis(500);

/// The keys of one issuer. A clone shares them.
#[derive(Clone)]
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    jwks_url: Option<Url>,
    known: Mutex<Known>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<[Key]>,
    /// When they were fetched; `None`: never.
    fetched_at: Option<i64>,
    /// When it was last tried, and whether that went well.
    tried: Option<(i64, bool)>,
    /// The fetch that is under way: its other end goes when it has ended.
    fetching: Option<watch::Receiver<()>>,
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
        Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            jwks_url,
            known: Mutex::default(),
        }))
    }

    /// The key that a token with this header was signed with. An issuer that
    /// does not answer costs nobody whose key is known more than [`GRACE`].
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        outbound: &Outbound,
        now: i64,
    ) -> Result<DecodingKey, NoKey> {
        let known = self.0.known().clone();
        let found = known.find(id, algorithm);
        let younger_than = |limit: i64| known.age(now).is_some_and(|age| age < limit);
        if younger_than(FRESH)
            && let Some(key) = found
        {
            return Ok(key);
        }
        if let Some(fetch) = self.fetching(outbound, now) {
            let over = ended(fetch);
            if younger_than(LAST) && found.is_some() {
                // It goes on by itself if it takes longer.
                let _ = tokio::time::timeout(GRACE, over).await;
            } else {
                over.await;
            }
        }
        let known = self.0.known().clone();
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

    /// The fetch that is under way; one begins if it may. It belongs to no
    /// request: who waits for it may go away.
    fn fetching(&self, outbound: &Outbound, now: i64) -> Option<watch::Receiver<()>> {
        let mut known = self.0.known();
        let under_way = known.fetching.as_ref();
        if let Some(fetch) = under_way.filter(|fetch| fetch.has_changed().is_ok()) {
            return Some(fetch.clone());
        }
        let may_try = known
            .tried
            .is_none_or(|(at, _)| now.saturating_sub(at) >= PAUSE);
        if !may_try {
            return None;
        }
        let (end, fetch) = watch::channel(());
        known.tried = Some((now, false));
        known.fetching = Some(fetch.clone());
        drop(known);
        let (inner, outbound) = (Arc::clone(&self.0), outbound.clone());
        tokio::spawn(async move {
            inner.renew(&outbound, now).await;
            drop(end);
        });
        Some(fetch)
    }
}

/// Waits until a fetch has ended, however.
async fn ended(mut fetch: watch::Receiver<()>) {
    // Nothing is ever sent.
    while fetch.changed().await.is_ok() {}
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(&self, outbound: &Outbound, now: i64) {
        match self.fetch(outbound).await {
            Ok(keys) => {
                let mut known = self.known();
                known.keys = keys;
                known.fetched_at = Some(now);
                known.tried = Some((now, true));
            }
            Err(problem) => {
                tracing::warn!(issuer = self.issuer, %problem, "keys cannot be fetched");
            }
        }
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
