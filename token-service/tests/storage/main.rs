//! What is kept, on SQLite and on PostgreSQL.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod credentials;
mod handles;
mod leases;
mod rewrapping;
#[path = "../support/mod.rs"]
mod support;

use mcp_token_service::config::Database;
use mcp_token_service::credentials::{Consent, Credential, Credentials};
use mcp_token_service::owner::{Owner, SubjectType, Target};
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::{
    Action, Actor, AuditRecord, ConsentStep, Method, Operation, Slot, Storage, StorageError,
};
use mcp_token_service::vault::{EncryptionKey, KeyId, Keyring, Vault};
use sqlx::AnyPool;

on_both_databases!(
    everything_is_there_after_opening_again,
    audit_records_come_back_the_newest_first,
);

const NOW: i64 = 1_790_000_000;

fn keyring(writing: &str, keys: &[(&str, &str)]) -> Keyring {
    let keys = keys.iter().map(|(id, letter)| {
        let key = EncryptionKey::parse(&format!("{}=", letter.repeat(43))).unwrap();
        (KeyId::new(id).unwrap(), key)
    });
    Keyring::new(&KeyId::new(writing).unwrap(), keys).unwrap()
}

async fn open_with(database: &Database, keyring: Keyring) -> Credentials {
    Credentials::new(Storage::open(database).await.unwrap(), Vault::new(keyring))
}

async fn open(database: &Database) -> Credentials {
    open_with(database, keyring("a", &[("a", "A")])).await
}

/// The database past the service, as who has stolen it sees it.
async fn past_the_service(database: &Database) -> AnyPool {
    sqlx::any::install_default_drivers();
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Postgres { url, .. } => url.expose_text().unwrap().to_owned(),
    };
    AnyPool::connect(&url).await.unwrap()
}

fn slot(subject: &str) -> Slot {
    Slot {
        owner: Owner {
            issuer: "https://issuer.example".to_owned(),
            subject: subject.to_owned(),
            subject_type: SubjectType::User,
        },
        target: Target::server("notes"),
        method: Method::OAuth,
    }
}

fn credential(secret: &str) -> Credential {
    Credential {
        secret: Secret::new(secret),
        scopes: vec!["mcp:read".to_owned(), "mcp:write".to_owned()],
        expires_at: Some(NOW + 3600),
    }
}

async fn secret(credentials: &Credentials, slot: &Slot) -> String {
    let kept = credentials.get(slot).await.unwrap().unwrap();
    kept.credential.secret.expose_text().unwrap().to_owned()
}

fn consent(secret: &str) -> Consent {
    Consent {
        step: ConsentStep::Connect,
        owner: slot("alice").owner,
        target: Target::server("notes"),
        secret: Secret::new(secret),
        expires_at: NOW + 600,
    }
}

async fn everything_is_there_after_opening_again(database: Database) {
    let credentials = open(&database).await;
    credentials
        .put(&slot("alice"), &credential("token"), NOW)
        .await
        .unwrap();
    credentials.storage().close().await;
    assert!(credentials.storage().ping().await.is_err());
    let credentials = open(&database).await;
    credentials.storage().ping().await.unwrap();
    assert_eq!(secret(&credentials, &slot("alice")).await, "token");
}

async fn audit_records_come_back_the_newest_first(database: Database) {
    let credentials = open(&database).await;
    let storage = credentials.storage();
    let record = |actor, action, outcome: &str| AuditRecord {
        at: NOW,
        actor,
        action,
        outcome: outcome.to_owned(),
        owner: slot("alice").owner,
        target: Target::server("notes"),
        operation: None,
        request_id: "request 1".to_owned(),
    };
    let manager = Owner {
        subject: "a manager: or so".to_owned(),
        ..slot("alice").owner
    };
    let gate = Actor::Filter("gate 1".to_owned());
    let records = [
        record(Actor::Owner, Action::Consent, "finished"),
        AuditRecord {
            operation: Some(Operation::new("tools/call", Some("add-note"))),
            ..record(gate, Action::Resolve, "authenticated")
        },
        record(Actor::Caller(manager), Action::Disconnect, "removed"),
    ];
    for record in &records {
        storage.record(record).await.unwrap();
    }
    let newest = storage.records(2).await.unwrap();
    assert_eq!(newest, [records[2].clone(), records[1].clone()]);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_an_error() {
    let nowhere = Database::Postgres {
        url: Secret::new("postgres://nobody@127.0.0.1:1/nothing"),
        connections: 1,
    };
    assert!(matches!(
        Storage::open(&nowhere).await,
        Err(StorageError::Database(_))
    ));
    let nowhere = Database::Sqlite("/dev/null/test.sqlite".into());
    assert!(matches!(
        Storage::open(&nowhere).await,
        Err(StorageError::File(_))
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_sqlite_file() {
    use std::os::unix::fs::PermissionsExt;
    let (database, _directory) = support::sqlite().unwrap();
    let credentials = open(&database).await;
    credentials
        .put(&slot("alice"), &credential("token"), NOW)
        .await
        .unwrap();
    let Database::Sqlite(path) = database else {
        panic!("SQLite is a file");
    };
    for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
    }
}
