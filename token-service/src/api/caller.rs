//! Who calls an API: from the request's headers.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use crate::access::{AccessError, Caller, find_key};
use crate::app::App;
use crate::config::FilterKey;
use crate::http::Problem;

/// A caller whose token was verified.
pub(super) struct Authenticated(pub(super) Caller);

/// A filter whose key was verified.
pub(super) struct Filter(pub(super) FilterKey);

impl FromRequestParts<App> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = match bearer(&parts.headers) {
            Bearer::One(token) => token,
            Bearer::None => return Err(unauthorized(app, None)),
            Bearer::Several => {
                return Err(Problem::invalid_request(
                    "more than one Authorization header",
                ));
            }
        };
        match app.access.caller(token, app.clock.now()).await {
            Ok(caller) => Ok(Self(caller)),
            Err(AccessError::Invalid(why)) => Err(unauthorized(app, Some(why))),
            Err(problem @ AccessError::Unavailable) => {
                Err(Problem::unavailable(problem.to_string()))
            }
        }
    }
}

impl FromRequestParts<App> for Filter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = match bearer(&parts.headers) {
            Bearer::One(key) => find_key(&app.config.filter_keys, key),
            Bearer::None | Bearer::Several => None,
        };
        key.cloned().map(Self).ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "this is not the key of a filter",
            )
            .challenge("Bearer")
        })
    }
}

enum Bearer<'a> {
    None,
    One(&'a str),
    Several,
}

/// RFC 6750, section 2.1. Another scheme is as good as none.
fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Bearer::Several;
    };
    value
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or(Bearer::None, |(_, token)| Bearer::One(token.trim()))
}

/// RFC 6750, section 3, and RFC 9728, section 5.1.
fn unauthorized(app: &App, why: Option<&'static str>) -> Problem {
    let metadata = app.config.address("/.well-known/oauth-protected-resource");
    let challenge = match why {
        None => format!("Bearer resource_metadata=\"{metadata}\""),
        Some(why) => format!(
            "Bearer error=\"invalid_token\", error_description=\"{why}\", \
             resource_metadata=\"{metadata}\""
        ),
    };
    let (code, message) = match why {
        None => ("unauthorized", "an access token is needed".to_owned()),
        Some(why) => ("invalid_token", format!("the access token: {why}")),
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, message).challenge(&challenge)
}
