//! What the configuration says of token services and of their use.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::callout::Endpoint;
use crate::digest;
use crate::oauth::Scopes;
use crate::policy::Pattern;
use crate::secret::Secret;

/// Who is asked for credentials.
#[derive(Clone, Debug)]
pub struct TokenService {
    /// Name of the entry, unique.
    pub id: Rc<str>,
    /// How it is asked.
    pub profile: Profile,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u64,
    /// The longest time for which an answer is believed, in seconds.
    pub cache_seconds: u64,
}

/// How a token service is asked.
#[derive(Clone, Debug)]
pub enum Profile {
    /// The resolve call of this project's token service.
    Resolve {
        /// Where.
        endpoint: Endpoint,
        /// The gate's own key, sent as a bearer token.
        key: Secret,
    },
    /// Token exchange (RFC 8693) at a token endpoint.
    Exchange {
        /// Where.
        endpoint: Endpoint,
        /// The gate's own client, sent by HTTP Basic (RFC 6749, section
        /// 2.3.1).
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
}

/// Where a server's upstream credential comes from, and what is done with it.
#[derive(Clone, Debug)]
pub struct CredentialSource {
    /// The token service, as an index into `Config.token_services`.
    pub service: usize,
    /// The server's id at the token service.
    pub server_id: String,
    /// The headers that a credential may consist of, lower case. The client's
    /// own of these names never go on. Not empty.
    pub headers: Vec<String>,
    /// Which role of the module sets the headers.
    pub placed_by: PlacedBy,
    /// Methods that go on without a credential where there is none yet.
    pub optional_for: Vec<Pattern>,
    /// How a missing consent is told to the client.
    pub consent_answer: ConsentAnswer,
    /// The same for single OAuth clients, by the client id in their tokens.
    pub consent_answer_by_client: Vec<(String, ConsentAnswer)>,
    /// Token exchange: the `audience` that is asked for.
    pub audience: String,
    /// Token exchange: the `resource` that is asked for.
    pub resource: Option<String>,
    /// Token exchange: the `scope` that is asked for.
    pub scopes: Scopes,
    /// Of what is asked for, once it was: what is above does not change then.
    pub digest: OnceCell<[u8; 32]>,
}

/// Which role of the module sets a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlacedBy {
    /// The gate, when it lets the request go.
    #[default]
    Gate,
    /// The credential role in the server's cluster, for each attempt.
    Cluster,
}

/// How a missing consent is told to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentAnswer {
    /// The first of these that the client can do: URL elicitation, a tool
    /// result, HTTP 403.
    #[default]
    Auto,
    /// URL elicitation, where the client can do it; else as `Auto`.
    Elicit,
    /// A tool result with the link, for tool calls; else as `Http403`.
    ToolResult,
    /// HTTP 403 with the structured detail of seed 003.
    Http403,
    /// HTTP 401 with a challenge: only where signing in again also gives the
    /// upstream's consent.
    Challenge,
}

impl CredentialSource {
    /// How a missing consent is told to this client.
    pub fn consent_answer_for(&self, client: Option<&str>) -> ConsentAnswer {
        self.consent_answer_by_client
            .iter()
            .find(|(id, _)| client == Some(id))
            .map_or(self.consent_answer, |(_, answer)| *answer)
    }

    /// The SHA-256 of all that an answer of this token service depends on.
    pub(super) fn digest(&self, service_id: &str) -> &[u8; 32] {
        self.digest.get_or_init(|| {
            digest::of_parts([
                service_id.as_bytes(),
                self.server_id.as_bytes(),
                self.audience.as_bytes(),
                self.resource.as_deref().unwrap_or_default().as_bytes(),
                self.scopes.to_string().as_bytes(),
                self.headers.join(" ").as_bytes(),
            ])
        })
    }

    /// Whether a method goes on without a credential where there is none.
    pub fn is_optional_for(&self, method: &str) -> bool {
        self.optional_for
            .iter()
            .any(|pattern| pattern.matches(method))
    }
}
