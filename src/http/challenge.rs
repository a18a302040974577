//! Challenges of upstreams (`WWW-Authenticate`, RFC 9110, section 11.6.1).

/// The `error` of a challenge (RFC 6750, section 3), if there is one of at
/// most 64 characters of the kind that such codes are made of.
pub fn error_of(challenge: &[u8]) -> Option<String> {
    const LONGEST: usize = 64;
    let text = core::str::from_utf8(challenge).ok()?;
    let value = parameters(text)
        .find_map(|(name, value)| name.eq_ignore_ascii_case("error").then_some(value))?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (!value.is_empty() && value.len() <= LONGEST && value.bytes().all(is_code))
        .then(|| value.to_owned())
}

/// Names and values of the parameters, of all challenges in the text. What is
/// inside of quotes separates nothing.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character: char| {
        match character {
            _ if escaped => {
                escaped = false;
                return false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        !quoted && matches!(character, ',' | ' ' | '\t')
    })
    .filter_map(|parameter| parameter.split_once('='))
    .map(|(name, value)| (name, value.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_found_wherever_it_stands() {
        for challenge in [
            "Bearer error=\"insufficient_scope\"",
            "Bearer realm=\"a, error=\\\"no\\\"\", error=\"insufficient_scope\", scope=\"a b\"",
            "bearer ERROR=insufficient_scope",
            "Basic realm=\"x\", Bearer scope=\"error=other\",error=\"insufficient_scope\"",
        ] {
            let error = error_of(challenge.as_bytes());
            assert_eq!(error.as_deref(), Some("insufficient_scope"), "{challenge}");
        }
    }

    #[test]
    fn what_is_no_error_code_is_none() {
        for challenge in [
            "Bearer",
            "",
            "Bearer realm=\"error=insufficient_scope\"",
            "Bearer error_description=\"insufficient_scope\"",
            "Bearer error=\"a b\"",
            "Bearer error=\"\"",
            "Bearer error=\"a\r\nb\"",
        ] {
            assert_eq!(error_of(challenge.as_bytes()), None, "{challenge}");
        }
        assert_eq!(error_of(b"Bearer error=\xff"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_an_error_or_none(bytes: Vec<u8>) {
            let _ = error_of(&bytes);
        }
    }
}
