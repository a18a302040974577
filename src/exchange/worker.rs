//! What all exchanges of one worker share.

use std::rc::Rc;

use crate::config::{Config, HeaderMode, Limits};
use crate::oauth::{Authenticator, InlineKeyError, TokenLimits};
use crate::site::Sites;

/// The state of one Envoy worker: configuration made ready, keys, caches.
#[derive(Debug)]
pub struct Worker {
    /// The servers, by host and path.
    pub sites: Sites,
    /// The token side.
    pub authenticator: Authenticator,
    /// Bounds on what is read and kept.
    pub limits: Limits,
    /// When the upstream may see a request's headers.
    pub header_mode: HeaderMode,
    /// How many exchanges wait for keys or introspection.
    pub waiting: usize,
}

impl Worker {
    /// From a configuration.
    ///
    /// # Errors
    /// [`InlineKeyError`] if a key set in the configuration has no usable key.
    pub fn new(config: &Config) -> Result<Self, InlineKeyError> {
        let limits = TokenLimits {
            token_bytes: config.limits.token_bytes,
            cache_entries: config.limits.token_cache_entries,
        };
        let issuers = config.issuers.iter().map(Rc::clone).collect();
        Ok(Self {
            sites: Sites::new(config),
            authenticator: Authenticator::new(issuers, limits)?,
            limits: config.limits,
            header_mode: config.header_mode,
            waiting: 0,
        })
    }
}
