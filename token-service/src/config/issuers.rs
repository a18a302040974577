//! Who issues the tokens of the service's callers, and the filter's keys.

use std::collections::{BTreeMap, BTreeSet};

use jsonwebtoken::Algorithm;
use serde_json::Value;
use url::Url;

use super::addresses::{is_safe, web_url};
use super::document;
use super::error::ConfigError;
use super::secrets::{self, Outside};
use crate::outbound::Allowed;
use crate::owner::SubjectType;
use crate::secret::Secret;

/// An authorization server whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its identifier (`iss`), compared to the character.
    pub issuer: String,
    /// Where its keys are; `None`: where its metadata says.
    pub jwks_url: Option<Url>,
    /// The algorithms that its tokens may be signed with. Never symmetric.
    pub algorithms: Vec<Algorithm>,
    /// What tokens for the service's own APIs are meant for (`aud`).
    pub audiences: Vec<String>,
    /// What kind of subject its tokens name.
    pub subject_type: SubjectTypeRule,
    /// What makes a caller a manager; `None`: nothing.
    pub manager: Option<ManagerRule>,
    /// The service as its client, where people sign in on the connect page.
    pub sign_in: Option<SignIn>,
}

/// What kind of subject a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectTypeRule {
    /// Always the same.
    Fixed(SubjectType),
    /// As a claim says; a token with another value is refused.
    Claim {
        /// Which one.
        claim: ClaimPath,
        /// What its values mean.
        values: BTreeMap<String, SubjectType>,
    },
}

/// What makes a caller a manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerRule {
    /// A claim that is a list of strings, or a string of words.
    pub claim: ClaimPath,
    /// What is in it.
    pub contains: String,
}

/// The way to a claim: `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

/// The service as a client of an issuer.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The client id.
    pub client_id: String,
    /// Its secret, if it is a confidential client.
    pub client_secret: Option<Secret>,
}

/// A key by which a filter is known.
#[derive(Clone, Debug)]
pub struct FilterKey {
    /// What logs call it.
    pub id: String,
    /// The key itself.
    pub secret: Secret,
    /// The only servers that it may ask about.
    pub servers: BTreeSet<String>,
    /// Whether a machine account counts without a token that proves it; a person
    /// never does.
    pub trust_asserted_subject: bool,
}

/// Keys that come by http are whoever's is on the way: an issuer may be called
/// so on this machine only, and where the operator says so.
pub(super) fn by_http(errors: &mut Vec<ConfigError>, issuers: &[Issuer], allow: &[Allowed]) {
    for (index, issuer) in issuers.iter().enumerate() {
        for (field, url) in issuer.urls() {
            let may = url.scheme() == "https"
                || is_safe(&url)
                || allow.iter().any(|allowed| allowed.covers(&url));
            if !may {
                errors.push(ConfigError::new(
                    format!("/issuers/{index}/{field}"),
                    "an https URL; http on loopback, or where outbound.allow has it",
                    "an http URL",
                ));
            }
        }
    }
}

pub(super) fn issuer(
    index: usize,
    issuer: &document::Issuer,
    public_url: &Url,
    outside: Outside<'_>,
) -> Result<Issuer, ConfigError> {
    let pointer = |field: &str| format!("/issuers/{index}/{field}");
    issuer_identifier(&pointer("issuer"), &issuer.issuer)?;
    let algorithms = match &issuer.algorithms {
        None => vec![Algorithm::RS256],
        Some(names) if names.is_empty() => {
            return Err(ConfigError::new(pointer("algorithms"), ALGORITHMS, "none"));
        }
        Some(names) => names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                algorithm(name).ok_or_else(|| {
                    let pointer = pointer(&format!("algorithms/{at}"));
                    ConfigError::new(pointer, ALGORITHMS, format_args!("{name:?}"))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    let audiences = match &issuer.audiences {
        // An origin has both forms; RFC 8707 clients send either.
        None => vec![
            public_url.as_str().trim_end_matches('/').to_owned(),
            public_url.as_str().to_owned(),
        ],
        Some(audiences) if audiences.is_empty() || audiences.iter().any(String::is_empty) => {
            return Err(ConfigError::new(
                pointer("audiences"),
                "at least one audience, none of them empty",
                "something else",
            ));
        }
        Some(audiences) => audiences.clone(),
    };
    Ok(Issuer {
        issuer: issuer.issuer.clone(),
        jwks_url: issuer
            .jwks_url
            .as_deref()
            .map(|text| web_url(&pointer("jwks_url"), text))
            .transpose()?,
        algorithms,
        audiences,
        subject_type: match &issuer.subject_type {
            None => SubjectTypeRule::Fixed(SubjectType::User),
            Some(value) => subject_type(&pointer("subject_type"), value)?,
        },
        manager: issuer
            .manager
            .as_deref()
            .map(|manager| {
                if manager.contains.is_empty() {
                    return Err(ConfigError::new(
                        pointer("manager/contains"),
                        "what the claim of a manager contains",
                        "an empty string",
                    ));
                }
                Ok(ManagerRule {
                    claim: claim_path(&pointer("manager/claim"), &manager.claim)?,
                    contains: manager.contains.clone(),
                })
            })
            .transpose()?,
        sign_in: issuer
            .sign_in
            .as_deref()
            .map(|sign_in| {
                if sign_in.client_id.is_empty() {
                    return Err(ConfigError::new(
                        pointer("sign_in/client_id"),
                        "the service's client id at the issuer",
                        "an empty string",
                    ));
                }
                let pointer = pointer("sign_in/client_secret");
                Ok(SignIn {
                    client_id: sign_in.client_id.clone(),
                    client_secret: sign_in
                        .client_secret
                        .as_ref()
                        .map(|secret| secrets::secret(secret, &pointer, outside))
                        .transpose()?,
                })
            })
            .transpose()?,
    })
}

/// An issuer identifier is a URL without query and fragment (RFC 8414,
/// section 2).
pub(super) fn issuer_identifier(pointer: &str, text: &str) -> Result<Url, ConfigError> {
    let url = web_url(pointer, text)?;
    if url.query().is_some() {
        return Err(ConfigError::new(
            pointer,
            "an issuer identifier: a URL without query and fragment",
            "a URL with a query",
        ));
    }
    Ok(url)
}

pub(super) fn filter_key(
    index: usize,
    key: &document::FilterKey,
    outside: Outside<'_>,
) -> Result<FilterKey, ConfigError> {
    const SHORTEST: usize = 16;
    let pointer = |field: &str| format!("/filter_keys/{index}/{field}");
    if key.id.is_empty() {
        return Err(ConfigError::new(
            pointer("id"),
            "a name for the key",
            "an empty string",
        ));
    }
    if key.servers.is_empty() {
        return Err(ConfigError::new(
            pointer("servers"),
            "the ids of the servers that the key is for",
            "none",
        ));
    }
    let secret = secrets::secret(&key.secret, &pointer("secret"), outside)?;
    let is_token = secret
        .expose()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte));
    if secret.expose().len() < SHORTEST || !is_token {
        return Err(ConfigError::new(
            pointer("secret"),
            format_args!(
                "the name of what holds at least {SHORTEST} characters that a bearer token \
                 can have (RFC 6750, section 2.1)"
            ),
            "something else in it",
        ));
    }
    Ok(FilterKey {
        id: key.id.clone(),
        secret,
        servers: key.servers.iter().cloned().collect(),
        trust_asserted_subject: key.trust_asserted_subject,
    })
}

const SUBJECT_TYPE: &str = "user, virtualaccount, external-identity, or an object with claim \
    and values";

fn subject_type(pointer: &str, value: &Value) -> Result<SubjectTypeRule, ConfigError> {
    let named = |pointer: &str, value: &Value| {
        value
            .as_str()
            .and_then(SubjectType::from_name)
            .ok_or_else(|| ConfigError::new(pointer, SUBJECT_TYPE, "something else"))
    };
    let Some(object) = value.as_object() else {
        return named(pointer, value).map(SubjectTypeRule::Fixed);
    };
    let error = || ConfigError::new(pointer, SUBJECT_TYPE, "something else");
    let (Some(claim), Some(values), 2) = (
        object.get("claim").and_then(Value::as_str),
        object.get("values").and_then(Value::as_object),
        object.len(),
    ) else {
        return Err(error());
    };
    if values.is_empty() {
        return Err(error());
    }
    Ok(SubjectTypeRule::Claim {
        claim: claim_path(&format!("{pointer}/claim"), claim)?,
        values: values
            .iter()
            .map(|(name, value)| {
                let pointer = format!("{pointer}/values/{}", super::error::token(name));
                Ok((name.clone(), named(&pointer, value)?))
            })
            .collect::<Result<_, _>>()?,
    })
}

fn claim_path(pointer: &str, text: &str) -> Result<ClaimPath, ConfigError> {
    let path: Vec<String> = text.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(ConfigError::new(
            pointer,
            "the path of a claim, as in realm_access.roles",
            format_args!("{text:?}"),
        ));
    }
    Ok(ClaimPath(path))
}

const ALGORITHMS: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";

fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

impl ClaimPath {
    /// What the claims have there. A claim with the whole path as its name
    /// goes before.
    pub fn find<'a>(&self, claims: &'a serde_json::Map<String, Value>) -> Option<&'a Value> {
        if let Some(value) = claims.get(&self.0.join(".")) {
            return Some(value);
        }
        let (first, rest) = self.0.split_first()?;
        rest.iter()
            .try_fold(claims.get(first)?, |value, name| value.get(name))
    }
}

impl Issuer {
    /// What is called of it, by the field of the configuration.
    pub(super) fn urls(&self) -> Vec<(&'static str, Url)> {
        let identifier = Url::parse(&self.issuer).ok();
        identifier
            .map(|url| ("issuer", url))
            .into_iter()
            .chain(self.jwks_url.clone().map(|url| ("jwks_url", url)))
            .collect()
    }
}
