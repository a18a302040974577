//! HTTP: the two listeners, and what holds for every request.

pub(crate) mod health;
mod problem;
mod request;
mod serve;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use tokio::sync::Semaphore;

pub use health::Health;
pub(crate) use health::Stopping;
use health::{healthz, metrics, readyz};
pub use problem::{ErrorBody, ErrorDetail, Problem};
pub use request::RequestId;
use request::Rules;
pub use serve::{Listener, ServeError};

use crate::app::App;
use crate::{api, consent};

/// What the listener for the filter answers.
pub(crate) fn filter_router(app: App, stopping: Stopping) -> Router {
    let router = api::filter_routes().route("/metrics", get(metrics));
    complete("filter", router, app, stopping)
}

/// What the listener for browsers and users of the APIs answers.
pub(crate) fn public_router(app: App, stopping: Stopping) -> Router {
    let router = api::public_routes().merge(consent::routes());
    complete("public", router, app, stopping)
}

fn complete(listener: &'static str, router: Router<App>, app: App, stopping: Stopping) -> Router {
    let limits = app.config.limits;
    let rules = Rules {
        listener,
        limits,
        places: Arc::new(Semaphore::new(limits.concurrent_requests)),
    };
    router
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(limits.request_bytes))
        .layer(Extension(stopping))
        .layer(middleware::from_fn_with_state(rules, request::around))
        .with_state(app)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this method is not for here",
    )
}
