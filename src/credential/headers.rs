//! The headers of a credential, checked before anything of them is used.

use core::fmt;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::http::headers::{is_spelling_of, is_token};

/// Headers that may be set on a request. The `Debug` form shows names only.
#[derive(Clone, PartialEq, Eq)]
pub struct InjectedHeaders(Vec<(Rc<str>, Rc<str>)>);

/// Why the headers of an answer are not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProblem {
    /// None at all.
    None,
    /// More than [`InjectedHeaders::MAX`], or more than
    /// [`InjectedHeaders::MAX_BYTES`] together.
    TooMany,
    /// A name that is no token, or one that the message, the protocol or
    /// Envoy needs.
    Name,
    /// A name that the server's entry does not list.
    NotListed,
    /// The same name twice.
    Repeated,
    /// A value that is empty, too long, or has other characters than visible
    /// ASCII with spaces and tabs between them.
    Value,
    /// A value that has the user's own token in it.
    SubjectToken,
}

/// The token that a credential is asked for with, so that it can be told from
/// the credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SubjectToken {
    length: usize,
    sha256: [u8; 32],
}

impl SubjectToken {
    pub(super) fn of(token: &str) -> Self {
        let token = token.trim_end_matches('=');
        Self {
            length: token.len(),
            sha256: Sha256::digest(token.as_bytes()).into(),
        }
    }

    /// Whether the token stands in a header's value: alone, after a scheme,
    /// as a parameter, or quoted. What a token is made of (RFC 6750, section
    /// 2.1) tells it from its surroundings.
    fn is_in(self, value: &str) -> bool {
        value.split(|c| !is_token_character(c)).any(|part| {
            part.len() == self.length && Sha256::digest(part.as_bytes())[..] == self.sha256
        })
    }
}

const fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/')
}

impl InjectedHeaders {
    /// How many there may be.
    pub const MAX: usize = 16;
    /// The longest value, in bytes.
    pub const MAX_VALUE_BYTES: usize = 8192;
    /// How long all values may be together, in bytes: what is remembered of
    /// one user is bounded.
    pub const MAX_BYTES: usize = 16_384;

    /// From names and values as they were answered, of which only the listed
    /// names (lower case) may be used.
    ///
    /// # Errors
    /// See [`HeaderProblem`].
    pub fn check<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        listed: &[String],
    ) -> Result<Self, HeaderProblem> {
        let mut headers: Vec<(Rc<str>, Rc<str>)> = Vec::new();
        let mut bytes: usize = 0;
        for (name, value) in pairs {
            if headers.len() >= Self::MAX {
                return Err(HeaderProblem::TooMany);
            }
            let name = name.to_ascii_lowercase();
            if !may_be_injected(&name) {
                return Err(HeaderProblem::Name);
            }
            if !listed.contains(&name) {
                return Err(HeaderProblem::NotListed);
            }
            if headers
                .iter()
                .any(|(earlier, _)| is_spelling_of(earlier.as_bytes(), &name))
            {
                return Err(HeaderProblem::Repeated);
            }
            if !is_value(value) {
                return Err(HeaderProblem::Value);
            }
            headers.push((name.into(), value.into()));
            bytes = bytes.saturating_add(value.len());
            if bytes > Self::MAX_BYTES {
                return Err(HeaderProblem::TooMany);
            }
        }
        if headers.is_empty() {
            return Err(HeaderProblem::None);
        }
        Ok(Self(headers))
    }

    /// Whether one of them hands the user's own token to the upstream, which
    /// no credential may do (MCP authorization, access token privilege
    /// restriction).
    pub(super) fn hand_on(&self, token: SubjectToken) -> bool {
        self.0.iter().any(|(_, value)| token.is_in(value))
    }

    /// Names and values.
    pub fn as_slice(&self) -> &[(Rc<str>, Rc<str>)] {
        &self.0
    }
}

impl fmt::Debug for InjectedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl fmt::Display for HeaderProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "it has no headers",
            Self::TooMany => "it has too many headers",
            Self::Name => "it has a header that must not be set",
            Self::NotListed => "it has a header that the server's entry does not list",
            Self::Repeated => "it has one header twice",
            Self::Value => "it has a header with an unusable value",
            Self::SubjectToken => "it is the user's own token",
        })
    }
}

/// Whether a header of this name, lower case, may be part of a credential: it
/// changes neither the message's framing nor its meaning to the protocol, to
/// Envoy or to the gate. `_` counts as `-`: what reads one as the other would
/// take it for what it only resembles.
pub fn may_be_injected(name: &str) -> bool {
    is_token(name)
        && name.len() <= 128
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
        && !RESERVED
            .iter()
            .any(|reserved| is_spelling_of(name, reserved))
        && !["mcp-", "x-envoy-", "x-forwarded-", "access-control-"]
            .iter()
            .any(|prefix| {
                name.get(..prefix.len())
                    .is_some_and(|start| is_spelling_of(start, prefix))
            })
}

fn is_value(value: &str) -> bool {
    let text = value
        .bytes()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    text && value.len() <= InjectedHeaders::MAX_VALUE_BYTES
        && !value.is_empty()
        && value.trim_matches([' ', '\t']).len() == value.len()
}

/// What belongs to the connection (RFC 9110, section 7.6.1), to the
/// message, to the protocol, or to whoever stands between.
const RESERVED: [&str; 26] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-request-id",
    "x-http-method-override",
];
