//! The APIs: status and consent (seeds 000 and 001), overrides, and what the
//! filter asks.

mod caller;
mod documents;
mod overrides;
mod parameters;
mod resolve;
mod status;
mod subject;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::http::Problem;
use crate::servers::Server;

/// For users and managers.
pub(crate) fn public_routes() -> Router<App> {
    Router::new()
        .route(
            "/api/svc/v1/mcp/{mcpServerId}/authorize",
            get(status::authorize),
        )
        .route(
            "/api/svc/v1/mcp/{mcpServerId}/auth/status",
            get(status::auth_status),
        )
        .route(
            "/api/svc/v1/mcp/{mcpServerId}/auth",
            get(overrides::list)
                .put(overrides::set)
                .delete(overrides::disconnect),
        )
        .route(
            "/.well-known/oauth-protected-resource",
            get(documents::protected_resource),
        )
        .route("/oauth/client.json", get(documents::client_metadata))
        .route("/openapi.json", get(documents::public_api))
}

/// For the filter.
pub(crate) fn filter_routes() -> Router<App> {
    Router::new()
        .route("/v1/credentials/resolve", post(resolve::resolve))
        .route("/openapi.json", get(documents::filter_api))
}

fn server<'a>(app: &'a App, id: &str) -> Result<&'a Server, Problem> {
    app.servers
        .get(id)
        .map(|server| &**server)
        .ok_or_else(Problem::unknown_server)
}

/// Trouble with what is kept, which the caller cannot mend.
fn trouble(problem: &crate::credentials::CredentialError) -> Problem {
    tracing::error!(%problem, "a credential cannot be read or written");
    Problem::unavailable("the service has trouble")
}
