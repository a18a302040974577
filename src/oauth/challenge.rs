//! `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, section 5.1).

use super::Scopes;

/// A challenge to the client.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// The error; `None` for a request without credentials.
    pub error: Option<ChallengeError>,
    /// A sentence for the developer of the client.
    pub description: Option<&'a str>,
    /// The scopes that the request needs.
    pub scope: Option<&'a Scopes>,
    /// URL of the protected resource metadata.
    pub resource_metadata: &'a str,
}

/// The error codes of RFC 6750, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeError {
    /// The request is malformed: 400.
    InvalidRequest,
    /// The token is not acceptable: 401.
    InvalidToken,
    /// The token grants too little: 403.
    InsufficientScope,
}

impl ChallengeError {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl Challenge<'_> {
    /// The value of the header. Characters that the grammar keeps out are
    /// replaced: in the description by `'` or a space, in the URL by their
    /// percent-encoding. An empty scope is left out.
    pub fn header_value(&self) -> String {
        let mut parameters = Vec::new();
        if let Some(error) = self.error {
            parameters.push(format!("error=\"{}\"", error.as_str()));
        }
        if let Some(description) = self.description.map(legal_description)
            && !description.is_empty()
        {
            parameters.push(format!("error_description=\"{description}\""));
        }
        if let Some(scope) = self.scope
            && !scope.is_empty()
        {
            parameters.push(format!("scope=\"{scope}\""));
        }
        parameters.push(format!(
            "resource_metadata=\"{}\"",
            legal_url(self.resource_metadata)
        ));
        format!("Bearer {}", parameters.join(", "))
    }
}

/// `%x20-21 / %x23-5B / %x5D-7E`
fn legal_description(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '\\' => '\'',
            ' '..='~' => character,
            _ => ' ',
        })
        .collect()
}

/// What a URI has no use for is percent-encoded, as in RFC 3986.
fn legal_url(url: &str) -> String {
    let mut legal = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'!' | 0x23..=0x5b | 0x5d..=0x7e => legal.push(char::from(byte)),
            _ => legal.push_str(&format!("%{byte:02X}")),
        }
    }
    legal
}
