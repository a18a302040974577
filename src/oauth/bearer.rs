//! The bearer token of a request (RFC 6750, section 2.1).

use core::fmt;

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
    let value = core::str::from_utf8(value).map_err(|_| BearerError)?;
    if value.contains(',') {
        return Err(BearerError);
    }
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !is_token(scheme) {
        return Err(BearerError);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = rest.trim_start_matches(' ');
    if is_token68(token) {
        Ok(Some(BearerToken(token)))
    } else {
        Err(BearerError)
    }
}

/// `token` of RFC 9110, section 5.6.2, which a scheme is.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_token68(text: &str) -> bool {
    let characters = text.trim_end_matches('=');
    !characters.is_empty()
        && characters
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
