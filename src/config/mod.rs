//! The configuration: from JSON to the types that the gate works with.
//!
//! `envoy/policy.schema.json` documents every field. [`parse`] accepts what
//! the schema accepts, less what a schema cannot see (references between
//! entries, contradictions). Every error is collected, not only the first.

mod address;
mod conditions;
mod error;
mod issuers;
mod limits;
mod reader;
mod responses;
mod rules;
mod server;
mod servers;
#[cfg(test)]
mod tests;
mod token_services;
mod warnings;
mod words;

use std::rc::Rc;

pub use error::{ConfigError, ConfigWarning};
pub use limits::Limits;
pub use server::{
    AnswerStyle, Answers, ClientFeatures, Hosts, IdentityHeaders, MetadataFields,
    ObtainableEntries, Resource, Server, TasksList,
};
pub use token_services::StateKey;

pub use self::issuers::Environment;
use self::reader::{Node, Report};
use self::servers::KnownIssuer;
use self::token_services::Surroundings;
use crate::credential::TokenService;
use crate::json;
use crate::oauth::Issuer;
use crate::oauth::metadata::well_known_path;
use crate::record::{StateEntries, StateEntry};

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// When the upstream may see a request's headers.
    pub header_mode: HeaderMode,
    /// Which entries of filter state a decision is written to.
    pub filter_state: StateEntries,
    /// The issuers of tokens. Not empty.
    pub issuers: Vec<Rc<Issuer>>,
    /// The MCP servers behind the gate. Not empty.
    pub servers: Vec<Rc<Server>>,
    /// Who is asked for upstream credentials.
    pub token_services: Vec<Rc<TokenService>>,
    /// The keys that authenticate what travels with the client: the first one
    /// signs, all verify.
    pub state_keys: Vec<StateKey>,
    /// Bounds on what is read and kept.
    pub limits: Limits,
    /// What is allowed but cannot be meant.
    pub warnings: Vec<ConfigWarning>,
}

/// When the upstream may see a request's headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderMode {
    /// After token and session were checked; the body follows after message
    /// and policy. Works on every host.
    #[default]
    Plain,
    /// After the permit. The host has to allow headers to be held
    /// (`allow_on_headers_stop_iteration`).
    Holding,
}

/// The configuration of one plugin: the module has two roles.
#[derive(Clone, Debug)]
pub enum Plugin {
    /// The gate, downstream.
    Gate(Box<Config>),
    /// The credential role, in the cluster of a server.
    Credential {
        /// The id of the server's entry in the gate's configuration.
        server: String,
    },
}

/// Reads the configuration of a gate. `environment` gives the value of an
/// environment variable.
///
/// # Errors
/// Everything that is wrong with it, never an empty list.
pub fn parse(bytes: &[u8], environment: Environment<'_>) -> Result<Config, Vec<ConfigError>> {
    let (config, warnings) = read(bytes, |root| config(root, environment))?;
    Ok(Config { warnings, ..config })
}

/// Reads the configuration of a plugin, of whichever role.
///
/// # Errors
/// Everything that is wrong with it, never an empty list.
pub fn parse_plugin(
    bytes: &[u8],
    environment: Environment<'_>,
) -> Result<Plugin, Vec<ConfigError>> {
    let (plugin, warnings) = read(bytes, |root| {
        if member_text(root, "role").as_deref() == Some("credential") {
            return credential_role(root);
        }
        config(root, environment).map(|config| Plugin::Gate(Box::new(config)))
    })?;
    Ok(match plugin {
        Plugin::Gate(config) => Plugin::Gate(Box::new(Config {
            warnings,
            ..*config
        })),
        credential @ Plugin::Credential { .. } => credential,
    })
}

/// What `make` makes of a document, unless it reports an error.
fn read<T>(
    bytes: &[u8],
    make: impl FnOnce(&Node<'_>) -> Option<T>,
) -> Result<(T, Vec<ConfigWarning>), Vec<ConfigError>> {
    /// How many arrays and objects may stand inside each other.
    const DEPTH: usize = 32;
    let report = Report::default();
    let document = json::parse(bytes, DEPTH)
        .map_err(|problem| report.error("", &"one JSON object", &problem))
        .ok();
    let made = document
        .as_ref()
        .and_then(|document| make(&Node::root(document, &report)));
    let (mut errors, warnings) = report.finish();
    match made {
        Some(made) if errors.is_empty() => Ok((made, warnings)),
        _ => {
            if errors.is_empty() {
                errors.push(ConfigError {
                    pointer: String::new(),
                    expected: "a configuration".to_owned(),
                    found: "one that could not be read".to_owned(),
                });
            }
            Err(errors)
        }
    }
}

fn credential_role(root: &Node<'_>) -> Option<Plugin> {
    let members = root.members(&["role", "server"])?;
    let server = members.required("server").and_then(|node| words::id(&node));
    Some(Plugin::Credential { server: server? })
}

fn config(root: &Node<'_>, environment: Environment<'_>) -> Option<Config> {
    let members = root.members(&[
        "role",
        "header_mode",
        "filter_state",
        "issuers",
        "servers",
        "token_services",
        "state_keys",
        "limits",
    ])?;
    let role = members.or("role", (), |node| {
        let is_gate = node.value.as_str() == Some("gate");
        if !is_gate {
            node.expected("one of gate, credential");
        }
        is_gate.then_some(())
    });
    let header_mode = members.or("header_mode", HeaderMode::default(), |node| {
        node.one_of(&[
            ("plain", HeaderMode::Plain),
            ("holding", HeaderMode::Holding),
        ])
    });
    let filter_state = members.or("filter_state", StateEntries::default(), |node| {
        let names = StateEntry::ALL.map(|entry| (entry.name(), entry));
        let entries = node.unique(|node| node.one_of(&names))?;
        Some(entries.into_iter().collect())
    });
    let known = members
        .required("issuers")
        .and_then(|node| node.some_elements())
        .map(|nodes| known_issuers(&nodes, environment));
    let services = members.or("token_services", Vec::new(), |node| {
        let nodes = node.some_elements()?;
        Some(token_services::token_services(&nodes, environment))
    });
    let state_keys = members.or("state_keys", Vec::new(), |node| {
        token_services::state_keys(node, environment)
    });
    let surroundings = Surroundings {
        services: services.as_deref().unwrap_or_default(),
        header_mode,
        has_state_keys: members.optional("state_keys").is_some(),
    };
    let servers = members
        .required("servers")
        .and_then(|node| node.some_elements())
        .and_then(|nodes| servers(&nodes, known.as_deref().unwrap_or_default(), &surroundings));
    let limits = members.or("limits", Limits::default(), limits::limits);
    role?;
    Some(Config {
        header_mode: header_mode?,
        filter_state: filter_state?,
        issuers: known?
            .into_iter()
            .map(|known| known.issuer)
            .collect::<Option<_>>()?,
        servers: servers?,
        token_services: services?
            .into_iter()
            .map(|known| known.service)
            .collect::<Option<_>>()?,
        state_keys: state_keys?,
        limits: limits?,
        warnings: Vec::new(),
    })
}

/// An entry that could not be read keeps its place and, if it has one, its
/// id, so that references to it are no errors of their own.
fn known_issuers(nodes: &[Node<'_>], environment: Environment<'_>) -> Vec<KnownIssuer> {
    let mut known: Vec<KnownIssuer> = Vec::new();
    for node in nodes {
        let issuer = issuers::issuer(node, environment).map(Rc::new);
        let id = member_text(node, "id");
        if id.is_some() && known.iter().any(|earlier| earlier.id == id) {
            duplicate(node, "id");
        }
        known.push(KnownIssuer { id, issuer });
    }
    known
}

/// Two servers must not be told apart by chance: neither by id, nor by host
/// and path, nor by what tokens and metadata call them.
fn servers(
    nodes: &[Node<'_>],
    known: &[KnownIssuer],
    surroundings: &Surroundings<'_>,
) -> Option<Vec<Rc<Server>>> {
    let mut servers: Vec<Option<Rc<Server>>> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let earlier = nodes.get(..index).unwrap_or_default();
        for name in ["id", "resource"] {
            let text = member_text(node, name);
            if text.is_some() && earlier.iter().any(|node| member_text(node, name) == text) {
                duplicate(node, name);
            }
        }
        let server = servers::server(node, known, surroundings).map(Rc::new);
        if let Some(server) = &server {
            apart(node, server, servers.iter().flatten());
        }
        servers.push(server);
    }
    servers.into_iter().collect()
}

/// Requests for the endpoint, and for the metadata document, have to have one
/// server each.
fn apart<'a>(
    node: &Node<'_>,
    server: &Server,
    earlier: impl Iterator<Item = &'a Rc<Server>> + Clone,
) {
    let document = |server: &Server| well_known_path(&server.resource.path);
    let collides = |same: &dyn Fn(&Server) -> bool| {
        earlier
            .clone()
            .any(|earlier| same(earlier) && earlier.hosts.overlap(&server.hosts))
    };
    if collides(&|earlier| earlier.path == server.path) {
        node.error(
            "a host and path of its own",
            "those of a server that was there before",
        );
    } else if collides(&|earlier| {
        earlier.resource != server.resource && document(earlier) == document(server)
    }) {
        node.error(
            "a host and a path of its resource of its own: they are where its metadata is served",
            "those of a server that was there before",
        );
    }
}

fn member_text(node: &Node<'_>, name: &str) -> Option<String> {
    node.value
        .as_object()?
        .get(name)?
        .as_str()
        .map(str::to_owned)
}

fn duplicate(entry: &Node<'_>, name: &str) {
    if let Some(node) = entry.member(name) {
        node.error(
            format_args!("a different {name} for each entry"),
            "one that was there before",
        );
    }
}
