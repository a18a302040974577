//! Giving grants back.

use std::sync::Arc;
use std::time::Duration;

use mcp_token_service::config::Database;
use mcp_token_service::grants::{Disconnected, OverrideValue, Reason};
use mcp_token_service::secret::Secret;
use mcp_token_service::storage::Method;
use tokio::sync::Notify;

use crate::on_both_databases;
use crate::world::{NOW, World, consent, owner, server, virtual_server};

on_both_databases!(
    tokens_are_given_back_the_refresh_token_first,
    whatever_the_provider_says_the_credential_is_removed,
    an_override_is_removed_by_itself,
    what_is_given_back_is_what_was_removed,
    the_end_of_the_service_waits_for_a_disconnect,
    who_disconnects_does_not_wait_for_a_provider_that_hangs,
    all_providers_are_asked_at_once,
    what_a_refresh_brings_after_a_disconnect_is_given_back,
);

async fn disconnect(world: &World, method: Method) -> Disconnected {
    let (grants, server) = (&world.grants, &world.server);
    let alice = owner("alice");
    let methods = [method];
    let done = grants.disconnect(&alice, server, None, &methods, "r", NOW);
    done.await.unwrap()
}

fn revoked(world: &World) -> Vec<String> {
    let inner = world.provider.inner();
    let forms = inner.revocations.iter();
    forms.map(|form| form["token_type_hint"].clone()).collect()
}

async fn tokens_are_given_back_the_refresh_token_first(database: Database) {
    let world = World::new(&database).await;
    let (alice, bob) = (owner("alice"), owner("bob"));
    world.connect(&alice).await;
    world.connect(&bob).await;
    let done = disconnect(&world, Method::OAuth).await;
    assert_eq!((done.removed, done.not_revoked), (1, 0));
    assert_eq!(revoked(&world), ["refresh_token", "access_token"]);
    assert_eq!(
        world.resolve(&alice, NOW).await,
        consent(Reason::ConsentMissing)
    );
    world.authenticated(&bob, NOW).await;
    assert_eq!(
        disconnect(&world, Method::OAuth).await,
        Disconnected::default()
    );
    assert_eq!(
        world.outcomes().await,
        ["disconnect removed", "disconnect revoked"]
    );
}

async fn whatever_the_provider_says_the_credential_is_removed(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    world.provider.inner().revocation_fails = true;
    let done = disconnect(&world, Method::OAuth).await;
    assert_eq!((done.removed, done.not_revoked), (1, 1));
    // Both were tried.
    assert_eq!(revoked(&world), ["refresh_token", "access_token"]);
    assert_eq!(
        world.resolve(&alice, NOW).await,
        consent(Reason::ConsentMissing)
    );
    assert_eq!(
        world.outcomes().await,
        ["disconnect removed", "disconnect removed_here_only"]
    );
}

async fn an_override_is_removed_by_itself(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let value = OverrideValue::One(Secret::new("Bearer mine"));
    let set = world
        .grants
        .set_override(&alice, &world.server, None, &value, "r", NOW);
    set.await.unwrap();
    assert_eq!(disconnect(&world, Method::Override).await.removed, 1);
    assert!(revoked(&world).is_empty());
    world.authenticated(&alice, NOW).await;
    assert_eq!(world.outcomes().await, ["override set", "override removed"]);
}

async fn what_a_refresh_brings_after_a_disconnect_is_given_back(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold = Some(Arc::clone(&hold));
    let call = {
        let (world, alice) = (world.clone(), alice.clone());
        tokio::spawn(async move { world.resolve(&alice, NOW + 3600).await })
    };
    while world.provider.count("refresh_token") == 0 {
        world.provider.arrived.notified().await;
    }
    assert_eq!(disconnect(&world, Method::OAuth).await.removed, 1);
    hold.notify_one();
    assert_eq!(call.await.unwrap(), consent(Reason::ConsentMissing));
    // The old ones by the disconnect, the new ones by the refresh.
    let both = ["refresh_token", "access_token"];
    assert_eq!(revoked(&world), [both, both].concat());
    let inner = world.provider.inner();
    assert_ne!(inner.revocations[0]["token"], inner.revocations[2]["token"]);
}

/// A disconnect whose first revocation has reached the provider.
async fn begun(world: &World) -> (Arc<Notify>, tokio::task::JoinHandle<Disconnected>) {
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold_revocations = Some(Arc::clone(&hold));
    let call = {
        let world = world.clone();
        tokio::spawn(async move { disconnect(&world, Method::OAuth).await })
    };
    while revoked(world).is_empty() {
        world.provider.arrived.notified().await;
    }
    world.provider.inner().hold_revocations = None;
    (hold, call)
}

async fn what_is_given_back_is_what_was_removed(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let (hold, call) = begun(&world).await;
    let gone = world.resolve(&alice, NOW).await;
    assert_eq!(gone, consent(Reason::ConsentMissing));
    // The user agrees again before the provider has answered.
    world.connect(&alice).await;
    let new = world.kept(&alice).await.version;
    hold.notify_one();
    let done = call.await.unwrap();
    assert_eq!((done.removed, done.not_revoked), (1, 0));
    assert_eq!(world.kept(&alice).await.version, new);
    world.authenticated(&alice, NOW).await;
}

async fn the_end_of_the_service_waits_for_a_disconnect(database: Database) {
    let world = World::new(&database).await;
    world.connect(&owner("alice")).await;
    let (hold, call) = begun(&world).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let drained = world.grants.drain();
    tokio::pin!(drained);
    let early = tokio::time::timeout(Duration::from_millis(20), &mut drained).await;
    assert!(early.is_err(), "the provider has not answered yet");
    hold.notify_one();
    drained.await;
    assert_eq!(revoked(&world), ["refresh_token", "access_token"]);
    assert_eq!(
        world.outcomes().await,
        ["disconnect removed", "disconnect revoked"]
    );
}

/// The provider answers whatever waits, until nothing is under way.
async fn let_go(world: &World, hold: &Notify) {
    world.provider.inner().hold_revocations = None;
    let soon = Duration::from_millis(20);
    loop {
        hold.notify_waiters();
        if tokio::time::timeout(soon, world.grants.drain())
            .await
            .is_ok()
        {
            return;
        }
    }
}

async fn who_disconnects_does_not_wait_for_a_provider_that_hangs(database: Database) {
    let world = World::new(&database).await;
    world.connect(&owner("alice")).await;
    // No call ends by itself while the test lasts.
    let (call, patience) = (Duration::from_secs(600), Duration::from_millis(300));
    let world = world.with_times(&database, call, patience).await;
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold_revocations = Some(Arc::clone(&hold));
    let done = disconnect(&world, Method::OAuth).await;
    assert_eq!((done.removed, done.not_revoked, done.pending), (1, 1, 1));
    assert_eq!(world.outcomes().await, ["disconnect removed"]);
    assert_eq!(
        world.resolve(&owner("alice"), NOW).await,
        consent(Reason::ConsentMissing)
    );
    // The access token follows though the other one hangs.
    while revoked(&world).len() < 2 {
        world.provider.arrived.notified().await;
    }
    assert_eq!(revoked(&world), ["refresh_token", "access_token"]);
    let_go(&world, &hold).await;
    assert_eq!(
        world.outcomes().await,
        ["disconnect removed", "disconnect revoked"]
    );
}

async fn all_providers_are_asked_at_once(database: Database) {
    let world = World::new(&database).await;
    let kind = world.source().authentication.clone();
    for id in ["one", "two"] {
        let one = World {
            server: server(id, kind.clone()).into(),
            ..world.clone()
        };
        one.connect(&owner("alice")).await;
    }
    let all = virtual_server("all", &[("one", kind.clone()), ("two", kind)]);
    let world = World {
        server: all.into(),
        ..world
    };
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold_revocations = Some(Arc::clone(&hold));
    let call = {
        let world = world.clone();
        tokio::spawn(async move { disconnect(&world, Method::OAuth).await })
    };
    while revoked(&world).len() < 2 {
        world.provider.arrived.notified().await;
    }
    assert_eq!(revoked(&world), ["refresh_token", "refresh_token"]);
    let_go(&world, &hold).await;
    assert_eq!(call.await.unwrap().removed, 2);
}
