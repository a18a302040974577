//! The entries of issuers.

use std::rc::Rc;

use super::address::{endpoint, url_without_query};
use super::reader::{Members, Node};
use super::words::{cluster, id};
use crate::oauth::issuer::{
    Algorithm, ClaimNames, FetchSchedule, Introspection, KeySource, SubjectTypeSource,
};
use crate::oauth::{ClaimPath, Issuer, KeySet, SubjectType};
use crate::secret::Secret;

/// Gives the value of an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

pub(super) fn issuer(node: &Node<'_>, environment: Environment<'_>) -> Option<Issuer> {
    let members = node.members(&[
        "id",
        "issuer",
        "keys",
        "algorithms",
        "token_types",
        "leeway_seconds",
        "claims",
        "introspection",
    ])?;
    let id = members.required("id").and_then(|node| id(&node));
    let issuer = members.required("issuer").and_then(|node| {
        url_without_query(&node)?;
        node.string()
    });
    let keys = members.maybe("keys", key_source);
    let introspection = members.maybe("introspection", |node| introspection(node, environment));
    let algorithms = members.or("algorithms", Vec::new(), |node| {
        node.some_unique(|node| node.one_of(&algorithm_names()))
    });
    let has_keys = members.optional("keys").is_some();
    if has_keys {
        members.required("algorithms");
    } else if members.optional("introspection").is_none() {
        members.error("keys, or introspection, or both", "neither");
    } else if members.optional("algorithms").is_some() {
        members.error("algorithms only together with keys", "no keys");
    }
    let token_types = members.or("token_types", vec!["at+jwt".to_owned()], |node| {
        node.some_unique(token_type)
    });
    let leeway_seconds = members.or("leeway_seconds", 30, |node| node.integer(0, 300));
    let claims = match members.optional("claims") {
        Some(node) => claim_names(&node),
        None => default_claims(),
    };
    Some(Issuer {
        id: id?.into(),
        issuer: Rc::from(issuer?),
        keys: keys?,
        algorithms: algorithms?,
        token_types: token_types?,
        leeway_seconds: leeway_seconds?,
        claims: claims?,
        introspection: introspection?,
    })
}

fn algorithm_names() -> Vec<(&'static str, Algorithm)> {
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| (algorithm.as_str(), algorithm))
        .collect()
}

/// Media types are compared without regard to case, and without the prefix
/// that RFC 7515, section 4.1.9, allows to leave out.
fn token_type(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let lower = text.to_ascii_lowercase();
    let short = lower.strip_prefix("application/").unwrap_or(&lower);
    if short.is_empty() != text.is_empty() || !short.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.expected("a token type such as at+jwt, or an empty string for tokens without one");
        return None;
    }
    Some(short.to_owned())
}

fn key_source(node: &Node<'_>) -> Option<KeySource> {
    const SOURCES: [&str; 3] = ["inline", "jwks", "discovery"];
    let members = node.members(&SOURCES)?;
    match members.present(&SOURCES).as_slice() {
        ["inline"] => inline_keys(&members.required("inline")?),
        ["jwks"] => jwks(&members.required("jwks")?),
        ["discovery"] => discovery(&members.required("discovery")?),
        found => {
            members.error(
                "exactly one of inline, jwks, discovery",
                if found.is_empty() { "none" } else { "several" },
            );
            None
        }
    }
}

fn inline_keys(node: &Node<'_>) -> Option<KeySource> {
    let keys = node.value.as_object().and_then(|set| set.get("keys"));
    let filled = keys
        .and_then(|keys| keys.as_array())
        .is_some_and(|keys| !keys.is_empty() && keys.iter().all(|key| key.as_object().is_some()));
    if !filled {
        node.error(
            "a JWK Set: an object with \"keys\", an array of at least one object",
            "something else",
        );
        return None;
    }
    match KeySet::from_jwks(node.value) {
        Ok(_) => Some(KeySource::Inline(node.value.clone().into_owned())),
        Err(error) => {
            node.error("at least one public key that the gate can use", error);
            None
        }
    }
}

const SCHEDULE: [&str; 3] = ["refresh_seconds", "retry_seconds", "timeout_ms"];

fn jwks(node: &Node<'_>) -> Option<KeySource> {
    let [refresh, retry, timeout] = SCHEDULE;
    let members = node.members(&["uri", "cluster", refresh, retry, timeout])?;
    let cluster = members.required("cluster").and_then(|node| cluster(&node));
    let uri = members.required("uri");
    let schedule = schedule(&members);
    Some(KeySource::Jwks {
        endpoint: endpoint(&uri?, cluster.unwrap_or_default())?,
        schedule: schedule?,
    })
}

fn discovery(node: &Node<'_>) -> Option<KeySource> {
    let [refresh, retry, timeout] = SCHEDULE;
    let members = node.members(&["cluster", refresh, retry, timeout])?;
    let cluster = members.required("cluster").and_then(|node| cluster(&node));
    let schedule = schedule(&members);
    Some(KeySource::Discovery {
        cluster: cluster?,
        schedule: schedule?,
    })
}

fn schedule(members: &Members<'_>) -> Option<FetchSchedule> {
    let [refresh, retry, timeout] = SCHEDULE;
    let refresh = members.or(refresh, 300, |node| node.integer(1, 86_400));
    let retry = members.or(retry, 2, |node| node.integer(1, 3600));
    let timeout = members.or(timeout, 5000, |node| node.integer(1, 60_000));
    Some(FetchSchedule {
        refresh_seconds: refresh?,
        retry_seconds: retry?,
        timeout_ms: timeout?,
    })
}

fn claim_names(node: &Node<'_>) -> Option<ClaimNames> {
    let members = node.members(&["subject", "subject_type", "scopes", "client"])?;
    let ClaimNames {
        subject,
        subject_type: kind,
        scopes,
        client,
    } = default_claims()?;
    let subject = members.or("subject", subject, claim_path);
    let kind = members.or("subject_type", kind, subject_type);
    let scopes = members.or("scopes", scopes, |node| {
        if node.value.as_str().is_some() {
            claim_path(node).map(|claim| vec![claim])
        } else {
            node.some_unique(claim_path)
        }
    });
    let client = members.or("client", client, claim_path);
    Some(ClaimNames {
        subject: subject?,
        subject_type: kind?,
        scopes: scopes?,
        client: client?,
    })
}

/// `None` cannot be: the names are valid paths.
fn default_claims() -> Option<ClaimNames> {
    let path = |name| ClaimPath::parse(name).ok();
    Some(ClaimNames {
        subject: path("sub")?,
        subject_type: SubjectTypeSource {
            claim: None,
            default: SubjectType::User,
        },
        scopes: vec![path("scope")?, path("scp")?],
        client: path("client_id")?,
    })
}

pub(super) fn claim_path(node: &Node<'_>) -> Option<ClaimPath> {
    let path = ClaimPath::parse(node.string()?).ok();
    if path.is_none() {
        node.expected("the name of a claim, or a path of names with dots between them");
    }
    path
}

fn subject_type(node: &Node<'_>) -> Option<SubjectTypeSource> {
    let members = node.members(&["claim", "values", "default"])?;
    let claim = members.maybe("claim", claim_path);
    let values = members.maybe("values", |node| {
        let object = node.value.as_object();
        if object.is_none_or(|object| object.is_empty()) {
            node.expected("an object with a subject type for each value of the claim");
            return None;
        }
        let object = object?;
        let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
        let members = node.members(&names)?;
        names
            .into_iter()
            .map(|name| {
                Some((
                    name.to_owned(),
                    subject_type_name(&members.optional(name)?)?,
                ))
            })
            .collect::<Option<Vec<_>>>()
    });
    let default = members.or("default", SubjectType::User, subject_type_name);
    let claim = match (claim?, values?) {
        (None, None) => None,
        (Some(claim), Some(values)) => Some((claim, values)),
        _ => {
            members.error("claim and values together", "one without the other");
            return None;
        }
    };
    Some(SubjectTypeSource {
        claim,
        default: default?,
    })
}

pub(super) fn subject_type_name(node: &Node<'_>) -> Option<SubjectType> {
    let types = [
        SubjectType::User,
        SubjectType::VirtualAccount,
        SubjectType::ExternalIdentity,
    ];
    node.one_of(&types.map(|subject_type| (subject_type.as_str(), subject_type)))
}

fn introspection(node: &Node<'_>, environment: Environment<'_>) -> Option<Introspection> {
    let members = node.members(&[
        "uri",
        "cluster",
        "client_id",
        "client_secret",
        "cache_seconds",
        "timeout_ms",
    ])?;
    let uri = members.required("uri");
    let cluster = members.required("cluster").and_then(|node| cluster(&node));
    let client_id = members
        .required("client_id")
        .and_then(|node| node.text().map(str::to_owned));
    let client_secret = members
        .required("client_secret")
        .and_then(|node| secret(&node, environment));
    let cache = members.or("cache_seconds", 30, |node| node.integer(0, 300));
    let timeout = members.or("timeout_ms", 5000, |node| node.integer(1, 60_000));
    let endpoint = endpoint(&uri?, cluster.clone().unwrap_or_default());
    cluster?;
    Some(Introspection {
        endpoint: endpoint?,
        client_id: client_id?,
        client_secret: client_secret?,
        cache_seconds: cache?,
        timeout_ms: timeout?,
    })
}

/// The text itself, or the name of an environment variable. Neither is ever
/// printed: a secret may stand where a name belongs.
pub(super) fn secret(node: &Node<'_>, environment: Environment<'_>) -> Option<Secret> {
    if let Some(text) = node.value.as_str() {
        return some_secret(node, text.to_owned());
    }
    if node.value.as_object().is_none() {
        node.error(
            "a string, or an object with the field environment",
            node.value.kind(),
        );
        return None;
    }
    let members = node.members(&["environment"])?;
    let node = members.required("environment")?;
    let Some(name) = node.value.as_str().filter(|name| is_variable(name)) else {
        node.error("the name of an environment variable", "something else");
        return None;
    };
    let Some(value) = environment(name) else {
        node.error(
            "the name of an environment variable that is set",
            "the name of one that is not",
        );
        return None;
    };
    some_secret(&node, value)
}

fn some_secret(node: &Node<'_>, text: String) -> Option<Secret> {
    if text.is_empty() {
        node.error("a secret that is not empty", "an empty one");
        return None;
    }
    Some(Secret::new(text))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
