//! The authorization gate for MCP, as a proxy-wasm filter for Envoy.
