//! The authorization gate for MCP, as a proxy-wasm filter for Envoy.

pub mod http;
pub mod json;
pub mod mcp;
pub mod oauth;
