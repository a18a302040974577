//! The service as its callers see it, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test may fail anywhere"
)]

mod access;
mod issuer;
mod listeners;
mod overrides;
mod process;
mod resolve;
mod running;
mod status;
#[path = "../support/mod.rs"]
mod support;

use running::NOW;
