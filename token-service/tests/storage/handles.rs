//! Handles of consents.

use mcp_token_service::config::Database;
use mcp_token_service::credentials::Consent;
use mcp_token_service::storage::{ConsentStep, Handle};

use crate::{NOW, consent, on_both_databases, open, slot};

on_both_databases!(
    a_handle_works_once_however_many_ask,
    a_handle_works_for_its_step_and_its_time_only,
    of_many_links_of_one_user_the_newest_stay,
);

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

/// One each second for as long as a link lasts: what a person was shown first
/// works, however often their client asks meanwhile.
async fn of_many_links_of_one_user_the_newest_stay(database: Database) {
    let credentials = open(&database).await;
    let link = |subject: &str, number: i64| Consent {
        owner: slot(subject).owner,
        expires_at: NOW + number,
        ..consent("verifier")
    };
    credentials.begin_consent(&link("bob", 1)).await.unwrap();
    for number in 1..=605 {
        credentials
            .begin_consent(&link("alice", number))
            .await
            .unwrap();
    }
    let rows = credentials.storage().consents().await.unwrap();
    let ends = |subject: &str| -> Vec<i64> {
        let rows = rows.iter().filter(|(_, row)| row.owner.subject == subject);
        rows.map(|(_, row)| row.expires_at - NOW).collect()
    };
    assert_eq!((ends("alice").len(), ends("bob").len()), (600, 1));
    assert_eq!(ends("alice").into_iter().min(), Some(6));
}
