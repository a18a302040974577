//! The token service: keeps each user's own upstream credentials for the MCP
//! servers behind the gate.
//!
//! * [`config`]: a JSON file and the environment, parsed once into domain types.
//! * [`owner`]: whose a credential is, and for which server.
//! * [`vault`]: encryption of what is kept, bound to its owner.

pub mod config;
pub mod owner;
pub mod random;
pub mod secret;
pub mod vault;
