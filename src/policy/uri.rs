//! Resource URIs that two readers could understand differently.

/// Whether a URI may name another resource than it seems to: `.` or `..` as a
/// path segment, a backslash, white space or a control character, or an
/// encoded dot, slash or backslash. A server that normalises before it looks
/// up would serve something that no rule was asked about
/// (`demo://text/../blob/1`).
pub(crate) fn is_ambiguous(uri: &str) -> bool {
    has_forbidden_character(uri)
        || has_encoded_separator(uri)
        || after_scheme(uri)
            .split(['/', '?', '#'])
            .any(|segment| is_dots(segment.split(';').next().unwrap_or(segment)))
}

/// Whether every text that a URI pattern matches is ambiguous, so that the
/// pattern is of no use. Here, `?` is a wildcard.
pub(crate) fn pattern_is_ambiguous(pattern: &str) -> bool {
    has_forbidden_character(pattern)
        || has_encoded_separator(pattern)
        || after_scheme(pattern).split('/').any(is_dots)
}

/// `file:../x` has a path although no slash begins it.
fn after_scheme(uri: &str) -> &str {
    match uri.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => rest,
        _ => uri,
    }
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

fn has_forbidden_character(uri: &str) -> bool {
    uri.chars()
        .any(|character| character == '\\' || character.is_whitespace() || character.is_control())
}

fn has_encoded_separator(uri: &str) -> bool {
    uri.as_bytes().windows(3).any(|window| {
        matches!(window, [b'%', high, low] if matches!(
            (high, low.to_ascii_lowercase()),
            (b'2', b'e' | b'f') | (b'5', b'c')
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_that_can_be_read_in_two_ways_is_ambiguous() {
        for uri in [
            "demo://resource/dynamic/text/../blob/1",
            "demo://resource/./x",
            "demo://resource/..",
            "demo://resource/..?a=b",
            "demo://resource/..#a",
            "demo://resource/..;v=1/x",
            "file:../etc",
            "../x",
            "demo://a\\b",
            "demo://a b",
            "demo://a\u{a0}b",
            "demo://a\nb",
            "demo://a\u{0}b",
            "demo://a/%2e%2e/b",
            "demo://a/%2E./b",
            "demo://a%2fb",
            "demo://a%2Fb",
            "demo://a%5cb",
            "demo://a%5Cb",
        ] {
            assert!(is_ambiguous(uri), "{uri:?}");
        }
    }

    #[test]
    fn an_ordinary_uri_is_not_ambiguous() {
        for uri in [
            "demo://resource/dynamic/text/1",
            "demo://resource/{id}",
            "file:///a/.hidden/..x/...",
            "https://example.com:8080/a?b=c%20d#e",
            "urn:isbn:0451450523",
            "",
        ] {
            assert!(!is_ambiguous(uri), "{uri:?}");
        }
    }
}
