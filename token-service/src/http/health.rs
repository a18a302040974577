//! Whether the service lives, and whether it can do its work.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{ErrorBody, Problem};
use crate::app::App;
use crate::telemetry;

/// Whether the service has been told to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

/// A sign of life.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "Operation", responses(
    (status = 200, description = "It does.", body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(OK)
}

/// Whether requests can be answered: the database can be reached, and the
/// service has not been told to stop.
#[utoipa::path(get, path = "/readyz", tag = "Operation", responses(
    (status = 200, description = "They can.", body = Health),
    (status = 503, description = "They cannot.", body = ErrorBody)))]
pub(crate) async fn readyz(
    State(app): State<App>,
    Extension(stopping): Extension<Stopping>,
) -> Result<Json<Health>, Problem> {
    const PATIENCE: Duration = Duration::from_secs(2);
    if stopping.0.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("the service is stopping"));
    }
    let pinged = tokio::time::timeout(PATIENCE, app.credentials.storage().ping()).await;
    match pinged {
        Ok(Ok(())) => Ok(Json(OK)),
        Ok(Err(problem)) => {
            tracing::warn!(%problem, "not ready");
            Err(Problem::unavailable("the database cannot be reached"))
        }
        Err(_) => Err(Problem::unavailable("the database does not answer")),
    }
}

/// The metrics, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "Operation", responses(
    (status = 200, description = "All metrics.", content_type = "text/plain", body = String)))]
pub(crate) async fn metrics() -> Response {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, TEXT)], telemetry::render()).into_response()
}
