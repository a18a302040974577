//! Challenges of upstreams (`WWW-Authenticate`, RFC 9110, section 11.6.1).

use crate::oauth::Scopes;

/// The `error` of a challenge (RFC 6750, section 3), if there is one of at
/// most 64 characters of the kind that such codes are made of.
pub fn error_of(challenge: &[u8]) -> Option<String> {
    const LONGEST: usize = 64;
    let value = parameter(challenge, "error")?;
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (!value.is_empty() && value.len() <= LONGEST && value.bytes().all(is_code))
        .then(|| value.to_owned())
}

/// The scopes that a challenge asks for (RFC 6750, section 3), as far as they
/// can be some.
pub fn scopes_of(challenge: &[u8]) -> Option<Scopes> {
    const LONGEST: usize = 1024;
    const MOST: usize = 64;
    let value = parameter(challenge, "scope")?;
    let scopes = Scopes::parse(value).ok()?;
    (value.len() <= LONGEST && scopes.len() <= MOST).then_some(scopes)
}

fn parameter<'a>(challenge: &'a [u8], wanted: &str) -> Option<&'a str> {
    let text = core::str::from_utf8(challenge).ok()?;
    parameters(text).find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
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

    #[test]
    fn the_scopes_are_those_of_the_challenge_or_none() {
        let scopes =
            |challenge: &str| scopes_of(challenge.as_bytes()).map(|found| found.to_string());
        let both = "Bearer error=\"insufficient_scope\", scope=\"notes:write notes:read\"";
        assert_eq!(scopes(both).as_deref(), Some("notes:read notes:write"));
        assert_eq!(scopes("Bearer SCOPE=a").as_deref(), Some("a"));
        for challenge in ["Bearer", "Bearer scope=\"a\\b\"", "Bearer scope=\"\u{e9}\""] {
            assert_eq!(scopes(challenge), None, "{challenge}");
        }
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        for scope in [many.join(" "), "s".repeat(1025)] {
            assert_eq!(scopes(&format!("Bearer scope=\"{scope}\"")), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_an_error_and_scopes_or_none(bytes: Vec<u8>) {
            let _ = (error_of(&bytes), scopes_of(&bytes));
        }
    }
}
