//! Overrides, and giving grants back.

use std::sync::Arc;

use super::Grants;
use super::headers::parse_override;
use super::kept::KeptGrant;
use super::resolve::source_of;
use super::types::{Disconnected, OverrideError, OverrideValue};
use crate::credentials::{Credential, CredentialError, KeptCredential};
use crate::owner::Owner;
use crate::secret::Secret;
use crate::servers::{Authentication, Server, Source};
use crate::storage::{Action, AuditRecord, By, Method, Slot, Version};
use crate::telemetry;

impl Grants {
    /// Sets what goes before the server's own way to authenticate. Of a virtual
    /// server, for the source that is named.
    ///
    /// # Errors
    /// Nothing was set; or it was, and could not be recorded: set it again.
    pub async fn set_override(
        &self,
        owner: &Owner,
        server: &Server,
        source: Option<&str>,
        value: &OverrideValue,
        by: impl Into<By<'_>>,
        now: i64,
    ) -> Result<Version, OverrideError> {
        let source = source_of(server, source).ok_or(OverrideError::InvalidTarget)?;
        let value = parse_override(&source.authentication, value)?;
        let bytes = serde_json::to_vec(&value);
        let bytes = bytes.map_err(|_| OverrideError::InvalidValue("the value is not text"))?;
        let slot = slot(owner, source, Method::Override);
        let credential = Credential {
            secret: Secret::new(bytes),
            scopes: vec![],
            expires_at: None,
        };
        let version = self.0.credentials.put(&slot, &credential, now).await?;
        self.note(Action::Override, "set", slot, &by.into(), now)
            .await?;
        Ok(version)
    }

    /// Who has an override for the server, by source.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn overrides(
        &self,
        server: &Server,
    ) -> Result<Vec<(Owner, Arc<Source>)>, CredentialError> {
        let mut found = vec![];
        for source in &server.sources {
            let storage = self.0.credentials.storage();
            let slots = storage.slots(&source.id, Method::Override).await?;
            let owners = slots
                .into_iter()
                .map(|slot| (slot.owner, Arc::clone(source)));
            found.extend(owners);
        }
        Ok(found)
    }

    /// Removes what the user has of that kind, for one source or for all. What
    /// came from a consent is then given back to the provider, as far as that
    /// is possible. It goes on to its end if who waits for it goes away.
    ///
    /// # Errors
    /// Not everything was removed, or not all of that was recorded.
    pub async fn disconnect(
        &self,
        owner: &Owner,
        server: &Server,
        source: Option<&str>,
        method: Method,
        by: impl Into<By<'_>>,
        now: i64,
    ) -> Result<Disconnected, CredentialError> {
        let By { actor, request_id } = by.into();
        let sources: Vec<Arc<Source>> = server
            .sources
            .iter()
            .filter(|one| source.is_none_or(|id| one.id == id))
            .cloned()
            .collect();
        let (grants, owner, request_id) = (self.clone(), owner.clone(), request_id.to_owned());
        let work = async move {
            let mut whole = Disconnected::default();
            let mut trouble = None;
            for source in sources {
                let slot = slot(&owner, &source, method);
                let by = By {
                    actor: actor.clone(),
                    request_id: &request_id,
                };
                match grants.remove(slot, &source, &by, now).await {
                    Ok(None) => {}
                    Ok(Some(revoked)) => {
                        whole.removed = whole.removed.saturating_add(1);
                        let not = usize::from(!revoked);
                        whole.not_revoked = whole.not_revoked.saturating_add(not);
                    }
                    Err(error) => trouble = Some(error),
                }
            }
            trouble.map_or(Ok(whole), Err)
        };
        match self.0.running.spawn(work).await {
            Ok(result) => result,
            Err(_) => Err(CredentialError::Storage(
                crate::storage::StorageError::Corrupt("disconnect"),
            )),
        }
    }

    /// `None`: there was nothing. Else whether the provider took it back.
    async fn remove(
        &self,
        slot: Slot,
        source: &Source,
        by: &By<'_>,
        now: i64,
    ) -> Result<Option<bool>, CredentialError> {
        // First of all: so what is given back is what was removed, and a
        // refresh that is under way finds nothing, and gives its tokens back.
        let Some(taken) = self.0.credentials.take(&slot).await? else {
            return Ok(None);
        };
        let revoked = match (slot.method, taken) {
            (Method::Override, _) => true,
            (Method::OAuth, Ok(kept)) => self.revoke(&kept, source).await,
            (Method::OAuth, Err(error)) => {
                tracing::error!(server = source.id, %error, "tokens were not given back");
                false
            }
        };
        let (action, outcome) = match (slot.method, revoked) {
            (Method::Override, _) => (Action::Override, "removed"),
            (Method::OAuth, true) => (Action::Disconnect, "revoked"),
            (Method::OAuth, false) => (Action::Disconnect, "removed_here_only"),
        };
        if slot.method == Method::OAuth {
            telemetry::disconnect(outcome);
        }
        self.note(action, outcome, slot, by, now).await?;
        Ok(Some(revoked))
    }

    /// Whether the provider took the tokens back.
    async fn revoke(&self, kept: &KeptCredential, source: &Source) -> bool {
        let Authentication::AuthorizationCode(oauth) = &source.authentication else {
            return false;
        };
        let Ok(grant) = KeptGrant::read(&kept.credential.secret) else {
            return false;
        };
        let metadata = match self.0.providers.of(&oauth.provider).await {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::warn!(server = source.id, %error, "tokens were not given back");
                return false;
            }
        };
        let client = self.client_of(&grant.client, &oauth.client);
        let Some(client) = client.filter(|_| metadata.provider() == grant.provider) else {
            return false;
        };
        self.give_back(&grant, &metadata, &client).await
    }

    async fn note(
        &self,
        action: Action,
        outcome: &'static str,
        slot: Slot,
        by: &By<'_>,
        at: i64,
    ) -> Result<(), CredentialError> {
        let record = AuditRecord {
            at,
            actor: by.actor.clone(),
            action,
            outcome: outcome.to_owned(),
            owner: slot.owner,
            target: slot.target,
            operation: None,
            request_id: by.request_id.to_owned(),
        };
        let written = self.0.credentials.storage().record(&record).await;
        written.map_err(|error| {
            tracing::error!(%error, "an audit record could not be written");
            error.into()
        })
    }
}

fn slot(owner: &Owner, source: &Source, method: Method) -> Slot {
    Slot {
        owner: owner.clone(),
        target: source.target(),
        method,
    }
}
