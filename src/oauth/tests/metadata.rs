//! Protected resource metadata.

use crate::oauth::Scopes;
use crate::oauth::metadata::{ResourceMetadata, document, well_known_path};

#[test]
fn the_well_known_name_goes_before_the_path_of_the_resource() {
    for (path, expected) in [
        ("", "/.well-known/oauth-protected-resource"),
        ("/", "/.well-known/oauth-protected-resource"),
        (
            "/everything/mcp",
            "/.well-known/oauth-protected-resource/everything/mcp",
        ),
        ("/a/", "/.well-known/oauth-protected-resource/a/"),
        ("/a?x=1", "/.well-known/oauth-protected-resource/a?x=1"),
        ("/?x=1", "/.well-known/oauth-protected-resource?x=1"),
    ] {
        assert_eq!(well_known_path(path), expected, "{path}");
    }
}

#[test]
fn the_document_has_what_there_is_and_leaves_out_what_there_is_not() {
    let scopes = Scopes::default();
    let mut metadata = ResourceMetadata {
        resource: "https://gate.example/mcp",
        authorization_servers: &["https://as.example"],
        scopes_supported: &scopes,
        resource_name: None,
        resource_documentation: None,
        resource_policy_uri: None,
        resource_tos_uri: None,
    };
    assert_eq!(
        document(&metadata),
        r#"{"resource":"https://gate.example/mcp","authorization_servers":["https://as.example"],"bearer_methods_supported":["header"]}"#
    );
    let scopes = Scopes::parse("b a").unwrap();
    metadata.scopes_supported = &scopes;
    metadata.resource_name = Some("A \"name\" \u{e9}\n");
    metadata.resource_documentation = Some("https://gate.example/doc");
    metadata.resource_policy_uri = Some("https://gate.example/policy");
    metadata.resource_tos_uri = Some("https://gate.example/tos");
    let read: serde_json::Value = serde_json::from_str(&document(&metadata)).unwrap();
    assert_eq!(
        read,
        serde_json::json!({
            "resource": "https://gate.example/mcp",
            "authorization_servers": ["https://as.example"],
            "scopes_supported": ["a", "b"],
            "bearer_methods_supported": ["header"],
            "resource_name": "A \"name\" \u{e9}\n",
            "resource_documentation": "https://gate.example/doc",
            "resource_policy_uri": "https://gate.example/policy",
            "resource_tos_uri": "https://gate.example/tos",
        })
    );
}
