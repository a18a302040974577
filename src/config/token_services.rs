//! The entries of token services, the servers' use of them, and the keys of
//! what travels with the client.

use std::cell::OnceCell;
use std::rc::Rc;

use super::address::{endpoint, url};
use super::issuers::{Environment, secret};
use super::reader::{Members, Node};
use super::words::{HeaderUse, cluster, header_name, id, name_pattern, scopes};
use super::{HeaderMode, IdentityHeaders, duplicate, member_text};
use crate::callout::Endpoint;
use crate::credential::{
    ConsentAnswer, CredentialSource, PlacedBy, Profile, TokenService, may_be_injected,
};
use crate::http::headers::is_spelling_of;
use crate::oauth::Scopes;
use crate::secret::Secret;

/// A key that authenticates what travels with the client.
#[derive(Clone, Debug)]
pub struct StateKey {
    /// Its name, which travels along. Unique.
    pub id: String,
    /// At least [`StateKey::MIN_CHARACTERS`] of it.
    pub secret: Secret,
}

impl StateKey {
    /// The least length of the secret.
    pub const MIN_CHARACTERS: usize = 32;
}

/// A token service's entry, as far as it could be read.
pub(super) struct KnownService {
    id: Option<String>,
    /// Whether it is asked by token exchange, where that could be told.
    is_exchange: Option<bool>,
    pub(super) service: Option<Rc<TokenService>>,
}

/// What a server's credential entry depends on.
pub(super) struct Surroundings<'a> {
    pub(super) services: &'a [KnownService],
    pub(super) header_mode: Option<HeaderMode>,
    pub(super) has_state_keys: bool,
}

pub(super) fn token_services(
    nodes: &[Node<'_>],
    environment: Environment<'_>,
) -> Vec<KnownService> {
    let mut known: Vec<KnownService> = Vec::new();
    for node in nodes {
        let service = token_service(node, environment).map(Rc::new);
        let id = member_text(node, "id");
        if id.is_some() && known.iter().any(|earlier| earlier.id == id) {
            duplicate(node, "id");
        }
        let is_exchange = match (node.member("resolve"), node.member("exchange")) {
            (Some(_), None) => Some(false),
            (None, Some(_)) => Some(true),
            _ => None,
        };
        known.push(KnownService {
            id,
            is_exchange,
            service,
        });
    }
    known
}

fn token_service(node: &Node<'_>, environment: Environment<'_>) -> Option<TokenService> {
    const PROFILES: [&str; 2] = ["resolve", "exchange"];
    let [resolve, exchange] = PROFILES;
    let members = node.members(&["id", resolve, exchange, "timeout_ms", "cache_seconds"])?;
    let id = members.required("id").and_then(|node| id(&node));
    let profile = match members.present(&PROFILES).as_slice() {
        ["resolve"] => resolve_profile(&members.required(resolve)?, environment),
        ["exchange"] => exchange_profile(&members.required(exchange)?, environment),
        found => {
            members.error(
                "exactly one of resolve and exchange",
                if found.is_empty() { "neither" } else { "both" },
            );
            None
        }
    };
    let timeout_ms = members.or("timeout_ms", 5000, |node| node.integer(1, 60_000));
    let cache_seconds = members.or("cache_seconds", 60, |node| node.integer(0, 300));
    Some(TokenService {
        id: id?.into(),
        profile: profile?,
        timeout_ms: timeout_ms?,
        cache_seconds: cache_seconds?,
    })
}

fn resolve_profile(node: &Node<'_>, environment: Environment<'_>) -> Option<Profile> {
    let members = node.members(&["cluster", "url", "key"])?;
    let endpoint = profile_endpoint(&members);
    let key_node = members.required("key");
    let key = key_node.as_ref().and_then(|node| secret(node, environment));
    if let (Some(node), Some(key)) = (&key_node, &key)
        && !key.expose().bytes().all(|byte| byte.is_ascii_graphic())
    {
        node.error("a key of visible ASCII characters", "another one");
        return None;
    }
    Some(Profile::Resolve {
        endpoint: endpoint?,
        key: key?,
    })
}

fn exchange_profile(node: &Node<'_>, environment: Environment<'_>) -> Option<Profile> {
    let members = node.members(&["cluster", "url", "client_id", "client_secret"])?;
    let endpoint = profile_endpoint(&members);
    let client_id = members
        .required("client_id")
        .and_then(|node| node.text().map(str::to_owned));
    let client_secret = members
        .required("client_secret")
        .and_then(|node| secret(&node, environment));
    Some(Profile::Exchange {
        endpoint: endpoint?,
        client_id: client_id?,
        client_secret: client_secret?,
    })
}

fn profile_endpoint(members: &Members<'_>) -> Option<Endpoint> {
    let cluster = members.required("cluster").and_then(|node| cluster(&node));
    let url = members.required("url");
    let endpoint = endpoint(&url?, cluster.clone().unwrap_or_default());
    cluster?;
    endpoint
}

/// The `credential` entry of a server.
pub(super) fn credential(
    node: &Node<'_>,
    server_id: Option<&str>,
    identity_headers: Option<&IdentityHeaders>,
    around: &Surroundings<'_>,
) -> Option<CredentialSource> {
    let members = node.members(&[
        "token_service",
        "server_id",
        "headers",
        "placed_by",
        "optional_for",
        "consent_answer",
        "consent_answer_by_client",
        "audience",
        "resource",
        "scopes",
    ])?;
    let service = members
        .required("token_service")
        .and_then(|node| service_index(&node, around.services));
    let is_exchange = service
        .and_then(|index| around.services.get(index))
        .and_then(|known| known.is_exchange);
    refuse_other_profile(&members, is_exchange);
    let server_id = match members.optional("server_id") {
        Some(node) => node.text().map(str::to_owned),
        None => server_id.map(str::to_owned),
    };
    let headers = members.or("headers", vec!["authorization".to_owned()], |node| {
        node.some_unique(|node| injected_header(node, identity_headers))
    });
    let placed_by = members.or("placed_by", PlacedBy::default(), |node| {
        placed_by(node, around.header_mode)
    });
    let optional_for = members.or("optional_for", Vec::new(), |node| node.unique(name_pattern));
    let consent_answer = members.or("consent_answer", ConsentAnswer::default(), consent_answer);
    let by_client = members.or("consent_answer_by_client", Vec::new(), by_client);
    let audience = members.maybe("audience", |node| node.text().map(str::to_owned));
    let resource = members.maybe("resource", |node| {
        url(node)?;
        node.string().map(str::to_owned)
    });
    let scopes = members.or("scopes", Scopes::default(), scopes);
    let by_client = by_client?;
    let consent_answer = consent_answer?;
    let elicits = by_client
        .iter()
        .map(|(_, answer)| *answer)
        .chain([consent_answer])
        .any(|answer| matches!(answer, ConsentAnswer::Auto | ConsentAnswer::Elicit));
    if elicits && !around.has_state_keys {
        node.warning(
            "clients are never asked by elicitation, because there are no state_keys to \
             remember with what they can do",
        );
    }
    let server_id = server_id?;
    Some(CredentialSource {
        service: service?,
        headers: headers?,
        placed_by: placed_by?,
        optional_for: optional_for?,
        consent_answer,
        consent_answer_by_client: by_client,
        audience: audience?.unwrap_or_else(|| server_id.clone()),
        resource: resource?,
        scopes: scopes?,
        server_id,
        digest: OnceCell::new(),
    })
}

/// Fields that mean nothing to the way in which the service is asked.
fn refuse_other_profile(members: &Members<'_>, is_exchange: Option<bool>) {
    let (other, profile) = match is_exchange {
        Some(true) => (&["headers"][..], "resolve"),
        Some(false) => (&["audience", "resource", "scopes"][..], "exchange"),
        None => return,
    };
    for name in members.present(other) {
        if let Some(node) = members.optional(name) {
            node.error(
                format_args!("this field only with a token service that has {profile}"),
                "one that has the other",
            );
        }
    }
}

fn service_index(node: &Node<'_>, services: &[KnownService]) -> Option<usize> {
    let text = node.text()?;
    let index = services
        .iter()
        .position(|known| known.id.as_deref() == Some(text));
    // An entry whose id could not be read may be the one that is meant.
    if index.is_none() && services.iter().all(|known| known.id.is_some()) {
        node.expected("the id of an entry of token_services");
    }
    index
}

/// A header that the token service may set and that nobody else sets.
fn injected_header(node: &Node<'_>, identity: Option<&IdentityHeaders>) -> Option<String> {
    let text = node.string()?;
    if text != "authorization" {
        header_name(node, HeaderUse::Set)?;
        if !may_be_injected(text) {
            node.expected("a header that has no other meaning for the message or the gate");
            return None;
        }
    }
    if identity.is_some_and(|headers| headers.names().any(|name| is_spelling_of(name, text))) {
        node.error(
            "a header that is none of identity_headers",
            "one that tells the upstream who is calling",
        );
        return None;
    }
    Some(text.to_owned())
}

fn placed_by(node: &Node<'_>, header_mode: Option<HeaderMode>) -> Option<PlacedBy> {
    let placed_by = node.one_of(&[("gate", PlacedBy::Gate), ("cluster", PlacedBy::Cluster)])?;
    if placed_by == PlacedBy::Cluster && header_mode == Some(HeaderMode::Plain) {
        node.error(
            "\"cluster\" only with the header mode \"holding\"",
            "the header mode \"plain\"",
        );
        return None;
    }
    Some(placed_by)
}

fn consent_answer(node: &Node<'_>) -> Option<ConsentAnswer> {
    node.one_of(&[
        ("auto", ConsentAnswer::Auto),
        ("elicit", ConsentAnswer::Elicit),
        ("tool_result", ConsentAnswer::ToolResult),
        ("http_403", ConsentAnswer::Http403),
        ("challenge", ConsentAnswer::Challenge),
    ])
}

fn by_client(node: &Node<'_>) -> Option<Vec<(String, ConsentAnswer)>> {
    let Some(object) = node.value.as_object() else {
        node.expected("an object with an answer for each client id");
        return None;
    };
    let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
    let members = node.members(&names)?;
    let answers: Vec<_> = names
        .into_iter()
        .map(|name| {
            let answer = consent_answer(&members.optional(name)?)?;
            Some((name.to_owned(), answer))
        })
        .collect();
    answers.into_iter().collect()
}

pub(super) fn state_keys(node: &Node<'_>, environment: Environment<'_>) -> Option<Vec<StateKey>> {
    let nodes = node.some_elements()?;
    let mut keys = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let text = member_text(node, "id");
        let earlier = nodes.get(..index).unwrap_or_default();
        if text.is_some() && earlier.iter().any(|node| member_text(node, "id") == text) {
            duplicate(node, "id");
        }
        keys.push(state_key(node, environment));
    }
    keys.into_iter().collect()
}

fn state_key(node: &Node<'_>, environment: Environment<'_>) -> Option<StateKey> {
    let members = node.members(&["id", "secret"])?;
    let id = members.required("id").and_then(|node| id(&node));
    let secret_node = members.required("secret");
    let secret = secret_node
        .as_ref()
        .and_then(|node| secret(node, environment));
    if let (Some(node), Some(secret)) = (&secret_node, &secret)
        && secret.expose().chars().count() < StateKey::MIN_CHARACTERS
    {
        node.error(
            format_args!(
                "a secret of at least {} characters",
                StateKey::MIN_CHARACTERS
            ),
            "a shorter one",
        );
        return None;
    }
    Some(StateKey {
        id: id?,
        secret: secret?,
    })
}
