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
        // What the names and the code of an error take, and scopes.
        const USUAL_REST: usize = 192;
        let description = self.description.unwrap_or_default();
        let known = description
            .len()
            .saturating_add(self.resource_metadata.len());
        let mut value = String::with_capacity(known.saturating_add(USUAL_REST));
        let mut before = "Bearer ";
        let mut begin = |value: &mut String, name: &str| {
            value.push_str(before);
            value.push_str(name);
            value.push_str("=\"");
            before = "\", ";
        };
        if let Some(error) = self.error {
            begin(&mut value, "error");
            value.push_str(error.as_str());
        }
        if !description.is_empty() {
            begin(&mut value, "error_description");
            value.extend(description.chars().map(legal_character));
        }
        if let Some(scope) = self.scope
            && !scope.is_empty()
        {
            begin(&mut value, "scope");
            for (index, name) in scope.iter().enumerate() {
                if index > 0 {
                    value.push(' ');
                }
                value.push_str(name);
            }
        }
        begin(&mut value, "resource_metadata");
        push_legal_url(&mut value, self.resource_metadata);
        value.push('"');
        value
    }
}

/// `%x20-21 / %x23-5B / %x5D-7E`
const fn legal_character(character: char) -> char {
    match character {
        '"' | '\\' => '\'',
        ' '..='~' => character,
        _ => ' ',
    }
}

/// What a URI has no use for is percent-encoded, as in RFC 3986.
fn push_legal_url(value: &mut String, url: &str) {
    let is_legal = |byte| matches!(byte, b'!' | 0x23..=0x5b | 0x5d..=0x7e);
    if url.bytes().all(is_legal) {
        value.push_str(url);
        return;
    }
    for byte in url.bytes() {
        if is_legal(byte) {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
}
