//! What is kept in the database: SQLite or PostgreSQL, with the same queries.
//!
//! Secrets come here sealed and leave sealed. The time is an argument, in
//! seconds since 1970, but for what replicas have to agree on (see
//! [`Storage::take_lease`]). Whatever must not happen twice is one statement whose
//! condition and change are one.

mod audit;
mod clients;
mod consents;
mod credentials;
mod holders;

use core::fmt;
use core::time::Duration;
use std::path::Path;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, Executor, Row};

pub use audit::{Action, Actor, AuditRecord, By, Operation};
pub use clients::StoredClient;
pub use consents::{ConsentStep, Handle, HandleHash, StoredConsent};
pub use credentials::{
    LeaseEnd, Method, SealedCredential, Slot, Status, StoredCredential, Version,
};
pub use holders::Holder;

use crate::config::Database;
use crate::owner::{Owner, SubjectType, Target};

/// The database.
#[derive(Clone, Debug)]
pub struct Storage {
    pool: AnyPool,
    kind: Kind,
}

/// Which database it is, for the little that is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// The database could not do it.
#[derive(Debug)]
pub enum StorageError {
    /// The file or its directory cannot be made.
    File(std::io::Error),
    /// The tables could not be brought up to date.
    Migration(sqlx::migrate::MigrateError),
    /// A statement failed.
    Database(sqlx::Error),
    /// A row holds what this program never writes.
    Corrupt(&'static str),
}

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

impl Storage {
    /// Opens the database, makes it where it is a file that is not there, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be reached or brought up to date.
    pub async fn open(database: &Database) -> Result<Self, StorageError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().acquire_timeout(PATIENCE);
        match database {
            Database::Sqlite(path) => {
                make_file(path).map_err(StorageError::File)?;
                let pool = options
                    .max_connections(4)
                    .after_connect(|connection, _| {
                        Box::pin(async move {
                            // FULL: what was answered is on the disk, also
                            // after a power failure.
                            connection
                                .execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
                                .await
                                .map(drop)
                        })
                    })
                    .connect(&sqlite_url(path))
                    .await?;
                sqlx::migrate!("migrations/sqlite").run(&pool).await?;
                let kind = Kind::Sqlite;
                Ok(Self { pool, kind })
            }
            Database::Postgres { url, connections } => {
                let url = url.expose_text().unwrap_or_default();
                let pool = options.max_connections(*connections).connect(url).await?;
                sqlx::migrate!("migrations/postgres").run(&pool).await?;
                let kind = Kind::Postgres;
                Ok(Self { pool, kind })
            }
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// It gives none.
    pub async fn ping(&self) -> Result<(), StorageError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes the connections, after what they are at.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the file, which nobody else may read, and its directory.
fn make_file(path: &Path) -> std::io::Result<()> {
    let mut directory = std::fs::DirBuilder::new();
    let mut file = std::fs::OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directory.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
        directory.recursive(true).create(parent)?;
    }
    file.append(true).create(true).open(path).map(drop)
}

fn sqlite_url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            url.push(char::from(*byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// The owner that a row names.
fn owner(row: &AnyRow) -> Result<Owner, StorageError> {
    let subject_type: String = row.try_get("subject_type")?;
    Ok(Owner {
        issuer: row.try_get("issuer")?,
        subject: row.try_get("subject")?,
        subject_type: SubjectType::from_name(&subject_type)
            .ok_or(StorageError::Corrupt("subject_type"))?,
    })
}

/// The target that a row names.
fn target(row: &AnyRow) -> Result<Target, StorageError> {
    Ok(Target {
        server: row.try_get("server")?,
        source: row.try_get("source")?,
    })
}

// === impl StorageError ===

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::migrate::MigrateError> for StorageError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migration(error)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "the database file: {error}"),
            Self::Migration(error) => write!(f, "the database's tables: {error}"),
            Self::Database(error) => write!(f, "the database: {error}"),
            Self::Corrupt(column) => {
                write!(f, "the database: a row with something unknown in {column}")
            }
        }
    }
}

impl core::error::Error for StorageError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_path_in_the_url() {
        assert_eq!(
            sqlite_url(Path::new("a b/100%?x=1#y.sqlite")),
            "sqlite://a%20b/100%25%3Fx%3D1%23y.sqlite"
        );
    }
}
