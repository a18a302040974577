//! What is said when something is not as it should be.

use std::borrow::Cow;

use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// An answer `{"error": {"code", "message", "request_id"}}`.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    said: Said,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What the body says, as long as the request's id is not known.
#[derive(Clone, Debug)]
pub(super) struct Said {
    code: &'static str,
    message: Cow<'static, str>,
}

/// The body of every answer that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: ErrorDetail,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// A fixed word.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// The request's id, which is in the log as well.
    pub request_id: String,
}

impl Problem {
    /// A problem with this status and code. The message must not repeat
    /// anything secret.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            said: Said {
                code,
                message: message.into(),
            },
            headers: Vec::new(),
        }
    }

    /// 400 `invalid_request`.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// 403 `access_denied`.
    pub fn access_denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", message)
    }

    /// 404 `unknown_server`.
    pub fn unknown_server() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown_server",
            "there is no server of that id",
        )
    }

    /// 503 `unavailable`: the service itself, or what it needs, has trouble.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(1)
    }

    /// When to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push((RETRY_AFTER, seconds.into()));
        self
    }

    /// How to authenticate (RFC 9110, section 11.6.1). What cannot stand in a
    /// header is left out.
    #[must_use]
    pub fn challenge(mut self, challenge: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(challenge) {
            self.headers.push((WWW_AUTHENTICATE, value));
        }
        self
    }

    /// The code.
    pub const fn code(&self) -> &'static str {
        self.said.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self.said);
        response.headers_mut().extend(
            self.headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        response
    }
}

/// The page in place of a problem, if the response is one: for people.
pub(super) fn with_page(mut response: Response, page: impl FnOnce() -> Response) -> Response {
    let Some(Said { code, message }) = response.extensions_mut().remove::<Said>() else {
        return response;
    };
    tracing::debug!(code, %message, "refused");
    let mut page = page();
    // When to try again, and that the connection ends.
    page.headers_mut()
        .extend(std::mem::take(response.headers_mut()));
    page
}

/// Writes the body of a problem, if the response is one.
pub(super) fn with_body(mut response: Response, request_id: &str) -> Response {
    let Some(Said { code, message }) = response.extensions_mut().remove::<Said>() else {
        return response;
    };
    tracing::debug!(code, %message, "refused");
    let body = ErrorBody {
        error: ErrorDetail {
            code,
            message: message.into_owned(),
            request_id: request_id.to_owned(),
        },
    };
    *response.body_mut() = serde_json::to_vec(&body).unwrap_or_default().into();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
