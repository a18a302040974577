use super::*;

fn check(pairs: &[(&str, &str)]) -> Result<InjectedHeaders, HeaderProblem> {
    let listed: Vec<String> = pairs
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .chain(["authorization".to_owned()])
        .collect();
    InjectedHeaders::check(pairs.iter().copied(), &listed)
}

#[test]
fn headers_that_mean_something_else_are_refused_in_any_case_of_letters() {
    for name in [
        "Connection",
        "keep-alive",
        "Proxy-Connection",
        "proxy-authenticate",
        "Proxy-Authorization",
        "TE",
        "trailer",
        "Transfer-Encoding",
        "upgrade",
        "Host",
        "Content-Length",
        "content-type",
        "content-encoding",
        "cookie",
        "Set-Cookie",
        "Mcp-Session-Id",
        "mcp-protocol-version",
        "x-envoy-retry-on",
        "x-forwarded-for",
        "forwarded",
        "origin",
        "expect",
        "x-request-id",
        ":authority",
        ":path",
        "",
        "a b",
        "a:b",
        "a\r\nb",
        "a\0b",
        "é",
    ] {
        assert_eq!(check(&[(name, "v")]), Err(HeaderProblem::Name), "{name:?}");
    }
}

#[test]
fn a_value_is_one_line_of_visible_characters() {
    for value in [
        "",
        " a",
        "a ",
        "a\r\nx-other: b",
        "a\nb",
        "a\0b",
        "a\u{7f}",
        "é",
    ] {
        assert_eq!(
            check(&[("authorization", value)]),
            Err(HeaderProblem::Value),
            "{value:?}"
        );
    }
    let longest = "a".repeat(InjectedHeaders::MAX_VALUE_BYTES);
    assert!(check(&[("authorization", &longest)]).is_ok());
    assert_eq!(
        check(&[("authorization", &format!("{longest}a"))]),
        Err(HeaderProblem::Value)
    );
}

#[test]
fn there_are_only_so_many_each_once() {
    assert_eq!(check(&[]), Err(HeaderProblem::None));
    assert_eq!(
        check(&[("X-Key", "a"), ("x-key", "b")]),
        Err(HeaderProblem::Repeated)
    );
    assert_eq!(
        check(&[("x-key", "a"), ("x_key", "b")]),
        Err(HeaderProblem::Repeated)
    );
    let names: Vec<String> = (0..17).map(|n| format!("x-{n}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert!(check(&pairs[..16]).is_ok());
    assert_eq!(check(&pairs), Err(HeaderProblem::TooMany));
    let long = "a".repeat(InjectedHeaders::MAX_VALUE_BYTES);
    assert_eq!(
        check(&[("x-1", &long), ("x-2", &long), ("x-3", "a")]),
        Err(HeaderProblem::TooMany)
    );
}

#[test]
fn a_header_that_is_not_listed_makes_the_answer_unusable() {
    let mut body = authenticated("t", "1", 60);
    body["headers"] = json!([
        {"name": "authorization", "value": "Bearer t"},
        {"name": "x-other", "value": "v"},
    ]);
    let mut desk = Desk::new(vault());
    desk.ask();
    let call = desk.call();
    let settled = desk.answer(&call, 200, &body);
    assert_eq!(desk.ask(), Known::Refused(CredentialFailure::Configuration));
    assert_eq!(
        settled.event.unwrap().problem,
        AnswerProblem::Header(HeaderProblem::NotListed)
    );
}

#[test]
fn a_reserved_name_is_reserved_in_its_other_spelling_too() {
    for name in [
        "content_length",
        "mcp_session_id",
        "x_envoy_retry-on",
        "x_forwarded-for",
    ] {
        assert!(!may_be_injected(name), "{name}");
    }
    assert!(may_be_injected("x_api_key"));
}
