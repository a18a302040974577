//! The flow in which a user connects an account: from a link, over the sign-in
//! of the person who opens it, to the agreement at each provider, and on to
//! the next source or the end.
//!
//! * Whoever agrees is who began: the link's owner and the person who is signed
//!   in are compared by issuer and subject (MCP, "Safe URL handling"; the
//!   confused deputy otherwise gives one person's account to another).
//! * A GET changes nothing, so that whatever follows links in messages does not
//!   use them up. Only the two ways back from an authorization server are GETs
//!   that do something; they need the cookie of the browser that began.
//! * All state is in the database, under hashes of random handles that work
//!   once: `/connect/{handle}`, the `state` of both ways back, and the session
//!   in the cookie.

mod answer;
mod callback;
mod connect;
mod cookies;
mod flow;
mod forms;
mod journey;
mod problem;
mod rows;
mod sign_in;
mod start;

use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use url::Url;

pub use start::{StartError, Started, start};

use crate::app::App;

const CONNECT: &str = "/connect/{handle}";
const BEGIN_SIGN_IN: &str = "/connect/{handle}/sign-in";
const FINISH_SIGN_IN: &str = "/sign-in/callback";
const FINISH: &str = "/oauth/callback";
const CONNECTED: &str = "/connected";

/// The pages of the flow.
pub fn routes() -> Router<App> {
    Router::new()
        .route(CONNECT, get(connect::show).post(connect::agree))
        .route(BEGIN_SIGN_IN, post(sign_in::begin))
        .route(FINISH_SIGN_IN, get(sign_in::finish))
        .route(FINISH, get(callback::finish))
        .route(CONNECTED, get(connect::connected))
}

/// Whether the route is one of the flow: there people ask, not programs.
pub(crate) fn is_page(route: &str) -> bool {
    [CONNECT, BEGIN_SIGN_IN, FINISH_SIGN_IN, FINISH, CONNECTED].contains(&route)
}

/// The page for a request that got no answer of its own: it took too long, or
/// there were too many.
pub(crate) fn unavailable(request_id: &str) -> Response {
    problem::Problem::Unavailable.page(request_id)
}

/// An address of the service.
fn below(public_url: &Url, path: &str) -> String {
    format!("{}/{path}", public_url.as_str().trim_end_matches('/'))
}
