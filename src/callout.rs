//! HTTP calls that the shell makes for the core: what to send, and what came
//! back.

use core::fmt;

/// An HTTP address behind a named Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the Envoy cluster that the call goes through.
    pub cluster: String,
    /// `http` or `https`, as written in the address.
    pub scheme: String,
    /// Host and port, as in the Host header.
    pub authority: String,
    /// Path and query, beginning with `/`.
    pub path: String,
}

/// Which call an answer belongs to. Never used twice by one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(u64);

/// Gives every call of one worker an id of its own.
#[derive(Debug, Default)]
pub struct FetchIds {
    last: u64,
}

impl FetchIds {
    /// The next one.
    pub const fn next_id(&mut self) -> FetchId {
        self.last = self.last.wrapping_add(1);
        FetchId(self.last)
    }
}

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
    /// The seconds in `Retry-After`, where the answer has one.
    pub retry_after_s: Option<u64>,
}

impl<'a> FetchAnswer<'a> {
    /// An answer without `Retry-After`.
    pub const fn new(status: u16, body: &'a [u8]) -> Self {
        Self {
            status,
            body,
            retry_after_s: None,
        }
    }
}

impl fmt::Debug for FetchAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchAnswer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// A GET for JSON.
pub(crate) fn get(id: FetchId, endpoint: &Endpoint, timeout_ms: u64) -> Fetch {
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
