//! An issuer, a configuration, tokens and messages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Ed25519KeyPair, EdDSAKeyPairLike as _};
use mcp_auth_filter::config;
use mcp_auth_filter::exchange::Worker;
use mcp_auth_filter::oauth::TokenHashKey;
use serde_json::{Value, json};

pub(crate) const RESOURCE: &str = "https://mcp.example/mcp";
pub(crate) const AUTHORITY: &str = "mcp.example";
pub(crate) const PATH: &str = "/mcp";
pub(crate) const SCOPE: &str = "mcp:read";
const ISSUER: &str = "https://issuer.example";
const KEY_ID: &str = "key";
const NOW: u64 = 1_800_000_000;
/// Now, in milliseconds.
pub(crate) const NOW_MS: u64 = NOW * 1000;

/// The key of RFC 8037, appendix A.1: with the same key in every run,
/// instruction counts repeat.
const PRIVATE: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Every fourth rule is about a prefix, the others about one tool each.
const PATTERN_EVERY: usize = 4;

/// The tool that is called: the one of the rule in the middle.
pub(crate) fn tool(rules: usize) -> String {
    format!("tool-{:04}", rules / 2)
}

/// A worker with so many rules, and what else its server's entry says.
pub(crate) fn worker(rules: usize, more: &Value) -> Worker {
    let mut listed: Vec<Value> = (0..rules)
        .map(|index| match index % PATTERN_EVERY {
            3 => json!({"id": format!("area-{index}"), "what": {"tools": [format!("area-{index:04}-*")]}}),
            _ => json!({"id": format!("tool-{index}"), "what": {"tools": [format!("tool-{index:04}")]}}),
        })
        .collect();
    listed.push(json!({"id": "protocol", "what": {"methods": ["*"]}}));
    let mut server = json!({
        "id": "bench", "resource": RESOURCE, "issuers": ["issuer"], "scopes": [SCOPE], "rules": listed,
    });
    if let (Some(server), Some(more)) = (server.as_object_mut(), more.as_object()) {
        server.extend(more.clone());
    }
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": KEY_ID, "x": PUBLIC});
    let config = json!({
        "header_mode": "holding",
        // What the access log of the benchmark's chain reads.
        "filter_state": ["audit"],
        "issuers": [{
            "id": "issuer", "issuer": ISSUER, "algorithms": ["EdDSA"],
            "keys": {"inline": {"keys": [key]}},
        }],
        "servers": [server],
    });
    let config = config::parse(config.to_string().as_bytes(), &|_| None).expect("a configuration");
    Worker::new(&config, TokenHashKey::new([7; 16])).expect("keys")
}

/// A good token.
pub(crate) fn token() -> String {
    signed(KEY_ID)
}

/// One that passes every check but the last: nobody has the key that it names.
pub(crate) fn token_of_unknown_key() -> String {
    signed("unknown")
}

fn signed(key_id: &str) -> String {
    let pair: Vec<u8> = [PRIVATE, PUBLIC]
        .into_iter()
        .flat_map(|half| URL_SAFE_NO_PAD.decode(half).expect("base64url"))
        .collect();
    let key = Ed25519KeyPair::from_bytes(&pair).expect("a key");
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": key_id});
    let claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "the-same-user", "client_id": "bench",
        "iat": NOW - 10, "exp": NOW + 3600, "jti": "0123456789abcdef",
        "scope": format!("openid {SCOPE}"), "roles": ["reader", "writer"],
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(&header), encode(&claims));
    let signature = key.key_pair().as_ref().sk.sign(&input, None);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(*signature))
}

/// A call of a tool with arguments of about this size.
pub(crate) fn call(tool: &str, argument_bytes: usize) -> Vec<u8> {
    const WORDS: &str = "the quick brown fox said \"hello\" and then went on its way; ";
    let text: String = WORDS.chars().cycle().take(argument_bytes).collect();
    let arguments = json!({"path": "/srv/data", "limit": 10, "text": text});
    message("tools/call", &json!({"name": tool, "arguments": arguments}))
}

/// A request.
pub(crate) fn message(method: &str, params: &Value) -> Vec<u8> {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        .to_string()
        .into_bytes()
}

/// An answer that lists so many tools of 400 bytes each; every other one is
/// named by the rules, if there are as many.
pub(crate) fn listed(tools: usize) -> Vec<u8> {
    const TOOL_BYTES: usize = 400;
    let entry = |index: usize, description: &str| {
        let kind = if index.is_multiple_of(2) {
            "hidden"
        } else {
            "tool"
        };
        json!({
            "name": format!("{kind}-{index:04}"), "description": description,
            "inputSchema": {
                "type": "object", "required": ["path"],
                "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
            },
        })
    };
    let tools: Vec<Value> = (0..tools)
        .map(|index| {
            let short = TOOL_BYTES.saturating_sub(entry(index, "").to_string().len());
            entry(
                index,
                &"Reads what is stored. "
                    .chars()
                    .cycle()
                    .take(short)
                    .collect::<String>(),
            )
        })
        .collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
        .to_string()
        .into_bytes()
}

/// An event stream: so many notifications, and then the answer.
pub(crate) fn events(count: usize) -> Vec<u8> {
    let progress = json!({
        "jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": 1, "progress": 1, "message": "still working on it"},
    });
    let result = json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}});
    let mut stream = format!("event: message\ndata: {progress}\n\n").repeat(count);
    stream.push_str(&format!("event: message\ndata: {result}\n\n"));
    stream.into_bytes()
}
