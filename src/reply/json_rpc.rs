//! JSON-RPC answers of the gate's own.

use core::fmt::Write as _;

use crate::json::Json;
use crate::mcp::Era;
use crate::mcp::envelope::RequestId;
use crate::text::Text;

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Error<'a> {
    pub(super) code: i32,
    pub(super) message: Text,
    pub(super) data: Option<Json<'a>>,
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

impl Error<'_> {
    pub(super) fn new(code: i32, message: impl Into<Text>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// As an answer to `id`; without one, the member is left out (MCP schema,
    /// `JSONRPCErrorResponse`).
    pub(super) fn answer(&self, id: Option<&RequestId>) -> Text {
        let mut json = String::with_capacity(USUAL_FRAME.saturating_add(self.message.len()));
        json.push_str("{\"error\":{\"code\":");
        push_integer(&mut json, self.code.into());
        if let Some(data) = &self.data {
            json.push_str(",\"data\":");
            push_value(&mut json, data);
        }
        json.push_str(",\"message\":");
        push_string(&mut json, &self.message);
        json.push_str("},");
        push_id(&mut json, id);
        json.push_str("\"jsonrpc\":\"2.0\"}");
        json.into()
    }
}

/// How long an answer is without its message, or what else it is about.
const USUAL_FRAME: usize = 128;

/// An OAuth error (RFC 6749, section 5.2).
pub(super) fn oauth_error(error: &str, description: &str) -> Text {
    let mut json = String::with_capacity(USUAL_FRAME.saturating_add(description.len()));
    json.push_str("{\"error\":");
    push_string(&mut json, error);
    json.push_str(",\"error_description\":");
    push_string(&mut json, description);
    json.push('}');
    json.into()
}

/// A tool result that says no, in words that the model sees (MCP, Tools,
/// "Tool Execution Errors").
pub(super) fn tool_error(id: &RequestId, era: Era, text: &str) -> Text {
    let mut json = String::with_capacity(USUAL_FRAME.saturating_add(text.len()));
    begin_result(&mut json, id);
    json.push_str("{\"content\":[{\"text\":");
    push_string(&mut json, text);
    json.push_str(",\"type\":\"text\"}],\"isError\":true");
    if era == Era::Modern {
        json.push_str(",\"resultType\":\"complete\"");
    }
    json.push_str("}}");
    json.into()
}

/// A result.
pub(super) fn result(id: &RequestId, result: &Json<'_>) -> Text {
    let mut json = String::with_capacity(USUAL_FRAME);
    begin_result(&mut json, id);
    push_value(&mut json, result);
    json.push('}');
    json.into()
}

fn begin_result(json: &mut String, id: &RequestId) {
    json.push('{');
    push_id(json, Some(id));
    json.push_str("\"jsonrpc\":\"2.0\",\"result\":");
}

/// The member, with a comma behind it.
fn push_id(json: &mut String, id: Option<&RequestId>) {
    let Some(id) = id else {
        return;
    };
    json.push_str("\"id\":");
    match id {
        RequestId::String(text) => push_string(json, text),
        RequestId::Integer(number) => push_integer(json, *number),
    }
    json.push(',');
}

fn push_integer(json: &mut String, number: i64) {
    // Writing to a text cannot fail.
    let _ = write!(json, "{number}");
}

fn push_value(json: &mut String, value: &Json<'_>) {
    match serde_json::to_string(value) {
        Ok(text) => json.push_str(&text),
        // A value of the gate's own cannot fail to be written.
        Err(_) => json.push_str("null"),
    }
}

fn push_string(json: &mut String, text: &str) {
    let is_plain = |byte| !matches!(byte, 0..0x20 | b'"' | b'\\');
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    match serde_json::to_string(text) {
        Ok(string) => json.push_str(&string),
        // A text cannot fail to be written.
        Err(_) => json.push_str("\"\""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::json::parse;

    fn id_of(id: &RequestId) -> Value {
        match id {
            RequestId::String(text) => json!(text),
            RequestId::Integer(number) => json!(number),
        }
    }

    fn any_id() -> impl Strategy<Value = RequestId> {
        prop_oneof![
            any::<String>().prop_map(RequestId::String),
            any::<i64>().prop_map(RequestId::Integer),
        ]
    }

    proptest! {
        #[test]
        fn answers_say_what_they_are_about_whatever_is_in_it(
            id in any_id(), code: i32, text: String, data: Option<String>,
        ) {
            let data = data.map(|data| Json::object([("data", data.into())]));
            let error = Error { code, message: text.clone().into(), data: data.clone() };
            let mut expected = json!({
                "jsonrpc": "2.0", "id": id_of(&id), "error": {"code": code, "message": text},
            });
            if let Some(data) = data {
                expected["error"]["data"] = serde_json::to_value(data).unwrap();
            }
            prop_assert_eq!(read(&error.answer(Some(&id))), expected.clone());
            expected.as_object_mut().unwrap().remove("id");
            prop_assert_eq!(read(&error.answer(None)), expected);

            let mut expected = json!({
                "jsonrpc": "2.0", "id": id_of(&id),
                "result": {"isError": true, "content": [{"type": "text", "text": text}]},
            });
            prop_assert_eq!(read(&tool_error(&id, Era::Legacy, &text)), expected.clone());
            expected["result"]["resultType"] = json!("complete");
            prop_assert_eq!(read(&tool_error(&id, Era::Modern, &text)), expected.clone());
            let wanted = expected["result"].to_string();
            let wanted = parse(wanted.as_bytes(), 8).unwrap();
            prop_assert_eq!(read(&result(&id, &wanted)), expected);

            let expected = json!({"error": text, "error_description": text});
            prop_assert_eq!(read(&oauth_error(&text, &text)), expected);
        }
    }

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }
}
