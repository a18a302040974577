//! The authorization gate for MCP, as a proxy-wasm filter for Envoy.

pub mod attempt;
mod cache;
pub mod callout;
pub mod config;
pub mod continuity;
pub mod credential;
mod digest;
pub mod exchange;
pub mod http;
pub mod json;
pub mod mcp;
mod names;
pub mod oauth;
pub mod policy;
pub mod record;
pub mod reply;
pub mod response;
pub mod secret;
#[cfg(target_arch = "wasm32")]
mod shell;
pub mod site;
mod sorted_map;
pub mod text;
