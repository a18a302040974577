//! Servers and gateways.

use super::{only_error, with_key};
use crate::servers::Authentication;

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
