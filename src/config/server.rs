//! What the configuration says of one MCP server.

use std::rc::Rc;

use crate::credential::CredentialSource;
use crate::http::UrlHost;
use crate::mcp::Revision;
use crate::oauth::Scopes;
use crate::policy::{Pattern, Policy};

/// An MCP server behind the gate.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name of the entry, unique.
    pub id: Rc<str>,
    /// The resource identifier (RFC 8707, RFC 9728): the URL that clients use.
    pub resource: Resource,
    /// The hosts whose requests are for this server.
    pub hosts: Hosts,
    /// The path whose requests are for this server; compared to the character.
    pub path: String,
    /// The trusted issuers, as indexes into `Config.issuers`. Not empty.
    pub issuers: Vec<usize>,
    /// One of these has to be in a token's `aud`. Not empty.
    pub audiences: Vec<String>,
    /// The scopes that every request needs.
    pub scopes: Scopes,
    /// What the protected resource metadata document says besides.
    pub metadata: MetadataFields,
    /// Serialized origins (RFC 6454, section 6.2) of browser clients.
    pub allowed_origins: Vec<String>,
    /// How denials are told to the client.
    pub answers: Answers,
    /// The protocol versions that clients may use. Not empty.
    pub protocol_versions: Vec<Revision>,
    /// Methods that may be asked for although MCP does not know them.
    pub extra_methods: Vec<Pattern>,
    /// The headers that tell the upstream who is calling.
    pub identity_headers: IdentityHeaders,
    /// Headers that are removed from the client's request, lower case.
    pub remove_headers: Vec<String>,
    /// Names of arguments whose values may be in the audit line.
    pub audit_arguments: Vec<String>,
    /// Where the upstream credential of each user comes from; `None`: the
    /// upstream gets none.
    pub credential: Option<Rc<CredentialSource>>,
    /// What lists show of what the caller would need more scopes for.
    pub obtainable_entries: ObtainableEntries,
    /// What the upstream may ask of a client.
    pub client_features: ClientFeatures,
    /// The upstream's challenges and cookies that pass, lower case.
    pub keep_response_headers: Vec<String>,
    /// What becomes of `tasks/list`.
    pub tasks_list: TasksList,
    /// Who may do what.
    pub policy: Policy,
}

/// What lists show of what the caller would need more scopes for, and could
/// obtain them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObtainableEntries {
    /// It is shown: a call of it asks for the scopes.
    #[default]
    Shown,
    /// It is not.
    Hidden,
}

/// What an upstream may ask of a client (MCP, "Client Features").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFeatures {
    /// `sampling/createMessage`
    pub sampling: bool,
    /// `elicitation/create`
    pub elicitation: bool,
    /// `roots/list`
    pub roots: bool,
    /// Where URLs that a user may be asked to open may lead. Empty: nowhere.
    pub url_elicitation_hosts: Vec<UrlHost>,
}

impl Default for ClientFeatures {
    fn default() -> Self {
        Self {
            sampling: true,
            elicitation: true,
            roots: true,
            url_elicitation_hosts: Vec::new(),
        }
    }
}

/// What becomes of `tasks/list` (MCP 2025-11-25).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TasksList {
    /// It is refused: whose the tasks are, only the upstream knows.
    #[default]
    Refused,
    /// The upstream lists to each caller their own only.
    Trusted,
}

/// A resource identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The identifier, as it is written in the configuration.
    pub url: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// The path; `/` for a bare origin.
    pub path: String,
}

/// The hosts whose requests are for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Every host.
    Any,
    /// These, lower case, without the port that is the default of the
    /// resource's scheme.
    Listed(Vec<String>),
}

/// Fields of the protected resource metadata document (RFC 9728, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataFields {
    /// `scopes_supported`; the server's `scopes` where not configured.
    pub scopes_supported: Scopes,
    /// `resource_name`
    pub resource_name: Option<String>,
    /// `resource_documentation`, a URL
    pub resource_documentation: Option<String>,
    /// `resource_policy_uri`
    pub resource_policy_uri: Option<String>,
    /// `resource_tos_uri`
    pub resource_tos_uri: Option<String>,
}

/// How each kind of denial is told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// What this caller can never use, or no rule names.
    pub unknown: AnswerStyle,
    /// Arguments that a rule does not allow.
    pub arguments: AnswerStyle,
    /// What a deny rule forbids.
    pub denied: AnswerStyle,
}

/// The form of an answer to a denied call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerStyle {
    /// As if the target did not exist.
    Hidden,
    /// A tool result with `isError`, which the model sees.
    ToolResult,
    /// A JSON-RPC error with HTTP 200.
    JsonRpcError,
    /// HTTP 403.
    Http403,
}

/// The headers that tell the upstream who is calling, lower case. `None`: not
/// sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The subject.
    pub subject: Option<Rc<str>>,
    /// The issuer identifier.
    pub issuer: Option<Rc<str>>,
    /// The OAuth client.
    pub client: Option<Rc<str>>,
    /// The scopes, separated by spaces.
    pub scopes: Option<Rc<str>>,
    /// The kind of subject.
    pub subject_type: Option<Rc<str>>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            unknown: AnswerStyle::Hidden,
            arguments: AnswerStyle::ToolResult,
            denied: AnswerStyle::ToolResult,
        }
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            subject: Some("x-mcp-subject".into()),
            issuer: Some("x-mcp-issuer".into()),
            client: Some("x-mcp-client".into()),
            scopes: None,
            subject_type: None,
        }
    }
}

impl IdentityHeaders {
    /// The headers that are sent. The client's own of these names are removed.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let Self {
            subject,
            issuer,
            client,
            scopes,
            subject_type,
        } = self;
        [subject, issuer, client, scopes, subject_type]
            .into_iter()
            .filter_map(Option::as_deref)
    }
}

impl Hosts {
    /// Whether some host belongs to both.
    pub(super) fn overlap(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Listed(left), Self::Listed(right)) => {
                left.iter().any(|host| right.contains(host))
            }
            (Self::Any, _) | (_, Self::Any) => true,
        }
    }
}
