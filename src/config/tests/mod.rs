mod agreement;
mod shipped;
mod warnings;

use std::path::{Path, PathBuf};

use super::*;
use crate::credential::{ConsentAnswer, PlacedBy, Profile};
use crate::http::leads_to;
use crate::mcp::Revision;
use crate::policy::Pattern;

fn environment(name: &str) -> Option<String> {
    match name {
        "SECRET" | "MCP_TOKEN_SERVICE_KEY" => Some("from-the-environment".to_owned()),
        "STATE_KEY" | "MCP_AUTH_STATE_KEY" => {
            Some("a-state-key-of-more-than-32-characters".to_owned())
        }
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(bytes: &[u8]) -> Result<Config, Vec<ConfigError>> {
    parse(bytes, &environment)
}

/// Of whichever role.
fn read_plugin(bytes: &[u8]) -> Result<Plugin, Vec<ConfigError>> {
    parse_plugin(bytes, &environment)
}

fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            (format!("{folder}/{name}"), std::fs::read(&path).unwrap())
        })
        .collect()
}

#[test]
fn an_error_never_shows_a_secret() {
    for (name, bytes) in corpus("bad").into_iter().chain(corpus("bad-semantic")) {
        for error in read_plugin(&bytes).unwrap_err() {
            assert!(!error.to_string().contains("hunter2"), "{name}: {error}");
        }
    }
}

#[test]
fn a_secret_comes_from_the_environment_and_is_not_printed() {
    let config = read(include_bytes!("../../../tests/config/good/full.json")).unwrap();
    let introspection = config.issuers[2].introspection.as_ref().unwrap();
    assert_eq!(introspection.client_secret.expose(), "from-the-environment");
    let Profile::Resolve { key, .. } = &config.token_services[0].profile else {
        panic!("a resolve call");
    };
    assert_eq!(key.expose(), "from-the-environment");
    assert_eq!(
        config.state_keys[0].secret.expose(),
        "a-state-key-of-more-than-32-characters"
    );
    let printed = format!("{config:?}");
    for secret in ["from-the-environment", "a-state-key", "an-older-secret"] {
        assert!(!printed.contains(secret));
    }
}

#[test]
fn an_error_says_where_it_is_and_what_was_expected() {
    let bytes = include_bytes!("../../../tests/config/bad/rule-pattern-no-text.json");
    let errors = read(bytes).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "/servers/0/rules/0/what/tools/0: expected a string, found 7"
    );
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = read(include_bytes!("../../../tests/config/good/minimal.json")).unwrap();
    assert_eq!(config.header_mode, HeaderMode::Plain);
    for entry in StateEntry::ALL {
        assert!(config.filter_state.has(entry), "{entry:?}");
    }
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.warnings, []);
    let issuer = &config.issuers[0];
    assert_eq!(issuer.token_types, ["at+jwt"]);
    assert_eq!(issuer.leeway_seconds, 30);
    assert_eq!(issuer.claims.subject.as_str(), "sub");
    assert_eq!(issuer.claims.client.as_str(), "client_id");
    assert_eq!(issuer.claims.scopes.len(), 2);
    let server = &config.servers[0];
    assert_eq!(server.path, "/one");
    assert_eq!(server.hosts, Hosts::Listed(vec!["mcp.example".to_owned()]));
    assert_eq!(server.audiences, ["https://mcp.example/one"]);
    assert_eq!(server.issuers, [0]);
    assert_eq!(server.protocol_versions, Revision::ALL);
    assert_eq!(server.answers, Answers::default());
    assert_eq!(server.identity_headers, IdentityHeaders::default());
    assert!(!server.policy.audit_only());
    assert_eq!(server.obtainable_entries, ObtainableEntries::Shown);
    let features = &server.client_features;
    assert!(features.sampling && features.elicitation && features.roots);
    assert_eq!(features.url_elicitation_hosts, []);
    assert_eq!(server.keep_response_headers, [""; 0]);
    assert_eq!(server.tasks_list, TasksList::Refused);
}

#[test]
fn everything_that_is_configured_arrives() {
    let config = read(include_bytes!("../../../tests/config/good/full.json")).unwrap();
    let issuer = &config.issuers[0];
    assert_eq!(issuer.token_types, ["at+jwt", "jwt", ""]);
    let kind = issuer.claims.subject_type.claim.as_ref().unwrap();
    assert_eq!(kind.1.len(), 2);
    let Some(crate::oauth::issuer::KeySource::Jwks { endpoint, schedule }) =
        &config.issuers[1].keys
    else {
        panic!("a JWKS URL");
    };
    assert_eq!(endpoint.authority, "[::1]:9000");
    assert_eq!(endpoint.path, "/jwks?v=1");
    assert_eq!(schedule.refresh_seconds, 60);
    let server = &config.servers[0];
    assert_eq!(server.resource.authority, "mcp.example:8443");
    assert_eq!(server.resource.path, "/a/b%20c");
    assert_eq!(server.path, "/internal/mcp");
    assert_eq!(
        server.hosts,
        Hosts::Listed(
            ["mcp.example:8443", "10.0.0.1", "[::1]:8443", "mcp.internal"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    assert_eq!(server.answers.arguments, AnswerStyle::Http403);
    assert_eq!(
        server.metadata.scopes_supported.to_string(),
        "mcp:read mcp:write"
    );
    assert_eq!(server.identity_headers.issuer, None);
    assert_eq!(
        server.identity_headers.names().collect::<Vec<_>>(),
        ["x-user", "x-scopes", "x-kind"]
    );
    assert!(
        server
            .extra_methods
            .iter()
            .any(|m: &Pattern| m.matches("vendor/x"))
    );
    assert!(server.policy.audit_only());
    assert_eq!(config.servers[1].hosts, Hosts::Any);
    assert_eq!(config.servers[1].resource.path, "/");
    assert_eq!(config.limits.key_wait_ms, 0);
}

#[test]
fn what_may_come_back_arrives() {
    let config = read(include_bytes!("../../../tests/config/good/full.json")).unwrap();
    let server = &config.servers[0];
    assert_eq!(server.obtainable_entries, ObtainableEntries::Hidden);
    let features = &server.client_features;
    assert_eq!(
        (features.sampling, features.elicitation, features.roots),
        (false, true, false)
    );
    let hosts = &features.url_elicitation_hosts;
    assert_eq!(hosts.len(), 7);
    assert!(leads_to("https://a.wild.example/", hosts));
    assert!(!leads_to("https://wild.example/", hosts));
    assert_eq!(
        server.keep_response_headers,
        ["www-authenticate", "set-cookie", "proxy-authenticate"]
    );
    assert_eq!(server.tasks_list, TasksList::Trusted);
    assert_eq!(config.limits.answer_bytes, 1024);
}

#[test]
fn the_entries_of_filter_state_that_are_named_are_those_that_are_written() {
    let config = read(include_bytes!("../../../tests/config/good/full.json")).unwrap();
    let named = [StateEntry::Audit, StateEntry::SubjectType];
    assert_eq!(config.filter_state, named.into_iter().collect());
    let bytes = include_bytes!("../../../tests/config/good/placed-by-cluster.json");
    let none = read(bytes).unwrap().filter_state;
    assert!(!StateEntry::ALL.into_iter().any(|entry| none.has(entry)));
}

#[test]
fn where_credentials_come_from_arrives() {
    let config = read(include_bytes!("../../../tests/config/good/full.json")).unwrap();
    let [vault, sts] = &config.token_services[..] else {
        panic!("two token services");
    };
    assert_eq!((vault.timeout_ms, vault.cache_seconds), (1000, 0));
    assert_eq!((sts.timeout_ms, sts.cache_seconds), (5000, 60));
    let source = config.servers[0].credential.as_ref().unwrap();
    assert_eq!((source.service, source.server_id.as_str()), (0, "notes"));
    assert_eq!(source.headers, ["authorization", "x-api-key"]);
    assert_eq!(source.placed_by, PlacedBy::Gate);
    assert!(source.is_optional_for("notifications/initialized") && source.is_optional_for("GET"));
    assert!(!source.is_optional_for("tools/call"));
    for (client, answer) in [
        (None, ConsentAnswer::ToolResult),
        (Some("c2"), ConsentAnswer::ToolResult),
        (Some("c1"), ConsentAnswer::Http403),
    ] {
        assert_eq!(source.consent_answer_for(client), answer);
    }
    let source = config.servers[1].credential.as_ref().unwrap();
    assert_eq!((source.service, source.server_id.as_str()), (1, "any"));
    assert_eq!(source.audience, "api://any");
    assert_eq!(source.resource.as_deref(), Some("https://any.example/mcp"));
    assert_eq!(source.scopes.to_string(), "read write");
    assert_eq!(config.state_keys[1].id, "2026-10");
}

#[test]
fn what_is_left_out_of_a_credential_has_the_documented_default() {
    let bytes = include_bytes!("../../../tests/config/good/placed-by-cluster.json");
    let config = read(bytes).unwrap();
    assert_eq!(config.warnings, []);
    let source = config.servers[0].credential.as_ref().unwrap();
    assert_eq!(source.server_id, "one");
    assert_eq!(source.audience, "one");
    assert_eq!(source.headers, ["authorization"]);
    assert_eq!(source.placed_by, PlacedBy::Cluster);
    assert_eq!(source.consent_answer, ConsentAnswer::Auto);
    assert!(!source.is_optional_for("initialize"));
}

#[test]
fn a_plugin_in_a_cluster_is_told_its_server_and_nothing_else() {
    let plugin = read_plugin(include_bytes!(
        "../../../tests/config/good/credential-role.json"
    ));
    assert!(matches!(plugin, Ok(Plugin::Credential { server }) if server == "notes"));
    for gate in ["minimal", "full"] {
        let path = format!("tests/config/good/{gate}.json");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let plugin = read_plugin(&std::fs::read(path).unwrap());
        assert!(matches!(plugin, Ok(Plugin::Gate(_))), "{gate}");
    }
}
