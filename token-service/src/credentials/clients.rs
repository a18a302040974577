//! The clients that the service has registered, with their secrets.

use super::{CredentialError, Credentials};
use crate::owner::{Owner, SubjectType, Target};
use crate::secret::Secret;
use crate::storage::{StoredClient, Version};
use crate::vault::{Binding, RecordKind};

/// A client that was registered at an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRegistration {
    /// Its version.
    pub version: Version,
    /// The client, in the form that its user knows.
    pub secret: Secret,
    /// When its secret ends, where it does.
    pub expires_at: Option<i64>,
}

impl Credentials {
    /// The client for a redirect URI at an authorization server.
    ///
    /// # Errors
    /// The database has trouble, or it does not open.
    pub async fn registration(
        &self,
        provider: &str,
        redirect_uri: &str,
    ) -> Result<Option<KeptRegistration>, CredentialError> {
        let Some(stored) = self.storage.client(provider, redirect_uri).await? else {
            return Ok(None);
        };
        let (owner, target) = place(provider, redirect_uri);
        let binding = binding(&owner, &target, stored.version);
        Ok(Some(KeptRegistration {
            version: stored.version,
            secret: self.open(&stored.sealed, &binding)?,
            expires_at: stored.expires_at,
        }))
    }

    /// Keeps a client where there is none. False: there is one.
    ///
    /// # Errors
    /// Nothing was written.
    pub async fn add_registration(
        &self,
        provider: &str,
        redirect_uri: &str,
        secret: &Secret,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<bool, CredentialError> {
        let version = Version::fresh()?;
        let (owner, target) = place(provider, redirect_uri);
        let stored = StoredClient {
            provider: provider.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            version,
            sealed: self
                .vault
                .seal(secret, &binding(&owner, &target, version))?,
            expires_at,
        };
        Ok(self.storage.add_client(&stored, now).await?)
    }
}

/// In the place of owner and target, which a client does not have.
pub(super) fn place(provider: &str, redirect_uri: &str) -> (Owner, Target) {
    let owner = Owner {
        issuer: provider.to_owned(),
        subject: redirect_uri.to_owned(),
        subject_type: SubjectType::VirtualAccount,
    };
    (owner, Target::server(""))
}

pub(super) const fn binding<'a>(
    owner: &'a Owner,
    target: &'a Target,
    version: Version,
) -> Binding<'a> {
    Binding {
        owner,
        target,
        kind: RecordKind::Client,
        version: version.number(),
    }
}
