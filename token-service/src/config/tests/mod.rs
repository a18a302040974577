mod authentication;
mod issuers;
mod servers;

use std::io;

use super::*;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const ENCRYPTION: &str = r#""encryption": {"writing_key": "1", "keys": [{"id": "1", "secret": {"environment": "KEY"}}]}"#;

fn environment(name: &str) -> Option<String> {
    match name {
        "KEY" => Some(KEY.to_owned()),
        "URL" => Some("postgres://user:hunter2@db.example/tokens".to_owned()),
        "MYSQL" => Some("mysql://user:hunter2@db.example/tokens".to_owned()),
        "SHORT" => Some("only-15-letters".to_owned()),
        "LONG" => Some("sixteen-or-more-letters".to_owned()),
        "EMPTY" => Some(" \n".to_owned()),
        _ => None,
    }
}

fn file(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("/run/key") {
        return Ok(format!("{KEY}\n").into_bytes());
    }
    Err(io::ErrorKind::NotFound.into())
}

fn read(text: &str) -> Result<Config, Vec<ConfigError>> {
    parse(
        text.as_bytes(),
        Outside {
            environment: &environment,
            file: &file,
        },
    )
}

/// With a key, and with `members` besides.
fn with_key(members: &str) -> Result<Config, Vec<ConfigError>> {
    read(&format!("{{{ENCRYPTION}, {members}}}"))
}

fn only_error(result: Result<Config, Vec<ConfigError>>) -> ConfigError {
    let mut errors = result.unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

#[test]
fn with_a_key_and_nothing_else_it_is_sqlite_on_loopback() {
    let config = read(&format!("{{{ENCRYPTION}}}")).unwrap();
    assert_eq!(
        config.database,
        Database::Sqlite("data/credentials.sqlite".into())
    );
    assert!(config.listeners.filter.ip().is_loopback());
    assert!(config.listeners.public.ip().is_loopback());
    assert_eq!(config.limits.request_bytes, 65_536);
}

#[test]
fn without_a_key_it_is_refused_and_the_error_says_how_to_make_one() {
    for text in [
        "{}",
        r#"{"encryption": null}"#,
        r#"{"encryption": {"writing_key": "1", "keys": []}}"#,
    ] {
        let error = only_error(read(text));
        assert_eq!(error.pointer, "/encryption");
        assert!(error.expected.contains("generate-key"), "{error}");
    }
}

#[test]
fn a_key_can_be_in_a_file() {
    let config = read(
        r#"{"encryption": {"writing_key": "1",
            "keys": [{"id": "1", "secret": {"file": "/run/key"}}]}}"#,
    );
    assert!(config.is_ok(), "{config:?}");
}

#[test]
fn a_url_makes_it_postgresql() {
    let config = with_key(r#""database": {"url": {"environment": "URL"}, "connections": 3}"#);
    let Database::Postgres { url, connections } = config.unwrap().database else {
        panic!("not PostgreSQL");
    };
    assert!(url.expose_text().unwrap().starts_with("postgres://"));
    assert_eq!(connections, 3);
}

#[test]
fn errors_name_the_field() {
    let cases = [
        (r#""listener": {}"#, "/listener"),
        (r#""listeners": {"filtre": ""}"#, "/listeners/filtre"),
        (r#""listeners": {"filter": 8082}"#, "/listeners/filter"),
        (
            r#""listeners": {"filter": "localhost"}"#,
            "/listeners/filter",
        ),
        (
            r#""listeners": {"filter": "127.0.0.1:8081"}"#,
            "/listeners/filter",
        ),
        (r#""listeners": []"#, "/listeners"),
        (r#""limits": {"request_bytes": 1}"#, "/limits/request_bytes"),
        (
            r#""limits": {"request_seconds": -1}"#,
            "/limits/request_seconds",
        ),
        (
            r#""limits": {"shutdown_seconds": 301}"#,
            "/limits/shutdown_seconds",
        ),
        (r#""data_directory": """#, "/data_directory"),
        (
            r#""database": {"url": {"environment": "UNSET"}}"#,
            "/database/url",
        ),
        (
            r#""database": {"url": {"environment": "EMPTY"}}"#,
            "/database/url",
        ),
        (
            r#""database": {"url": {"environment": "MYSQL"}}"#,
            "/database/url",
        ),
        (
            r#""database": {"url": {"file": "/missing"}}"#,
            "/database/url",
        ),
        (
            r#""database": {"url": {"environment": "URL", "file": "/run/key"}}"#,
            "/database/url",
        ),
        (
            r#""database": {"url": {"environment": "URL"}, "connections": 0}"#,
            "/database/connections",
        ),
    ];
    for (members, pointer) in cases {
        let error = only_error(with_key(members));
        assert_eq!(error.pointer, pointer, "{error}");
    }
}

#[test]
fn errors_in_the_keys_name_the_field() {
    let secret = r#""secret": {"environment": "KEY"}"#;
    let cases = [
        (
            format!(r#"{{"writing_key": "2", "keys": [{{"id": "1", {secret}}}]}}"#),
            "/writing_key",
        ),
        (
            format!(r#"{{"writing_key": "a b", "keys": [{{"id": "1", {secret}}}]}}"#),
            "/writing_key",
        ),
        (
            format!(r#"{{"writing_key": "1", "keys": [{{"id": "", {secret}}}]}}"#),
            "/keys/0/id",
        ),
        (
            format!(
                r#"{{"writing_key": "1", "keys": [{{"id": "1", {secret}}}, {{"id": "1", {secret}}}]}}"#
            ),
            "/keys",
        ),
        (
            r#"{"writing_key": "1", "keys": [{"id": "1", "secret": {"environment": "URL"}}]}"#
                .to_owned(),
            "/keys/0/secret",
        ),
        (format!(r#"{{"keys": [{{"id": "1", {secret}}}]}}"#), ""),
    ];
    for (encryption, pointer) in cases {
        let error = only_error(read(&format!(r#"{{"encryption": {encryption}}}"#)));
        assert_eq!(error.pointer, format!("/encryption{pointer}"), "{error}");
    }
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    let error = only_error(with_key(r#""limits": {}, "limits": {}"#));
    assert!(error.found.contains("duplicate field"), "{error}");
}

#[test]
fn more_than_one_document_is_refused() {
    assert_eq!(
        only_error(read(&format!("{{{ENCRYPTION}}} {{}}"))).pointer,
        ""
    );
    assert_eq!(only_error(read("")).pointer, "");
    assert_eq!(only_error(read("[]")).pointer, "");
}

#[test]
fn a_secret_is_in_no_error_wherever_it_stands() {
    let places = [
        format!(r#"{{"encryption": "{KEY}"}}"#),
        format!(r#"{{"encryption": {{"writing_key": "{KEY}", "keys": ["{KEY}"]}}}}"#),
        format!(
            r#"{{"encryption": {{"writing_key": "{KEY}", "keys": [{{"id": "{KEY}", "secret": "{KEY}"}}]}}}}"#
        ),
        format!(
            r#"{{"encryption": {{"writing_key": "1", "keys": [{{"id": "1", "secret": "{KEY}"}}]}}}}"#
        ),
        format!(
            r#"{{"encryption": {{"writing_key": "1", "keys": [{{"id": "1", "secret": {{"{KEY}": 1}}}}]}}}}"#
        ),
        format!(
            r#"{{"encryption": {{"writing_key": "1", "keys": [{{"id": "1", "secret": {{"environment": "{KEY}"}}}}]}}}}"#
        ),
        format!(r#"{{"database": "{KEY}"}}"#),
        format!(r#"{{"database": {{"url": "{KEY}"}}}}"#),
        format!(r#"{{"limits": {{"request_bytes": "{KEY}"}}}}"#),
    ];
    for text in places {
        for error in read(&text).unwrap_err() {
            assert!(!error.to_string().contains(KEY), "{error}");
        }
    }
}

#[test]
fn a_configuration_is_printed_without_its_secrets() {
    let config = with_key(r#""database": {"url": {"environment": "URL"}}"#).unwrap();
    let printed = format!("{config:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert!(!printed.contains(KEY), "{printed}");
}

#[test]
fn every_error_is_found_not_only_the_first() {
    let errors = read(r#"{"limits": {"request_bytes": 1}, "listeners": {"filter": "x"}}"#);
    let pointers: Vec<String> = errors
        .unwrap_err()
        .into_iter()
        .map(|error| error.pointer)
        .collect();
    assert_eq!(
        pointers,
        ["/listeners/filter", "/limits/request_bytes", "/encryption"]
    );
}

// === what the running service needs ===

const SERVERS: &str = r#"[
    {"id": "none", "authentication": {"type": "none"}},
    {"id": "notes", "name": "Notes", "resources": ["{{mcpProxyBaseURL}}/notes/mcp"],
     "cache_seconds": 5,
     "authentication": {"type": "oauth2", "provider": {"resource": "http://127.0.0.1:3002/mcp"},
        "client": {"registration": "dynamic"}, "scopes": ["notes:read"],
        "authorization_parameters": {"prompt": "consent"}}},
    {"id": "jira", "resources": ["https://gate.example/jira"],
     "authentication": {"type": "header", "level": "per_user",
        "headers": {"X-Api-Key": "key {{API_KEY}}"}}},
    {"id": "all", "sources": ["notes", "jira"], "resources": ["https://gate.example/all"]}
]"#;

#[test]
fn a_whole_configuration_becomes_domain_types() {
    let config = with_key(&format!(
        r#""public_url": "https://tokens.example",
        "issuers": [{{"issuer": "http://127.0.0.1:9000", "manager": {{"claim": "a.b", "contains": "x"}},
            "subject_type": {{"claim": "kind", "values": {{"robot": "virtualaccount"}}}},
            "sign_in": {{"client_id": "pages"}}}}],
        "filter_keys": [{{"id": "gate", "secret": {{"environment": "KEY"}}, "servers": ["notes", "all"]}}],
        "gateway_urls": ["https://one.example/", "https://two.example"],
        "outbound": {{"allow": ["10.1.0.0/16"]}},
        "servers": {SERVERS}"#
    ))
    .unwrap();
    assert_eq!(config.address("/x"), "https://tokens.example/x");
    assert_eq!(
        config.issuers[0].audiences,
        ["https://tokens.example", "https://tokens.example/"]
    );
    // The issuer's own origin may be called, but not for what others name.
    assert_eq!(config.outbound.allow.len(), 1);
    assert_eq!(config.issuers_outbound.allow.len(), 2);
    let notes = config.servers.get("notes").unwrap();
    assert_eq!(
        notes.resources,
        [
            "https://one.example/notes/mcp",
            "https://two.example/notes/mcp"
        ]
    );
    assert_eq!((notes.cache_seconds, notes.name.as_str()), (5, "Notes"));
    let all = config.servers.get("all").unwrap();
    assert!(all.is_virtual());
    assert_eq!(all.cache_seconds, 60);
    let names: Vec<&str> = all.sources.iter().map(|source| &*source.name).collect();
    assert_eq!(names, ["Notes", "jira"]);
}

#[test]
fn the_configuration_in_the_readme_can_be_used() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```json\n").unwrap();
    let (document, _) = rest.split_once("```").unwrap();
    let outside = Outside {
        environment: &|_| Some("sixteen-or-more-letters".to_owned()),
        file: &|_| Ok(KEY.as_bytes().to_vec()),
    };
    let config = parse(document.as_bytes(), outside).unwrap();
    assert_eq!(
        config.servers.get("notes").unwrap().resources,
        ["https://mcp.example/notes/mcp"]
    );
}
