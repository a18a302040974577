//! What the service says of itself.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::{overrides, resolve, status};
use crate::app::App;
use crate::http::health;
use crate::oauth::client_metadata_document;

/// The metadata of the service as a protected resource (RFC 9728).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProtectedResource {
    /// The resource identifier.
    resource: String,
    /// Who issues access tokens for it.
    authorization_servers: Vec<String>,
    /// How they are sent.
    bearer_methods_supported: [&'static str; 1],
}

/// Where a client gets an access token for these APIs (RFC 9728).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    operation_id = "protectedResource",
    tag = "Operation",
    responses((status = 200, description = "The metadata.", body = ProtectedResource))
)]
pub(super) async fn protected_resource(State(app): State<App>) -> Json<ProtectedResource> {
    let issuers = app.config.issuers.iter();
    Json(ProtectedResource {
        resource: app.config.address(""),
        authorization_servers: issuers.map(|issuer| issuer.issuer.clone()).collect(),
        bearer_methods_supported: ["header"],
    })
}

/// The service as a client of authorization servers that take the address of
/// this document as a client id.
#[utoipa::path(
    get,
    path = "/oauth/client.json",
    operation_id = "clientMetadata",
    tag = "Operation",
    responses((status = 200, description = "The client id metadata document.", body = Object))
)]
pub(super) async fn client_metadata(State(app): State<App>) -> impl IntoResponse {
    // It says the same to everybody; authorization servers keep it.
    let keep = [(CACHE_CONTROL, "public, max-age=300")];
    (keep, Json(client_metadata_document(&app.config.public_url)))
}

/// Whether a subject can use an MCP server, the link to connect it, overrides
/// and disconnect.
#[derive(OpenApi)]
#[openapi(
    info(title = "Token service: users and managers", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        status::authorize,
        status::auth_status,
        overrides::set,
        overrides::list,
        overrides::disconnect,
        protected_resource,
        client_metadata,
        health::healthz,
        health::readyz,
    ),
    modifiers(&UserTokens)
)]
struct PublicApi;

/// The credential of one call, for the filter.
#[derive(OpenApi)]
#[openapi(
    info(title = "Token service: filter", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(resolve::resolve, health::healthz, health::readyz, health::metrics),
    modifiers(&FilterKeys)
)]
struct FilterApi;

struct UserTokens;
struct FilterKeys;

impl Modify for UserTokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        bearer(document, "jwt", Some("JWT"));
    }
}

impl Modify for FilterKeys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        bearer(document, "filter_key", None);
    }
}

fn bearer(document: &mut utoipa::openapi::OpenApi, name: &str, format: Option<&str>) {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = format.map(str::to_owned);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(name, SecurityScheme::Http(scheme));
}

/// This API, as OpenAPI.
pub(super) async fn public_api() -> Json<utoipa::openapi::OpenApi> {
    Json(PublicApi::openapi())
}

/// This API, as OpenAPI.
pub(super) async fn filter_api() -> Json<utoipa::openapi::OpenApi> {
    Json(FilterApi::openapi())
}
