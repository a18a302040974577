//! HTTP calls that the shell makes for the core.

use core::fmt;

use super::issuer::Endpoint;

/// Which call an answer belongs to. Never used twice by one authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub(super) u64);

/// A call to dispatch now. Its headers and body can hold credentials: the
/// `Debug` form leaves them out.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    /// To hand back with the answer.
    pub id: FetchId,
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// All headers, the pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// The body; empty for GET.
    pub body: Vec<u8>,
    /// How long the call may take.
    pub timeout_ms: u64,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("id", &self.id)
            .field("cluster", &self.cluster)
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

/// What came back. The status counts as it is: nothing is redirected.
#[derive(Clone, Copy)]
pub struct FetchAnswer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl fmt::Debug for FetchAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

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

/// A GET for JSON.
pub(super) fn get(id: FetchId, endpoint: &Endpoint, timeout_ms: u64) -> Fetch {
    Fetch {
        id,
        cluster: endpoint.cluster.clone(),
        headers: vec![
            (":method".to_owned(), "GET".to_owned()),
            (":scheme".to_owned(), endpoint.scheme.clone()),
            (":authority".to_owned(), endpoint.authority.clone()),
            (":path".to_owned(), endpoint.path.clone()),
            ("accept".to_owned(), "application/json".to_owned()),
        ],
        body: Vec::new(),
        timeout_ms,
    }
}
