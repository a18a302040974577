//! Whatever passes as a message says the same to a lenient JSON parser.

use mcp_auth_filter::json::Json;
use mcp_auth_filter::mcp::Call;
use mcp_auth_filter::mcp::envelope::{Body, BodyLimits, Message, parse};

/// Reads a message and the call in it, and compares with what `serde_json`
/// reads, which keeps the last of two members of the same name.
pub(crate) fn check(bytes: &[u8]) {
    let limits = BodyLimits {
        depth: 32,
        batch_elements: 20,
    };
    let Ok(body) = parse(bytes, limits, &[]) else {
        return;
    };
    let lenient: serde_json::Value = serde_json::from_slice(bytes).expect("strict JSON is JSON");
    match body {
        Body::Single(message) => check_message(&message, &lenient),
        Body::Batch(messages) => {
            let elements = lenient.as_array().expect("a batch is an array");
            assert_eq!(messages.len(), elements.len());
            for (message, element) in messages.iter().zip(elements) {
                check_message(message, element);
            }
        }
    }
}

fn check_message(message: &Message<'_>, lenient: &serde_json::Value) {
    let (Message::Request { method, params, .. } | Message::Notification { method, params }) =
        message
    else {
        return;
    };
    assert_eq!(lenient["method"].as_str(), Some(method.as_ref()));
    let Ok(call) = Call::of(method, params) else {
        return;
    };
    if method == "tools/call" {
        assert_eq!(
            lenient["params"]["name"].as_str(),
            params.get("name").and_then(Json::as_str)
        );
        assert_eq!(
            call.arguments.is_some(),
            lenient["params"]["arguments"].is_object()
        );
    }
}
