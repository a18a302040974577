use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::policy::Pattern;

fn environment(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("from-the-environment".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(bytes: &[u8]) -> Result<Config, Vec<ConfigError>> {
    parse(bytes, &environment)
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

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value =
        serde_json::from_str(include_str!("../../envoy/policy.schema.json")).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
});

/// What is no JSON is not valid either.
fn fits_schema(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|document: Value| SCHEMA.is_valid(&document))
}

fn expected() -> BTreeMap<String, Vec<String>> {
    serde_json::from_str(include_str!("../../tests/config/expected.json")).unwrap()
}

fn pointers(errors: &[ConfigError]) -> Vec<String> {
    let set: BTreeSet<String> = errors.iter().map(|error| error.pointer.clone()).collect();
    set.into_iter().collect()
}

#[test]
fn good_configurations_are_accepted_by_parser_and_schema() {
    for (name, bytes) in corpus("good") {
        let errors = read(&bytes).map(|_| ()).err();
        assert_eq!(errors, None, "{name}");
        assert!(fits_schema(&bytes), "{name}");
    }
}

#[test]
fn bad_configurations_are_refused_by_parser_and_schema_with_the_places_of_all_errors() {
    let expected = expected();
    for (name, bytes) in corpus("bad") {
        let errors = read(&bytes).unwrap_err();
        assert_eq!(pointers(&errors), expected[&name], "{name}: {errors:?}");
        assert!(!fits_schema(&bytes), "{name}");
    }
}

#[test]
fn what_a_schema_cannot_say_is_refused_by_the_parser_alone() {
    let expected = expected();
    for (name, bytes) in corpus("bad-semantic") {
        let errors = read(&bytes).unwrap_err();
        assert_eq!(pointers(&errors), expected[&name], "{name}: {errors:?}");
        assert!(fits_schema(&bytes), "{name}");
    }
}

#[test]
fn no_case_of_the_corpus_is_forgotten() {
    let files = corpus("bad").into_iter().chain(corpus("bad-semantic"));
    let names: Vec<String> = files.map(|(name, _)| name).collect();
    let listed: Vec<String> = expected().into_keys().collect();
    let sorted: BTreeSet<&String> = names.iter().collect();
    assert_eq!(sorted, listed.iter().collect());
}

#[test]
fn an_error_never_shows_a_secret() {
    for (name, bytes) in corpus("bad").into_iter().chain(corpus("bad-semantic")) {
        for error in read(&bytes).unwrap_err() {
            assert!(!error.to_string().contains("hunter2"), "{name}: {error}");
        }
    }
}

#[test]
fn a_secret_comes_from_the_environment_and_is_not_printed() {
    let config = read(include_bytes!("../../tests/config/good/full.json")).unwrap();
    let introspection = config.issuers[2].introspection.as_ref().unwrap();
    assert_eq!(introspection.client_secret.expose(), "from-the-environment");
    assert!(!format!("{config:?}").contains("from-the-environment"));
}

#[test]
fn an_error_says_where_it_is_and_what_was_expected() {
    let bytes = include_bytes!("../../tests/config/bad/rule-pattern-no-text.json");
    let errors = read(bytes).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "/servers/0/rules/0/what/tools/0: expected a string, found 7"
    );
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = read(include_bytes!("../../tests/config/good/minimal.json")).unwrap();
    assert_eq!(config.header_mode, HeaderMode::Plain);
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
    assert_eq!(server.protocol_versions, PROTOCOL_VERSIONS);
    assert_eq!(server.answers, Answers::default());
    assert_eq!(server.identity_headers, IdentityHeaders::default());
    assert!(!server.policy.audit_only());
}

#[test]
fn everything_that_is_configured_arrives() {
    let config = read(include_bytes!("../../tests/config/good/full.json")).unwrap();
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

fn warnings_of(rules: &str) -> Vec<String> {
    let text = include_str!("../../tests/config/good/minimal.json");
    let mut document: Value = serde_json::from_str(text).unwrap();
    document["servers"][0]["extra_methods"] = serde_json::json!(["vendor/*"]);
    document["servers"][0]["rules"] = serde_json::from_str(rules).unwrap();
    let config = read(document.to_string().as_bytes()).unwrap();
    config
        .warnings
        .into_iter()
        .map(|warning| warning.pointer)
        .collect()
}

#[test]
fn what_never_matches_is_a_warning_with_its_place() {
    for (rules, place) in [
        ("[]", "/servers/0/rules"),
        (
            r#"[{"id":"r","what":{"tools":["a","get-*"],"except":["get-*"]}}]"#,
            "/servers/0/rules/0/what/tools/1",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b/*"],"except":["a://**"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b/../c"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b%2Fc/**"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"methods":["ping","tool/list"]}}]"#,
            "/servers/0/rules/0/what/methods/1",
        ),
        (
            r#"[{"id":"r","what":{"methods":["tools/ca*"]}}]"#,
            "/servers/0/rules/0/what/methods/0",
        ),
        (
            r#"[{"id":"r","who":{"scopes":["x"]},"what":{"tools":["a"]}}]"#,
            "/servers/0/rules/0/who/scopes",
        ),
    ] {
        assert_eq!(warnings_of(rules), [place], "{rules}");
    }
    for rules in [
        r#"[{"id":"r","what":{"tools":["get-*"],"except":["get-e*"]}}]"#,
        r#"[{"id":"r","what":{"resources":["a://b/.?", "a://**"]}}]"#,
        r#"[{"id":"r","what":{"methods":["vendor/x","tools/*","GET"]}}]"#,
        r#"[{"id":"r","effect":"deny","who":{"scopes":["x"]},"what":{"tools":["a"]}}]"#,
    ] {
        assert_eq!(warnings_of(rules), [""; 0], "{rules}");
    }
}

/// Every place in a document, as JSON pointers.
fn places(document: &Value, pointer: &str, into: &mut Vec<String>) {
    into.push(pointer.to_owned());
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{pointer}/{token}"), into);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                places(value, &format!("{pointer}/{index}"), into);
            }
        }
        _ => {}
    }
}

const OTHER_VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "30.0",
    "1e300",
    "\"\"",
    "\"a\"",
    "\"*\"",
    "\"a b\"",
    "\"é\"",
    "\"/\"",
    "\"/a/\"",
    "\"https://a.example./\"",
    "\"http://h:80/\"",
    "\"a..b\"",
    "[]",
    "[\"a\"]",
    "{}",
    "{\"a\":1}",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn what_the_parser_accepts_the_schema_accepts(
        file in 0_usize..3, place: prop::sample::Index, value in prop::sample::select(&OTHER_VALUES[..]),
        remove: bool,
    ) {
        let (_, bytes) = corpus("good").swap_remove(file);
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let pointer = place.get(&all);
        let parent = pointer.rsplit_once('/').map(|(parent, name)| (parent, name.replace("~1", "/")));
        match parent {
            Some((parent, name)) if remove => match document.pointer_mut(parent).unwrap() {
                Value::Object(members) => {
                    members.remove(&name);
                }
                Value::Array(elements) => {
                    elements.remove(name.parse().unwrap());
                }
                _ => {}
            },
            _ => *document.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap(),
        }
        let bytes = document.to_string();
        if read(bytes.as_bytes()).is_ok() {
            prop_assert!(fits_schema(bytes.as_bytes()), "{} {}", pointer, bytes);
        }
    }
}
