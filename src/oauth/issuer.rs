//! What the configuration says of an issuer of tokens.

pub use mcp_auth_signatures::Algorithm;

use std::rc::Rc;

use super::{ClaimPath, SubjectType};
use crate::callout::Endpoint;
use crate::json::Json;
use crate::secret::Secret;

/// An issuer whose tokens servers may trust.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Name of the entry, unique.
    pub id: Rc<str>,
    /// Issuer identifier: `iss` has to equal it to the character.
    pub issuer: Rc<str>,
    /// Where the keys come from. `None`: the issuer's tokens are opaque, and
    /// introspection is configured.
    pub keys: Option<KeySource>,
    /// The algorithms that its tokens may be signed with. Not empty where
    /// there are keys.
    pub algorithms: Vec<Algorithm>,
    /// The values of the header member `typ` that its access tokens may have,
    /// lower case, without the prefix `application/`. An empty string stands
    /// for a token without `typ`.
    pub token_types: Vec<String>,
    /// How far clocks may differ, in seconds.
    pub leeway_seconds: u64,
    /// Which claims say what.
    pub claims: ClaimNames,
    /// RFC 7662 introspection for tokens that are no JWT.
    pub introspection: Option<Introspection>,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A JWK Set in the configuration itself (RFC 7517, section 5). The
    /// configuration checks that it has a usable key.
    Inline(Json<'static>),
    /// A JWK Set at a known address.
    Jwks {
        /// The address.
        endpoint: Endpoint,
        /// When to ask.
        schedule: FetchSchedule,
    },
    /// The `jwks_uri` of the issuer's metadata (RFC 8414, else OpenID Connect
    /// Discovery), both through one cluster.
    Discovery {
        /// Name of the Envoy cluster.
        cluster: String,
        /// When to ask.
        schedule: FetchSchedule,
    },
}

/// When keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchSchedule {
    /// From one success to the next fetch, in seconds.
    pub refresh_seconds: u64,
    /// The least time between two fetches, whatever asks for them (a failure,
    /// an unknown `kid`), in seconds.
    pub retry_seconds: u64,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u64,
}

/// Which claims carry what the gate needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimNames {
    /// The subject. `sub` has to be there in any case.
    pub subject: ClaimPath,
    /// The kind of subject.
    pub subject_type: SubjectTypeSource,
    /// The scopes: a space-separated string or an array of strings. The first
    /// of these claims that is there counts.
    pub scopes: Vec<ClaimPath>,
    /// The OAuth client.
    pub client: ClaimPath,
}

/// How the kind of subject is known.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectTypeSource {
    /// The claim that tells, if any, and what its values stand for. A value
    /// that is not listed refuses the token.
    pub claim: Option<(ClaimPath, Vec<(String, SubjectType)>)>,
    /// For a token without that claim.
    pub default: SubjectType,
}

impl SubjectTypeSource {
    /// Every kind that it can tell.
    pub fn all(&self) -> impl Iterator<Item = SubjectType> {
        let values = self.claim.iter().flat_map(|(_, values)| values);
        values
            .map(|(_, subject_type)| *subject_type)
            .chain([self.default])
    }
}

/// RFC 7662 token introspection.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// The introspection endpoint.
    pub endpoint: Endpoint,
    /// The gate's own client at the authorization server, sent by HTTP Basic
    /// (RFC 6749, section 2.3.1).
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// How long an answer is believed, in seconds; never beyond `exp`.
    pub cache_seconds: u64,
    /// How long one call may take, in milliseconds.
    pub timeout_ms: u64,
}
