//! `WWW-Authenticate` (RFC 9110, section 11.6.1), as far as discovery needs it.

/// The `resource_metadata` (RFC 9728, section 5.1) of the first `Bearer` or
/// `DPoP` challenge that has one. What is not understood is passed over.
pub fn resource_metadata(values: &[String]) -> Option<String> {
    values.iter().find_map(|value| {
        let mut rest = value.as_str();
        let mut bearer = false;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return None;
            }
            let (name, after) = token(rest)?;
            let unspaced = after.trim_start_matches([' ', '\t']);
            match unspaced.strip_prefix('=').filter(|it| !is_token68_end(it)) {
                Some(after) => {
                    let (content, after) = parameter(after.trim_start_matches([' ', '\t']))?;
                    if bearer && name.eq_ignore_ascii_case("resource_metadata") {
                        return Some(content);
                    }
                    rest = after;
                }
                None => {
                    bearer = ["bearer", "dpop"]
                        .iter()
                        .any(|scheme| name.eq_ignore_ascii_case(scheme));
                    rest = token68(unspaced);
                }
            }
        }
    })
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(letter))
        .unwrap_or(text.len());
    text.split_at_checked(end)
        .filter(|(name, _)| !name.is_empty())
}

/// After a token68's `=`, nothing but further ones.
fn is_token68_end(after: &str) -> bool {
    let after = after.trim_start_matches('=').trim_start();
    after.is_empty() || after.starts_with(',')
}

/// What is after a scheme's token68, if it has one.
fn token68(text: &str) -> &str {
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-._~+/".contains(letter))
        .unwrap_or(text.len());
    let Some((_, after)) = text.split_at_checked(end) else {
        return text;
    };
    let ended = after.trim_start_matches('=').trim_start();
    if ended.is_empty() || ended.starts_with(',') {
        ended
    } else {
        text
    }
}

/// A token or a quoted string, and what is after it.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(content, after)| (content.to_owned(), after));
    };
    let mut content = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some((content, letters.as_str())),
            '\\' => content.push(letters.next()?),
            letter => content.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(value: &str) -> Option<String> {
        resource_metadata(&[value.to_owned()])
    }

    #[test]
    fn the_address_is_found_in_every_form_of_challenge() {
        let wanted = Some("https://a.example/x".to_owned());
        for value in [
            r#"Bearer resource_metadata="https://a.example/x""#,
            r#"bearer realm="a, b", Resource_Metadata = "https://a.example/x", scope="c""#,
            r#"Basic realm="a", Bearer error="x", resource_metadata="https://a.example/x""#,
            r#"Negotiate YWJj==, Bearer resource_metadata="https://a.example/x""#,
            r#"Negotiate, Bearer resource_metadata="https://a.example\/x""#,
            r#",, DPoP algs="ES256", resource_metadata="https://a.example/x""#,
        ] {
            assert_eq!(found(value), wanted, "{value}");
        }
        let values = [
            "Basic".to_owned(),
            "Bearer resource_metadata=abc".to_owned(),
        ];
        assert_eq!(resource_metadata(&values), Some("abc".to_owned()));
    }

    #[test]
    fn another_scheme_and_a_malformed_challenge_have_none() {
        for value in [
            "",
            "Bearer",
            r#"Bearer realm="resource_metadata=abc""#,
            r#"Basic resource_metadata="https://a.example/x""#,
            r#"Bearer resource_metadata="https://a.example/x"#,
            r#"Bearer resource_metadata="#,
            r#"Bearer "resource_metadata"="x""#,
            r#"Bearer x="\"#,
        ] {
            assert_eq!(found(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in ".*") {
            let _ = found(&text);
        }

        #[test]
        fn an_address_survives_quoting(address in "[ -~]{0,40}", before in "[a-z]{1,8}") {
            let quoted = address.replace('\\', r"\\").replace('"', r#"\""#);
            let value = format!(r#"Bearer {before}="1,2", resource_metadata="{quoted}", z=1"#);
            prop_assume!(before != "resource_metadata");
            prop_assert_eq!(found(&value), Some(address));
        }
    }
}
