//! HTTP as the gate sees it: header snapshots, paths, origins,
//! challenges.

pub mod challenge;
pub mod headers;
pub mod origin;
pub mod target;

pub use headers::{HeaderError, Headers};
