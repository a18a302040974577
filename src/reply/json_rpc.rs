//! JSON-RPC answers of the gate's own.

use serde_json::{Value, json};

use crate::mcp::Era;
use crate::mcp::envelope::RequestId;

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Error {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
pub(super) const METHOD_NOT_FOUND: i32 = -32601;
pub(super) const INVALID_PARAMS: i32 = -32602;
pub(super) const INTERNAL_ERROR: i32 = -32603;
/// MCP 2025-11-25 only: MCP 2026-07-28 forbids it.
pub(super) const URL_ELICITATION_REQUIRED: i32 = -32042;
/// Legacy only: MCP 2026-07-28 forbids it.
pub(super) const RESOURCE_NOT_FOUND: i32 = -32002;
pub(super) const HEADER_MISMATCH: i32 = -32020;
pub(super) const MISSING_CLIENT_CAPABILITY: i32 = -32021;
pub(super) const UNSUPPORTED_PROTOCOL_VERSION: i32 = -32022;
/// The gate's own, outside of the ranges that JSON-RPC and MCP reserve.
pub(super) const REFUSED: i32 = 403;
pub(super) const UNAUTHORIZED: i32 = 401;
pub(super) const BAD_GATEWAY: i32 = 502;
pub(super) const UNAVAILABLE: i32 = 503;

impl Error {
    pub(super) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// As an answer to `id`; without one, the member is left out (MCP schema,
    /// `JSONRPCErrorResponse`).
    pub(super) fn answer(&self, id: Option<&RequestId>) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(data), Some(members)) = (&self.data, error.as_object_mut()) {
            members.insert("data".to_owned(), data.clone());
        }
        with_id(id, "error", error)
    }
}

/// A tool result that says no, in words that the model sees (MCP, Tools,
/// "Tool Execution Errors").
pub(super) fn tool_error(id: &RequestId, era: Era, text: &str) -> Value {
    let mut result = json!({"content": [{"type": "text", "text": text}], "isError": true});
    if let (Era::Modern, Some(members)) = (era, result.as_object_mut()) {
        members.insert("resultType".to_owned(), json!("complete"));
    }
    with_id(Some(id), "result", result)
}

pub(super) fn with_id(id: Option<&RequestId>, member: &str, value: Value) -> Value {
    let mut answer = serde_json::Map::new();
    answer.insert("jsonrpc".to_owned(), json!("2.0"));
    if let Some(id) = id {
        let id = match id {
            RequestId::String(text) => json!(text),
            RequestId::Integer(number) => json!(number),
        };
        answer.insert("id".to_owned(), id);
    }
    answer.insert(member.to_owned(), value);
    Value::Object(answer)
}
