//! Everything that a request is answered with.

use std::sync::Arc;

use crate::access::Access;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::grants::Grants;
use crate::outbound::Outbound;
use crate::servers::Servers;

/// Shared by all requests.
#[derive(Clone, Debug)]
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// The MCP servers.
    pub servers: Arc<Servers>,
    /// What is kept.
    pub credentials: Arc<Credentials>,
    /// How calls get their credentials.
    pub grants: Arc<Grants>,
    /// Calls to others.
    pub outbound: Outbound,
    /// Who calls.
    pub access: Access,
    /// The time.
    pub clock: Clock,
}
