//! Headers that hold a key.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::document;
use crate::config::error::{ConfigError, token};
use crate::config::secrets::{self, Outside};
use crate::servers::{HeaderAuthentication, HeaderLevel, Template, TemplatePart};
use crate::strict::Members;

pub(super) fn header(
    pointer: &str,
    document: &document::Authentication,
    outside: Outside<'_>,
) -> Result<HeaderAuthentication, ConfigError> {
    let Some(written) = document
        .headers
        .as_ref()
        .filter(|headers| !headers.is_empty())
    else {
        return Err(ConfigError::new(
            format!("{pointer}/headers"),
            "at least one header",
            "none",
        ));
    };
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, value) in written.iter() {
        let pointer = format!("{pointer}/headers/{}", token(name));
        let name = name.to_ascii_lowercase();
        if !is_settable(&name) || headers.iter().any(|(other, _)| *other == name) {
            return Err(ConfigError::new(
                pointer,
                "the name of a header that a credential may be in, once",
                "another, or one that is there already",
            ));
        }
        headers.push((name, template(&pointer, value)?));
    }
    let placeholders: BTreeSet<&str> = headers
        .iter()
        .flat_map(|(_, template)| template.placeholders())
        .collect();
    let level = match document.level.as_deref() {
        Some("global") => global(pointer, &placeholders, document.values.as_ref(), outside)?,
        Some("per_user") => {
            per_user(pointer, headers.len(), &placeholders, document)?;
            HeaderLevel::PerUser
        }
        _ => {
            return Err(ConfigError::new(
                format!("{pointer}/level"),
                "global or per_user",
                "something else",
            ));
        }
    };
    Ok(HeaderAuthentication { headers, level })
}

fn global(
    pointer: &str,
    placeholders: &BTreeSet<&str>,
    written: Option<&Members<serde_json::Value>>,
    outside: Outside<'_>,
) -> Result<HeaderLevel, ConfigError> {
    let mut values = BTreeMap::new();
    for (name, value) in written.iter().flat_map(|values| values.iter()) {
        let pointer = format!("{pointer}/values/{}", token(name));
        if !placeholders.contains(name.as_str()) {
            return Err(ConfigError::new(
                pointer,
                "the name of a placeholder of the headers",
                "another",
            ));
        }
        let secret = secrets::secret(value, &pointer, outside)?;
        if !secret.expose().iter().all(|byte| is_header_byte(*byte)) {
            return Err(ConfigError::new(
                pointer,
                "the name of what holds printable ASCII",
                "something else in it",
            ));
        }
        values.insert(name.clone(), secret);
    }
    match placeholders
        .iter()
        .find(|name| !values.contains_key(**name))
    {
        Some(name) => Err(ConfigError::new(
            format!("{pointer}/values"),
            format_args!("a value for {{{{{name}}}}}"),
            "none",
        )),
        None => Ok(HeaderLevel::Global(values)),
    }
}

/// A user gives the values of the placeholders, or that of the only header.
fn per_user(
    pointer: &str,
    headers: usize,
    placeholders: &BTreeSet<&str>,
    document: &document::Authentication,
) -> Result<(), ConfigError> {
    if document.values.is_some() {
        return Err(ConfigError::new(
            format!("{pointer}/values"),
            "no values: every user has their own",
            "some",
        ));
    }
    if headers > 1 && placeholders.is_empty() {
        return Err(ConfigError::new(
            format!("{pointer}/headers"),
            "placeholders (one may stand in several headers), or a single header without any",
            "several headers, and no place for what a user gives",
        ));
    }
    Ok(())
}

/// Reads `Bearer {{API_KEY}}`.
fn template(pointer: &str, text: &str) -> Result<Template, ConfigError> {
    let error = || {
        ConfigError::new(
            pointer,
            "printable ASCII with placeholders of letters, digits and '_', \
             as in Bearer {{API_KEY}}",
            "something else",
        )
    };
    if text.is_empty() || !text.bytes().all(is_header_byte) {
        return Err(error());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or_else(error)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(error());
        }
        if !before.is_empty() {
            parts.push(TemplatePart::Text(before.to_owned()));
        }
        parts.push(TemplatePart::Placeholder(name.to_owned()));
        rest = after;
    }
    if rest.contains("}}") {
        return Err(error());
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Text(rest.to_owned()));
    }
    Ok(Template(parts))
}

const fn is_header_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Whether the filter lets a credential be in this header: contract 6.2.
fn is_settable(name: &str) -> bool {
    const REFUSED: [&str; 13] = [
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !name.starts_with("mcp-")
        && !REFUSED.contains(&name)
}
