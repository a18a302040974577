//! Consents that have begun.
//!
//! A handle is a secret in a link. Its hash is kept, it works once, and not for
//! long.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::credentials::key_id;
use super::{Storage, StorageError, Version, owner, target};
use crate::owner::{Owner, Target};
use crate::random::{self, NoRandomness};
use crate::vault::Sealed;

/// 256 random bits that stand in a link.
#[derive(Clone)]
pub struct Handle(Zeroizing<String>);

/// What is kept of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HandleHash([u8; 32]);

/// What a handle is for; it works for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentStep {
    /// The page where the user agrees.
    Connect,
    /// The way back from the provider (`state`).
    Callback,
    /// The way back from the sign-in at the service.
    SignIn,
    /// What a signed-in browser may do: the handle is in its cookie.
    Session,
}

/// A consent that has begun.
#[derive(Clone, Debug)]
pub struct StoredConsent {
    /// What the handle is for.
    pub step: ConsentStep,
    /// Who began it.
    pub owner: Owner,
    /// What for.
    pub target: Target,
    /// The version that the secret was sealed for.
    pub version: Version,
    /// What is needed to finish it.
    pub sealed: Sealed,
    /// When it ends.
    pub expires_at: i64,
}

/// More links than this of one user for one server do not work at a time. A
/// client may ask again and again while a person makes up their mind, and what
/// they were shown first has to work: this is one each second for as long as a
/// link lasts.
const MOST_LINKS: i64 = 600;

impl Storage {
    /// Keeps a consent that has begun.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn begin_consent(
        &self,
        handle: &HandleHash,
        consent: &StoredConsent,
    ) -> Result<(), StorageError> {
        let query = "INSERT INTO consents (handle_hash, step, issuer, subject, subject_type, \
                server, source, version, key_id, sealed, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        sqlx::query(query)
            .bind(handle.0.to_vec())
            .bind(consent.step.as_str())
            .bind(consent.owner.issuer.clone())
            .bind(consent.owner.subject.clone())
            .bind(consent.owner.subject_type.as_str())
            .bind(consent.target.server.clone())
            .bind(consent.target.source.clone())
            .bind(consent.version.number())
            .bind(key_id(&consent.sealed)?)
            .bind(consent.sealed.as_bytes().to_vec())
            .bind(consent.expires_at)
            .execute(&self.pool)
            .await?;
        if consent.step == ConsentStep::Connect {
            self.remove_older_links(handle, consent).await?;
        }
        Ok(())
    }

    /// Every call without a credential makes a link: of those of one user for
    /// one server the newest stay.
    async fn remove_older_links(
        &self,
        newest: &HandleHash,
        consent: &StoredConsent,
    ) -> Result<(), StorageError> {
        let query = "DELETE FROM consents \
            WHERE step = $1 AND issuer = $2 AND subject = $3 AND subject_type = $4 \
                AND server = $5 AND handle_hash <> $6 AND handle_hash NOT IN ( \
                    SELECT handle_hash FROM consents \
                    WHERE step = $1 AND issuer = $2 AND subject = $3 AND subject_type = $4 \
                        AND server = $5 AND handle_hash <> $6 \
                    ORDER BY expires_at DESC LIMIT $7)";
        sqlx::query(query)
            .bind(consent.step.as_str())
            .bind(consent.owner.issuer.clone())
            .bind(consent.owner.subject.clone())
            .bind(consent.owner.subject_type.as_str())
            .bind(consent.target.server.clone())
            .bind(newest.0.to_vec())
            .bind(MOST_LINKS.saturating_sub(1))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The consent of a handle, which stays usable: for showing a page.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn consent(
        &self,
        handle: &HandleHash,
        step: ConsentStep,
        now: i64,
    ) -> Result<Option<StoredConsent>, StorageError> {
        let query =
            "SELECT * FROM consents WHERE handle_hash = $1 AND step = $2 AND expires_at > $3";
        self.find_consent(query, handle, step, now).await
    }

    /// The consent of a handle, which is used up by this: of many that ask at
    /// once, one gets it.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn take_consent(
        &self,
        handle: &HandleHash,
        step: ConsentStep,
        now: i64,
    ) -> Result<Option<StoredConsent>, StorageError> {
        let query = "DELETE FROM consents \
            WHERE handle_hash = $1 AND step = $2 AND expires_at > $3 RETURNING *";
        self.find_consent(query, handle, step, now).await
    }

    /// Lets a consent that has not ended end later. False: it has ended.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn prolong_consent(
        &self,
        handle: &HandleHash,
        step: ConsentStep,
        until: i64,
        now: i64,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE consents SET expires_at = $1 \
            WHERE handle_hash = $2 AND step = $3 AND expires_at > $4";
        let done = sqlx::query(query)
            .bind(until)
            .bind(handle.0.to_vec())
            .bind(step.as_str())
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes the consents that have ended.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn purge_consents(&self, now: i64) -> Result<u64, StorageError> {
        let done = sqlx::query("DELETE FROM consents WHERE expires_at <= $1")
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    /// All consents.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn consents(&self) -> Result<Vec<(HandleHash, StoredConsent)>, StorageError> {
        let rows = sqlx::query("SELECT * FROM consents")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let hash: Vec<u8> = row.try_get("handle_hash")?;
                let hash = hash
                    .try_into()
                    .map_err(|_| StorageError::Corrupt("handle_hash"))?;
                Ok((HandleHash(hash), stored(row)?))
            })
            .collect()
    }

    /// Exchanges the sealed form of a secret, if it is still the same.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn rewrap_consent(
        &self,
        handle: &HandleHash,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE consents SET sealed = $1, key_id = $2 \
            WHERE handle_hash = $3 AND sealed = $4";
        let done = sqlx::query(query)
            .bind(new.as_bytes().to_vec())
            .bind(key_id(new)?)
            .bind(handle.0.to_vec())
            .bind(old.as_bytes().to_vec())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn find_consent(
        &self,
        query: &'static str,
        handle: &HandleHash,
        step: ConsentStep,
        now: i64,
    ) -> Result<Option<StoredConsent>, StorageError> {
        let row = sqlx::query(query)
            .bind(handle.0.to_vec())
            .bind(step.as_str())
            .bind(now)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(stored).transpose()
    }
}

fn stored(row: &AnyRow) -> Result<StoredConsent, StorageError> {
    let step: String = row.try_get("step")?;
    Ok(StoredConsent {
        step: ConsentStep::from_name(&step).ok_or(StorageError::Corrupt("step"))?,
        owner: owner(row)?,
        target: target(row)?,
        version: Version::from_number(row.try_get("version")?),
        sealed: Sealed::from_bytes(row.try_get("sealed")?),
        expires_at: row.try_get("expires_at")?,
    })
}

// === impl Handle, HandleHash, ConsentStep ===

impl Handle {
    /// A new handle.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        let bytes = random::bytes::<32>()?;
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// What somebody presents as a handle.
    pub fn presented(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Whether it has the form that [`Handle::fresh`] gives it.
    pub fn is_well_formed(&self) -> bool {
        // 32 bytes in base64url.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        self.0.len() == 43 && self.0.bytes().all(allowed)
    }

    /// The text, for the link.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> HandleHash {
        HandleHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl HandleHash {
    /// The hash as text, for where something belongs to a handle.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(…)")
    }
}

impl ConsentStep {
    const ALL: [Self; 4] = [Self::Connect, Self::Callback, Self::SignIn, Self::Session];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Callback => "callback",
            Self::SignIn => "sign-in",
            Self::Session => "session",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}
