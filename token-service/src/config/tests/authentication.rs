//! How servers authenticate.

use super::{only_error, with_key};

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
            r#"{"type": "oauth2", "provider": {"resource": "https://up.example/mcp"},
                "grant": "token_exchange",
                "client": {"registration": "registered", "client_id": "x"}}"#
                .to_owned(),
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
