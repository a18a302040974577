//! Answers that carry keys, metadata or a word on a token: what makes them
//! unusable.

use core::fmt;

use crate::callout::FetchAnswer;

/// Why a call gave nothing to use. Nothing of the answer itself is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// No answer: no connection, a reset, or the time was up.
    NoAnswer,
    /// A status other than 200.
    Status(u16),
    /// A body over the limit.
    TooLarge,
    /// Not JSON, or not the JSON that was asked for.
    Malformed,
    /// Metadata of another issuer (RFC 8414, section 3.3).
    WrongIssuer,
    /// Metadata whose `jwks_uri` is missing or no acceptable address.
    KeySetAddress,
    /// A key set without a usable key.
    NoUsableKey,
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Malformed => f.write_str("the answer is malformed"),
            Self::WrongIssuer => f.write_str("the metadata is of another issuer"),
            Self::KeySetAddress => f.write_str("the metadata has no acceptable jwks_uri"),
            Self::NoUsableKey => f.write_str("the key set has no usable key"),
        }
    }
}

/// The body of an answer that is a success and within the limit.
pub(super) fn success<'a>(
    answer: Option<FetchAnswer<'a>>,
    max_bytes: usize,
) -> Result<&'a [u8], FetchFailure> {
    let answer = answer.ok_or(FetchFailure::NoAnswer)?;
    // Envoy's own word for a call that got no answer, or none in time.
    if matches!(answer.status, 503 | 504) {
        return Err(FetchFailure::NoAnswer);
    }
    if answer.status != 200 {
        return Err(FetchFailure::Status(answer.status));
    }
    if answer.body.len() > max_bytes {
        return Err(FetchFailure::TooLarge);
    }
    Ok(answer.body)
}
