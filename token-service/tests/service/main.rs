//! The service as its callers see it, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

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
