//! How calls get their credentials, at a provider that does what a test says,
//! on SQLite and on PostgreSQL.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod consent;
mod disconnect;
mod provider;
mod refresh;
mod replicas;
mod shared;
#[path = "../support/mod.rs"]
mod support;
mod world;
