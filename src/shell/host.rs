//! What the host can do, in the core's terms.

use super::abi;
use super::types::{BufferType, MapType};
use crate::exchange::HeaderEdits;
use crate::http::Headers;
use crate::oauth::{HostSignatures, signature_call};
use crate::reply::Reply;
use crate::text::Text;

/// Milliseconds since 1970. Should the host have no clock, the end of time:
/// then every token has expired.
pub(super) fn now_ms() -> u64 {
    abi::current_time_ns().map_or(u64::MAX, |time| time / 1_000_000)
}

/// A snapshot of a header map. Empty if the host does not give it: then no
/// host or path is known, and nothing goes on.
pub(super) fn headers(map: MapType) -> Headers {
    abi::header_map(map)
        .and_then(Headers::read)
        .unwrap_or_default()
}

/// The configuration of the plugin.
pub(super) fn configuration() -> Vec<u8> {
    abi::buffer(BufferType::PluginConfiguration, usize::MAX).unwrap_or_default()
}

/// The body of the request, which has this many bytes.
pub(super) fn request_body(held: usize) -> Vec<u8> {
    match held {
        // Where no body callback came, the host has no buffer to read.
        0 => Vec::new(),
        held => abi::buffer(BufferType::RequestBody, held).unwrap_or_default(),
    }
}

/// Puts a message of the same length in place of the request's body; `false`
/// if the host did not do it.
pub(super) fn replace_request_body(message: &[u8]) -> bool {
    abi::replace_buffer(BufferType::RequestBody, message.len(), message)
        && request_body(message.len()) == message
}

/// Drops what is there of the request's body, which has this many bytes.
pub(super) fn drop_request_body(held: usize) {
    if held > 0 {
        abi::replace_buffer(BufferType::RequestBody, held, b"");
    }
}

/// The part of the body of the response that is there, which has this many
/// bytes.
pub(super) fn response_body(size: usize) -> Vec<u8> {
    match size {
        0 => Vec::new(),
        size => abi::buffer(BufferType::ResponseBody, size).unwrap_or_default(),
    }
}

/// Puts bytes in place of the part of the response's body that is there;
/// `false` if the host did not do it.
pub(super) fn replace_response_body(size: usize, bytes: &[u8]) -> bool {
    abi::replace_buffer(BufferType::ResponseBody, size, bytes)
}

/// Ends a response whose headers have gone on so that the client sees it is
/// not complete: Envoy resets a stream that is answered twice.
pub(super) fn reset() {
    abi::send_local_response(500, "mcp_auth_response_cut", &[], b"");
}

/// Empties a header map.
pub(super) fn remove_all(map: MapType) {
    for name in headers(map).names() {
        abi::remove_header(map, name);
    }
}

/// The answer to a callout.
pub(super) struct CallAnswer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// `Retry-After`, where it is a number of seconds.
    pub(super) retry_after_s: Option<u64>,
}

/// The answer to a callout, its body up to a length.
pub(super) fn call_answer(body_size: usize, max_size: usize) -> Option<CallAnswer> {
    let headers = headers(MapType::CallResponseHeaders);
    let status = headers.single(":status").ok().flatten()?.parse().ok()?;
    let body = match body_size {
        0 => Vec::new(),
        // One byte more than allowed, so that the core sees that it is.
        _ => abi::buffer(BufferType::CallResponseBody, max_size.saturating_add(1))
            .unwrap_or_default(),
    };
    let retry_after_s = headers.single("retry-after").ok().flatten();
    Some(CallAnswer {
        status,
        body,
        retry_after_s: retry_after_s.and_then(|seconds| seconds.parse().ok()),
    })
}

/// Changes a header map; `false` if the host refused any of it. One function
/// for a request and its response.
#[inline(never)]
pub(super) fn edit(map: MapType, edits: &HeaderEdits) -> bool {
    // What is set replaces all of its name, and a call of the host costs.
    let is_set = |name: &&Text| edits.set.iter().any(|(set, _)| set == *name);
    let removed = edits
        .remove
        .iter()
        .filter(|name| !is_set(name))
        .all(|name| abi::remove_header(map, name.as_bytes()));
    removed
        && edits
            .set
            .iter()
            .all(|(name, value)| abi::set_header(map, name, value))
}

/// Sends the gate's own answer. The reason is for Envoy's access log.
pub(super) fn send(reply: &Reply, reason: &str) -> bool {
    let headers: Vec<(&str, &str)> = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let details = format!("mcp_auth_{reason}");
    abi::send_local_response(reply.status, &details, &headers, reply.body.as_bytes())
}

/// Whether the response at hand came from the upstream, not from Envoy
/// itself (attribute `response.code_details`).
pub(super) fn is_from_upstream() -> bool {
    abi::property(&["response", "code_details"]).is_none_or(|details| details == b"via_upstream")
}

/// The signatures that Envoy verifies.
pub(super) struct Signatures;

impl HostSignatures for Signatures {
    fn verify(
        &self,
        hash: &'static str,
        public_key: &[u8],
        signature: &[u8],
        text: &[u8],
    ) -> Option<bool> {
        let question = signature_call::question(hash, public_key, signature, text);
        let answer = abi::call_foreign_function(signature_call::NAME, &question)?;
        signature_call::answer(&answer)
    }
}
