//! Overrides, and giving grants back.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::Grants;
use super::headers::parse_override;
use super::kept::KeptGrant;
use super::resolve::source_of;
use super::types::{Disconnected, OverrideError, OverrideValue};
use crate::credentials::{Credential, CredentialError, KeptCredential};
use crate::owner::Owner;
use crate::secret::Secret;
use crate::servers::{Authentication, Server, Source};
use crate::storage::{Action, Actor, AuditRecord, By, Method, Slot, Version};
use crate::telemetry;
use crate::vault::VaultError;

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

    /// Removes what the user has of these kinds, for one source or for all. What
    /// came from a consent is then given back to its provider, as far as that
    /// is possible, to all providers at once. Who asks is told what is certain
    /// after a while; the rest goes on, and is recorded when it has ended.
    ///
    /// # Errors
    /// Not everything was removed, or not all of that was recorded.
    pub async fn disconnect(
        &self,
        owner: &Owner,
        server: &Server,
        source: Option<&str>,
        methods: &[Method],
        by: impl Into<By<'_>>,
        now: i64,
    ) -> Result<Disconnected, CredentialError> {
        let By { actor, request_id } = by.into();
        let sources = server
            .sources
            .iter()
            .filter(|one| source.is_none_or(|id| one.id == id));
        let removals: Vec<Removal> = sources
            .flat_map(|source| {
                methods.iter().map(|method| Removal {
                    grants: self.clone(),
                    slot: slot(owner, source, *method),
                    source: Arc::clone(source),
                    actor: actor.clone(),
                    request_id: request_id.to_owned(),
                    now,
                })
            })
            .collect();
        // Who asks may go away in the middle of it.
        let removed = self.0.running.spawn(remove_all(removals));
        let Ok(Removed {
            mut trouble,
            count,
            giving_back,
        }) = removed.await
        else {
            return Err(CUT_OFF);
        };
        let mut done = Disconnected {
            removed: count,
            ..Disconnected::default()
        };
        let until = Instant::now().checked_add(self.0.settings.patience);
        for one in giving_back {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let revoked = match tokio::time::timeout(left.unwrap_or_default(), one).await {
                Ok(Ok(Ok(revoked))) => revoked,
                Ok(Ok(Err(error))) => {
                    trouble = Some(error);
                    continue;
                }
                Ok(Err(_)) => {
                    trouble = Some(CUT_OFF);
                    continue;
                }
                Err(_) => {
                    done.pending = done.pending.saturating_add(1);
                    false
                }
            };
            done.not_revoked = done.not_revoked.saturating_add(usize::from(!revoked));
        }
        trouble.map_or(Ok(done), Err)
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

/// The work has ended without a result.
const CUT_OFF: CredentialError =
    CredentialError::Storage(crate::storage::StorageError::Corrupt("disconnect"));

/// One slot that is to be emptied.
struct Removal {
    grants: Grants,
    slot: Slot,
    source: Arc<Source>,
    actor: Actor,
    request_id: String,
    now: i64,
}

/// What was removed.
struct Removed {
    count: usize,
    /// Of each consent, whether the provider took it back, once that is known.
    giving_back: Vec<JoinHandle<Result<bool, CredentialError>>>,
    /// Not everything was removed, or recorded.
    trouble: Option<CredentialError>,
}

/// Empties the slots; giving back what was in them goes on by itself.
async fn remove_all(removals: Vec<Removal>) -> Removed {
    let mut removed = Removed {
        count: 0,
        giving_back: vec![],
        trouble: None,
    };
    for removal in removals {
        // First of all: so what is given back is what was removed, and a
        // refresh that is under way finds nothing, and gives its tokens back.
        let taken = match removal.grants.0.credentials.take(&removal.slot).await {
            Ok(None) => continue,
            Ok(Some(taken)) => taken,
            Err(error) => {
                removed.trouble = Some(error.into());
                continue;
            }
        };
        removed.count = removed.count.saturating_add(1);
        // Before anybody is asked: a provider may take its time, and what is
        // gone here is gone.
        if let Err(error) = removal.note("removed").await {
            removed.trouble = Some(error);
        }
        if removal.slot.method == Method::OAuth {
            let grants = removal.grants.clone();
            let giving_back = grants.0.running.spawn(removal.give_back(taken));
            removed.giving_back.push(giving_back);
        }
    }
    removed
}

impl Removal {
    /// Gives back what was in the slot; whether the provider took it.
    async fn give_back(
        self,
        taken: Result<KeptCredential, VaultError>,
    ) -> Result<bool, CredentialError> {
        let Self { grants, source, .. } = &self;
        let revoked = match taken {
            Ok(kept) => grants.revoke(&kept, source).await,
            Err(error) => {
                tracing::error!(server = source.id, %error, "tokens were not given back");
                false
            }
        };
        let outcome = if revoked {
            "revoked"
        } else {
            "removed_here_only"
        };
        telemetry::disconnect(outcome);
        self.note(outcome).await?;
        Ok(revoked)
    }

    async fn note(&self, outcome: &'static str) -> Result<(), CredentialError> {
        let action = match self.slot.method {
            Method::Override => Action::Override,
            Method::OAuth => Action::Disconnect,
        };
        let by = By {
            actor: self.actor.clone(),
            request_id: &self.request_id,
        };
        let slot = self.slot.clone();
        self.grants.note(action, outcome, slot, &by, self.now).await
    }
}

fn slot(owner: &Owner, source: &Source, method: Method) -> Slot {
    Slot {
        owner: owner.clone(),
        target: source.target(),
        method,
    }
}
