//! Which revision a request speaks, and whether its headers say the same as
//! its body (MCP 2026-07-28, Streamable HTTP, "Standard headers").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::envelope::{Body, Message};
use super::revision::{Era, Revision};
use crate::http::{HeaderError, Headers};
use crate::json::{Json, Object};

/// Why revision or headers refuse a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgreementError {
    /// A revision that the server's entry does not list (-32022).
    UnsupportedVersion {
        /// What was asked for.
        requested: String,
        /// The era whose form the request has.
        form: Era,
    },
    /// Header and body disagree (-32020); names the header.
    Mismatch(&'static str),
    /// `_meta` lacks what 2026-07-28 demands (-32602).
    MissingMeta(&'static str),
    /// A batch in a revision that has none (-32600).
    Batch,
}

const VERSION_HEADER: &str = "mcp-protocol-version";
/// Mirrors what a message is aimed at.
pub const NAME_HEADER: &str = "mcp-name";
/// How a mirrored value begins and ends that is in Base64.
const ENCODED: &str = "=?base64?";
const ENCODED_END: &str = "?=";
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The member of `_meta` in which a request declares what its client can do.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// SEP-2663: what a client of the modern era declares that can have tasks.
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// The revision that the header names. Absent, it stands for
/// [`Revision::ASSUMED`].
///
/// # Errors
/// [`AgreementError::UnsupportedVersion`] and, for a header that is repeated
/// or no text, [`AgreementError::Mismatch`].
pub fn header_revision(
    headers: &Headers,
    supported: &[Revision],
) -> Result<Option<Revision>, AgreementError> {
    let Some(name) = headers
        .single(VERSION_HEADER)
        .map_err(|_| AgreementError::Mismatch("MCP-Protocol-Version"))?
    else {
        return Ok(None);
    };
    Revision::parse(name)
        .filter(|revision| supported.contains(revision))
        .map(Some)
        .ok_or_else(|| unsupported(name, headers))
}

#[cold]
#[inline(never)]
fn unsupported(name: &str, headers: &Headers) -> AgreementError {
    AgreementError::UnsupportedVersion {
        requested: name.chars().take(64).collect(),
        form: if headers.has("mcp-method") {
            Era::Modern
        } else {
            Era::Legacy
        },
    }
}

/// The revision of a POST, once its headers and its body agree.
///
/// # Errors
/// See [`AgreementError`].
pub fn revision(
    headers: &Headers,
    body: &Body,
    supported: &[Revision],
) -> Result<Revision, AgreementError> {
    let named = header_revision(headers, supported)?;
    let revision = match (named, body) {
        (Some(revision), _) => revision,
        // A client negotiates in `initialize` itself, before it can send the
        // header; every other request without one is of the oldest revision.
        (None, Body::Single(Message::Request { method, params, .. })) if method == "initialize" => {
            let legacy = supported
                .iter()
                .copied()
                .filter(|revision| revision.era() == Era::Legacy);
            legacy.max().ok_or_else(|| {
                let requested = params.get("protocolVersion").and_then(Json::as_str);
                unsupported(requested.unwrap_or_default(), headers)
            })?
        }
        (None, _) => Revision::ASSUMED,
    };
    match body {
        Body::Batch(messages) => batch_agrees(headers, messages, revision)?,
        Body::Single(message) => {
            meta_agrees(message, revision)?;
            let demanded = demands_standard_headers(message, revision);
            if demanded || headers.has("mcp-method") || headers.has(NAME_HEADER) {
                standard_headers_agree(headers, message, demanded)?;
            }
        }
    }
    // A header that is there was looked up among the supported ones already.
    if !supported.contains(&revision) {
        return Err(AgreementError::Mismatch("MCP-Protocol-Version"));
    }
    Ok(revision)
}

#[cold]
#[inline(never)]
fn batch_agrees(
    headers: &Headers,
    messages: &[Message],
    revision: Revision,
) -> Result<(), AgreementError> {
    if revision != Revision::V2025_03_26 {
        return Err(AgreementError::Batch);
    }
    // Their headers could only name one of the messages.
    if headers.has("mcp-method") || headers.has(NAME_HEADER) {
        return Err(AgreementError::Mismatch("Mcp-Method"));
    }
    let mut messages = messages.iter();
    messages.try_for_each(|message| meta_agrees(message, revision))
}

#[inline(never)]
fn meta_agrees(message: &Message, revision: Revision) -> Result<(), AgreementError> {
    let (Message::Request { params, .. } | Message::Notification { params, .. }) = message else {
        return Ok(());
    };
    let meta = params.get("_meta").and_then(Json::as_object);
    let version = meta.and_then(|meta| meta.get(META_VERSION));
    match (revision.era(), version) {
        // A legacy request may carry the member only if it says the same:
        // otherwise the upstream could take the message for a modern one.
        (Era::Legacy, None) => Ok(()),
        (_, Some(version)) if version.as_str() == Some(revision.as_str()) => {
            modern_meta(message, meta, revision)
        }
        (_, Some(_)) => Err(AgreementError::Mismatch("MCP-Protocol-Version")),
        (Era::Modern, None) if matches!(message, Message::Notification { .. }) => Ok(()),
        (Era::Modern, None) => Err(AgreementError::MissingMeta(META_VERSION)),
    }
}

fn modern_meta(
    message: &Message,
    meta: Option<&Object>,
    revision: Revision,
) -> Result<(), AgreementError> {
    let capabilities = meta
        .and_then(|meta| meta.get(META_CAPABILITIES))
        .and_then(Json::as_object);
    let demanded = demands_standard_headers(message, revision);
    match capabilities {
        None if demanded => Err(AgreementError::MissingMeta(META_CAPABILITIES)),
        _ => Ok(()),
    }
}

/// `Mcp-Method` and `Mcp-Name` are demanded of modern requests.
fn demands_standard_headers(message: &Message, revision: Revision) -> bool {
    revision.era() == Era::Modern && matches!(message, Message::Request { .. })
}

/// Where they are there, they have to be true in any era: an upstream may
/// route by them.
#[inline(never)]
fn standard_headers_agree(
    headers: &Headers,
    message: &Message,
    demanded: bool,
) -> Result<(), AgreementError> {
    let (method, params) = match message {
        Message::Request { method, params, .. } | Message::Notification { method, params } => {
            (Some(method.as_ref()), Some(params))
        }
        Message::Response { .. } => (None, None),
    };
    agrees(headers, "mcp-method", "Mcp-Method", method, demanded)?;
    let name = method.and_then(|method| named_by(method, params?));
    agrees(
        headers,
        NAME_HEADER,
        "Mcp-Name",
        name,
        demanded && name.is_some(),
    )
}

/// What `Mcp-Name` mirrors.
fn named_by<'a>(method: &str, params: &'a Object) -> Option<&'a str> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    params.get(member).and_then(Json::as_str)
}

fn agrees(
    headers: &Headers,
    name: &str,
    spelling: &'static str,
    body: Option<&str>,
    demanded: bool,
) -> Result<(), AgreementError> {
    let mismatch = AgreementError::Mismatch(spelling);
    match headers.single(name) {
        Err(HeaderError::Repeated | HeaderError::NotText) => Err(mismatch),
        Ok(None) if demanded => Err(mismatch),
        Ok(None) => Ok(()),
        Ok(Some(value)) => match (decoded(value), body) {
            (Some(value), Some(body)) if value == body => Ok(()),
            _ => Err(mismatch),
        },
    }
}

/// What `Mcp-Name` says, if it is there once and can be read.
#[inline]
pub fn mirrored_name(headers: &Headers) -> Option<String> {
    decoded(headers.single(NAME_HEADER).ok()??).map(Cow::into_owned)
}

/// A value as a header mirrors it: as it is, where every HTTP implementation
/// leaves it so and nobody takes it for encoded, or else in Base64.
pub fn mirrored(value: &str) -> String {
    let is_safe = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && value.trim() == value
        && !value.starts_with(ENCODED);
    if is_safe {
        value.to_owned()
    } else {
        format!("{ENCODED}{}{ENCODED_END}", STANDARD.encode(value))
    }
}

/// A mirrored value, out of its `=?base64?…?=` form where it has it.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value
        .strip_prefix(ENCODED)
        .and_then(|rest| rest.strip_suffix(ENCODED_END))
    else {
        return Some(Cow::Borrowed(value));
    };
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    Some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::envelope::{BodyLimits, parse};

    fn check(headers: &Headers, body: &str) -> Result<Revision, AgreementError> {
        let body = parse(
            body.as_bytes(),
            BodyLimits {
                depth: 16,
                batch_elements: 9,
            },
            &[],
        )
        .unwrap();
        revision(headers, &body, &Revision::ALL)
    }

    fn modern_call(name: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        )
    }

    #[test]
    fn a_modern_call_agrees_with_its_headers() {
        for (name, header) in [
            ("echo", "echo"),
            ("écho", "=?base64?w6ljaG8=?="),
            ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?="),
        ] {
            let headers = Headers::from([
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", header),
            ]);
            assert_eq!(
                check(&headers, &modern_call(name)),
                Ok(Revision::V2026_07_28),
                "{name}"
            );
        }
    }

    #[test]
    fn a_modern_call_that_disagrees_is_a_mismatch() {
        let version = ("mcp-protocol-version", "2026-07-28");
        let method = ("mcp-method", "tools/call");
        for (headers, header) in [
            (Headers::from([version, ("mcp-name", "echo")]), "Mcp-Method"),
            (
                Headers::from([version, ("mcp-method", "tools/list"), ("mcp-name", "echo")]),
                "Mcp-Method",
            ),
            (
                Headers::from([version, ("mcp-method", "TOOLS/CALL"), ("mcp-name", "echo")]),
                "Mcp-Method",
            ),
            (Headers::from([version, method]), "Mcp-Name"),
            (
                Headers::from([version, method, ("mcp-name", "get-env")]),
                "Mcp-Name",
            ),
            (
                Headers::from([version, method, ("mcp-name", "=?base64?!!?=")]),
                "Mcp-Name",
            ),
            (
                Headers::from([version, method, ("mcp-name", "echo"), ("mcp-name", "echo")]),
                "Mcp-Name",
            ),
            (
                Headers::from([("mcp-protocol-version", "2025-11-25")]),
                "MCP-Protocol-Version",
            ),
            (
                Headers::from([("mcp-protocol-version", "2026-07-28, 2025-11-25")]),
                "unsupported",
            ),
            (Headers::default(), "MCP-Protocol-Version"),
        ] {
            match check(&headers, &modern_call("echo")) {
                Err(AgreementError::Mismatch(named)) => assert_eq!(named, header),
                Err(AgreementError::UnsupportedVersion { .. }) => assert_eq!(header, "unsupported"),
                other => panic!("{headers:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn mirrored_headers_of_a_legacy_request_have_to_be_true_as_well() {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
        let version = ("mcp-protocol-version", "2025-11-25");
        assert_eq!(
            check(&Headers::from([version]), body),
            Ok(Revision::V2025_11_25)
        );
        assert_eq!(
            check(&Headers::from([version, ("mcp-name", "get-env")]), body),
            Err(AgreementError::Mismatch("Mcp-Name"))
        );
    }

    #[test]
    fn an_unsupported_version_is_named() {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let version = ("mcp-protocol-version", "1900-01-01");
        for (headers, form) in [
            (Headers::from([version]), Era::Legacy),
            (
                Headers::from([version, ("mcp-method", "ping")]),
                Era::Modern,
            ),
        ] {
            assert_eq!(
                check(&headers, body),
                Err(AgreementError::UnsupportedVersion {
                    requested: "1900-01-01".to_owned(),
                    form
                })
            );
        }
        assert_eq!(check(&Headers::default(), body), Ok(Revision::V2025_03_26));
    }

    #[test]
    fn where_no_legacy_revision_is_spoken_initialize_is_told_which_are() {
        let asking = |params: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#)
        };
        for (params, requested) in [
            (r#"{"protocolVersion":"2025-11-25"}"#, "2025-11-25"),
            (r#"{"protocolVersion":7}"#, ""),
            ("{}", ""),
        ] {
            let text = asking(params);
            let limits = BodyLimits {
                depth: 16,
                batch_elements: 9,
            };
            let body = parse(text.as_bytes(), limits, &[]).unwrap();
            assert_eq!(
                revision(&Headers::default(), &body, &[Revision::V2026_07_28]),
                Err(AgreementError::UnsupportedVersion {
                    requested: requested.to_owned(),
                    form: Era::Legacy,
                })
            );
        }
    }

    #[test]
    fn batches_exist_in_2025_03_26_only() {
        let body = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#;
        assert_eq!(check(&Headers::default(), body), Ok(Revision::V2025_03_26));
        assert_eq!(
            check(
                &Headers::from([("mcp-protocol-version", "2025-03-26")]),
                body
            ),
            Ok(Revision::V2025_03_26)
        );
        for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
            assert_eq!(
                check(&Headers::from([("mcp-protocol-version", version)]), body),
                Err(AgreementError::Batch),
                "{version}"
            );
        }
    }

    #[test]
    fn modern_requests_need_their_meta() {
        let headers = Headers::from([
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/list"),
        ]);
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert_eq!(
            check(&headers, body),
            Err(AgreementError::MissingMeta(META_VERSION))
        );
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(
            check(&headers, body),
            Err(AgreementError::MissingMeta(META_CAPABILITIES))
        );
    }
}
