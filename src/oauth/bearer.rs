//! The bearer token of a request (RFC 6750, section 2.1).

use core::fmt;

use crate::http::Headers;
use crate::http::headers::is_token;

const AUTHORIZATION: &str = "authorization";

/// The one bearer token of a request: `token68`, not verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

/// More than one credential, or one that is not written as RFC 6750 and
/// RFC 9110 want it: 400 `invalid_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BearerError;

impl<'a> BearerToken<'a> {
    /// The token.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Any text as a token, so that tests reach what stands behind the
    /// grammar.
    #[cfg(test)]
    pub(crate) const fn for_test(text: &'a str) -> Self {
        Self(text)
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// The bearer token among all values of the Authorization header, as they
/// came. `None` without the header and for another scheme (`Basic …`): to the
/// gate, both are a request without credentials.
///
/// Envoy joins repeated headers with a comma, so any comma is a second
/// credential.
///
/// # Errors
/// [`BearerError`] for more than one credential or a malformed one.
pub fn bearer_token<'a>(values: &[&'a [u8]]) -> Result<Option<BearerToken<'a>>, BearerError> {
    let value = match values {
        [] => return Ok(None),
        [value] => *value,
        _ => return Err(BearerError),
    };
    let scheme_length = value.iter().position(|byte| *byte == b' ');
    let (scheme, mut token) = value.split_at(scheme_length.unwrap_or(value.len()));
    let scheme = core::str::from_utf8(scheme).map_err(|_| BearerError)?;
    if !is_token(scheme) {
        return Err(BearerError);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return match core::str::from_utf8(token) {
            Ok(rest) if !rest.contains(',') => Ok(None),
            _ => Err(BearerError),
        };
    }
    while let [b' ', rest @ ..] = token {
        token = rest;
    }
    match core::str::from_utf8(token) {
        Ok(text) if is_token68(token) => Ok(Some(BearerToken(text))),
        _ => Err(BearerError),
    }
}

/// As [`bearer_token`], of the headers of a request.
///
/// # Errors
/// [`BearerError`]
pub fn bearer_token_of(headers: &Headers) -> Result<Option<BearerToken<'_>>, BearerError> {
    match headers.only(AUTHORIZATION) {
        Ok(None) => Ok(None),
        Ok(Some(value)) => bearer_token(&[value]),
        Err(_) => Err(BearerError),
    }
}

/// What stands in the place of the one bearer token, unread: enough to look
/// it up by its hash, since a token that was verified before had the right
/// characters then. `None` says nothing: [`bearer_token_of`] does.
#[inline]
pub fn presented_token(headers: &Headers) -> Option<&[u8]> {
    let value = headers.only(AUTHORIZATION).ok()??;
    let (scheme, mut token) = value.split_first_chunk()?;
    if scheme.map(|byte| byte.to_ascii_lowercase()) != *b"bearer " {
        return None;
    }
    while let [b' ', rest @ ..] = token {
        token = rest;
    }
    Some(token)
}

/// Whether the query of a URL (without `?`) has a parameter `access_token`
/// (RFC 6750, section 2.3), in whatever percent-encoding. The name is case
/// sensitive. Some servers separate parameters by `;` too.
pub fn query_has_access_token(query: &str) -> bool {
    query.split(['&', ';']).any(is_access_token)
}

/// The query without its parameters named `access_token`, and otherwise as it
/// was, to the character.
pub fn query_without_access_token(query: &str) -> String {
    let mut rest = String::with_capacity(query.len());
    for piece in query.split_inclusive(['&', ';']) {
        if !is_access_token(piece.trim_end_matches(['&', ';'])) {
            rest.push_str(piece);
        }
    }
    // Where the last parameters went, the separator before them goes too.
    if !query.ends_with(['&', ';']) && rest.ends_with(['&', ';']) {
        rest.pop();
    }
    rest
}

fn is_access_token(parameter: &str) -> bool {
    let (name, _) = parameter.split_once('=').unwrap_or((parameter, ""));
    url::form_urlencoded::parse(name.as_bytes()).any(|(name, _)| name == "access_token")
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_token68(mut characters: &[u8]) -> bool {
    while let [rest @ .., b'='] = characters {
        characters = rest;
    }
    // Sixteen at a time, without a branch between them: one vector.
    let all = |chunk: &[u8]| {
        let each = chunk.iter().map(|byte| is_token68_character(*byte));
        each.fold(true, |all, is_one| all & is_one)
    };
    let (chunks, rest) = characters.as_chunks::<16>();
    !characters.is_empty() && chunks.iter().all(|chunk| all(chunk)) && all(rest)
}

/// In a form that needs no branches.
const fn is_token68_character(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `-`, `.` and `/` stand before the digits.
    let is_digit_or_before = byte.wrapping_sub(b'-') < 13;
    is_letter | is_digit_or_before | (byte == b'_') | (byte == b'~') | (byte == b'+')
}
