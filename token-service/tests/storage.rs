//! What is kept, on SQLite and on PostgreSQL.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod support;

use mcp_token_service::config::Database;
use mcp_token_service::credentials::{Consent, Credential, CredentialError, Credentials};
use mcp_token_service::owner::{Owner, SubjectType, Target};
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::{
    Action, Actor, AuditRecord, ConsentStep, Handle, LeaseEnd, Method, Operation, Slot, Status,
    Storage, StorageError, Version,
};
use mcp_token_service::vault::{EncryptionKey, KeyId, Keyring, Vault, VaultError};
use sqlx::AnyPool;

on_both_databases!(
    a_credential_comes_back_as_it_was_kept,
    an_empty_slot_has_no_credential,
    every_slot_has_a_credential_of_its_own,
    a_new_credential_replaces_the_old_one_and_its_version_never_comes_again,
    secrets_and_handles_are_not_in_the_database,
    a_row_copied_to_another_owner_does_not_open,
    of_many_that_want_to_refresh_one_gets_the_lease,
    a_lease_that_ran_out_can_be_taken_by_another,
    a_refresh_replaces_the_version_that_it_began_with_only,
    what_is_taken_is_not_there_any_more,
    a_consent_during_a_refresh_wins,
    a_failed_refresh_keeps_the_credential_and_waits,
    a_version_that_is_not_the_current_one_is_not_marked,
    a_refresh_that_has_begun_shows_until_something_new_is_written,
    a_registered_client_is_kept_once_and_sealed,
    a_handle_works_once_however_many_ask,
    a_handle_works_for_its_step_and_its_time_only,
    rewrapping_makes_the_old_key_superfluous,
    rewrapping_says_what_it_could_not_open_and_does_the_rest,
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

async fn let_leases_run_out(database: &Database) {
    let pool = past_the_service(database).await;
    let ended = sqlx::query("UPDATE credentials SET lease_until = 0 WHERE lease_until > 0");
    ended.execute(&pool).await.unwrap();
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

async fn a_credential_comes_back_as_it_was_kept(database: Database) {
    let credentials = open(&database).await;
    let without_expiry = Credential {
        scopes: vec![],
        expires_at: None,
        ..credential("token")
    };
    for wanted in [credential("token"), without_expiry] {
        let version = credentials.put(&slot("alice"), &wanted, NOW).await.unwrap();
        let kept = credentials.get(&slot("alice")).await.unwrap().unwrap();
        assert_eq!(kept.credential, wanted);
        assert_eq!(kept.version, version);
        assert_eq!(kept.status, Status::Usable);
        assert_eq!(kept.retry_at, None);
    }
}

async fn an_empty_slot_has_no_credential(database: Database) {
    let credentials = open(&database).await;
    let slot = slot("alice");
    assert_eq!(credentials.get(&slot).await.unwrap(), None);
    assert!(
        !credentials
            .storage()
            .remove_credential(&slot)
            .await
            .unwrap()
    );
    credentials
        .put(&slot, &credential("token"), NOW)
        .await
        .unwrap();
    assert!(
        credentials
            .storage()
            .remove_credential(&slot)
            .await
            .unwrap()
    );
    assert_eq!(credentials.get(&slot).await.unwrap(), None);
}

async fn every_slot_has_a_credential_of_its_own(database: Database) {
    let credentials = open(&database).await;
    let first = slot("alice");
    let mut slots = vec![first.clone(), slot("Alice"), slot("alice "), slot("a'; --")];
    let mut other = first.clone();
    other.owner.issuer = "https://other.example".to_owned();
    slots.push(other);
    let mut other = first.clone();
    other.owner.subject_type = SubjectType::VirtualAccount;
    slots.push(other);
    let mut other = first.clone();
    other.target.source = "wiki".to_owned();
    slots.push(other);
    let mut other = first.clone();
    other.target.server = "wiki".to_owned();
    slots.push(other);
    let mut other = first;
    other.method = Method::Override;
    slots.push(other);
    for (index, slot) in slots.iter().enumerate() {
        let wanted = credential(&index.to_string());
        credentials.put(slot, &wanted, NOW).await.unwrap();
    }
    for (index, slot) in slots.iter().enumerate() {
        assert_eq!(secret(&credentials, slot).await, index.to_string());
    }
    let listed = credentials.storage().slots("notes", Method::Override).await;
    assert_eq!(listed.unwrap(), [slots.pop().unwrap()]);
}

async fn a_new_credential_replaces_the_old_one_and_its_version_never_comes_again(
    database: Database,
) {
    let credentials = open(&database).await;
    let slot = slot("alice");
    let first = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let second = credentials.put(&slot, &credential("2"), NOW).await.unwrap();
    assert_eq!(secret(&credentials, &slot).await, "2");
    credentials
        .storage()
        .remove_credential(&slot)
        .await
        .unwrap();
    let third = credentials.put(&slot, &credential("3"), NOW).await.unwrap();
    assert!(first != second && second != third && first != third);
}

async fn secrets_and_handles_are_not_in_the_database(database: Database) {
    let credentials = open(&database).await;
    let wanted = credential("correct-horse");
    credentials.put(&slot("alice"), &wanted, NOW).await.unwrap();
    let handle = credentials
        .begin_consent(&consent("battery-staple"))
        .await
        .unwrap();

    let pool = past_the_service(&database).await;
    let mut kept = Vec::new();
    for query in [
        "SELECT sealed FROM credentials",
        "SELECT sealed FROM consents",
    ] {
        kept.extend(
            sqlx::query_scalar::<_, Vec<u8>>(query)
                .fetch_all(&pool)
                .await
                .unwrap(),
        );
    }
    kept.extend(
        sqlx::query_scalar::<_, Vec<u8>>("SELECT handle_hash FROM consents")
            .fetch_all(&pool)
            .await
            .unwrap(),
    );
    assert_eq!(kept.len(), 3);
    for bytes in kept {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for secret in ["correct-horse", "battery-staple", handle.expose()] {
            assert!(!text.contains(secret));
        }
    }
}

async fn a_row_copied_to_another_owner_does_not_open(database: Database) {
    let credentials = open(&database).await;
    for (subject, token) in [("alice", "token of alice"), ("bob", "token of bob")] {
        credentials
            .put(&slot(subject), &credential(token), NOW)
            .await
            .unwrap();
    }
    let pool = past_the_service(&database).await;
    sqlx::query(
        "UPDATE credentials SET \
            sealed = (SELECT sealed FROM credentials WHERE subject = 'alice'), \
            version = (SELECT version FROM credentials WHERE subject = 'alice') \
        WHERE subject = 'bob'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let stolen = credentials.get(&slot("bob")).await;
    assert!(
        matches!(stolen, Err(CredentialError::Vault(VaultError::Refused))),
        "{stolen:?}"
    );
    assert_eq!(secret(&credentials, &slot("alice")).await, "token of alice");
}

async fn of_many_that_want_to_refresh_one_gets_the_lease(database: Database) {
    let credentials = open(&database).await;
    let slot = slot("alice");
    let version = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    // Two replicas.
    let other = open(&database).await;
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..20 {
        let replica = [&credentials, &other][number % 2].storage().clone();
        let slot = slot.clone();
        attempts.spawn(async move {
            let holder = format!("holder {number}");
            replica
                .take_lease(&slot, version, &holder, NOW, 30)
                .await
                .unwrap()
        });
    }
    let won = attempts.join_all().await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}

async fn a_lease_that_ran_out_can_be_taken_by_another(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let version = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let take = async |holder, now| {
        storage
            .take_lease(&slot, version, holder, now, 30)
            .await
            .unwrap()
    };
    assert!(take("one", NOW).await);
    assert!(!take("two", NOW + 29).await);
    if matches!(database, Database::Postgres { .. }) {
        // Whose clock is ahead cannot take it.
        assert!(!take("two", NOW + 3600).await);
        let_leases_run_out(&database).await;
        // Nor does one that is behind make it longer.
        assert!(take("two", NOW - 3600).await);
    } else {
        assert!(take("two", NOW + 30).await);
    }
    let late = credentials
        .refresh(&slot, version, &credential("2"), NOW + 31)
        .await;
    let new = late.unwrap();
    assert!(new.is_some(), "what the first holder has got is not lost");
    assert_eq!(secret(&credentials, &slot).await, "2");
    let second = credentials
        .refresh(&slot, version, &credential("3"), NOW + 32)
        .await;
    assert_eq!(second.unwrap(), None, "the second comes too late");
    assert_eq!(secret(&credentials, &slot).await, "2");
    let end = LeaseEnd {
        status: Status::InvalidGrant,
        retry_at: None,
        last_error: None,
        refresh_begun_at: None,
    };
    let ended = storage.end_lease(&slot, "two", end, NOW + 33).await;
    assert!(!ended.unwrap(), "nor does its failure count");
}

async fn a_refresh_replaces_the_version_that_it_began_with_only(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let version = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let refresh = async |version, text| {
        let wanted = credential(text);
        let done = credentials.refresh(&slot, version, &wanted, NOW).await;
        done.unwrap()
    };
    let take = async |version, holder| {
        let taken = storage.take_lease(&slot, version, holder, NOW, 30);
        taken.await.unwrap()
    };
    assert!(take(version, "one").await);
    let new = refresh(version, "2").await.unwrap();
    assert_eq!(secret(&credentials, &slot).await, "2");
    assert_eq!(refresh(version, "3").await, None);
    assert_eq!(secret(&credentials, &slot).await, "2");
    assert!(take(new, "two").await, "the first lease has ended");
    assert!(credentials.take(&slot).await.unwrap().is_some());
    assert_eq!(refresh(new, "4").await, None, "there is nothing any more");
    assert!(credentials.get(&slot).await.unwrap().is_none());
}

async fn what_is_taken_is_not_there_any_more(database: Database) {
    let credentials = open(&database).await;
    let (alice, bob) = (slot("alice"), slot("bob"));
    let version = credentials.put(&alice, &credential("1"), NOW).await;
    credentials.put(&bob, &credential("2"), NOW).await.unwrap();
    let taken = credentials.take(&alice).await.unwrap().unwrap().unwrap();
    assert_eq!(taken.credential, credential("1"));
    assert_eq!(taken.version, version.unwrap());
    assert!(credentials.take(&alice).await.unwrap().is_none());
    assert_eq!(secret(&credentials, &bob).await, "2");
}

async fn a_consent_during_a_refresh_wins(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let version = credentials
        .put(&slot, &credential("old"), NOW)
        .await
        .unwrap();
    assert!(
        storage
            .take_lease(&slot, version, "one", NOW, 30)
            .await
            .unwrap()
    );
    credentials
        .put(&slot, &credential("consented"), NOW)
        .await
        .unwrap();
    let late = credentials
        .refresh(&slot, version, &credential("refreshed"), NOW)
        .await;
    assert_eq!(late.unwrap(), None);
    let ended = storage
        .end_lease(
            &slot,
            "one",
            LeaseEnd {
                status: Status::InvalidGrant,
                retry_at: None,
                last_error: None,
                refresh_begun_at: None,
            },
            NOW,
        )
        .await;
    assert!(!ended.unwrap(), "nor does its failure count");
    let kept = credentials.get(&slot).await.unwrap().unwrap();
    assert_eq!(kept.credential, credential("consented"));
    assert_eq!(kept.status, Status::Usable);
}

async fn a_failed_refresh_keeps_the_credential_and_waits(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let version = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let take = async |now| {
        storage
            .take_lease(&slot, version, "one", now, 30)
            .await
            .unwrap()
    };
    assert!(take(NOW).await);
    let again = Some(NOW + 60);
    let ended = storage
        .end_lease(
            &slot,
            "one",
            LeaseEnd {
                status: Status::Usable,
                retry_at: again,
                last_error: Some("unavailable"),
                refresh_begun_at: Some(NOW),
            },
            NOW,
        )
        .await;
    assert!(ended.unwrap());
    let kept = credentials.get(&slot).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.retry_at), (Status::Usable, again));
    assert_eq!(kept.last_error.as_deref(), Some("unavailable"));
    assert_eq!(kept.refresh_begun_at, Some(NOW));
    assert_eq!(kept.version, version);
    assert!(!take(NOW + 59).await);
    assert!(take(NOW + 60).await);
}

async fn a_refresh_that_has_begun_shows_until_something_new_is_written(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let version = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let begun = async || {
        let kept = credentials.get(&slot).await.unwrap().unwrap();
        kept.refresh_begun_at
    };
    assert_eq!(begun().await, None);
    let take = async |holder, now: i64| {
        let taken = storage.take_lease(&slot, version, holder, now, 10);
        assert!(taken.await.unwrap());
    };
    take("one", NOW).await;
    assert_eq!(begun().await, Some(NOW));
    // The first holder is gone; the beginning is still the first one.
    let_leases_run_out(&database).await;
    take("two", NOW + 10).await;
    assert_eq!(begun().await, Some(NOW));
    let new = credentials
        .refresh(&slot, version, &credential("2"), NOW + 11)
        .await
        .unwrap();
    assert!(new.is_some());
    assert_eq!(begun().await, None);
    let dated = storage.set_expiry(&slot, version, NOW + 5).await.unwrap();
    assert!(!dated, "not the current version");
    let dated = storage.set_expiry(&slot, new.unwrap(), NOW + 5).await;
    assert!(dated.unwrap());
    let kept = credentials.get(&slot).await.unwrap().unwrap();
    assert_eq!(kept.credential.expires_at, Some(NOW + 5));
}

async fn a_registered_client_is_kept_once_and_sealed(database: Database) {
    let credentials = open(&database).await;
    let (provider, redirect) = ("https://as.example", "https://t.example/oauth/callback");
    let add = async |secret: &str| {
        let secret = Secret::new(secret);
        let added = credentials.add_registration(provider, redirect, &secret, Some(NOW + 9), NOW);
        added.await.unwrap()
    };
    assert!(add("client-secret-one").await);
    assert!(!add("client-secret-two").await);
    let kept = credentials.registration(provider, redirect).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept.secret, Secret::new("client-secret-one"));
    assert_eq!(kept.expires_at, Some(NOW + 9));
    let other = credentials
        .registration(provider, "https://t.example/x")
        .await;
    assert_eq!(other.unwrap(), None);

    // Moved to another provider, it does not open.
    let pool = past_the_service(&database).await;
    sqlx::query("UPDATE clients SET provider = 'https://evil.example'")
        .execute(&pool)
        .await
        .unwrap();
    let moved = credentials
        .registration("https://evil.example", redirect)
        .await;
    assert!(matches!(moved, Err(CredentialError::Vault(_))));
    let storage = credentials.storage();
    let gone = storage.remove_client("https://evil.example", redirect, kept.version);
    assert!(gone.await.unwrap());
    assert!(storage.clients().await.unwrap().is_empty());
}

async fn a_version_that_is_not_the_current_one_is_not_marked(database: Database) {
    let credentials = open(&database).await;
    let (slot, storage) = (slot("alice"), credentials.storage());
    let old = credentials.put(&slot, &credential("1"), NOW).await.unwrap();
    let new = credentials.put(&slot, &credential("2"), NOW).await.unwrap();
    let mark = async |version| {
        storage
            .mark_credential(&slot, version, Status::Revoked, NOW)
            .await
            .unwrap()
    };
    assert!(!mark(old).await);
    let status = async || credentials.get(&slot).await.unwrap().unwrap().status;
    assert_eq!(status().await, Status::Usable);
    assert!(mark(Version::parse(&new.to_string()).unwrap()).await);
    assert_eq!(status().await, Status::Revoked);
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

async fn a_handle_works_once_however_many_ask(database: Database) {
    let credentials = open(&database).await;
    let handle = credentials
        .begin_consent(&consent("verifier"))
        .await
        .unwrap();
    let shown = credentials
        .consent(&handle, ConsentStep::Connect, NOW)
        .await
        .unwrap();
    assert_eq!(
        shown,
        Some(consent("verifier")),
        "a look does not use it up"
    );

    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (storage, hash) = (credentials.storage().clone(), handle.hash());
        attempts.spawn(async move {
            storage
                .take_consent(&hash, ConsentStep::Connect, NOW)
                .await
                .unwrap()
        });
    }
    let taken = attempts.join_all().await;
    assert_eq!(taken.into_iter().flatten().count(), 1);
    let again = credentials
        .take_consent(&handle, ConsentStep::Connect, NOW)
        .await;
    assert_eq!(again.unwrap(), None);
}

async fn a_handle_works_for_its_step_and_its_time_only(database: Database) {
    let credentials = open(&database).await;
    let handle = credentials
        .begin_consent(&consent("verifier"))
        .await
        .unwrap();
    let take = async |handle: &Handle, step, now| {
        credentials.take_consent(handle, step, now).await.unwrap()
    };
    let connect = ConsentStep::Connect;
    assert_eq!(take(&handle, ConsentStep::Callback, NOW).await, None);
    assert_eq!(take(&handle, connect, NOW + 600).await, None);
    assert_eq!(take(&Handle::presented("guess"), connect, NOW).await, None);
    let purged = async |now| credentials.storage().purge_consents(now).await.unwrap();
    assert_eq!(purged(NOW + 599).await, 0);
    let presented = Handle::presented(handle.expose());
    assert_eq!(
        take(&presented, connect, NOW + 599).await,
        Some(consent("verifier"))
    );
    credentials
        .begin_consent(&consent("verifier"))
        .await
        .unwrap();
    assert_eq!(purged(NOW + 600).await, 1);
}

async fn rewrapping_makes_the_old_key_superfluous(database: Database) {
    let old = open(&database).await;
    // More than one page.
    for number in 0..120 {
        let slot = slot(&format!("subject {number}"));
        old.put(&slot, &credential(&format!("token {number}")), NOW)
            .await
            .unwrap();
    }
    let handle = old.begin_consent(&consent("verifier")).await.unwrap();

    let both = open_with(&database, keyring("b", &[("a", "A"), ("b", "E")])).await;
    let before = both.get(&slot("subject 7")).await.unwrap().unwrap();
    let report = both.rewrap().await.unwrap();
    assert_eq!((report.rewrapped, report.current), (121, 0));
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let report = both.rewrap().await.unwrap();
    assert_eq!((report.rewrapped, report.current), (0, 121));

    let new = open_with(&database, keyring("b", &[("b", "E")])).await;
    for number in 0..120 {
        let slot = slot(&format!("subject {number}"));
        assert_eq!(secret(&new, &slot).await, format!("token {number}"));
    }
    let after = new.get(&slot("subject 7")).await.unwrap().unwrap();
    assert_eq!(
        after, before,
        "it is the same credential in the same version"
    );
    let taken = new.take_consent(&handle, ConsentStep::Connect, NOW).await;
    assert_eq!(taken.unwrap(), Some(consent("verifier")));
}

async fn rewrapping_says_what_it_could_not_open_and_does_the_rest(database: Database) {
    let lost = open_with(&database, keyring("lost", &[("lost", "I")])).await;
    lost.put(&slot("alice"), &credential("lost"), NOW)
        .await
        .unwrap();
    let old = open(&database).await;
    old.put(&slot("bob"), &credential("kept"), NOW)
        .await
        .unwrap();

    let both = open_with(&database, keyring("b", &[("a", "A"), ("b", "E")])).await;
    let report = both.rewrap().await.unwrap();
    assert_eq!(report.rewrapped, 1);
    assert_eq!(report.failed.len(), 1, "{:?}", report.failed);
    assert!(report.failed[0].contains("alice"), "{:?}", report.failed);
    assert!(report.failed[0].contains("\"lost\""), "{:?}", report.failed);
    assert_eq!(secret(&both, &slot("bob")).await, "kept");
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
