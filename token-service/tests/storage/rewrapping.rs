//! Another key.

use mcp_token_service::config::Database;
use mcp_token_service::storage::ConsentStep;

use crate::{NOW, consent, credential, keyring, on_both_databases, open, open_with, secret, slot};

on_both_databases!(
    rewrapping_makes_the_old_key_superfluous,
    rewrapping_says_what_it_could_not_open_and_does_the_rest,
);

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
