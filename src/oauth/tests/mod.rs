//! Tests of the token side, through the interface that the filter uses.
#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

mod algorithms;
mod bearer;
mod by_host;
mod cache;
mod challenge;
mod claims;
mod fetching;
mod introspection;
mod keys;
mod metadata;
mod seeds;
mod shape;
pub(crate) mod support;
