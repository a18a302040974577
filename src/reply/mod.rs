//! The gate's own answers: the one place that knows which denial gets which
//! HTTP status, challenge and JSON-RPC error.

mod asker;
mod consent;
mod credential;
mod denial;
mod json_rpc;
mod refusal;
mod withheld;

pub use asker::Asker;
pub use consent::{ConsentForm, MissingConsent};
pub use denial::{Denial, SessionFault};
pub use refusal::{Addressee, Subject, combine, refuse};
pub use withheld::withheld;

use crate::http::Headers;
use crate::http::origin::{Origin, allowed_request_headers};
use crate::site::Site;

/// A complete HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers without `:status` and `content-length`.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none.
    pub body: String,
}

impl Reply {
    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Something happened that should not have, and nothing goes on.
    pub(crate) fn internal_error() -> Self {
        Self::empty(500)
    }

    /// With the headers that let an allowed page read it.
    #[must_use]
    pub fn for_origin(mut self, origin: &Origin) -> Self {
        self.headers.extend(origin.response_headers());
        self
    }
}

/// The protected resource metadata document (RFC 9728, section 3): GET and
/// HEAD from anywhere, and what a browser asks before it sends them.
pub fn metadata(method: &str, headers: &Headers, site: &Site) -> Reply {
    let cors = ("access-control-allow-origin", "*".to_owned());
    match method {
        // Envoy sends no body to HEAD, and the headers that GET would get.
        "GET" | "HEAD" => Reply {
            status: 200,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "public, max-age=3600".to_owned()),
                cors,
            ],
            body: site.metadata_document.clone(),
        },
        "OPTIONS" => Reply {
            headers: vec![
                cors,
                (
                    "access-control-allow-methods",
                    "GET, HEAD, OPTIONS".to_owned(),
                ),
                (
                    "access-control-allow-headers",
                    allowed_request_headers(headers),
                ),
                ("access-control-max-age", "3600".to_owned()),
                ("allow", "GET, HEAD, OPTIONS".to_owned()),
            ],
            ..Reply::empty(204)
        },
        _ => Reply {
            headers: vec![cors, ("allow", "GET, HEAD, OPTIONS".to_owned())],
            ..Reply::empty(405)
        },
    }
}

/// The answer to a preflight of an allowed origin.
pub fn preflight(headers: &Headers, origin: &Origin) -> Reply {
    Reply {
        headers: vec![
            (
                "access-control-allow-methods",
                "POST, GET, DELETE".to_owned(),
            ),
            (
                "access-control-allow-headers",
                allowed_request_headers(headers),
            ),
            ("access-control-max-age", "600".to_owned()),
        ],
        ..Reply::empty(204)
    }
    .for_origin(origin)
}
