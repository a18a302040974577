//! Where `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` are accepted, they
//! say the same as what a lenient JSON parser reads in the body.

use mcp_auth_filter::http::Headers;
use mcp_auth_filter::mcp::agreement::{META_CAPABILITIES, mirrored_name, revision};
use mcp_auth_filter::mcp::envelope::{BodyLimits, parse};
use mcp_auth_filter::mcp::{Era, Revision};
use serde_json::Value;

use crate::lines::request;

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The bytes are header lines and a body.
pub(crate) fn check(bytes: &[u8]) {
    let limits = BodyLimits {
        depth: 32,
        batch_elements: 20,
    };
    let (pairs, body) = request(bytes);
    let headers = Headers::new(pairs.clone());
    let Ok(message) = parse(body, limits, &[]) else {
        return;
    };
    let lenient = serde_json::from_slice(body).expect("strict JSON is JSON");
    for supported in [&Revision::ALL[..], &[Revision::V2026_07_28]] {
        if let Ok(revision) = revision(&headers, &message, supported) {
            assert!(supported.contains(&revision));
            agrees(&pairs, &headers, &lenient, revision);
        }
    }
}

fn agrees(pairs: &[(String, Vec<u8>)], headers: &Headers, lenient: &Value, revision: Revision) {
    let version = only(pairs, "mcp-protocol-version");
    let method = only(pairs, "mcp-method");
    let name = only(pairs, "mcp-name");
    match version {
        Some(version) => assert_eq!(version, revision.as_str().as_bytes()),
        None => assert_eq!(revision.era(), Era::Legacy),
    }
    if let Some(elements) = lenient.as_array() {
        assert_eq!(revision, Revision::V2025_03_26);
        assert_eq!((method, name), (None, None));
        for element in elements {
            meta_agrees(element, revision);
        }
        return;
    }

    meta_agrees(lenient, revision);
    let named = named(lenient);
    if let Some(method) = method {
        assert!(says(method, lenient["method"].as_str()));
    }
    if let Some(name) = name {
        assert!(says(name, named));
        assert_eq!(mirrored_name(headers).as_deref(), named);
    }
    let is_request = lenient["method"].is_string() && lenient.get("id").is_some();
    if revision.era() == Era::Modern && is_request {
        assert!(method.is_some());
        assert_eq!(name.is_some(), named.is_some());
        let meta = &lenient["params"]["_meta"];
        assert_eq!(meta[META_VERSION].as_str(), Some(revision.as_str()));
        assert!(meta[META_CAPABILITIES].is_object());
    }
}

/// A message says nothing of another revision.
fn meta_agrees(lenient: &Value, revision: Revision) {
    if lenient["method"].is_string() {
        let version = &lenient["params"]["_meta"][META_VERSION];
        assert!(version.is_null() || version.as_str() == Some(revision.as_str()));
    }
}

/// The value of a header that is there once at most.
fn only<'a>(pairs: &'a [(String, Vec<u8>)], header: &str) -> Option<&'a [u8]> {
    let mut values = pairs.iter().filter(|(name, _)| name == header);
    let value = values.next().map(|(_, value)| value.as_slice());
    assert!(values.next().is_none(), "{header} is accepted twice");
    value
}

/// What `Mcp-Name` mirrors.
fn named(lenient: &Value) -> Option<&str> {
    let member = match lenient["method"].as_str()? {
        "tools/call" | "prompts/get" => "name",
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    lenient["params"][member].as_str()
}

/// Whether a header mirrors a text: as it is, or in Base64. What looks like
/// Base64 is nothing else.
fn says(header: &[u8], text: Option<&str>) -> bool {
    let Some(text) = text else {
        return false;
    };
    let is_encoded = header.starts_with(b"=?base64?")
        && header.ends_with(b"?=")
        && header.len() >= "=?base64??=".len();
    if is_encoded {
        header == format!("=?base64?{}?=", base64(text.as_bytes())).as_bytes()
    } else {
        header == text.as_bytes()
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |part: &[u8]| {
        let mut whole = [0; 3];
        whole[..part.len()].copy_from_slice(part);
        let number = u32::from_be_bytes([0, whole[0], whole[1], whole[2]]);
        (0..4_usize)
            .map(move |digit| {
                if digit > part.len() {
                    return '=';
                }
                let shift = 18 - 6 * digit;
                char::from(ALPHABET[(number >> shift) as usize % 64])
            })
            .collect::<String>()
    };
    bytes.chunks(3).map(encode).collect()
}
