//! What is done with every request: an id, limits, a line in the log.

use core::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue, PRAGMA, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::problem::{self, Problem};
use crate::config::Limits;
use crate::{consent, random, telemetry};

/// The id of a request: in its answer's header `x-request-id`, in every line
/// of the log and in audit records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// What holds for every request of a listener.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) listener: &'static str,
    pub(super) limits: Limits,
    pub(super) places: Arc<Semaphore>,
}

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn around(
    State(rules): State<Rules>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = RequestId::of(&request);
    let method = known(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        "request",
        request_id = id.0,
        listener = rules.listener,
        method,
        route
    );
    let own_id = id.clone();
    let answer = async move {
        let response = limited(&rules, &route, request, next).await;
        // A question may bring its own.
        let id = response.extensions().get::<RequestId>().cloned();
        let id = id.unwrap_or(own_id);
        let response = match response.status() {
            StatusCode::SERVICE_UNAVAILABLE if consent::is_page(&route) => {
                problem::with_page(response, || consent::unavailable(&id.0))
            }
            _ => problem::with_body(response, &id.0),
        };
        let status = response.status().as_u16();
        let time = begun.elapsed();
        telemetry::request(rules.listener, method, &route, status, time);
        // Probes and scrapes would drown the rest.
        if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") && status < 500 {
            tracing::debug!(status, ms = time.as_millis(), "answered");
        } else {
            tracing::info!(status, ms = time.as_millis(), "answered");
        }
        (response, id)
    };
    let (mut response, id) = answer.instrument(span).await;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(HEADER, id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        // RFC 6749, section 5.1, for what the filter gets; it suits the rest.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn limited(rules: &Rules, route: &str, request: Request, next: Next) -> Response {
    // A service that has much to do is not to be taken for a dead one.
    let is_probe = matches!(route, "/healthz" | "/readyz");
    let place = rules.places.try_acquire();
    if place.is_err() && !is_probe {
        return Problem::unavailable("too many requests at a time").into_response();
    }
    let answered = tokio::time::timeout(rules.limits.request_time, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let problem = Problem::unavailable("the request took too long");
        // What is left of its body will not be read.
        ([(CONNECTION, "close")], problem).into_response()
    })
}

/// The methods that can be a label.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

// === impl RequestId ===

impl RequestId {
    /// The id that the peer sent, if it can be one, else a new one.
    fn of(request: &Request) -> Self {
        let mut sent = request.headers().get_all(HEADER).iter();
        match (sent.next(), sent.next()) {
            (Some(id), None) => id.to_str().ok().and_then(Self::parse),
            _ => None,
        }
        .unwrap_or_else(Self::fresh)
    }

    /// Up to 128 letters, digits, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        const LONGEST: usize = 128;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    fn fresh() -> Self {
        let id = random::bytes::<16>().map(|bytes| URL_SAFE_NO_PAD.encode(*bytes));
        // An id is for finding things, not for keeping them apart.
        Self(id.unwrap_or_else(|_| "none".to_owned()))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(Self::fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_id_is_taken_over() {
        for id in ["a", "6f9d1c0e-2a", "a.b_c-D", &"x".repeat(128)] {
            assert_eq!(RequestId::parse(id).unwrap().0, id);
        }
        for id in ["", "a b", "a\"b", "a\nb", "ä", "a/b", &"x".repeat(129)] {
            assert_eq!(RequestId::parse(id), None, "{id:?}");
        }
    }
}
