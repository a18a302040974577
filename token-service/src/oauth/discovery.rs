//! Finding an authorization server's metadata, and keeping it for a while.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use url::Url;

use super::metadata::{PkceRule, ResourceMetadata, parse_resource, parse_server};
use super::{Metadata, MetadataProblem, ProviderError, resource_metadata};
use crate::flight::Flights;
use crate::outbound::{Answer, Outbound, OutboundError};
use crate::servers::Provider;

/// The authorization servers, with the metadata that was found last. A clone
/// shares what is kept.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    kept: Mutex<HashMap<Key, Kept>>,
    findings: Flights<Key, Result<Arc<Metadata>, Trouble>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// With the issuer that it has to be.
    Resource(Url, Option<String>),
    Issuer(String),
}

struct Kept {
    metadata: Arc<Metadata>,
    at: Instant,
    /// When it was last begun to ask again.
    tried: Instant,
}

/// Why nothing was found.
#[derive(Clone, Copy)]
enum Trouble {
    Outbound(OutboundError),
    Metadata(MetadataProblem),
    Unavailable,
    RateLimited { retry_after: Option<i64> },
}

/// So long, metadata is not asked for again.
const FRESH: Duration = Duration::from_secs(600);
/// So long, what was found last is used while it is asked for again, and
/// stands in for an answer that does not come.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Between two attempts to replace what is still used.
const AGAIN: Duration = Duration::from_secs(30);
/// The longest that is waited for metadata: some calls, one after the other,
/// each with its own limit.
const PATIENCE: Duration = Duration::from_secs(120);
/// More providers than this are not kept.
const MOST: usize = 512;

impl Providers {
    /// Providers that are asked by this client.
    pub fn new(outbound: Outbound) -> Self {
        Self(Arc::new(Inner {
            outbound,
            kept: Mutex::default(),
            findings: Flights::new(),
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
            Provider::Resource { url, issuer } => {
                let key = Key::Resource(url.clone(), issuer.clone());
                self.kept_or_found(key).await
            }
        }
    }

    /// The metadata of an issuer.
    ///
    /// # Errors
    /// There is none that can be used.
    pub async fn issuer(&self, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
        self.kept_or_found(Key::Issuer(issuer.to_owned())).await
    }

    /// What is kept, if it is not too old; where it is not new, it is asked for
    /// again, and nobody waits for that. However many ask, they share one
    /// search, which goes on when they go away.
    async fn kept_or_found(&self, key: Key) -> Result<Arc<Metadata>, ProviderError> {
        let (kept, ask_again) = {
            let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get_mut(&key).filter(|kept| kept.at.elapsed() < STALE) {
                Some(kept) => {
                    let old = kept.at.elapsed() >= FRESH && kept.tried.elapsed() >= AGAIN;
                    if old {
                        kept.tried = Instant::now();
                    }
                    (Some(Arc::clone(&kept.metadata)), old)
                }
                None => (None, false),
            }
        };
        let (this, wanted) = (self.clone(), key.clone());
        let finding = async move { this.find(wanted).await };
        if let Some(metadata) = kept {
            if ask_again {
                self.0.findings.start(key, finding);
            }
            return Ok(metadata);
        }
        let found = self.0.findings.join(key, PATIENCE, finding).await;
        Ok(found.unwrap_or(Err(Trouble::Unavailable))?)
    }

    async fn find(&self, key: Key) -> Result<Arc<Metadata>, Trouble> {
        let found = match &key {
            Key::Resource(url, issuer) => self.find_by_resource(url, issuer.as_deref()).await,
            Key::Issuer(issuer) => self.find_issuer(issuer, PkceRule::NotDenied).await,
        };
        match found {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                self.keep(key, Arc::clone(&metadata));
                Ok(metadata)
            }
            Err(trouble) => {
                let error = ProviderError::from(trouble);
                tracing::warn!(%error, "a provider's metadata cannot be had");
                // It says something else now: what is kept is wrong.
                if !trouble.is_passing() {
                    let mut all = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
                    all.remove(&key);
                }
                Err(trouble)
            }
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
        let tried = at;
        all.insert(
            key,
            Kept {
                metadata,
                at,
                tried,
            },
        );
    }

    async fn find_by_resource(&self, url: &Url, only: Option<&str>) -> Result<Metadata, Trouble> {
        let ResourceMetadata {
            resource,
            mut issuers,
            scopes,
        } = self.find_resource(url).await?;
        if let Some(only) = only {
            issuers.retain(|issuer| issuer == only);
            if issuers.is_empty() {
                return Err(MetadataProblem::Mismatch("authorization_servers").into());
            }
        }
        let mut problem = Trouble::Metadata(MetadataProblem::NotFound);
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
    async fn find_resource(&self, url: &Url) -> Result<ResourceMetadata, Trouble> {
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

    async fn find_issuer(&self, issuer: &str, pkce: PkceRule) -> Result<Metadata, Trouble> {
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

const fn problem_of(answer: &Answer) -> Trouble {
    match answer.status {
        429 => Trouble::RateLimited {
            retry_after: answer.retry_after,
        },
        500.. => Trouble::Unavailable,
        _ => Trouble::Metadata(MetadataProblem::NotFound),
    }
}

impl Trouble {
    /// Whether it may be better the next time.
    const fn is_passing(self) -> bool {
        match self {
            Self::Outbound(_) | Self::Unavailable | Self::RateLimited { .. } => true,
            Self::Metadata(_) => false,
        }
    }
}

impl From<OutboundError> for Trouble {
    fn from(error: OutboundError) -> Self {
        Self::Outbound(error)
    }
}

impl From<MetadataProblem> for Trouble {
    fn from(problem: MetadataProblem) -> Self {
        Self::Metadata(problem)
    }
}

impl From<Trouble> for ProviderError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Outbound(error) => Self::Outbound(error),
            Trouble::Metadata(problem) => Self::Metadata(problem),
            Trouble::Unavailable => Self::Unavailable,
            Trouble::RateLimited { retry_after } => Self::RateLimited { retry_after },
        }
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Providers(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::sync::Notify;

    use super::*;
    use crate::outbound::OutboundSettings;

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

    /// An issuer that counts who asks, and answers when the test says so.
    struct Slow {
        url: String,
        asked: Arc<AtomicU32>,
        arrived: Arc<Notify>,
        go: Arc<Notify>,
    }

    impl Slow {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let slow = Self {
                url: format!("http://{}", listener.local_addr().unwrap()),
                asked: Arc::default(),
                arrived: Arc::default(),
                go: Arc::default(),
            };
            let (url, asked) = (slow.url.clone(), Arc::clone(&slow.asked));
            let (arrived, go) = (Arc::clone(&slow.arrived), Arc::clone(&slow.go));
            let app = axum::Router::new().fallback(async move || {
                asked.fetch_add(1, Ordering::SeqCst);
                arrived.notify_one();
                go.notified().await;
                json!({
                    "issuer": url,
                    "authorization_endpoint": format!("{url}/authorize"),
                    "token_endpoint": format!("{url}/token"),
                })
                .to_string()
            });
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            slow
        }

        fn providers(&self) -> Providers {
            let allowed = self.url.strip_prefix("http://").unwrap().parse();
            let outbound = Outbound::new(OutboundSettings {
                allow: vec![allowed.unwrap()],
                timeout: Duration::from_secs(30),
                response_bytes: 65536,
            });
            Providers::new(outbound.unwrap())
        }

        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    /// Makes what is kept older.
    fn age(providers: &Providers, by: Duration) {
        for kept in providers.0.kept.lock().unwrap().values_mut() {
            kept.at = kept.at.checked_sub(by).unwrap();
            kept.tried = kept.tried.checked_sub(by).unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_kept_is_used_at_once_while_the_issuer_hangs() {
        let slow = Slow::start().await;
        let providers = slow.providers();
        slow.go.notify_one();
        let first = providers.issuer(&slow.url).await.unwrap();
        slow.arrived.notified().await;
        age(&providers, FRESH);
        for _ in 0..3 {
            let soon = Duration::from_secs(10);
            let kept = tokio::time::timeout(soon, providers.issuer(&slow.url)).await;
            assert!(Arc::ptr_eq(&kept.unwrap().unwrap(), &first));
        }
        slow.arrived.notified().await;
        assert_eq!(slow.asked(), 2, "one search behind all of them");
        slow.go.notify_one();
        providers.0.findings.drain().await;
        let second = providers.issuer(&slow.url).await.unwrap();
        assert!(!Arc::ptr_eq(&second, &first), "what was found is used");
        assert_eq!(slow.asked(), 2);
    }

    #[tokio::test]
    async fn a_search_is_shared_and_goes_on_without_who_asked() {
        let slow = Slow::start().await;
        let providers = slow.providers();
        let ask = || {
            let (providers, url) = (providers.clone(), slow.url.clone());
            tokio::spawn(async move { providers.issuer(&url).await })
        };
        let calls: Vec<_> = (0..10).map(|_| ask()).collect();
        slow.arrived.notified().await;
        for call in &calls {
            call.abort();
        }
        let late = ask();
        slow.go.notify_one();
        late.await.unwrap().unwrap();
        assert_eq!(slow.asked(), 1);
    }
}
