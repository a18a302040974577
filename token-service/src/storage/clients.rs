//! The clients that the service has registered at authorization servers.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::credentials::key_id;
use super::{Storage, StorageError, Version};
use crate::vault::Sealed;

/// A client that was registered, sealed.
#[derive(Clone, Debug)]
pub struct StoredClient {
    /// At which authorization server.
    pub provider: String,
    /// For which redirect URI.
    pub redirect_uri: String,
    /// The version that the client was sealed for.
    pub version: Version,
    /// Its id, and what it authenticates with.
    pub sealed: Sealed,
    /// When its secret ends, where it does.
    pub expires_at: Option<i64>,
}

impl Storage {
    /// The client for a redirect URI at an authorization server.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn client(
        &self,
        provider: &str,
        redirect_uri: &str,
    ) -> Result<Option<StoredClient>, StorageError> {
        let row = sqlx::query("SELECT * FROM clients WHERE provider = $1 AND redirect_uri = $2")
            .bind(provider.to_owned())
            .bind(redirect_uri.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(stored).transpose()
    }

    /// Writes a client where there is none. False: there is one.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn add_client(&self, client: &StoredClient, now: i64) -> Result<bool, StorageError> {
        let query = "INSERT INTO clients (provider, redirect_uri, version, key_id, sealed, \
                expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
            ON CONFLICT (provider, redirect_uri) DO NOTHING";
        let done = sqlx::query(query)
            .bind(client.provider.clone())
            .bind(client.redirect_uri.clone())
            .bind(client.version.number())
            .bind(key_id(&client.sealed)?)
            .bind(client.sealed.as_bytes().to_vec())
            .bind(client.expires_at)
            .bind(now)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a client, if it is still that version.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn remove_client(
        &self,
        provider: &str,
        redirect_uri: &str,
        version: Version,
    ) -> Result<bool, StorageError> {
        let query =
            "DELETE FROM clients WHERE provider = $1 AND redirect_uri = $2 AND version = $3";
        let done = sqlx::query(query)
            .bind(provider.to_owned())
            .bind(redirect_uri.to_owned())
            .bind(version.number())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that its authorization server refuses a client. Gives since when it
    /// does so without having taken one in between; `None`: there is no such
    /// client any more.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn client_refused(
        &self,
        client: &StoredClient,
        now: i64,
    ) -> Result<Option<i64>, StorageError> {
        let query = "UPDATE clients SET refused_since = COALESCE(refused_since, $1) \
            WHERE provider = $2 AND redirect_uri = $3 AND version = $4 \
            RETURNING refused_since";
        let row = sqlx::query(query)
            .bind(now)
            .bind(client.provider.clone())
            .bind(client.redirect_uri.clone())
            .bind(client.version.number())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get("refused_since")).transpose()?)
    }

    /// Notes that an authorization server takes the service as its client.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn client_taken(&self, provider: &str) -> Result<(), StorageError> {
        let query = "UPDATE clients SET refused_since = NULL \
            WHERE provider = $1 AND refused_since IS NOT NULL";
        let query = sqlx::query(query).bind(provider.to_owned());
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// All clients.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn clients(&self) -> Result<Vec<StoredClient>, StorageError> {
        let rows = sqlx::query("SELECT * FROM clients ORDER BY provider, redirect_uri")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// Exchanges the sealed form of a client, if it is still the same.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn rewrap_client(
        &self,
        old: &StoredClient,
        new: &Sealed,
    ) -> Result<bool, StorageError> {
        let query = "UPDATE clients SET sealed = $1, key_id = $2 \
            WHERE provider = $3 AND redirect_uri = $4 AND sealed = $5";
        let done = sqlx::query(query)
            .bind(new.as_bytes().to_vec())
            .bind(key_id(new)?)
            .bind(old.provider.clone())
            .bind(old.redirect_uri.clone())
            .bind(old.sealed.as_bytes().to_vec())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn stored(row: &AnyRow) -> Result<StoredClient, StorageError> {
    Ok(StoredClient {
        provider: row.try_get("provider")?,
        redirect_uri: row.try_get("redirect_uri")?,
        version: Version::from_number(row.try_get("version")?),
        sealed: Sealed::from_bytes(row.try_get("sealed")?),
        expires_at: row.try_get("expires_at")?,
    })
}
