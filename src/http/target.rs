//! Request targets: host and path, as they choose a server.

/// The path of a request target, and its query without the `?`.
pub fn split_query(path: &str) -> (&str, Option<&str>) {
    let mark = path.bytes().position(|byte| byte == b'?');
    match mark.and_then(|mark| path.split_at_checked(mark)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (path, None),
    }
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
    fn the_query_begins_at_the_first_question_mark() {
        assert_eq!(split_query("/a?b?c"), ("/a", Some("b?c")));
        assert_eq!(split_query("/a"), ("/a", None));
    }
}
