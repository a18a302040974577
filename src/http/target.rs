//! Request targets: host and path, as they choose a server.

/// The path of a request target, and its query without the `?`.
pub fn split_query(path: &str) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    }
}

/// A query without its parameters of the name `access_token`, in whatever
/// percent-encoding; `None` if it has none of them. Tokens in a query are
/// never used (OAuth 2.1, section 5.1.2), and must not reach a log.
pub fn without_access_token(query: &str) -> Option<String> {
    let is_token = |parameter: &&str| {
        let name = parameter
            .split_once('=')
            .map_or(*parameter, |(name, _)| name);
        percent_decoded(name) == b"access_token"
    };
    if !query.split('&').any(|parameter| is_token(&parameter)) {
        return None;
    }
    let rest: Vec<&str> = query
        .split('&')
        .filter(|parameter| !is_token(parameter))
        .collect();
    Some(rest.join("&"))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = match after {
            [high, low, tail @ ..] if *byte == b'%' => hex(*high)
                .zip(hex(*low))
                .map(|(high, low)| (high << 4 | low, tail)),
            _ => None,
        };
        let (value, tail) = escaped.unwrap_or((*byte, after));
        decoded.push(value);
        rest = tail;
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A Host or `:authority` value in the form in which hosts are compared:
/// lower case, without the default port of the scheme.
pub fn normal_authority(authority: &str, scheme: &str) -> String {
    let lower = authority.to_ascii_lowercase();
    let default_port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    match lower.strip_suffix(default_port) {
        // `[::1` and `::` would be the rest of an IPv6 address without port.
        Some(host) if !host.is_empty() && (!host.contains(':') || host.ends_with(']')) => {
            host.to_owned()
        }
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_loses_its_case_and_the_default_port_only() {
        assert_eq!(normal_authority("Example.COM:443", "https"), "example.com");
        assert_eq!(
            normal_authority("example.com:80", "https"),
            "example.com:80"
        );
        assert_eq!(normal_authority("example.com:80", "http"), "example.com");
        assert_eq!(normal_authority("[::1]:443", "https"), "[::1]");
        assert_eq!(normal_authority("::443", "https"), "::443");
        assert_eq!(
            normal_authority("127.0.0.1:10000", "http"),
            "127.0.0.1:10000"
        );
    }

    #[test]
    fn an_access_token_in_the_query_is_found_in_any_spelling_and_removed() {
        for (query, rest) in [
            ("access_token=x", Some("")),
            ("a=1&access_token=x&b=2", Some("a=1&b=2")),
            ("access%5ftoken=x&c", Some("c")),
            ("%61ccess_token", Some("")),
            ("my_access_token=x", None),
            ("Access_Token=x", None),
            ("a=access_token", None),
            ("%", None),
        ] {
            assert_eq!(without_access_token(query).as_deref(), rest, "{query}");
        }
    }

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        assert_eq!(split_query("/a?b?c"), ("/a", Some("b?c")));
        assert_eq!(split_query("/a"), ("/a", None));
    }
}
