//! HTTP as the gate sees it: header snapshots, paths, origins,
//! challenges.

pub mod challenge;
pub mod headers;
pub mod origin;
pub mod target;
mod url_host;

pub use headers::{HeaderError, Headers};
pub use url_host::{UrlHost, leads_to};
