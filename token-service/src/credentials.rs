//! Credentials with their secrets: what storage keeps and the vault opens.

mod clients;

use core::fmt;

use crate::owner::{Owner, Target};
use crate::random::NoRandomness;
use crate::secret::Secret;
use crate::storage::{
    ConsentStep, Handle, Method, SealedCredential, Slot, Status, Storage, StorageError,
    StoredConsent, StoredCredential, Version,
};
use crate::telemetry;
use crate::vault::{Binding, RecordKind, Sealed, Vault, VaultError};

/// The credentials of all owners.
#[derive(Debug)]
pub struct Credentials {
    storage: Storage,
    vault: Vault,
}

pub use clients::KeptRegistration;

/// A credential to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What is sent upstream and what it is renewed with, in the form that its
    /// user knows.
    pub secret: Secret,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// When it ends, where that is known.
    pub expires_at: Option<i64>,
}

/// A credential that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCredential {
    /// What was kept.
    pub credential: Credential,
    /// Its version.
    pub version: Version,
    /// Whether it can be used.
    pub status: Status,
    /// No refresh before this time.
    pub retry_at: Option<i64>,
    /// Why the last refresh failed, in a fixed word.
    pub last_error: Option<String>,
    /// When a refresh with this secret was begun whose end is not known.
    pub refresh_begun_at: Option<i64>,
}

/// A consent that has begun, with what is needed to finish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What its handle is for.
    pub step: ConsentStep,
    /// Who began it.
    pub owner: Owner,
    /// What for.
    pub target: Target,
    /// What is needed to finish it, in the form that its user knows.
    pub secret: Secret,
    /// When it ends.
    pub expires_at: i64,
}

/// What a rewrap did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Secrets whose data key is now wrapped by the writing key.
    pub rewrapped: u64,
    /// Secrets of which that was so before.
    pub current: u64,
    /// Secrets that could not be opened, and why.
    pub failed: Vec<String>,
}

/// Why a credential cannot be kept or read.
#[derive(Debug)]
pub enum CredentialError {
    /// The database has trouble.
    Storage(StorageError),
    /// It cannot be sealed or opened.
    Vault(VaultError),
}

impl Credentials {
    /// Credentials in this storage, sealed by this vault.
    pub const fn new(storage: Storage, vault: Vault) -> Self {
        Self { storage, vault }
    }

    /// Where the rest of what is known of them is.
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The credential in the slot.
    ///
    /// # Errors
    /// The database has trouble, or it does not open.
    pub async fn get(&self, slot: &Slot) -> Result<Option<KeptCredential>, CredentialError> {
        let stored = self.storage.credential(slot).await?;
        let opened = stored.map(|stored| self.open_credential(slot, stored));
        Ok(opened.transpose()?)
    }

    /// Empties the slot, and gives what was in it, which may not open.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn take(
        &self,
        slot: &Slot,
    ) -> Result<Option<Result<KeptCredential, VaultError>>, StorageError> {
        let stored = self.storage.take_credential(slot).await?;
        Ok(stored.map(|stored| self.open_credential(slot, stored)))
    }

    /// Writes a credential over whatever is in the slot.
    ///
    /// # Errors
    /// Nothing was written.
    pub async fn put(
        &self,
        slot: &Slot,
        credential: &Credential,
        now: i64,
    ) -> Result<Version, CredentialError> {
        let sealed = self.seal(slot, credential)?;
        self.storage.put_credential(slot, &sealed, now).await?;
        Ok(sealed.version)
    }

    /// Writes what a refresh brought, if the version is still the current one;
    /// `None`: it is not.
    ///
    /// # Errors
    /// Nothing was written.
    pub async fn refresh(
        &self,
        slot: &Slot,
        current: Version,
        credential: &Credential,
        now: i64,
    ) -> Result<Option<Version>, CredentialError> {
        let sealed = self.seal(slot, credential)?;
        let written = self
            .storage
            .refresh_credential(slot, current, &sealed, now)
            .await?;
        Ok(written.then_some(sealed.version))
    }

    /// Keeps a consent that has begun, and makes the handle for it.
    ///
    /// # Errors
    /// Nothing was written.
    pub async fn begin_consent(&self, consent: &Consent) -> Result<Handle, CredentialError> {
        let handle = Handle::fresh()?;
        self.begin_consent_with(&handle, consent).await?;
        Ok(handle)
    }

    /// Keeps a consent that has begun, for a handle that is new.
    ///
    /// # Errors
    /// Nothing was written.
    pub async fn begin_consent_with(
        &self,
        handle: &Handle,
        consent: &Consent,
    ) -> Result<(), CredentialError> {
        let Consent {
            step,
            owner,
            target,
            secret,
            expires_at,
        } = consent;
        let version = Version::fresh()?;
        let stored = StoredConsent {
            step: *step,
            owner: owner.clone(),
            target: target.clone(),
            version,
            sealed: self
                .vault
                .seal(secret, &of_consent(owner, target, version))?,
            expires_at: *expires_at,
        };
        self.storage.begin_consent(&handle.hash(), &stored).await?;
        Ok(())
    }

    /// The consent of a handle, which stays usable: for showing a page.
    ///
    /// # Errors
    /// The database has trouble, or it does not open.
    pub async fn consent(
        &self,
        handle: &Handle,
        step: ConsentStep,
        now: i64,
    ) -> Result<Option<Consent>, CredentialError> {
        let stored = self.storage.consent(&handle.hash(), step, now).await?;
        stored.map(|stored| self.open_consent(stored)).transpose()
    }

    /// The consent of a handle, which is used up by this.
    ///
    /// # Errors
    /// The database has trouble, or it does not open.
    pub async fn take_consent(
        &self,
        handle: &Handle,
        step: ConsentStep,
        now: i64,
    ) -> Result<Option<Consent>, CredentialError> {
        let stored = self.storage.take_consent(&handle.hash(), step, now).await?;
        stored.map(|stored| self.open_consent(stored)).transpose()
    }

    /// Which keys are missing or wrong: of each key that credentials are
    /// sealed with, one credential is opened, and every client. What does not
    /// open is named. Consents do not live long enough to matter.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn unopened(&self) -> Result<Vec<String>, StorageError> {
        let mut closed = vec![];
        let mut open = |what: &str, sealed: &Sealed, binding: &Binding<'_>| {
            if let Err(problem) = self.vault.open(sealed, binding) {
                let key = sealed.key_id();
                let key = key.as_ref().map_or("?", |key| key.as_str());
                closed.push(format!("{what} with the key \"{key}\": {problem}"));
            }
        };
        for (slot, stored) in self.storage.one_of_each_key().await? {
            let SealedCredential {
                version, sealed, ..
            } = &stored.credential;
            open("credentials", sealed, &of_slot(&slot, *version));
        }
        for stored in self.storage.clients().await? {
            let (owner, target) = clients::place(&stored.provider, &stored.redirect_uri);
            let binding = clients::binding(&owner, &target, stored.version);
            open("a client", &stored.sealed, &binding);
        }
        Ok(closed)
    }

    /// Wraps every data key with the writing key. It may be stopped and begun
    /// again at any time, and run while the service runs.
    ///
    /// # Errors
    /// The database has trouble. What was done stays done.
    pub async fn rewrap(&self) -> Result<Rewrapped, StorageError> {
        const PAGE: u16 = 100;
        let mut report = Rewrapped::default();
        let mut last = None;
        loop {
            let page = self.storage.credentials_after(last.as_ref(), PAGE).await?;
            for (slot, stored) in &page {
                let old = &stored.credential.sealed;
                let binding = of_slot(slot, stored.credential.version);
                if let Some(new) = report.count(&self.vault, old, &binding) {
                    self.storage.rewrap_credential(slot, old, &new).await?;
                }
            }
            match page.into_iter().next_back() {
                Some((slot, _)) => last = Some(slot),
                None => break,
            }
        }
        for (handle, stored) in self.storage.consents().await? {
            let binding = of_consent(&stored.owner, &stored.target, stored.version);
            if let Some(new) = report.count(&self.vault, &stored.sealed, &binding) {
                self.storage
                    .rewrap_consent(&handle, &stored.sealed, &new)
                    .await?;
            }
        }
        for stored in self.storage.clients().await? {
            let (owner, target) = clients::place(&stored.provider, &stored.redirect_uri);
            let binding = clients::binding(&owner, &target, stored.version);
            if let Some(new) = report.count(&self.vault, &stored.sealed, &binding) {
                self.storage.rewrap_client(&stored, &new).await?;
            }
        }
        Ok(report)
    }

    /// Opens what was kept. Where that fails, a key is missing or somebody was
    /// at the row: that is counted, whoever asks and whatever it is.
    fn open(&self, sealed: &Sealed, binding: &Binding<'_>) -> Result<Secret, VaultError> {
        let opened = self.vault.open(sealed, binding);
        opened.inspect_err(|_| telemetry::decrypt_failure())
    }

    fn seal(&self, slot: &Slot, credential: &Credential) -> Result<SealedCredential, VaultError> {
        let version = Version::fresh()?;
        Ok(SealedCredential {
            version,
            sealed: self
                .vault
                .seal(&credential.secret, &of_slot(slot, version))?,
            scopes: credential.scopes.clone(),
            expires_at: credential.expires_at,
        })
    }

    fn open_credential(
        &self,
        slot: &Slot,
        stored: StoredCredential,
    ) -> Result<KeptCredential, VaultError> {
        let SealedCredential {
            version,
            sealed,
            scopes,
            expires_at,
        } = stored.credential;
        let secret = self.open(&sealed, &of_slot(slot, version))?;
        Ok(KeptCredential {
            credential: Credential {
                secret,
                scopes,
                expires_at,
            },
            version,
            status: stored.status,
            retry_at: stored.retry_at,
            last_error: stored.last_error,
            refresh_begun_at: stored.refresh_begun_at,
        })
    }

    fn open_consent(&self, stored: StoredConsent) -> Result<Consent, CredentialError> {
        let binding = of_consent(&stored.owner, &stored.target, stored.version);
        let secret = self.open(&stored.sealed, &binding)?;
        Ok(Consent {
            step: stored.step,
            owner: stored.owner,
            target: stored.target,
            secret,
            expires_at: stored.expires_at,
        })
    }
}

const fn of_slot(slot: &Slot, version: Version) -> Binding<'_> {
    Binding {
        owner: &slot.owner,
        target: &slot.target,
        kind: match slot.method {
            Method::OAuth => RecordKind::OAuth,
            Method::Override => RecordKind::Override,
        },
        version: version.number(),
    }
}

const fn of_consent<'a>(owner: &'a Owner, target: &'a Target, version: Version) -> Binding<'a> {
    Binding {
        owner,
        target,
        kind: RecordKind::Consent,
        version: version.number(),
    }
}

impl Rewrapped {
    fn count(&mut self, vault: &Vault, old: &Sealed, binding: &Binding<'_>) -> Option<Sealed> {
        let counter = match vault.rewrap(old, binding) {
            Ok(Some(new)) => {
                self.rewrapped = self.rewrapped.saturating_add(1);
                return Some(new);
            }
            Ok(None) => &mut self.current,
            Err(problem) => {
                let Binding { owner, target, .. } = binding;
                self.failed.push(format!(
                    "{} {} of {}, {}: {problem}",
                    owner.subject_type, owner.subject, owner.issuer, target.source,
                ));
                return None;
            }
        };
        *counter = counter.saturating_add(1);
        None
    }
}

// === impl CredentialError ===

impl From<StorageError> for CredentialError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<VaultError> for CredentialError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl From<NoRandomness> for CredentialError {
    fn from(error: NoRandomness) -> Self {
        Self::Vault(error.into())
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Vault(error) => write!(f, "a secret: {error}"),
        }
    }
}

impl core::error::Error for CredentialError {}
