//! The right to refresh, and what a refresh writes.

use mcp_token_service::config::Database;
use mcp_token_service::storage::{LeaseEnd, Status};

use crate::{NOW, credential, on_both_databases, open, past_the_service, secret, slot};

on_both_databases!(
    of_many_that_want_to_refresh_one_gets_the_lease,
    a_lease_that_ran_out_can_be_taken_by_another,
    a_refresh_replaces_the_version_that_it_began_with_only,
    a_consent_during_a_refresh_wins,
    a_failed_refresh_keeps_the_credential_and_waits,
    a_refresh_that_has_begun_shows_until_something_new_is_written,
);

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

async fn let_leases_run_out(database: &Database) {
    let pool = past_the_service(database).await;
    let ended = sqlx::query("UPDATE credentials SET lease_until = 0 WHERE lease_until > 0");
    ended.execute(&pool).await.unwrap();
}
