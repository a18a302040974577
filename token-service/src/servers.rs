//! The MCP servers, and how each authenticates upstream (seed 002).

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use crate::owner::Target;
use crate::secret::Secret;

/// All servers, by id.
#[derive(Clone, Debug, Default)]
pub struct Servers(BTreeMap<String, Arc<Server>>);

/// A server as its users see it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The id in the APIs and in the filter's requests.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// The resource identifiers (RFC 8707) by which clients reach it through
    /// the gate; a user's token has to be meant for one of them.
    pub resources: Vec<String>,
    /// What it is made of: itself, or the sources of a virtual server.
    pub sources: Vec<Arc<Source>>,
    /// The longest that the filter may keep an answer, in seconds.
    pub cache_seconds: u32,
}

/// Something upstream that has credentials of its own. A server that is not
/// virtual is its own only source.
#[derive(Clone, Debug)]
pub struct Source {
    /// The id of the server that it is.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// How it authenticates.
    pub authentication: Authentication,
}

/// How a source authenticates upstream.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Not at all.
    None,
    /// With headers that hold a key.
    Header(HeaderAuthentication),
    /// With each user's own token, from a consent (OAuth 2.1, section 4.1).
    AuthorizationCode(OAuth),
    /// With a token of the service itself (OAuth 2.1, section 4.2).
    ClientCredentials(OAuth),
    /// With a token that is given for the user's own (RFC 8693).
    TokenExchange {
        /// Where and as whom.
        oauth: OAuth,
        /// The `audience` to ask for.
        audience: Option<String>,
    },
}

/// Headers that hold a key.
#[derive(Clone, Debug)]
pub struct HeaderAuthentication {
    /// The headers, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// Whose key it is.
    pub level: HeaderLevel,
}

/// Whose key a header holds.
#[derive(Clone, Debug)]
pub enum HeaderLevel {
    /// One for all users: the values of the placeholders.
    Global(BTreeMap<String, Secret>),
    /// Each user's own, set as an override.
    PerUser,
}

/// A header's value with places for keys: `Bearer {{API_KEY}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<TemplatePart>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text that stays.
    Text(String),
    /// The name of a placeholder.
    Placeholder(String),
}

/// Where tokens come from, and as which client they are asked for.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The authorization server.
    pub provider: Provider,
    /// Who asks.
    pub client: Client,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// The resource to ask for (RFC 8707). `None`: the one that discovery
    /// found, if it began at a resource.
    pub resource: Option<ResourceIndicator>,
    /// Further parameters of the authorization request.
    pub authorization_parameters: BTreeMap<String, String>,
    /// Further parameters of token requests.
    pub token_parameters: BTreeMap<String, String>,
}

/// How the endpoints of an authorization server are found.
#[derive(Clone, Debug)]
pub enum Provider {
    /// From the metadata of the MCP server (RFC 9728), then as for an issuer.
    Resource {
        /// The server's URL.
        url: Url,
        /// The one of its authorization servers that is meant, and no other.
        /// `None`: the first usable one, whichever it names.
        issuer: Option<String>,
    },
    /// From the metadata of this issuer (RFC 8414, OpenID Connect Discovery).
    /// An issuer identifier is compared to the character.
    Issuer(String),
    /// They are given.
    Endpoints(Box<Endpoints>),
}

/// The endpoints of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The issuer identifier, for `iss` in answers (RFC 9207).
    pub issuer: Option<String>,
    /// The authorization endpoint.
    pub authorization: Option<Url>,
    /// The token endpoint.
    pub token: Url,
    /// The registration endpoint (RFC 7591).
    pub registration: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation: Option<Url>,
    /// The introspection endpoint (RFC 7662), for the expiry of tokens that
    /// come without one.
    pub introspection: Option<Url>,
}

/// As which client the service asks for tokens.
#[derive(Clone, Debug)]
pub enum Client {
    /// One that was registered by hand.
    Registered {
        /// The client id.
        id: String,
        /// How it authenticates.
        authentication: ClientAuthentication,
    },
    /// One that the service registers itself (RFC 7591).
    Dynamic,
    /// The URL of the service's client id metadata document.
    MetadataDocument,
}

/// A resource indicator, which can depend on the gateway that a user comes
/// through (seed 000).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceIndicator {
    default: String,
    /// By the gateway's base URL.
    of_gateways: BTreeMap<String, String>,
}

/// How a client authenticates at the token endpoint (RFC 6749, section 2.3).
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// A public client.
    None,
    /// `client_secret_basic`
    Basic(Secret),
    /// `client_secret_post`
    Post(Secret),
}

impl Servers {
    /// Of several with the same id, the last one counts; the configuration
    /// refuses that.
    pub fn new(servers: impl IntoIterator<Item = Server>) -> Self {
        Self(
            servers
                .into_iter()
                .map(|server| (server.id.clone(), Arc::new(server)))
                .collect(),
        )
    }

    /// The server of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Server>> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.0.values()
    }
}

impl Server {
    /// Whether it is made of other servers.
    pub fn is_virtual(&self) -> bool {
        self.sources.iter().any(|source| source.id != self.id)
    }
}

impl Client {
    /// Whether it authenticates with a secret that is configured.
    pub const fn has_secret(&self) -> bool {
        matches!(
            self,
            Self::Registered {
                authentication: ClientAuthentication::Basic(_) | ClientAuthentication::Post(_),
                ..
            }
        )
    }
}

impl ResourceIndicator {
    /// The same for everybody.
    pub const fn fixed(resource: String) -> Self {
        Self {
            default: resource,
            of_gateways: BTreeMap::new(),
        }
    }

    /// One for each gateway; `default` is for who names none.
    pub fn of_gateways(default: String, others: impl IntoIterator<Item = (Url, String)>) -> Self {
        let others = others.into_iter();
        Self {
            default,
            of_gateways: others
                .map(|(gateway, resource)| (gateway.into(), resource))
                .collect(),
        }
    }

    /// That of a gateway, by its base URL as it is configured.
    pub fn at(&self, gateway: Option<&str>) -> &str {
        let found = gateway.and_then(|gateway| self.of_gateways.get(gateway));
        found.unwrap_or(&self.default)
    }

    /// Whether it depends on the gateway.
    pub fn varies(&self) -> bool {
        !self.of_gateways.is_empty()
    }
}

impl HeaderAuthentication {
    /// The names of the placeholders, each once, in the order of the headers.
    pub fn placeholders(&self) -> Vec<&str> {
        let all = self.headers.iter().map(|(_, template)| template);
        let mut names = Vec::new();
        for name in all.flat_map(Template::placeholders) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Template {
    /// The names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(name) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }
}

impl Source {
    /// What its credentials are kept for. They are the same whether a user
    /// comes by the server itself or by a virtual one.
    pub fn target(&self) -> Target {
        Target::server(self.id.clone())
    }
}
