use std::io;

use super::*;
use crate::servers::Authentication;

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
fn the_gateways_placeholder_needs_one_gateway_but_for_what_a_user_agrees_to() {
    const TWO: &str = r#""https://one.example", "https://two.example/base/""#;
    let with = |gateways: &str, members: &str| {
        with_key(&format!(
            r#""gateway_urls": [{gateways}], "servers": [{{"id": "a", "authentication":
            {{"type": "oauth2", {members}}}}}]"#
        ))
    };
    let dynamic = r#""client": {"registration": "dynamic"}"#;
    let registered = r#""provider": {"issuer": "https://as.example"},
        "client": {"registration": "registered", "client_id": "a",
            "client_secret": {"environment": "KEY"}}"#;
    let resource = r#""resource": "{{mcpProxyBaseURL}}/x""#;
    for members in [
        format!(r#"{dynamic}, "provider": {{{resource}}}"#),
        format!(r#"{registered}, {resource}, "grant": "client_credentials""#),
        format!(r#"{registered}, {resource}, "grant": "token_exchange""#),
    ] {
        let with = |gateways| with(gateways, &members);
        with(r#""https://one.example""#).unwrap();
        let errors = format!("{:?}", with(TWO).unwrap_err());
        assert!(errors.contains("/resource"), "{errors}");
        assert!(errors.contains("one value for all users"), "{errors}");
    }
    // Who agrees does so at one of them, which the token is asked for.
    let config = with(TWO, &format!("{registered}, {resource}")).unwrap();
    let source = &config.servers.get("a").unwrap().sources[0];
    let Authentication::AuthorizationCode(oauth) = &source.authentication else {
        panic!("{source:?}");
    };
    let of = |gateway| oauth.resource.as_ref().unwrap().at(gateway);
    assert_eq!(of(None), "https://one.example/x");
    assert_eq!(of(Some("https://one.example/")), "https://one.example/x");
    let second = config.gateway_urls[1].as_str();
    assert_eq!(of(Some(second)), "https://two.example/base/x");
    let broken = with(
        TWO,
        &format!(r#"{registered}, "resource": "x{{{{mcpProxyBaseURL}}}}""#),
    );
    assert!(only_error(broken).pointer.ends_with("/resource"));
}

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
fn errors_in_addresses_limits_and_issuers_name_the_field() {
    let cases = [
        (r#""public_url": "tokens.example""#, "/public_url"),
        (r#""public_url": "http://tokens.example""#, "/public_url"),
        (
            r#""public_url": "https://tokens.example/path""#,
            "/public_url",
        ),
        (
            r#""public_url": "https://user@tokens.example""#,
            "/public_url",
        ),
        (r#""public_url": "https://tokens.example?x""#, "/public_url"),
        (
            r#""tls": {"public": {"certificate": "", "key": "k"}}"#,
            "/tls/public/certificate",
        ),
        (
            r#""tls": {"filter": {"certificate": "c", "key": ""}}"#,
            "/tls/filter/key",
        ),
        (r#""tls": {"filter": {"certificate": "c"}}"#, "/tls/filter"),
        (r#""gateway_urls": ["gate.example"]"#, "/gateway_urls/0"),
        (
            r#""gateway_urls": ["https://gate.example?x=1"]"#,
            "/gateway_urls/0",
        ),
        (
            r#""redirect_urls": ["https://a.example", "javascript:alert(1)"]"#,
            "/redirect_urls/1",
        ),
        (
            r#""redirect_urls": ["http://portal.example/done"]"#,
            "/redirect_urls/0",
        ),
        (
            r#""redirect_urls": ["https://portal.example/#x"]"#,
            "/redirect_urls/0",
        ),
        (r#""outbound": {"allow": ["a b:1"]}"#, "/outbound/allow/0"),
        (
            r#""outbound": {"allow": ["10.0.0.0/33"]}"#,
            "/outbound/allow/0",
        ),
        (
            r#""outbound": {"timeout_seconds": 0}"#,
            "/outbound/timeout_seconds",
        ),
        (
            r#""outbound": {"response_bytes": 1}"#,
            "/outbound/response_bytes",
        ),
        (
            r#""refresh": {"margin_seconds": 3601}"#,
            "/refresh/margin_seconds",
        ),
        (
            r#""refresh": {"cooldown_seconds": -1}"#,
            "/refresh/cooldown_seconds",
        ),
        (
            r#""refresh": {"lease_seconds": 4}"#,
            "/refresh/lease_seconds",
        ),
        (
            r#""refresh": {"lease_seconds": 12}"#,
            "/refresh/lease_seconds",
        ),
        (
            r#""outbound": {"timeout_seconds": 43}"#,
            "/refresh/lease_seconds",
        ),
        (r#""cache_seconds": 301"#, "/cache_seconds"),
        (r#""audit_days": 0"#, "/audit_days"),
        (
            r#""limits": {"concurrent_requests": 0}"#,
            "/limits/concurrent_requests",
        ),
        (r#""issuers": [{}]"#, "/issuers/0"),
        (r#""issuers": [{"issuer": "ftp://a"}]"#, "/issuers/0/issuer"),
        (
            r#""issuers": [{"issuer": "https://a?x"}]"#,
            "/issuers/0/issuer",
        ),
        (
            r#""issuers": [{"issuer": "https://a"}, {"issuer": "https://a"}]"#,
            "/issuers/1/issuer",
        ),
    ];
    for (members, pointer) in cases {
        let error = only_error(with_key(members));
        assert_eq!(error.pointer, pointer, "{members}: {error}");
    }
    let cases = [
        (r#""jwks_url": "x""#, "jwks_url"),
        (r#""algorithms": []"#, "algorithms"),
        (r#""algorithms": ["RS256", "HS256"]"#, "algorithms/1"),
        (r#""algorithms": ["none"]"#, "algorithms/0"),
        (r#""audiences": []"#, "audiences"),
        (r#""audiences": ["a", ""]"#, "audiences"),
        (r#""subject_type": "person""#, "subject_type"),
        (
            r#""subject_type": {"claim": "a", "values": {}}"#,
            "subject_type",
        ),
        (
            r#""subject_type": {"claim": "a", "values": {"x": "y"}}"#,
            "subject_type/values/x",
        ),
        (
            r#""subject_type": {"claim": ".", "values": {"x": "user"}}"#,
            "subject_type/claim",
        ),
        (
            r#""manager": {"claim": "a..b", "contains": "x"}"#,
            "manager/claim",
        ),
        (
            r#""manager": {"claim": "a", "contains": ""}"#,
            "manager/contains",
        ),
        (r#""sign_in": {"client_id": ""}"#, "sign_in/client_id"),
        (
            r#""sign_in": {"client_id": "x", "client_secret": {"environment": "UNSET"}}"#,
            "sign_in/client_secret",
        ),
    ];
    for (members, pointer) in cases {
        let error = only_error(with_key(&format!(
            r#""issuers": [{{"issuer": "https://a", {members}}}]"#
        )));
        assert_eq!(error.pointer, format!("/issuers/0/{pointer}"), "{error}");
    }
}

#[test]
fn errors_in_filter_keys_name_the_field() {
    let secret = r#""secret": {"environment": "KEY"}"#;
    let servers = r#""servers": ["none"]"#;
    let cases = [
        (format!(r#"[{{"id": "", {secret}, {servers}}}]"#), "/0/id"),
        (
            format!(r#"[{{"id": "a", {secret}, "servers": []}}]"#),
            "/0/servers",
        ),
        (
            format!(r#"[{{"id": "a", {secret}, "servers": ["x"]}}]"#),
            "/0/servers",
        ),
        (
            format!(r#"[{{"id": "a", "secret": {{"environment": "SHORT"}}, {servers}}}]"#),
            "/0/secret",
        ),
        (
            format!(r#"[{{"id": "a", "secret": {{"environment": "URL"}}, {servers}}}]"#),
            "/0/secret",
        ),
        (
            format!(r#"[{{"id": "a", "secret": "in the clear", {servers}}}]"#),
            "/0/secret",
        ),
        (format!(r#"[{{"id": "a", {servers}}}]"#), "/0"),
        (
            format!(r#"[{{"id": "a", {secret}, {servers}}}, {{"id": "b", {secret}, {servers}}}]"#),
            "/1/secret",
        ),
        (
            format!(
                r#"[{{"id": "a", {secret}, {servers}}},
                    {{"id": "a", "secret": {{"environment": "LONG"}}, {servers}}}]"#
            ),
            "/1/id",
        ),
    ];
    for (keys, pointer) in cases {
        let error = only_error(with_key(&format!(
            r#""filter_keys": {keys}, "gateway_urls": ["https://g.example"], "servers": {SERVERS}"#
        )));
        assert_eq!(error.pointer, format!("/filter_keys{pointer}"), "{error}");
    }
}

#[test]
fn a_server_whose_users_have_to_be_proved_says_which_tokens_are_meant_for_it() {
    let with_trust = |trust: bool| {
        with_key(&format!(
            r#""filter_keys": [{{"id": "gate", "secret": {{"environment": "KEY"}},
                "servers": ["a"], "trust_asserted_subject": {trust}}}],
            "servers": [{{"id": "a", "authentication": {{"type": "header", "level": "per_user",
                "headers": {{"x": "{{{{K}}}}"}}}}}}]"#
        ))
    };
    assert_eq!(
        only_error(with_trust(false)).pointer,
        "/servers/0/resources"
    );
    assert!(with_trust(true).is_ok());
}

#[test]
fn errors_in_servers_name_the_field() {
    let none = r#""authentication": {"type": "none"}"#;
    let cases = [
        (format!(r#"[{{"id": "", {none}}}]"#), "/0/id"),
        (format!(r#"[{{"id": "a/b", {none}}}]"#), "/0/id"),
        (format!(r#"[{{"id": "..", {none}}}]"#), "/0/id"),
        (
            format!(r#"[{{"id": "a", {none}}}, {{"id": "a", {none}}}]"#),
            "/1/id",
        ),
        (format!(r#"[{{"id": "a", "name": "", {none}}}]"#), "/0/name"),
        (
            format!(r#"[{{"id": "a", "resources": ["x"], {none}}}]"#),
            "/0/resources/0",
        ),
        (
            format!(r#"[{{"id": "a", "resources": ["{{{{mcpProxyBaseURL}}}}/x"], {none}}}]"#),
            "/0/resources/0",
        ),
        (
            format!(r#"[{{"id": "a", "cache_seconds": 301, {none}}}]"#),
            "/0/cache_seconds",
        ),
        (r#"[{"id": "a"}]"#.to_owned(), "/0"),
        (
            format!(r#"[{{"id": "a", "sources": ["b"], {none}}}]"#),
            "/0",
        ),
        (r#"[{"id": "a", "sources": []}]"#.to_owned(), "/0/sources"),
        (
            r#"[{"id": "a", "sources": ["b"]}]"#.to_owned(),
            "/0/sources/0",
        ),
        (
            r#"[{"id": "a", "sources": ["a"]}]"#.to_owned(),
            "/0/sources/0",
        ),
        (
            format!(r#"[{{"id": "b", {none}}}, {{"id": "a", "sources": ["b", "b"]}}]"#),
            "/1/sources/1",
        ),
    ];
    for (servers, pointer) in cases {
        let error = only_error(with_key(&format!(r#""servers": {servers}"#)));
        assert_eq!(error.pointer, format!("/servers{pointer}"), "{error}");
    }
}

#[test]
fn errors_in_how_a_server_authenticates_name_the_field() {
    let header = |rest: &str| format!(r#"{{"type": "header", {rest}}}"#);
    let oauth = |rest: &str| {
        format!(r#"{{"type": "oauth2", "provider": {{"issuer": "https://as.example"}}, {rest}}}"#)
    };
    let registered = |rest: &str| {
        oauth(&format!(
            r#""client": {{"registration": "registered", {rest}}}"#
        ))
    };
    let found = |rest: &str| {
        format!(
            r#"{{"type": "oauth2", "provider": {{"resource": "https://up.example/mcp"}}, {rest},
                "client": {{"registration": "registered", "client_id": "x",
                    "client_secret": {{"environment": "KEY"}}}}}}"#
        )
    };
    let dynamic = r#""client": {"registration": "dynamic"}"#;
    let endpoints = |rest: &str| {
        format!(r#"{{"type": "oauth2", {dynamic}, "provider": {{"endpoints": {{{rest}}}}}}}"#)
    };
    let cases = [
        (r#"{"type": "basic"}"#.to_owned(), "/type"),
        ("{}".to_owned(), ""),
        (r#"{"type": "none", "scopes": []}"#.to_owned(), "/scopes"),
        (header(r#""level": "global""#), "/headers"),
        (header(r#""level": "global", "headers": {}"#), "/headers"),
        (
            header(r#""level": "global", "headers": {"a": "b"}, "scopes": []"#),
            "/scopes",
        ),
        (header(r#""headers": {"a": "b"}"#), "/level"),
        (header(r#""level": "x", "headers": {"a": "b"}"#), "/level"),
        (
            header(r#""level": "global", "headers": {"Host": "b"}"#),
            "/headers/Host",
        ),
        (
            header(r#""level": "global", "headers": {"Mcp-Session-Id": "b"}"#),
            "/headers/Mcp-Session-Id",
        ),
        (
            header(r#""level": "global", "headers": {"cookie": "b"}"#),
            "/headers/cookie",
        ),
        (
            header(r#""level": "global", "headers": {"a b": "b"}"#),
            "/headers/a b",
        ),
        (
            header(r#""level": "global", "headers": {"A": "b", "a": "b"}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": ""}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": "b\r\nc: d"}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": "{{K"}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": "{{}}"}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": "}}"}"#),
            "/headers/a",
        ),
        (
            header(r#""level": "global", "headers": {"a": "{{K}}"}"#),
            "/values",
        ),
        (
            header(
                r#""level": "global", "headers": {"a": "b"}, "values": {"K": {"environment": "KEY"}}"#,
            ),
            "/values/K",
        ),
        (
            header(r#""level": "global", "headers": {"a": "{{K}}"}, "values": {"K": "clear"}"#),
            "/values/K",
        ),
        (
            header(r#""level": "per_user", "headers": {"a": "{{K}}"}, "values": {}"#),
            "/values",
        ),
        (
            header(r#""level": "per_user", "headers": {"a": "x", "b": "y"}"#),
            "/headers",
        ),
        (format!(r#"{{"type": "oauth2", {dynamic}}}"#), "/provider"),
        (
            format!(r#"{{"type": "oauth2", {dynamic}, "provider": {{}}}}"#),
            "/provider",
        ),
        (
            format!(
                r#"{{"type": "oauth2", {dynamic},
                    "provider": {{"issuer": "https://a", "endpoints": {{"token": "https://b"}}}}}}"#
            ),
            "/provider",
        ),
        (
            format!(
                r#"{{"type": "oauth2", {dynamic},
                    "provider": {{"resource": "https://a", "issuer": "https://b?c"}}}}"#
            ),
            "/provider/issuer",
        ),
        (
            format!(r#"{{"type": "oauth2", {dynamic}, "provider": {{"issuer": "a"}}}}"#),
            "/provider/issuer",
        ),
        (
            format!(r#"{{"type": "oauth2", {dynamic}, "provider": {{"resource": "a"}}}}"#),
            "/provider/resource",
        ),
        (
            endpoints(r#""authorization": "https://a""#),
            "/provider/endpoints",
        ),
        (endpoints(r#""token": "x""#), "/provider/endpoints/token"),
        (
            endpoints(r#""token": "https://a""#),
            "/provider/endpoints/authorization",
        ),
        (
            endpoints(r#""token": "https://a", "authorization": "https://a""#),
            "/provider/endpoints/registration",
        ),
        (
            endpoints(r#""token": "https://a", "revocation": "x""#),
            "/provider/endpoints/revocation",
        ),
        (oauth(r#""scopes": []"#), "/client/registration"),
        (
            oauth(r#""client": {"registration": "x"}"#),
            "/client/registration",
        ),
        (
            oauth(r#""client": {"registration": "dynamic", "client_id": "x"}"#),
            "/client/client_id",
        ),
        (
            registered(r#""client_secret": {"environment": "KEY"}"#),
            "/client/client_id",
        ),
        (registered(r#""client_id": """#), "/client/client_id"),
        (
            registered(r#""client_id": "x", "authentication": "client_secret_post""#),
            "/client/client_secret",
        ),
        (
            registered(
                r#""client_id": "x", "authentication": "none", "client_secret": {"environment": "KEY"}"#,
            ),
            "/client/client_secret",
        ),
        (
            registered(
                r#""client_id": "x", "authentication": "tls", "client_secret": {"environment": "KEY"}"#,
            ),
            "/client/authentication",
        ),
        (
            oauth(&format!(r#"{dynamic}, "grant": "password""#)),
            "/grant",
        ),
        (
            oauth(&format!(r#"{dynamic}, "grant": "client_credentials""#)),
            "/client/registration",
        ),
        (
            oauth(
                r#""grant": "client_credentials", "client": {"registration": "registered", "client_id": "x"}"#,
            ),
            "/client/client_secret",
        ),
        (
            oauth(&format!(r#"{dynamic}, "grant": "token_exchange""#)),
            "/client/registration",
        ),
        (
            found(r#""grant": "authorization_code""#),
            "/provider/issuer",
        ),
        (
            found(r#""grant": "client_credentials""#),
            "/provider/issuer",
        ),
        (found(r#""grant": "token_exchange""#), "/provider/issuer"),
        (
            format!(
                r#"{{"type": "oauth2", "provider": {{"resource": "https://up.example/mcp"}},
                    "grant": "token_exchange",
                    "client": {{"registration": "registered", "client_id": "x"}}}}"#
            ),
            "/provider/issuer",
        ),
        (
            oauth(&format!(r#"{dynamic}, "audience": "x""#)),
            "/audience",
        ),
        (
            oauth(&format!(r#"{dynamic}, "headers": {{"a": "b"}}"#)),
            "/headers",
        ),
        (
            oauth(&format!(r#"{dynamic}, "scopes": ["a", "b c"]"#)),
            "/scopes/1",
        ),
        (
            oauth(&format!(r#"{dynamic}, "resource": "x""#)),
            "/resource",
        ),
        (
            oauth(&format!(
                r#"{dynamic}, "authorization_parameters": {{"state": "x"}}"#
            )),
            "/authorization_parameters/state",
        ),
        (
            oauth(&format!(
                r#"{dynamic}, "token_parameters": {{"client_secret": "x"}}"#
            )),
            "/token_parameters/client_secret",
        ),
        (
            oauth(
                r#""grant": "client_credentials", "authorization_parameters": {},
                "client": {"registration": "registered", "client_id": "x"}"#,
            ),
            "/authorization_parameters",
        ),
    ];
    for (authentication, pointer) in cases {
        let error = only_error(with_key(&format!(
            r#""servers": [{{"id": "a", "authentication": {authentication}}}]"#
        )));
        assert_eq!(
            error.pointer,
            format!("/servers/0/authentication{pointer}"),
            "{authentication}: {error}"
        );
    }
}

#[test]
fn a_registered_client_can_find_its_provider_by_the_resource_as_long_as_no_secret_leaks() {
    const PUBLIC: &str = r#""client_id": "x""#;
    const SECRET: &str = r#""client_id": "x", "client_secret": {"environment": "KEY"}"#;
    const PINNED: &str = r#", "issuer": "https://as.example""#;
    for (client, issuer, grant) in [
        (PUBLIC, "", "authorization_code"),
        (PUBLIC, PINNED, "authorization_code"),
        (SECRET, PINNED, "authorization_code"),
        (SECRET, PINNED, "client_credentials"),
        (PUBLIC, PINNED, "token_exchange"),
        (SECRET, PINNED, "token_exchange"),
    ] {
        let config = with_key(&format!(
            r#""servers": [{{"id": "a", "authentication": {{"type": "oauth2", "grant": "{grant}",
                "provider": {{"resource": "https://up.example/mcp"{issuer}}},
                "client": {{"registration": "registered", {client}}}}}}}]"#
        ));
        assert!(config.is_ok(), "{client}, {issuer}, {grant}: {config:?}");
    }
}

#[test]
fn a_name_that_comes_twice_is_refused_also_among_headers() {
    let error = only_error(with_key(
        r#""servers": [{"id": "a", "authentication": {"type": "header", "level": "global",
            "headers": {"a": "b", "a": "c"}}}]"#,
    ));
    assert!(error.found.contains("duplicate field"), "{error}");
}

#[test]
fn the_configuration_in_the_readme_can_be_used() {
    let readme = include_str!("../../README.md");
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

#[test]
fn an_issuer_is_called_by_http_on_loopback_or_where_the_operator_says_so_only() {
    let with = |issuer: &str, allow: &str| {
        with_key(&format!(
            r#""public_url": "https://tokens.example", "issuers": [{issuer}],
            "outbound": {{"allow": [{allow}]}}"#
        ))
    };
    for (issuer, allow) in [
        (r#"{"issuer": "http://localhost:9000"}"#, ""),
        (r#"{"issuer": "http://[::1]:9000"}"#, ""),
        (
            r#"{"issuer": "http://as.internal/a"}"#,
            r#""as.internal:80""#,
        ),
        (r#"{"issuer": "http://10.1.0.2:9000"}"#, r#""10.1.0.0/16""#),
    ] {
        assert!(with(issuer, allow).is_ok(), "{issuer}");
    }
    for (issuer, allow, place) in [
        (
            r#"{"issuer": "http://as.example"}"#,
            "",
            "/issuers/0/issuer",
        ),
        (
            r#"{"issuer": "http://as.internal:81"}"#,
            r#""as.internal:80""#,
            "/issuers/0/issuer",
        ),
        (
            r#"{"issuer": "https://as.example", "jwks_url": "http://as.example/keys"}"#,
            "",
            "/issuers/0/jwks_url",
        ),
    ] {
        let errors = with(issuer, allow).unwrap_err();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(
            errors.iter().any(|error| error.contains(place)),
            "{errors:?}"
        );
    }
}
