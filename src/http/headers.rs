//! A snapshot of a header map. Values are bytes until somebody asks for text.

use core::fmt;

/// The headers of one request or response, names in lower case, pseudo
/// headers included.
#[derive(Clone, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

/// What to keep of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Name and value.
    Header,
    /// That it is there.
    Name,
    /// Nothing.
    Nothing,
}

/// Why a header has no single text value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It is there more than once.
    Repeated,
    /// Its value is not visible ASCII, spaces and tabs.
    NotText,
}

impl Headers {
    /// From name and value pairs as the host gives them.
    pub const fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter_map(move |(header, value)| (header == name).then_some(value.as_slice()))
    }

    /// Whether the header is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(header, _)| header == name)
    }

    /// The value of a header that may be there once, without surrounding
    /// white space (RFC 9110, section 5.5).
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, HeaderError> {
        let mut values = self.all(name);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(HeaderError::Repeated);
        }
        if !value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) {
            return Err(HeaderError::NotText);
        }
        let text = core::str::from_utf8(value).map_err(|_| HeaderError::NotText)?;
        Ok(Some(text.trim_matches([' ', '\t'])))
    }

    /// The value of a pseudo-header, to the character; empty if there is not
    /// exactly one that is text.
    pub fn pseudo<'a>(&'a self, name: &'a str) -> &'a str {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => core::str::from_utf8(value).unwrap_or_default(),
            _ => "",
        }
    }

    /// Forgets what is not to be kept.
    pub fn reduce(&mut self, keep: impl Fn(&str) -> Keep) {
        self.0.retain_mut(|(name, value)| match keep(name) {
            Keep::Header => true,
            Keep::Name => {
                *value = Vec::new();
                true
            }
            Keep::Nothing => false,
        });
        self.0.shrink_to_fit();
    }

    /// The names of all headers, as often as they appear.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// Whether this is a `token` of RFC 9110, section 5.6.2, as names of headers
/// and of authentication schemes are.
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a header may pass for the one of that name: frameworks in the
/// manner of CGI read `x_mcp_subject` as `x-mcp-subject`, so both count,
/// whichever of them the configuration has.
pub fn is_spelling_of(header: &str, name: &str) -> bool {
    header.len() == name.len()
        && header
            .bytes()
            .zip(name.bytes())
            .all(|(left, right)| hyphenated(left) == hyphenated(right))
}

const fn hyphenated(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte }
}

/// Names only: values can be secret.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Builds a snapshot from text, for tests.
#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_header_is_trimmed_text_or_an_error() {
        let headers = Headers::from([("a", " x\t"), ("b", "1"), ("b", "2"), ("c", "é")]);
        assert_eq!(headers.single("a"), Ok(Some("x")));
        assert_eq!(headers.single("b"), Err(HeaderError::Repeated));
        assert_eq!(headers.single("c"), Err(HeaderError::NotText));
        assert_eq!(headers.single("d"), Ok(None));
    }

    #[test]
    fn hyphens_and_underscores_are_two_spellings_of_one_name() {
        for (header, name) in [
            ("x_api-key", "x-api-key"),
            ("x-api-key", "x_api_key"),
            ("x_api-key", "x-api_key"),
        ] {
            assert!(is_spelling_of(header, name), "{header} {name}");
        }
        assert!(!is_spelling_of("x.api-key", "x_api_key"));
        assert!(!is_spelling_of("x-api-keys", "x-api-key"));
    }

    #[test]
    fn debug_shows_no_value() {
        let headers = Headers::from([("authorization", "Bearer secret")]);
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
    }
}
