//! The audit records: what happened to whose credential, never a secret.

use sqlx::Row;

use super::{Storage, StorageError, owner, target};
use crate::owner::{Owner, Target};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: i64,
    /// What.
    pub action: Action,
    /// How it ended, in a fixed word.
    pub outcome: String,
    /// Whose credential.
    pub owner: Owner,
    /// What it is for.
    pub target: Target,
    /// The request that it happened in.
    pub request_id: String,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The filter asked for it.
    Resolve,
    /// It was renewed.
    Refresh,
    /// The user was asked for it.
    Consent,
    /// Somebody set or removed one that goes before.
    Override,
    /// It was given back.
    Disconnect,
}

impl Storage {
    /// Writes a record.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn record(&self, record: &AuditRecord) -> Result<(), StorageError> {
        let query = "INSERT INTO audit (at, action, outcome, issuer, subject, subject_type, \
                server, source, request_id) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        sqlx::query(query)
            .bind(record.at)
            .bind(record.action.as_str())
            .bind(record.outcome.clone())
            .bind(record.owner.issuer.clone())
            .bind(record.owner.subject.clone())
            .bind(record.owner.subject_type.as_str())
            .bind(record.target.server.clone())
            .bind(record.target.source.clone())
            .bind(record.request_id.clone())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The newest records, the newest first.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn records(&self, limit: u16) -> Result<Vec<AuditRecord>, StorageError> {
        let rows = sqlx::query("SELECT * FROM audit ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let action: String = row.try_get("action")?;
                Ok(AuditRecord {
                    at: row.try_get("at")?,
                    action: Action::from_name(&action).ok_or(StorageError::Corrupt("action"))?,
                    outcome: row.try_get("outcome")?,
                    owner: owner(row)?,
                    target: target(row)?,
                    request_id: row.try_get("request_id")?,
                })
            })
            .collect()
    }
}

impl Action {
    const ALL: [Self; 5] = [
        Self::Resolve,
        Self::Refresh,
        Self::Consent,
        Self::Override,
        Self::Disconnect,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Refresh => "refresh",
            Self::Consent => "consent",
            Self::Override => "override",
            Self::Disconnect => "disconnect",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
