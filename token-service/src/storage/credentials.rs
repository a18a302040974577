//! Upstream credentials, sealed.

use core::fmt;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use super::{Kind, Storage, StorageError, owner, target};
use crate::owner::{Owner, Target};
use crate::random::{self, NoRandomness};
use crate::vault::Sealed;

/// The place of one credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Whose it is.
    pub owner: Owner,
    /// What it is for.
    pub target: Target,
    /// Where it comes from.
    pub method: Method,
}

/// Where a credential comes from. An owner may have one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A consent.
    OAuth,
    /// Somebody set it.
    Override,
}

/// The name of one secret in a slot. Every secret gets another one, at random,
/// so that also after a removal no version comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(i64);

/// A credential to be written.
#[derive(Clone, Debug)]
pub struct SealedCredential {
    /// The version that it was sealed for.
    pub version: Version,
    /// The secret.
    pub sealed: Sealed,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// When it ends, where that is known.
    pub expires_at: Option<i64>,
}

/// A credential as it was read.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// What was written.
    pub credential: SealedCredential,
    /// Whether it can be used.
    pub status: Status,
    /// No refresh before this time.
    pub retry_at: Option<i64>,
    /// Why the last refresh failed, in a fixed word.
    pub last_error: Option<String>,
    /// When a refresh with this secret was begun whose end is not known.
    pub refresh_begun_at: Option<i64>,
}

/// What is left of a refresh that brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnd {
    /// What the credential is worth now.
    pub status: Status,
    /// When it may be tried again.
    pub retry_at: Option<i64>,
    /// Why it failed, in a fixed word.
    pub last_error: Option<&'static str>,
    /// When a refresh was begun whose end is not known, this one included.
    pub refresh_begun_at: Option<i64>,
}

/// Whether a credential can be used, and if not, why there has to be a new
/// consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Usable,
    /// The provider does not accept the refresh token any more.
    InvalidGrant,
    /// It does not have the scopes that are needed.
    InsufficientScope,
    /// The upstream refuses it though it is fresh.
    Revoked,
    /// The provider does not accept the refresh token, which an earlier refresh
    /// whose end nobody knows may have used up.
    RefreshFailed,
}

type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

impl Storage {
    /// The credential in the slot.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn credential(&self, slot: &Slot) -> Result<Option<StoredCredential>, StorageError> {
        let query = "SELECT * FROM credentials WHERE issuer = $1 AND subject = $2 \
            AND subject_type = $3 AND server = $4 AND source = $5 AND method = $6";
        let row = of_slot(query, slot).fetch_optional(&self.pool).await?;
        row.as_ref().map(stored).transpose()
    }

    /// Writes a credential over whatever is in the slot: after a consent, or
    /// where somebody sets one. A refresh that is under way loses its lease.
    ///
    /// # Errors
    /// The database has trouble; then nothing was written.
    pub async fn put_credential(
        &self,
        slot: &Slot,
        credential: &SealedCredential,
        now: i64,
    ) -> Result<(), StorageError> {
        let query = "INSERT INTO credentials (issuer, subject, subject_type, server, source, \
                method, version, key_id, sealed, scopes, expires_at, status, created_at, \
                updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'usable', $12, $12) \
            ON CONFLICT (issuer, subject, subject_type, server, source, method) DO UPDATE \
            SET version = excluded.version, key_id = excluded.key_id, sealed = excluded.sealed, \
                scopes = excluded.scopes, expires_at = excluded.expires_at, status = 'usable', \
                retry_at = NULL, lease_holder = NULL, lease_until = NULL, \
                refresh_begun_at = NULL, last_error = NULL, \
                updated_at = excluded.updated_at";
        of_credential(of_slot(query, slot), credential)?
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Writes what a refresh brought and ends the lease, whoever has it now, if
    /// the version is still the same: new tokens are worth more than the lease
    /// under which they were asked for, which may have run out meanwhile.
    /// False: there is another version, and nothing was written.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn refresh_credential(
        &self,
        slot: &Slot,
        current: Version,
        credential: &SealedCredential,
        now: i64,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE credentials SET version = $7, key_id = $8, sealed = $9, \
                scopes = $10, expires_at = $11, status = 'usable', retry_at = NULL, \
                lease_holder = NULL, lease_until = NULL, refresh_begun_at = NULL, \
                last_error = NULL, updated_at = $12 \
            WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                AND source = $5 AND method = $6 AND version = $13";
        let done = of_credential(of_slot(query, slot), credential)?
            .bind(now)
            .bind(current.0)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes the right to refresh this version for so many seconds, and says in
    /// the row that a refresh has begun. False: somebody else has it, the
    /// version is not the current one, or it is too early after a failure.
    ///
    /// How long somebody has it is counted by PostgreSQL's clock: a replica
    /// whose own is ahead would take what another one still has. The processes
    /// that share an SQLite file share a clock, and there it is `now`.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn take_lease(
        &self,
        slot: &Slot,
        version: Version,
        holder: &str,
        now: i64,
        seconds: i64,
    ) -> Result<bool, StorageError> {
        macro_rules! query {
            ($clock:literal) => {
                concat!(
                    "UPDATE credentials SET lease_holder = $7, lease_until = ",
                    $clock,
                    " + $8, refresh_begun_at = COALESCE(refresh_begun_at, $10) \
                    WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                        AND source = $5 AND method = $6 AND version = $9 \
                        AND (lease_until IS NULL OR lease_until <= ",
                    $clock,
                    ") AND (retry_at IS NULL OR retry_at <= $10)"
                )
            };
        }
        let query = match self.kind {
            Kind::Sqlite => query!("$10"),
            Kind::Postgres => {
                query!("CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp())) AS BIGINT)")
            }
        };
        let done = of_slot(query, slot)
            .bind(holder.to_owned())
            .bind(seconds)
            .bind(version.0)
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends the holder's lease after a refresh that brought nothing. False: the
    /// lease was not the holder's, and nothing was written.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn end_lease(
        &self,
        slot: &Slot,
        holder: &str,
        end: LeaseEnd,
        now: i64,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE credentials SET lease_holder = NULL, lease_until = NULL, \
                status = $7, retry_at = $8, last_error = $9, refresh_begun_at = $10, \
                updated_at = $11 \
            WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                AND source = $5 AND method = $6 AND lease_holder = $12";
        let done = of_slot(query, slot)
            .bind(end.status.as_str())
            .bind(end.retry_at)
            .bind(end.last_error.map(str::to_owned))
            .bind(end.refresh_begun_at)
            .bind(now)
            .bind(holder.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says what this version is worth from now on. False: it is not the
    /// current one.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn mark_credential(
        &self,
        slot: &Slot,
        version: Version,
        status: Status,
        now: i64,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE credentials SET status = $7, updated_at = $8 \
            WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                AND source = $5 AND method = $6 AND version = $9";
        let done = of_slot(query, slot)
            .bind(status.as_str())
            .bind(now)
            .bind(version.0)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says when this version ends. False: it is not the current one.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn set_expiry(
        &self,
        slot: &Slot,
        version: Version,
        expires_at: i64,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE credentials SET expires_at = $7 \
            WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                AND source = $5 AND method = $6 AND version = $8";
        let done = of_slot(query, slot)
            .bind(expires_at)
            .bind(version.0)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Empties the slot. False: it was empty.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn remove_credential(&self, slot: &Slot) -> Result<bool, StorageError> {
        let query = "DELETE FROM credentials WHERE issuer = $1 AND subject = $2 \
            AND subject_type = $3 AND server = $4 AND source = $5 AND method = $6";
        let done = of_slot(query, slot).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Empties the slot, and gives what was in it. What a refresh brings after
    /// that is not written.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn take_credential(
        &self,
        slot: &Slot,
    ) -> Result<Option<StoredCredential>, StorageError> {
        let query = "DELETE FROM credentials WHERE issuer = $1 AND subject = $2 \
            AND subject_type = $3 AND server = $4 AND source = $5 AND method = $6 RETURNING *";
        let row = of_slot(query, slot).fetch_optional(&self.pool).await?;
        row.as_ref().map(stored).transpose()
    }

    /// Empties the slot if what is in it is not used any more. False: it is, or
    /// the slot was empty.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn remove_unusable_credential(&self, slot: &Slot) -> Result<bool, StorageError> {
        let query = "DELETE FROM credentials WHERE issuer = $1 AND subject = $2 \
            AND subject_type = $3 AND server = $4 AND source = $5 AND method = $6 \
            AND status <> 'usable'";
        let done = of_slot(query, slot).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    /// The slots of a server that hold something of that kind.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn slots(&self, server: &str, method: Method) -> Result<Vec<Slot>, StorageError> {
        let query = "SELECT * FROM credentials WHERE server = $1 AND method = $2 \
            ORDER BY issuer, subject, subject_type, source";
        let rows = sqlx::query(query)
            .bind(server.to_owned())
            .bind(method.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(slot).collect()
    }

    /// Up to `limit` credentials of all owners, in order, after a slot.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn credentials_after(
        &self,
        after: Option<&Slot>,
        limit: u16,
    ) -> Result<Vec<(Slot, StoredCredential)>, StorageError> {
        let query = match after {
            Some(slot) => of_slot(
                "SELECT * FROM credentials \
                WHERE (issuer, subject, subject_type, server, source, method) \
                    > ($1, $2, $3, $4, $5, $6) \
                ORDER BY issuer, subject, subject_type, server, source, method LIMIT $7",
                slot,
            ),
            None => sqlx::query(
                "SELECT * FROM credentials \
                ORDER BY issuer, subject, subject_type, server, source, method LIMIT $1",
            ),
        };
        let rows = query.bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| Ok((slot(row)?, stored(row)?)))
            .collect()
    }

    /// Exchanges the sealed form of a secret, if it is still the same. False:
    /// it is not, and nothing was written.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn rewrap_credential(
        &self,
        slot: &Slot,
        old: &Sealed,
        new: &Sealed,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE credentials SET sealed = $7, key_id = $8 \
            WHERE issuer = $1 AND subject = $2 AND subject_type = $3 AND server = $4 \
                AND source = $5 AND method = $6 AND sealed = $9";
        let done = of_slot(query, slot)
            .bind(new.as_bytes().to_vec())
            .bind(key_id(new)?)
            .bind(old.as_bytes().to_vec())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// The first six arguments.
fn of_slot<'q>(query: &'static str, slot: &Slot) -> AnyQuery<'q> {
    sqlx::query(query)
        .bind(slot.owner.issuer.clone())
        .bind(slot.owner.subject.clone())
        .bind(slot.owner.subject_type.as_str())
        .bind(slot.target.server.clone())
        .bind(slot.target.source.clone())
        .bind(slot.method.as_str())
}

/// The next five.
fn of_credential<'q>(
    query: AnyQuery<'q>,
    credential: &SealedCredential,
) -> Result<AnyQuery<'q>, StorageError> {
    Ok(query
        .bind(credential.version.0)
        .bind(key_id(&credential.sealed)?)
        .bind(credential.sealed.as_bytes().to_vec())
        .bind(credential.scopes.join(" "))
        .bind(credential.expires_at))
}

pub(super) fn key_id(sealed: &Sealed) -> Result<String, StorageError> {
    let id = sealed.key_id().ok_or(StorageError::Corrupt("sealed"))?;
    Ok(id.as_str().to_owned())
}

pub(super) fn slot(row: &AnyRow) -> Result<Slot, StorageError> {
    let method: String = row.try_get("method")?;
    Ok(Slot {
        owner: owner(row)?,
        target: target(row)?,
        method: Method::from_name(&method).ok_or(StorageError::Corrupt("method"))?,
    })
}

pub(super) fn stored(row: &AnyRow) -> Result<StoredCredential, StorageError> {
    let scopes: String = row.try_get("scopes")?;
    let status: String = row.try_get("status")?;
    Ok(StoredCredential {
        credential: SealedCredential {
            version: Version(row.try_get("version")?),
            sealed: Sealed::from_bytes(row.try_get("sealed")?),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            expires_at: row.try_get("expires_at")?,
        },
        status: Status::from_name(&status).ok_or(StorageError::Corrupt("status"))?,
        retry_at: row.try_get("retry_at")?,
        last_error: row.try_get("last_error")?,
        refresh_begun_at: row.try_get("refresh_begun_at")?,
    })
}

// === impl Method, Version, Status ===

impl Method {
    /// The name on the wire (seed 001) and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Override => "auth-override",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::OAuth, Self::Override]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

impl Version {
    /// A version that was never there.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        Ok(Self(i64::from_be_bytes(*random::bytes()?) & i64::MAX))
    }

    /// The version that somebody names.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    pub(crate) const fn number(self) -> i64 {
        self.0
    }

    pub(super) const fn from_number(number: i64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Usable,
        Self::InvalidGrant,
        Self::InsufficientScope,
        Self::Revoked,
        Self::RefreshFailed,
    ];

    /// The name in the database; of all but the first, the reason on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::InvalidGrant => "invalid_grant",
            Self::InsufficientScope => "insufficient_scope",
            Self::Revoked => "revoked",
            Self::RefreshFailed => "refresh_failed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}
