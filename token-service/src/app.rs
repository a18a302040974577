//! Everything that a request is answered with.

use std::sync::Arc;

use crate::access::Access;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::grants::Grants;
use crate::oauth::Providers;
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
    /// The issuers of callers' tokens as authorization servers: for the
    /// sign-in.
    pub issuers: Providers,
    /// Who calls.
    pub access: Access,
    /// The time.
    pub clock: Clock,
}
