//! Calls to addresses that come from outside: guarded against requests to
//! places that are none of the caller's business (SSRF), and limited in size
//! and time.
//!
//! * `https` only, except towards what the operator allows.
//! * Only public addresses, except what the operator allows; decided when the
//!   connection is made.
//! * No redirects, no proxies of the environment, no user information.

mod address;
mod allow;
mod resolver;

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use url::{Host, Url, form_urlencoded};
use zeroize::Zeroizing;

pub use address::is_public;
pub use allow::{Allowed, Network, NotAnException};
pub use resolver::{LookingUp, Lookup, SystemLookup};

use crate::secret::Secret;
use resolver::{AddressRefused, Guarded, Reach};

/// What calls are limited to.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    /// What may be called though it is not public.
    pub allow: Vec<Allowed>,
    /// The longest time of a call, from the look-up of the name to the last
    /// byte of the answer.
    pub timeout: Duration,
    /// The largest body of an answer.
    pub response_bytes: usize,
}

/// The guarded HTTP client. A clone shares its connections.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    settings: OutboundSettings,
    networks: Arc<[Network]>,
    /// For hosts that the operator named.
    named: Client,
    /// For public addresses.
    public: Client,
    /// For addresses of the operator's networks.
    internal: Client,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The values of `WWW-Authenticate` that are text.
    pub challenges: Vec<String>,
    /// `Retry-After` in seconds, where it is a number.
    pub retry_after: Option<i64>,
    /// The body: it may hold tokens.
    pub body: Secret,
}

/// Why a call brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundError {
    /// The URL or what it leads to must not be called.
    Refused(Refusal),
    /// There was no connection; nothing was sent.
    Unreachable,
    /// The connection broke, or what came back was not HTTP. Whether the
    /// request arrived is not known.
    Broken,
    /// It took too long. Whether the request arrived is not known.
    TimedOut,
    /// The answer is too large.
    TooLarge,
    /// The answer has another status than it should have.
    Status(u16),
    /// The answer is not the JSON that it should be.
    NotJson,
}

/// Why a URL must not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither `https` nor `http` to something allowed.
    Scheme,
    /// It has a user name or a password.
    UserInfo,
    /// It has no host.
    Host,
    /// The port is one of other protocols.
    Port,
    /// The address is not public.
    Address,
}

/// The HTTP client cannot be set up.
#[derive(Debug)]
pub struct NoClient(reqwest::Error);

impl Outbound {
    /// A client with these limits and the system's resolver.
    ///
    /// # Errors
    /// The system's certificates cannot be used.
    pub fn new(settings: OutboundSettings) -> Result<Self, NoClient> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// A client with a resolver of one's own.
    ///
    /// # Errors
    /// The system's certificates cannot be used.
    pub fn with_lookup(
        settings: OutboundSettings,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, NoClient> {
        // An error says that there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let networks: Arc<[Network]> = settings
            .allow
            .iter()
            .filter_map(|allowed| match allowed {
                Allowed::Network(network) => Some(*network),
                Allowed::Authority { .. } => None,
            })
            .collect();
        let client = |reach: Reach| {
            let lookup = Arc::clone(&lookup);
            Client::builder()
                .dns_resolver(Arc::new(Guarded { lookup, reach }))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .http1_only()
                .pool_idle_timeout(Duration::from_secs(15))
                .user_agent(concat!("mcp-token-service/", env!("CARGO_PKG_VERSION")))
                .timeout(settings.timeout)
                .build()
                .map_err(NoClient)
        };
        Ok(Self(Arc::new(Inner {
            named: client(Reach::Anywhere)?,
            public: client(Reach::Public(Arc::clone(&networks)))?,
            internal: client(Reach::Networks(Arc::clone(&networks)))?,
            networks,
            settings,
        })))
    }

    /// Whether the URL may be called, as far as it shows by itself. A name is
    /// looked up only when it is called.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        self.client(url).map(drop)
    }

    /// Gets a URL.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn get(&self, url: &Url, accept: &'static str) -> Result<Answer, OutboundError> {
        let request = self.client(url)?.get(url.clone()).header(ACCEPT, accept);
        self.send(request, true).await
    }

    /// Gets a URL, for what the answer's head says: its body is not read.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn get_head(&self, url: &Url, accept: &'static str) -> Result<Answer, OutboundError> {
        let request = self.client(url)?.get(url.clone()).header(ACCEPT, accept);
        self.send(request, false).await
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// There is no answer, or another one than 200 with the document.
    pub async fn get_json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, OutboundError> {
        let answer = self.get(url, "application/json").await?;
        if answer.status != 200 {
            return Err(OutboundError::Status(answer.status));
        }
        answer.json()
    }

    /// Posts a form, with an `Authorization` where one is given.
    ///
    /// # Errors
    /// There is no answer. Any status is one.
    pub async fn post_form<'a>(
        &self,
        url: &Url,
        form: impl IntoIterator<Item = (&'a str, &'a str)>,
        authorization: Option<&Secret>,
    ) -> Result<Answer, OutboundError> {
        // The serializer cannot be kept across an await of a `Send` future.
        let body = {
            let mut body = form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(form);
            Zeroizing::new(body.finish())
        };
        let mut request = self
            .client(url)?
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.as_bytes().to_vec());
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_bytes(authorization.expose())
                .map_err(|_| OutboundError::Broken)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        self.send(request, true).await
    }

    /// Posts a JSON document.
    ///
    /// # Errors
    /// There is no answer. Any status is one.
    pub async fn post_json(
        &self,
        url: &Url,
        document: &serde_json::Value,
    ) -> Result<Answer, OutboundError> {
        let request = self
            .client(url)?
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(document.to_string());
        self.send(request, true).await
    }

    fn client(&self, url: &Url) -> Result<&Client, Refusal> {
        let inner = &*self.0;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Refusal::Host);
        };
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refusal::Scheme),
        };
        let named = inner.settings.allow.iter().any(|allowed| match allowed {
            Allowed::Authority {
                host: allowed,
                port: its,
            } => *its == port && *allowed == host.to_owned(),
            Allowed::Network(_) => false,
        });
        if named {
            return Ok(&inner.named);
        }
        let literal = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        // The connector does not ask the resolver for an address.
        let networks = Reach::Networks(Arc::clone(&inner.networks));
        if literal.is_some_and(|address| networks.permits(address)) {
            return Ok(&inner.internal);
        }
        if !secure {
            // A name may lead to an allowed network; an address does not.
            if literal.is_some() || inner.networks.is_empty() {
                return Err(Refusal::Scheme);
            }
            return Ok(&inner.internal);
        }
        if literal.is_some_and(|address| !is_public(address)) {
            return Err(Refusal::Address);
        }
        if port != 443 && port < 1024 {
            return Err(Refusal::Port);
        }
        Ok(&inner.public)
    }

    async fn send(&self, request: RequestBuilder, read: bool) -> Result<Answer, OutboundError> {
        let limit = self.0.settings.response_bytes;
        let exchange = async {
            let mut response = request.send().await.map_err(|error| classify(&error))?;
            let status = response.status().as_u16();
            let headers = response.headers();
            let challenges = headers
                .get_all(reqwest::header::WWW_AUTHENTICATE)
                .iter()
                .filter_map(|value| value.to_str().ok().map(str::to_owned))
                .collect();
            let retry_after = headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .filter(|seconds| *seconds >= 0);
            let mut body = Zeroizing::new(Vec::new());
            loop {
                if !read {
                    break;
                }
                let chunk = response.chunk().await.map_err(|error| classify(&error))?;
                let Some(chunk) = chunk else { break };
                if body.len().saturating_add(chunk.len()) > limit {
                    return Err(OutboundError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer {
                status,
                challenges,
                retry_after,
                body: Secret::new(std::mem::take(&mut *body)),
            })
        };
        // The client has the same limit; this one is for what it leaves out.
        tokio::time::timeout(self.0.settings.timeout, exchange)
            .await
            .unwrap_or(Err(OutboundError::TimedOut))
    }
}

fn classify(error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn core::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if one.is::<AddressRefused>() {
            return OutboundError::Refused(Refusal::Address);
        }
        cause = one.source();
    }
    if error.is_timeout() {
        OutboundError::TimedOut
    } else if error.is_connect() {
        OutboundError::Unreachable
    } else {
        OutboundError::Broken
    }
}

// === impl Answer, OutboundError, Refusal, NoClient ===

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, OutboundError> {
        serde_json::from_slice(self.body.expose()).map_err(|_| OutboundError::NotJson)
    }
}

impl OutboundError {
    /// Whether the peer may have received the request and acted on it, though
    /// its answer is not known.
    pub const fn may_have_arrived(self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Unreachable)
    }
}

impl From<Refusal> for OutboundError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outbound").field(&self.0.settings).finish()
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unreachable => f.write_str("no connection"),
            Self::Broken => f.write_str("the connection broke"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Status(status) => write!(f, "an answer with the status {status}"),
            Self::NotJson => f.write_str("the answer is not the JSON that it should be"),
        }
    }
}

impl core::error::Error for OutboundError {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "not https, and not in outbound.allow",
            Self::UserInfo => "a URL with a user name or a password",
            Self::Host => "a URL without a host",
            Self::Port => "a port of another protocol",
            Self::Address => "an address that is not public and not in outbound.allow",
        })
    }
}

impl fmt::Display for NoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the HTTP client: {}", self.0)
    }
}

impl core::error::Error for NoClient {}
