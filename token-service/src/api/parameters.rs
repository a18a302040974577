//! Parameters and bodies, read strictly.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use url::form_urlencoded;

use crate::app::App;
use crate::http::Problem;
use crate::strict::Strict;

/// The parameters of a query. Those that nobody asks for do not matter.
pub(super) struct Query(Vec<(String, String)>);

/// The id of a server, in the path.
pub(super) struct ServerId(pub(super) String);

/// A JSON object, if there is a body.
pub(super) struct Json<T>(pub(super) Option<Strict<T>>);

impl Query {
    /// The value of a parameter; one that comes twice is refused.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|(_, value)| value.as_str())),
            _ => Err(Problem::invalid_request(format!(
                "{name}: more than one of it"
            ))),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ServerId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id))
            .map_err(|_| Problem::invalid_request("mcpServerId: it is not text"))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, app).await.map_err(unread)?;
        if bytes.is_empty() || bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        if !is_json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "Content-Type: application/json is expected",
            ));
        }
        parse(&bytes).map(|body| Self(Some(body)))
    }
}

impl<T> Json<T> {
    /// The body, where there has to be one.
    pub(super) fn required(self) -> Result<Strict<T>, Problem> {
        self.0
            .ok_or_else(|| Problem::invalid_request("a JSON object is expected"))
    }
}

fn unread(rejection: BytesRejection) -> Problem {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request",
            "the body is too large",
        ),
        _ => Problem::invalid_request("the body cannot be read"),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let utf8 = |parameter: &str| {
        parameter
            .trim()
            .to_ascii_lowercase()
            .strip_prefix("charset=")
            .is_none_or(|charset| charset.trim_matches('"') == "utf-8")
    };
    kind.trim().eq_ignore_ascii_case("application/json") && parameters.split(';').all(utf8)
}

/// One JSON object. The error names the place, and repeats no value: a secret
/// may stand there.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Strict<T>, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        if !error.inner().is_data() {
            return Problem::invalid_request("the body is not JSON");
        }
        let place: String = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                Segment::Seq { index } => Some(format!("/{index}")),
                // Names that are not known come from the peer.
                Segment::Map { key } if key.len() <= 64 && key.is_ascii() => {
                    Some(format!("/{}", key.escape_default()))
                }
                _ => None,
            })
            .collect();
        let message = error.inner().to_string();
        let what = if message.starts_with("unknown field") {
            "no such field is known"
        } else if message.starts_with("duplicate field") {
            "it is there twice"
        } else if message.starts_with("missing field") {
            // The name is ours.
            return Problem::invalid_request(format!(
                "{place}/{}: it is missing",
                message.split('`').nth(1).unwrap_or_default()
            ));
        } else {
            "it is of another form"
        };
        Problem::invalid_request(format!("{place}: {what}"))
    })?;
    json.end()
        .map_err(|_| Problem::invalid_request("the body is more than one JSON object"))?;
    Ok(parsed)
}
