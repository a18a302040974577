//! Addresses, limits, issuers and the keys of filters.

use super::{SERVERS, only_error, with_key};

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
            r#""outbound": {"timeout_seconds": 43}, "limits": {"request_seconds": 46}"#,
            "/refresh/lease_seconds",
        ),
        (
            r#""limits": {"request_seconds": 12}"#,
            "/limits/request_seconds",
        ),
        (
            r#""outbound": {"timeout_seconds": 13}"#,
            "/limits/request_seconds",
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
