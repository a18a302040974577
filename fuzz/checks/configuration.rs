//! A configuration is accepted, or refused with errors that say where.

use mcp_auth_filter::config::{self, Plugin};
use mcp_auth_filter::exchange::Worker;
use mcp_auth_filter::oauth::TokenHashKey;

/// Reads a configuration, and makes a worker of one that is accepted.
pub(crate) fn check(bytes: &[u8]) {
    match config::parse_plugin(bytes, &|name| {
        ["SECRET", "STATE_KEY"]
            .contains(&name)
            .then(|| "a-secret-of-more-than-32-characters".to_owned())
    }) {
        Ok(Plugin::Gate(config)) => drop(Worker::new(&config, TokenHashKey::new([7; 16]))),
        Ok(Plugin::Credential { server }) => assert!(!server.is_empty()),
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(
                errors
                    .iter()
                    .all(|error| error.pointer.is_empty() || error.pointer.starts_with('/'))
            );
        }
    }
}
