//! Finding an authorization server's metadata, and keeping it for a while.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use url::Url;

use super::metadata::{PkceRule, ResourceMetadata, parse_resource, parse_server};
use super::{Metadata, MetadataProblem, ProviderError, resource_metadata};
use crate::outbound::{Answer, Outbound};
use crate::servers::Provider;

/// The authorization servers, with the metadata that was found last. A clone
/// shares what is kept.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    kept: Mutex<HashMap<Key, Kept>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Resource(Url),
    Issuer(String),
}

struct Kept {
    metadata: Arc<Metadata>,
    at: Instant,
    /// When it was last tried to renew it.
    tried: Option<Instant>,
}

/// So long, metadata is not asked for again.
const FRESH: Duration = Duration::from_secs(600);
/// So long, what was found last stands in for an answer that does not come.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Between two attempts to renew what is kept.
const PAUSE: Duration = Duration::from_secs(30);
/// More providers than this are not kept.
const MOST: usize = 512;

impl Providers {
    /// Providers that are asked by this client.
    pub fn new(outbound: Outbound) -> Self {
        Self(Arc::new(Inner {
            outbound,
            kept: Mutex::default(),
        }))
    }

    /// The client that they are asked by.
    pub fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// The metadata of a source's authorization server.
    ///
    /// # Errors
    /// There is none that can be used.
    pub async fn of(&self, provider: &Provider) -> Result<Arc<Metadata>, ProviderError> {
        match provider {
            Provider::Endpoints(endpoints) => Ok(Arc::new(Metadata::given(endpoints))),
            Provider::Issuer(issuer) => self.issuer(issuer).await,
            Provider::Resource(resource) => self.kept_or(Key::Resource(resource.clone())).await,
        }
    }

    /// The metadata of an issuer.
    ///
    /// # Errors
    /// There is none that can be used.
    pub async fn issuer(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
        self.kept_or(Key::Issuer(issuer.to_owned())).await
    }

    /// What is kept is answered at once; where it is no longer fresh it is
    /// renewed meanwhile, by a task of its own.
    async fn kept_or(&self, key: Key) -> Result<Arc<Metadata>, ProviderError> {
        if let Some((metadata, renew)) = self.kept(&key) {
            if renew {
                let providers = self.clone();
                tokio::spawn(async move { providers.renew(key).await });
            }
            return Ok(metadata);
        }
        let metadata = Arc::new(self.find(&key).await?);
        self.keep(key, Arc::clone(&metadata));
        Ok(metadata)
    }

    /// What is kept, and whether the caller has to renew it.
    fn kept(&self, key: &Key) -> Option<(Arc<Metadata>, bool)> {
        let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get_mut(key)?;
        let age = kept.at.elapsed();
        if age >= STALE {
            return None;
        }
        let renew = age >= FRESH && kept.tried.is_none_or(|at| at.elapsed() >= PAUSE);
        if renew {
            kept.tried = Some(Instant::now());
        }
        Some((Arc::clone(&kept.metadata), renew))
    }

    async fn renew(&self, key: Key) {
        match self.find(&key).await {
            Ok(found) => self.keep(key, Arc::new(found)),
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "a provider's metadata cannot be renewed");
            }
            Err(error) => {
                tracing::warn!(%error, "a provider's metadata is not good any more");
                let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
                all.remove(&key);
            }
        }
    }

    async fn find(&self, key: &Key) -> Result<Metadata, ProviderError> {
        match key {
            Key::Resource(resource) => self.find_by_resource(resource).await,
            Key::Issuer(issuer) => self.find_issuer(issuer, PkceRule::NotDenied).await,
        }
    }

    fn keep(&self, key: Key, metadata: Arc<Metadata>) {
        let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&key) {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                all.remove(&oldest);
            }
        }
        let at = Instant::now();
        let tried = None;
        all.insert(
            key,
            Kept {
                metadata,
                at,
                tried,
            },
        );
    }

    async fn find_by_resource(&self, url: &Url) -> Result<Metadata, ProviderError> {
        let ResourceMetadata {
            resource,
            issuers,
            scopes,
        } = self.find_resource(url).await?;
        let mut problem = ProviderError::Metadata(MetadataProblem::NotFound);
        for issuer in issuers.iter().take(3) {
            match self.find_issuer(issuer, PkceRule::Stated).await {
                Ok(found) => {
                    return Ok(Metadata {
                        resource: Some(resource),
                        resource_scopes: scopes,
                        ..found
                    });
                }
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    /// By the challenge to a request without a token, else at the well-known
    /// places (RFC 9728, sections 3 and 5; MCP 2025-11-25, authorization).
    async fn find_resource(&self, url: &Url) -> Result<ResourceMetadata, ProviderError> {
        let outbound = &self.0.outbound;
        let challenge = outbound
            .get_head(url, "application/json, text/event-stream")
            .await?;
        let named = (challenge.status == 401)
            .then(|| resource_metadata(&challenge.challenges))
            .flatten();
        if let Some(named) = named {
            let at = Url::parse(&named).map_err(|_| MetadataProblem::Field("resource_metadata"))?;
            let answer = outbound.get(&at, "application/json").await?;
            if answer.status != 200 {
                return Err(problem_of(&answer));
            }
            return Ok(parse_resource(answer.body.expose(), url)?);
        }
        let mut places = vec![(well_known(url, "oauth-protected-resource"), url.clone())];
        if url.path() != "/" {
            let mut origin = url.clone();
            origin.set_path("");
            origin.set_query(None);
            places.push((well_known(&origin, "oauth-protected-resource"), origin));
        }
        let mut problem = MetadataProblem::NotFound;
        for (place, resource) in places {
            let answer = outbound.get(&place, "application/json").await?;
            if answer.status == 200 {
                match parse_resource(answer.body.expose(), &resource) {
                    Ok(found) => return Ok(found),
                    Err(error) => problem = error,
                }
            } else if answer.status >= 500 || answer.status == 429 {
                return Err(problem_of(&answer));
            }
        }
        Err(problem.into())
    }

    async fn find_issuer(&self, issuer: &str, pkce: PkceRule) -> Result<Metadata, ProviderError> {
        let url = Url::parse(issuer).map_err(|_| MetadataProblem::Field("issuer"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(MetadataProblem::Field("issuer").into());
        }
        let mut problem = MetadataProblem::NotFound;
        for place in issuer_places(&url) {
            let answer = self.0.outbound.get(&place, "application/json").await?;
            if answer.status == 200 {
                match parse_server(answer.body.expose(), issuer, pkce) {
                    Ok(found) => return Ok(found),
                    // Some servers answer every path with a page.
                    Err(error) => problem = worse(problem, error),
                }
            } else if answer.status >= 500 || answer.status == 429 {
                return Err(problem_of(&answer));
            }
        }
        Err(problem.into())
    }
}

/// RFC 8414, section 3.1 (path inserted); OpenID Connect the same way, and with
/// the path appended (OpenID Connect Discovery 1.0, section 4).
fn issuer_places(issuer: &Url) -> Vec<Url> {
    let mut places = vec![
        well_known(issuer, "oauth-authorization-server"),
        well_known(issuer, "openid-configuration"),
    ];
    if issuer.path() != "/" {
        let mut appended = issuer.clone();
        let path = issuer.path().trim_end_matches('/');
        appended.set_path(&format!("{path}/.well-known/openid-configuration"));
        places.push(appended);
    }
    places
}

/// The well-known name between host and path; a slash at the end of the path
/// is left out.
fn well_known(url: &Url, name: &str) -> Url {
    let mut place = url.clone();
    let path = url.path().trim_end_matches('/');
    place.set_path(&format!("/.well-known/{name}{path}"));
    place.set_fragment(None);
    place
}

/// The most telling of two problems.
const fn worse(one: MetadataProblem, other: MetadataProblem) -> MetadataProblem {
    match one {
        MetadataProblem::Mismatch(_) | MetadataProblem::Pkce => one,
        MetadataProblem::NotFound | MetadataProblem::Field(_) => other,
    }
}

const fn problem_of(answer: &Answer) -> ProviderError {
    match answer.status {
        429 => ProviderError::RateLimited {
            retry_after: answer.retry_after,
        },
        500.. => ProviderError::Unavailable,
        _ => ProviderError::Metadata(MetadataProblem::NotFound),
    }
}

/// Whether it may be better the next time.
const fn is_passing(error: &ProviderError) -> bool {
    matches!(
        error,
        ProviderError::Outbound(_) | ProviderError::Unavailable | ProviderError::RateLimited { .. }
    )
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Providers(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(issuer: &str) -> Vec<String> {
        let url = Url::parse(issuer).unwrap();
        issuer_places(&url).into_iter().map(String::from).collect()
    }

    #[test]
    fn an_issuers_path_is_inserted_and_for_openid_connect_also_appended() {
        assert_eq!(
            places("https://as.example"),
            [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ]
        );
        let with_path = [
            "https://as.example/.well-known/oauth-authorization-server/a/b",
            "https://as.example/.well-known/openid-configuration/a/b",
            "https://as.example/a/b/.well-known/openid-configuration",
        ];
        assert_eq!(places("https://as.example/a/b"), with_path);
        assert_eq!(places("https://as.example/a/b/"), with_path);
    }

    #[test]
    fn a_resources_path_and_query_stay() {
        let url = Url::parse("https://up.example/mcp?tenant=1").unwrap();
        assert_eq!(
            well_known(&url, "oauth-protected-resource").as_str(),
            "https://up.example/.well-known/oauth-protected-resource/mcp?tenant=1"
        );
    }
}
