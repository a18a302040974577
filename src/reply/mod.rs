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
use crate::text::Text;

/// A complete HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers without `:status` and `content-length`.
    pub headers: Vec<(&'static str, Text)>,
    /// Body; empty for none.
    pub body: Text,
}

impl Reply {
    /// Nothing but a status.
    pub(crate) const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Text::Fixed(""),
        }
    }

    /// Something happened that should not have, and nothing goes on.
    pub(crate) const fn internal_error() -> Self {
        Self::empty(500)
    }

    /// With the headers that let an allowed page read it.
    #[must_use]
    pub fn for_origin(mut self, origin: &Origin) -> Self {
        let cors = origin.response_headers().into_iter();
        self.headers
            .extend(cors.map(|(name, value)| (name, value.into())));
        self
    }
}

/// The protected resource metadata document (RFC 9728, section 3): GET and
/// HEAD from anywhere, and what a browser asks before it sends them.
pub fn metadata(method: &str, headers: &Headers, site: &Site) -> Reply {
    let cors = ("access-control-allow-origin", "*".into());
    match method {
        // Envoy sends no body to HEAD, and the headers that GET would get.
        "GET" | "HEAD" => Reply {
            status: 200,
            headers: vec![
                ("content-type", "application/json".into()),
                ("cache-control", "public, max-age=3600".into()),
                cors,
            ],
            body: (&site.metadata_document).into(),
        },
        "OPTIONS" => Reply {
            headers: vec![
                cors,
                ("access-control-allow-methods", "GET, HEAD, OPTIONS".into()),
                (
                    "access-control-allow-headers",
                    allowed_request_headers(headers).into(),
                ),
                ("access-control-max-age", "3600".into()),
                ("allow", "GET, HEAD, OPTIONS".into()),
            ],
            ..Reply::empty(204)
        },
        _ => Reply {
            headers: vec![cors, ("allow", "GET, HEAD, OPTIONS".into())],
            ..Reply::empty(405)
        },
    }
}

/// The answer to a preflight of an allowed origin.
pub fn preflight(headers: &Headers, origin: &Origin) -> Reply {
    Reply {
        headers: vec![
            ("access-control-allow-methods", "POST, GET, DELETE".into()),
            (
                "access-control-allow-headers",
                allowed_request_headers(headers).into(),
            ),
            ("access-control-max-age", "600".into()),
        ],
        ..Reply::empty(204)
    }
    .for_origin(origin)
}
