//! Who has credentials, without the credentials.

use sqlx::Row;

use super::credentials::{slot, stored};
use super::{Method, Slot, Storage, StorageError, StoredCredential};
use crate::owner::{Owner, Target};

/// That somebody has a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who, and what it is for.
    pub slot: Slot,
    /// Since when there is one, in seconds since 1970.
    pub created_at: i64,
    /// When it was last written.
    pub updated_at: i64,
}

impl Storage {
    /// Who has a credential of that kind for the target: everybody, or whether
    /// this owner has.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn holders(
        &self,
        target: &Target,
        method: Method,
        of: Option<&Owner>,
    ) -> Result<Vec<Holder>, StorageError> {
        let query = match of {
            None => sqlx::query(
                "SELECT * FROM credentials WHERE server = $1 AND source = $2 AND method = $3 \
                ORDER BY issuer, subject, subject_type",
            ),
            Some(_) => sqlx::query(
                "SELECT * FROM credentials WHERE server = $1 AND source = $2 AND method = $3 \
                AND issuer = $4 AND subject = $5 AND subject_type = $6",
            ),
        };
        let mut query = query
            .bind(target.server.clone())
            .bind(target.source.clone())
            .bind(method.as_str());
        if let Some(owner) = of {
            query = query
                .bind(owner.issuer.clone())
                .bind(owner.subject.clone())
                .bind(owner.subject_type.as_str());
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(Holder {
                    slot: slot(row)?,
                    created_at: row.try_get("created_at")?,
                    updated_at: row.try_get("updated_at")?,
                })
            })
            .collect()
    }

    /// For each key that credentials are sealed with, one of them.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn one_of_each_key(&self) -> Result<Vec<(Slot, StoredCredential)>, StorageError> {
        let keys = sqlx::query("SELECT DISTINCT key_id FROM credentials")
            .fetch_all(&self.pool)
            .await?;
        let mut found = Vec::new();
        for key in &keys {
            let id: String = key.try_get("key_id")?;
            let row = sqlx::query("SELECT * FROM credentials WHERE key_id = $1 LIMIT 1")
                .bind(id)
                .fetch_optional(&self.pool)
                .await?;
            // It may have been removed meanwhile.
            if let Some(row) = row {
                found.push((slot(&row)?, stored(&row)?));
            }
        }
        Ok(found)
    }

    /// Removes the audit records from before a time.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn purge_records(&self, before: i64) -> Result<u64, StorageError> {
        let done = sqlx::query("DELETE FROM audit WHERE at < $1")
            .bind(before)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }
}
