//! Several replicas on one database, at a provider that revokes everything when
//! a refresh token is used twice.

use std::sync::Arc;

use mcp_token_service::config::Database;
use mcp_token_service::grants::{Reason, ResolveError};
use mcp_token_service::storage::Method;
use tokio::sync::Notify;

use crate::on_both_databases;
use crate::provider::Fault;
use crate::world::{NOW, World, consent, header, let_leases_run_out, owner};

on_both_databases!(
    replicas_under_load_refresh_once_and_never_lose_the_connection,
    a_replica_waits_for_another_and_takes_what_it_brought,
    a_replica_that_waits_too_long_says_so,
    the_lease_of_a_dead_replica_is_taken_over_when_it_ends,
    what_comes_after_the_end_of_the_lease_is_not_lost,
    nobody_has_the_lease_while_the_provider_is_looked_for,
    after_a_dead_replica_a_refused_refresh_token_is_a_failed_refresh,
);

const OVER: i64 = NOW + 3600;

async fn replicas_under_load_refresh_once_and_never_lose_the_connection(database: Database) {
    const ROUNDS: i64 = 10;
    let one = World::new(&database).await;
    let two = one.replica(&database).await;
    let people = [owner("alice"), owner("bob")];
    for person in &people {
        one.connect(person).await;
    }
    for round in 1..=ROUNDS {
        let now = NOW + 3600 * round;
        let calls = (0..40_usize).map(|number| {
            let world = [&one, &two][number % 2].clone();
            let person = people[number / 2 % 2].clone();
            tokio::spawn(async move {
                let found = world.authenticated(&person, now).await;
                (person.subject, header(&found), found.version)
            })
        });
        let calls: Vec<_> = calls.collect();
        let mut answers = vec![];
        for call in calls {
            answers.push(call.await.unwrap());
        }
        answers.sort();
        answers.dedup();
        // One token for each person, whoever was asked.
        assert_eq!(answers.len(), people.len(), "{answers:?}");
        let expected = people.len() * usize::try_from(round).unwrap();
        assert_eq!(one.provider.count("refresh_token"), expected);
    }
    assert_eq!(one.provider.inner().reuse_detected, 0);
}

/// A refresh of `world` that has reached the provider and waits there.
async fn begun(world: &World, subject: &'static str) -> (Arc<Notify>, tokio::task::JoinHandle<()>) {
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold = Some(Arc::clone(&hold));
    let call = {
        let world = world.clone();
        tokio::spawn(async move { drop(world.resolve(&owner(subject), OVER).await) })
    };
    while world.provider.count("refresh_token") == 0 {
        world.provider.arrived.notified().await;
    }
    (hold, call)
}

async fn a_replica_waits_for_another_and_takes_what_it_brought(database: Database) {
    let one = World::new(&database).await;
    let two = one.replica(&database).await;
    let alice = owner("alice");
    one.connect(&alice).await;
    let (hold, call) = begun(&one, "alice").await;
    let waiting = {
        let (two, alice) = (two.clone(), alice.clone());
        tokio::spawn(async move { two.authenticated(&alice, OVER).await })
    };
    tokio::task::yield_now().await;
    hold.notify_one();
    call.await.unwrap();
    let found = waiting.await.unwrap();
    assert_eq!(found, one.authenticated(&alice, OVER).await);
    assert_eq!(one.provider.count("refresh_token"), 1);
}

async fn a_replica_that_waits_too_long_says_so(database: Database) {
    let one = World::new(&database).await;
    let two = one.replica(&database).await;
    let alice = owner("alice");
    one.connect(&alice).await;
    let kept = one.kept(&alice).await;
    let (slot, storage) = (one.slot(&alice, Method::OAuth), one.credentials.storage());
    let taken = storage.take_lease(&slot, kept.version, "other", OVER, 45);
    assert!(taken.await.unwrap());
    let result = two.resolve(&alice, OVER).await;
    assert_eq!(
        result,
        Err(ResolveError::RefreshInProgress { retry_after: 1 })
    );
    // A token that is still good is used meanwhile.
    two.authenticated(&alice, OVER - 10).await;
    assert_eq!(one.provider.count("refresh_token"), 0);
}

/// In SQLite there is one clock, and the time is an argument.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_replica_whose_clock_is_ahead_takes_no_lease_that_still_counts() {
    let Some((database, _directory)) = crate::support::postgres() else {
        return;
    };
    let one = World::new(&database).await;
    let two = one.replica(&database).await;
    let alice = owner("alice");
    one.connect(&alice).await;
    let kept = one.kept(&alice).await;
    let (slot, storage) = (one.slot(&alice, Method::OAuth), one.credentials.storage());
    let taken = storage.take_lease(&slot, kept.version, "one", OVER, 45);
    assert!(taken.await.unwrap());
    assert_eq!(
        two.resolve(&alice, OVER + 600).await,
        Err(ResolveError::RefreshInProgress { retry_after: 1 })
    );
    assert_eq!(one.provider.count("refresh_token"), 0);
    let_leases_run_out(&database).await;
    two.authenticated(&alice, OVER + 600).await;
    assert_eq!(one.provider.count("refresh_token"), 1);
}

async fn the_lease_of_a_dead_replica_is_taken_over_when_it_ends(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let kept = world.kept(&alice).await;
    let slot = world.slot(&alice, Method::OAuth);
    let storage = world.credentials.storage();
    let taken = storage.take_lease(&slot, kept.version, "dead", OVER, 45);
    assert!(taken.await.unwrap());
    let_leases_run_out(&database).await;
    world.authenticated(&alice, OVER + 45).await;
    assert_eq!(world.provider.count("refresh_token"), 1);
}

async fn after_a_dead_replica_a_refused_refresh_token_is_a_failed_refresh(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let kept = world.kept(&alice).await;
    let slot = world.slot(&alice, Method::OAuth);
    let storage = world.credentials.storage();
    let taken = storage.take_lease(&slot, kept.version, "dead", OVER, 45);
    assert!(taken.await.unwrap());
    let_leases_run_out(&database).await;
    // Its request used the refresh token up, as far as the provider says.
    world
        .provider
        .fault(Fault::Answer(400, r#"{"error":"invalid_grant"}"#));
    let result = world.resolve(&alice, OVER + 45).await;
    assert_eq!(result, consent(Reason::RefreshFailed));
    let asked = world.provider.count("refresh_token");
    let again = world.resolve(&alice, OVER + 600).await;
    assert_eq!(again, consent(Reason::RefreshFailed));
    assert_eq!(world.provider.count("refresh_token"), asked);
}

async fn what_comes_after_the_end_of_the_lease_is_not_lost(database: Database) {
    let one = World::new(&database).await;
    let alice = owner("alice");
    one.connect(&alice).await;
    let kept = one.kept(&alice).await;
    let (hold, call) = begun(&one, "alice").await;
    // The lease runs out, and another replica takes it.
    let (slot, storage) = (one.slot(&alice, Method::OAuth), one.credentials.storage());
    let_leases_run_out(&database).await;
    let taken = storage.take_lease(&slot, kept.version, "two", OVER + 46, 45);
    assert!(taken.await.unwrap());
    hold.notify_one();
    call.await.unwrap();
    assert_ne!(one.kept(&alice).await.version, kept.version);
    one.authenticated(&alice, OVER + 47).await;
    assert_eq!(one.provider.count("refresh_token"), 1);
}

async fn nobody_has_the_lease_while_the_provider_is_looked_for(database: Database) {
    let one = World::new(&database).await;
    let alice = owner("alice");
    one.connect(&alice).await;
    // A replica that does not know the provider yet, and does not find it.
    let two = one.replica(&database).await;
    one.provider.inner().metadata_hangs = true;
    let call = {
        let (two, alice) = (two.clone(), alice.clone());
        tokio::spawn(async move { two.resolve(&alice, OVER).await })
    };
    one.provider.metadata_asked.notified().await;
    one.authenticated(&alice, OVER).await;
    // Its failure is nothing to who has renewed it meanwhile.
    assert!(call.await.unwrap().is_ok());
    assert_eq!(one.provider.count("refresh_token"), 1);
}
