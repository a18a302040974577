//! The consent flow over real sockets: with a scripted issuer and providers, on
//! SQLite and on PostgreSQL.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

#[path = "../support/mod.rs"]
mod support;

mod again;
mod attacks;
mod browser;
mod flow;
mod hanging;
mod provider;
mod setup;
mod trouble;
