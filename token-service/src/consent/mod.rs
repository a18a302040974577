//! The flow in which a user connects an account.

#[allow(dead_code, reason = "used by what comes next")]
mod cookies;
#[allow(dead_code, reason = "used by what comes next")]
mod forms;
#[allow(dead_code, reason = "used by what comes next")]
mod journey;
#[allow(dead_code, reason = "used by what comes next")]
mod rows;
mod start;

use axum::Router;
use url::Url;

use rows::Row;
pub use start::{StartError, Started, start};

use crate::app::App;

/// The pages of the flow.
pub fn routes() -> Router<App> {
    Router::new()
}

/// An address of the service.
fn below(public_url: &Url, path: &str) -> String {
    format!("{}/{path}", public_url.as_str().trim_end_matches('/'))
}
