//! Small texts with a grammar of their own.

use super::reader::Node;
use crate::http::headers::is_token;
use crate::oauth::Scopes;
use crate::policy::Pattern;

/// The name of an entry: `[A-Za-z0-9._-]`, 1 to 64 characters.
pub(super) fn id(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !fits {
        node.expected("1 to 64 letters, digits, dots, underscores and hyphens");
        return None;
    }
    Some(text.to_owned())
}

/// The name of an Envoy cluster.
pub(super) fn cluster(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.chars().any(char::is_control) {
        node.expected("the name of an Envoy cluster");
        return None;
    }
    Some(text.to_owned())
}

/// A set of scopes, as an array of single ones.
pub(super) fn scopes(node: &Node<'_>) -> Option<Scopes> {
    scope_set(node, node.unique(scope)?)
}

/// Like [`scopes`], with at least one.
pub(super) fn some_scopes(node: &Node<'_>) -> Option<Scopes> {
    scope_set(node, node.some_unique(scope)?)
}

fn scope_set(node: &Node<'_>, names: Vec<String>) -> Option<Scopes> {
    // An element that is no scope was reported where it stands.
    if node.value.as_array().map(<[_]>::len) != Some(names.len()) {
        return None;
    }
    Scopes::from_names(names.iter().map(String::as_str)).ok()
}

fn scope(node: &Node<'_>) -> Option<String> {
    let text = node.string()?;
    if Scopes::from_names([text]).is_err() {
        node.expected("one scope (RFC 6749, section 3.3)");
        return None;
    }
    Some(text.to_owned())
}

/// A glob pattern for names.
pub(super) fn name_pattern(node: &Node<'_>) -> Option<Pattern> {
    pattern(node, Pattern::name)
}

/// A glob pattern for URIs.
pub(super) fn uri_pattern(node: &Node<'_>) -> Option<Pattern> {
    pattern(node, Pattern::uri)
}

fn pattern<E: core::fmt::Display>(
    node: &Node<'_>,
    make: impl Fn(&str) -> Result<Pattern, E>,
) -> Option<Pattern> {
    match make(node.string()?) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            node.error(
                format_args!("a pattern of 1 to {} characters", Pattern::MAX_CHARACTERS),
                problem,
            );
            None
        }
    }
}

/// What a header is in the configuration for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderUse {
    /// The gate sets it.
    Set,
    /// The gate removes it from the client's request.
    Remove,
}

/// The name of a header, lower case, that the gate may set or remove without
/// harm to the message.
pub(super) fn header_name(node: &Node<'_>, purpose: HeaderUse) -> Option<String> {
    let text = node.string()?;
    let lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_token(text) || text.len() > 128 || !lower_case {
        node.expected("the name of a header, lower case");
        return None;
    }
    let reserved = FRAMING.contains(&text)
        || text.starts_with("mcp-")
        || (purpose == HeaderUse::Set && (MEANING.contains(&text) || text.starts_with("x-envoy-")));
    if reserved {
        node.expected("a header that has no other meaning for the message or the gate");
        return None;
    }
    Some(text.to_owned())
}

/// Headers that a message or the protocol needs as they are.
const FRAMING: [&str; 17] = [
    "accept",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Headers that mean something else to an upstream.
const MEANING: [&str; 5] = [
    "accept-encoding",
    "cookie",
    "forwarded",
    "proxy-authorization",
    "x-forwarded-for",
];
