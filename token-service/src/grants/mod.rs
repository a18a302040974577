//! Each user's grants: how a call gets its credential, and how credentials are
//! obtained, renewed and given back.

#[expect(dead_code, reason = "used by what comes next")]
mod types;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use url::Url;

pub use types::{
    AuthMethod, AuthStatus, Authenticated, Begun, ConsentKind, Disconnected, OverrideError,
    OverrideValue, PendingAuthorization, Reason, Rejected, Resolution, ResolveAsk, ResolveError,
};

use crate::credentials::{CredentialError, Credentials};
use crate::oauth::{ProviderError, Providers};
use crate::outbound::Outbound;
use crate::owner::Owner;
use crate::secret::Secret;
use crate::servers::{Server, Source};
use crate::storage::{Method, Version};

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
    #[expect(dead_code, reason = "used by what comes next")]
    credentials: Arc<Credentials>,
    providers: Providers,
    settings: GrantSettings,
}

impl Grants {
    /// Grants that are kept there, from providers that are called so.
    pub fn new(credentials: Arc<Credentials>, outbound: Outbound, settings: GrantSettings) -> Self {
        Self(Arc::new(Inner {
            credentials,
            providers: Providers::new(outbound),
            settings,
        }))
    }

    /// The authorization servers.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// The credential of one call.
    ///
    /// # Errors
    /// There is none, for a reason that no consent mends.
    pub async fn resolve(
        &self,
        _ask: &ResolveAsk<'_>,
        _now: i64,
    ) -> Result<Resolution, ResolveError> {
        Err(ResolveError::Unavailable)
    }

    /// Whether the user can use the server.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn status(
        &self,
        _owner: &Owner,
        _server: &Server,
        _now: i64,
    ) -> Result<AuthStatus, CredentialError> {
        Ok(AuthStatus::Required {
            method: AuthMethod::OAuth,
            reason: Reason::ConsentMissing,
            kind: ConsentKind::OAuth,
        })
    }

    /// The sources that still need a consent, in order.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn pending_sources(
        &self,
        _owner: &Owner,
        server: &Server,
        _now: i64,
    ) -> Result<Vec<Arc<Source>>, CredentialError> {
        Ok(server.sources.clone())
    }

    /// Begins an authorization at the source's provider.
    ///
    /// # Errors
    /// The provider cannot be used.
    pub async fn begin(
        &self,
        _source: &Source,
        _redirect_uri: &str,
        _state: &str,
        _now: i64,
    ) -> Result<Begun, ProviderError> {
        Err(ProviderError::Unavailable)
    }

    /// Finishes an authorization: exchanges the code, and keeps what it
    /// brought.
    ///
    /// # Errors
    /// Nothing was kept.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub async fn finish(
        &self,
        _owner: &Owner,
        _source: &Source,
        _pending: &PendingAuthorization,
        _code: &Secret,
        _iss: Option<&str>,
        _request_id: &str,
        _now: i64,
    ) -> Result<Version, ProviderError> {
        Err(ProviderError::Unavailable)
    }

    /// Sets what goes before the server's own way to authenticate. Of a virtual
    /// server, for the source that is named.
    ///
    /// # Errors
    /// Nothing was set.
    pub async fn set_override(
        &self,
        _owner: &Owner,
        _server: &Server,
        _source: Option<&str>,
        _value: &OverrideValue,
        _request_id: &str,
        _now: i64,
    ) -> Result<Version, OverrideError> {
        Err(OverrideError::InvalidTarget)
    }

    /// Who has an override for the server, by source.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn overrides(
        &self,
        _server: &Server,
    ) -> Result<Vec<(Owner, Arc<Source>)>, CredentialError> {
        Ok(vec![])
    }

    /// Removes what the user has of that kind, for one source or for all. What
    /// came from a consent is given back to the provider first, as far as that
    /// is possible.
    ///
    /// # Errors
    /// Not everything was removed.
    pub async fn disconnect(
        &self,
        _owner: &Owner,
        _server: &Server,
        _source: Option<&str>,
        _method: Method,
        _request_id: &str,
        _now: i64,
    ) -> Result<Disconnected, CredentialError> {
        Ok(Disconnected::default())
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grants").field(&self.0.settings).finish()
    }
}
