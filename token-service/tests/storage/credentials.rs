//! Credentials and clients: what comes back, and what whoever has the database
//! does not learn.

use mcp_token_service::config::Database;
use mcp_token_service::credentials::{Credential, CredentialError};
use mcp_token_service::owner::SubjectType;
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::{Method, Status, Version};
use mcp_token_service::vault::VaultError;

use crate::{NOW, consent, credential, on_both_databases, open, past_the_service, secret, slot};

on_both_databases!(
    a_credential_comes_back_as_it_was_kept,
    an_empty_slot_has_no_credential,
    every_slot_has_a_credential_of_its_own,
    a_new_credential_replaces_the_old_one_and_its_version_never_comes_again,
    what_is_taken_is_not_there_any_more,
    a_version_that_is_not_the_current_one_is_not_marked,
    secrets_and_handles_are_not_in_the_database,
    a_row_copied_to_another_owner_does_not_open,
    a_registered_client_is_kept_once_and_sealed,
);

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
