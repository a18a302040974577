//! Each user's grants: how a call gets its credential, and how credentials are
//! obtained, renewed and given back.

mod clients;
mod consent;
mod disconnect;
mod headers;
mod judge;
mod kept;
mod refresh;
mod resolve;
mod shared;
mod status;
mod types;
mod write;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use url::Url;

pub(crate) use consent::scopes_to_ask;
pub use types::{
    AuthMethod, AuthStatus, Authenticated, Begun, ConsentKind, Disconnected, Needed, OverrideError,
    OverrideValue, PendingAuthorization, Reason, Rejected, Resolution, ResolveAsk, ResolveError,
};

use crate::credentials::Credentials;
use crate::flight::{Flights, Running};
use crate::oauth::Providers;
use crate::outbound::Outbound;
use crate::storage::{Slot, Version};

/// How credentials are renewed.
#[derive(Clone, Debug)]
pub struct GrantSettings {
    /// The service's own address.
    pub public_url: Url,
    /// So many seconds before its end a token is renewed, a fifth more or less.
    pub margin_seconds: i64,
    /// So many seconds nothing is tried again after a failure.
    pub cooldown_seconds: i64,
    /// So many seconds one replica alone may renew a credential.
    pub lease_seconds: i64,
    /// So long a call waits for a renewal.
    pub patience: Duration,
}

/// The grants of all users.
#[derive(Clone)]
pub struct Grants(Arc<Inner>);

struct Inner {
    credentials: Arc<Credentials>,
    providers: Providers,
    settings: GrantSettings,
    refreshes: Flights<(Slot, Version), refresh::Outcome>,
    rescues: Flights<(Slot, Version), ()>,
    /// Exchanges of codes, and what is given back.
    running: Running,
    fetches: Flights<String, shared::Fetched>,
    shared: shared::SharedTokens,
}

impl Grants {
    /// Grants that are kept there, from providers that are called so.
    pub fn new(credentials: Arc<Credentials>, outbound: Outbound, settings: GrantSettings) -> Self {
        Self(Arc::new(Inner {
            credentials,
            providers: Providers::new(outbound),
            settings,
            refreshes: Flights::new(),
            rescues: Flights::new(),
            running: Running::new(),
            fetches: Flights::new(),
            shared: shared::SharedTokens::default(),
        }))
    }

    /// The authorization servers.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// Waits until no refresh is under way, nor the exchange of a code, nor a
    /// disconnect: for a shutdown, which would lose what a provider has already
    /// given, or not give back what was removed.
    pub async fn drain(&self) {
        self.0.running.drain().await;
        self.0.refreshes.drain().await;
        self.0.rescues.drain().await;
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grants").field(&self.0.settings).finish()
    }
}
