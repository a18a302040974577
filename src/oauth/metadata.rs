//! Protected resource metadata (RFC 9728).

use super::Scopes;

/// What a protected resource says of itself (RFC 9728, section 2).
#[derive(Clone, Copy, Debug)]
pub struct ResourceMetadata<'a> {
    /// Resource identifier: exactly the URL that clients use.
    pub resource: &'a str,
    /// Issuer identifiers.
    pub authorization_servers: &'a [&'a str],
    /// The scopes worth asking for.
    pub scopes_supported: &'a Scopes,
    /// Name for people.
    pub resource_name: Option<&'a str>,
    /// URL of the documentation.
    pub resource_documentation: Option<&'a str>,
    /// URL of the policy.
    pub resource_policy_uri: Option<&'a str>,
    /// URL of the terms of service.
    pub resource_tos_uri: Option<&'a str>,
}

/// The well-known name, without the resource's own path.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Where the document of a resource with this path (and query, if the
/// identifier has one) is served: the well-known name goes before the path,
/// without a slash that ends it right after the host (RFC 9728, section 3.1).
pub fn well_known_path(resource_path: &str) -> String {
    let path = if resource_path == "/" {
        ""
    } else {
        resource_path
    };
    match path.strip_prefix("/?") {
        Some(query) => format!("{WELL_KNOWN}?{query}"),
        None => format!("{WELL_KNOWN}{path}"),
    }
}

/// The document. Members without a value are left out (section 2).
pub fn document(metadata: &ResourceMetadata<'_>) -> String {
    let ResourceMetadata {
        resource,
        authorization_servers,
        scopes_supported,
        resource_name,
        resource_documentation,
        resource_policy_uri,
        resource_tos_uri,
    } = metadata;
    let scopes: Vec<&str> = scopes_supported.iter().collect();
    let members = [
        ("resource", Some(string(resource))),
        ("authorization_servers", array(authorization_servers)),
        ("scopes_supported", array(&scopes)),
        ("bearer_methods_supported", array(&["header"])),
        ("resource_name", resource_name.map(string)),
        ("resource_documentation", resource_documentation.map(string)),
        ("resource_policy_uri", resource_policy_uri.map(string)),
        ("resource_tos_uri", resource_tos_uri.map(string)),
    ];
    let members: Vec<String> = members
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{}:{value}", string(name))))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn array(values: &[&str]) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    let values: Vec<String> = values.iter().map(|value| string(value)).collect();
    Some(format!("[{}]", values.join(",")))
}

/// A JSON string.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
