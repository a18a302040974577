//! The token service: keeps each user's own upstream credentials for the MCP
//! servers behind the gate.
//!
//! * [`config`]: a JSON file and the environment, parsed once into domain types.
//! * [`owner`]: whose a credential is, and for which server.
//! * [`servers`]: the MCP servers, and how each authenticates upstream.
//! * [`vault`]: encryption of what is kept, bound to its owner.
//! * [`storage`]: the database, which sees sealed secrets only.
//! * [`credentials`]: what storage keeps and the vault opens.
//! * [`outbound`]: guarded calls to addresses that come from outside.
//! * [`oauth`]: what is asked of authorization servers.
//! * [`grants`]: how a call gets its credential.
//! * [`access`]: who calls.
//! * [`consent`]: the flow in which a user connects an account.
//! * [`pages`]: the pages that people see on it.
//! * `api`: status and consent, overrides, and what the filter asks.
//! * [`http`]: the listeners, and what holds for every request.
//! * [`telemetry`]: metrics and logs.
//! * [`service`]: all of it, running.

pub mod access;
mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod consent;
pub mod credentials;
mod flight;
pub mod grants;
pub mod http;
pub mod oauth;
pub mod outbound;
pub mod owner;
pub mod pages;
pub mod random;
pub mod secret;
pub mod servers;
pub mod service;
pub mod storage;
mod strict;
pub mod telemetry;
pub mod vault;
