//! What a client declares that it can do, less what the upstream may not ask
//! it for.

use crate::config::ClientFeatures;
use crate::json::{Json, Object};
use crate::mcp::agreement::META_CAPABILITIES;

/// The members of a message, as paths from its root, that would tell the
/// upstream of a capability that it may not use: of the capabilities in
/// `initialize` (legacy), and of those in `_meta` (MCP 2026-07-28).
pub(super) fn refused(
    features: &ClientFeatures,
    method: &str,
    params: &Object,
) -> Vec<Vec<&'static str>> {
    let mut paths = Vec::new();
    if method == "initialize" {
        let capabilities = member(params, "capabilities");
        add(
            features,
            capabilities,
            &["params", "capabilities"],
            &mut paths,
        );
    }
    let capabilities = member(params, "_meta").and_then(|meta| member(meta, META_CAPABILITIES));
    let place = ["params", "_meta", META_CAPABILITIES];
    add(features, capabilities, &place, &mut paths);
    paths
}

fn add(
    features: &ClientFeatures,
    capabilities: Option<&Object>,
    place: &[&'static str],
    paths: &mut Vec<Vec<&'static str>>,
) {
    let Some(capabilities) = capabilities else {
        return;
    };
    let mut add = |path: &[&'static str]| paths.push([place, path].concat());
    let elicitation = Elicitation::of(features, capabilities.get("elicitation"));
    // Requests that the client can make a task of (MCP 2025-11-25, Tasks).
    let tasks = member(capabilities, "tasks").and_then(|tasks| member(tasks, "requests"));
    for (name, is_refused) in [
        ("sampling", !features.sampling),
        ("elicitation", elicitation == Elicitation::Refused),
        ("roots", !features.roots),
    ] {
        if is_refused && capabilities.get(name).is_some() {
            add(&[name]);
        }
        if is_refused && tasks.is_some_and(|requests| requests.get(name).is_some()) {
            add(&["tasks", "requests", name]);
        }
    }
    if elicitation == Elicitation::WithoutUrl {
        add(&["elicitation", "url"]);
    }
}

/// What becomes of the capability to elicit.
#[derive(PartialEq, Eq)]
enum Elicitation {
    AsItIs,
    WithoutUrl,
    Refused,
}

impl Elicitation {
    fn of(features: &ClientFeatures, declared: Option<&Json>) -> Self {
        if !features.elicitation {
            return Self::Refused;
        }
        match declared.and_then(Json::as_object) {
            Some(modes)
                if features.url_elicitation_hosts.is_empty() && modes.get("url").is_some() =>
            {
                // Without any mode it would mean forms.
                if modes.len() == 1 {
                    Self::Refused
                } else {
                    Self::WithoutUrl
                }
            }
            Some(_) | None => Self::AsItIs,
        }
    }
}

fn member<'a>(object: &'a Object<'a>, name: &str) -> Option<&'a Object<'a>> {
    object.get(name)?.as_object()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::UrlHost;
    use crate::json::overwrite::Overwrite;
    use crate::json::parse;

    const NONE: ClientFeatures = ClientFeatures {
        sampling: false,
        elicitation: false,
        roots: false,
        url_elicitation_hosts: Vec::new(),
    };

    fn with_hosts() -> ClientFeatures {
        ClientFeatures {
            url_elicitation_hosts: vec![UrlHost::parse("connect.example").unwrap()],
            ..ClientFeatures::default()
        }
    }

    /// What the upstream reads; the message keeps its length.
    fn goes_on(features: &ClientFeatures, message: &Value) -> Value {
        let text = message.to_string();
        let parsed = parse(text.as_bytes(), 16).unwrap();
        let message = parsed.as_object().unwrap();
        let method = message.get("method").and_then(Json::as_str).unwrap();
        let params = member(message, "params").unwrap();
        let mut overwrite = Overwrite::new(text.as_bytes());
        for path in refused(features, method, params) {
            overwrite.blank(&path).unwrap();
        }
        let bytes = overwrite.finish().unwrap_or_else(|| text.clone().into());
        assert_eq!(bytes.len(), text.len());
        serde_json::from_slice(&bytes).unwrap()
    }

    fn declared(features: &ClientFeatures, capabilities: &Value) -> Value {
        let initialize = |capabilities: &Value| {
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
                {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {}}})
        };
        let call = |capabilities: &Value| {
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
                "name": "echo",
                "arguments": {"capabilities": {"sampling": {}}},
                "_meta": {META_CAPABILITIES: capabilities, "progressToken": 1},
            }})
        };
        let legacy = goes_on(features, &initialize(capabilities));
        let left = legacy["params"]["capabilities"].clone();
        assert_eq!(legacy, initialize(&left));
        assert_eq!(goes_on(features, &call(capabilities)), call(&left));
        left
    }

    #[test]
    fn what_the_upstream_may_not_ask_for_is_not_declared_to_it() {
        let all = json!({
            "sampling": {"tools": {}},
            "elicitation": {"form": {}, "url": {}},
            "roots": {"listChanged": true},
            "tasks": {"list": {}, "requests": {
                "sampling": {"createMessage": {}}, "elicitation": {"create": {}}}},
            "experimental": {"sampling": {}},
        });
        assert_eq!(declared(&with_hosts(), &all), all);
        let rest = json!({"tasks": {"list": {}, "requests": {}}, "experimental": {"sampling": {}}});
        assert_eq!(declared(&NONE, &all), rest);
        let no_sampling = ClientFeatures {
            sampling: false,
            ..with_hosts()
        };
        let left = declared(&no_sampling, &all);
        assert_eq!(left.get("sampling"), None);
        assert_eq!(
            left["tasks"]["requests"],
            json!({"elicitation": {"create": {}}})
        );
        assert_eq!(left["elicitation"], all["elicitation"]);
    }

    #[test]
    fn elicitation_by_url_is_declared_where_a_url_may_lead_somewhere() {
        let without_hosts = ClientFeatures::default();
        for (elicitation, left) in [
            (json!({"form": {}, "url": {}}), Some(json!({"form": {}}))),
            (json!({"url": {}, "x": 1}), Some(json!({"x": 1}))),
            // An empty one would mean forms.
            (json!({"url": {}}), None),
            (json!({}), Some(json!({}))),
            (json!({"form": {}}), Some(json!({"form": {}}))),
            (json!(true), Some(json!(true))),
        ] {
            let capabilities = json!({"elicitation": elicitation, "roots": {}});
            let expected = left.map_or_else(
                || json!({"roots": {}}),
                |left| json!({"elicitation": left, "roots": {}}),
            );
            assert_eq!(declared(&without_hosts, &capabilities), expected);
            assert_eq!(declared(&with_hosts(), &capabilities), capabilities);
        }
    }

    #[test]
    fn a_message_that_declares_nothing_stays_as_it_is() {
        for params in [
            "{}",
            r#"{"capabilities":{}}"#,
            r#"{"capabilities":[]}"#,
            r#"{"_meta":null}"#,
            r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
            r#"{"capabilities":{"tasks":{"requests":[]}}}"#,
            r#"{"arguments":{"sampling":{}}}"#,
        ] {
            let parsed = parse(params.as_bytes(), 16).unwrap();
            let paths = refused(&NONE, "initialize", parsed.as_object().unwrap());
            assert_eq!(paths, Vec::<Vec<&str>>::new(), "{params}");
        }
        let call = parse(br#"{"capabilities":{"sampling":{}}}"#, 16).unwrap();
        let paths = refused(&NONE, "tools/call", call.as_object().unwrap());
        assert_eq!(paths, Vec::<Vec<&str>>::new());
    }
}
