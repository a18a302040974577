//! Renewing tokens, and what trouble at the provider is to the user.

use std::sync::Arc;

use mcp_token_service::config::Database;
use mcp_token_service::grants::{Reason, ResolveError};
use mcp_token_service::servers::{Authentication, Client};
use mcp_token_service::storage::Status;
use serde_json::json;
use tokio::sync::Notify;

use crate::on_both_databases;
use crate::provider::Fault;
use crate::world::{NOW, World, authenticated, consent, header, issuer, oauth, owner, registered};

on_both_databases!(
    a_token_is_renewed_before_its_end_once_however_many_ask,
    the_caller_goes_away_and_the_new_tokens_are_still_written,
    a_refresh_token_that_is_not_replaced_is_kept,
    trouble_at_the_provider_keeps_the_credential,
    while_it_is_good_a_token_is_used_though_it_cannot_be_renewed,
    only_invalid_grant_asks_the_user_again,
    a_wish_for_a_pause_is_heeded,
    a_lost_registration_is_not_used_again,
    a_registration_that_is_refused_now_and_then_is_kept,
    a_refusal_without_its_code_does_not_forget_the_registration,
    a_refused_client_that_was_registered_by_hand_keeps_the_credential,
    a_refusal_of_the_current_version_renews_it_once,
    a_token_that_is_refused_though_it_is_fresh_is_revoked,
    missing_scopes_need_a_consent_that_can_bring_them,
    an_upstream_that_wants_more_gets_it_or_the_call_is_denied,
    a_token_without_an_end_has_that_of_the_one_before,
    a_token_whose_end_the_provider_tells_on_request_ends_then,
    a_token_of_unknown_end_is_used_until_it_is_refused,
    tokens_go_to_no_other_provider_and_no_other_client,
    a_refused_refresh_token_after_a_crash_is_a_failed_refresh,
    what_cannot_be_written_is_written_later,
);

/// In the last minute of a token.
const LATE: i64 = NOW + 3600 - 30;
/// After it.
const OVER: i64 = NOW + 3600;

async fn a_token_is_renewed_before_its_end_once_however_many_ask(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let first = world.authenticated(&alice, NOW + 3000).await;
    assert_eq!(world.provider.count("refresh_token"), 0);
    let calls = (0..50).map(|_| {
        let (world, alice) = (world.clone(), alice.clone());
        tokio::spawn(async move { world.authenticated(&alice, OVER).await })
    });
    let calls: Vec<_> = calls.collect();
    let second = world.authenticated(&alice, OVER).await;
    for call in calls {
        assert_eq!(call.await.unwrap(), second);
    }
    assert_eq!(world.provider.count("refresh_token"), 1);
    assert_ne!(header(&first), header(&second));
    assert_ne!(first.version, second.version);
    assert_eq!(second.expires_at, Some(OVER + 3600));
    assert_eq!(second.cache_seconds, 60);
    world.authenticated(&alice, OVER + 3570).await;
    assert_eq!(world.provider.count("refresh_token"), 2);
    assert_eq!(world.outcomes().await, ["refresh renewed"; 2]);
}

async fn the_caller_goes_away_and_the_new_tokens_are_still_written(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let old = world.kept(&alice).await.version;
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold = Some(Arc::clone(&hold));
    let call = {
        let (world, alice) = (world.clone(), alice.clone());
        tokio::spawn(async move { world.resolve(&alice, OVER).await })
    };
    while world.provider.count("refresh_token") == 0 {
        world.provider.arrived.notified().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    hold.notify_one();
    world.grants.drain().await;
    assert_ne!(world.kept(&alice).await.version, old);
    world.provider.inner().hold = None;
    world.authenticated(&alice, OVER).await;
    assert_eq!(world.provider.count("refresh_token"), 1);
}

async fn a_refresh_token_that_is_not_replaced_is_kept(database: Database) {
    let world = World::new(&database).await;
    world.provider.inner().rotates = false;
    let alice = owner("alice");
    world.connect(&alice).await;
    for round in 1..=3 {
        world.authenticated(&alice, NOW + 3600 * round).await;
    }
    assert_eq!(world.provider.count("refresh_token"), 3);
}

async fn trouble_at_the_provider_keeps_the_credential(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let mut now = OVER;
    for (count, fault) in [
        Fault::Answer(500, "{}"),
        Fault::Answer(503, r#"{"error":"invalid_grant"}"#),
        Fault::Answer(400, r#"{"error":"invalid_request"}"#),
        Fault::Answer(400, r#"{"error":"temporarily_unavailable"}"#),
        Fault::Answer(400, "<html>"),
        Fault::Answer(200, "<html>"),
        Fault::Answer(200, r#"{"access_token":"a b","token_type":"Bearer"}"#),
        Fault::Answer(408, ""),
        Fault::Oversized,
        Fault::Hang,
        Fault::Drip,
        Fault::Redirect,
    ]
    .into_iter()
    .enumerate()
    {
        world.provider.fault(fault.clone());
        let result = world.resolve(&alice, now).await;
        assert_eq!(result, Err(ResolveError::Upstream), "{fault:?}");
        assert_eq!(world.provider.count("refresh_token"), count + 1);
        // Not again so soon.
        let result = world.resolve(&alice, now + 29).await;
        assert_eq!(result, Err(ResolveError::Upstream), "{fault:?}");
        assert_eq!(world.provider.count("refresh_token"), count + 1);
        assert_eq!(world.kept(&alice).await.status, Status::Usable);
        now += 60;
    }
    world.provider.fault(None);
    world.authenticated(&alice, now).await;
}

async fn while_it_is_good_a_token_is_used_though_it_cannot_be_renewed(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let current = world.authenticated(&alice, NOW).await;
    for fault in [Fault::Answer(500, ""), Fault::Hang] {
        world.provider.fault(fault.clone());
        let late = world.authenticated(&alice, LATE).await;
        assert_eq!(header(&late), header(&current), "{fault:?}");
        assert_eq!(late.cache_seconds, 30);
    }
    world.grants.drain().await;
    let asked = world.provider.count("refresh_token");
    world.authenticated(&alice, LATE + 1).await;
    assert_eq!(world.provider.count("refresh_token"), asked, "cool-down");
    let over = world.resolve(&alice, OVER - 1).await;
    assert_eq!(authenticated(over).cache_seconds, 1);
    world.provider.fault(None);
    let renewed = world.authenticated(&alice, OVER + 60).await;
    assert_ne!(header(&renewed), header(&current));
}

async fn only_invalid_grant_asks_the_user_again(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let refused = Fault::Answer(400, r#"{"error":"invalid_grant"}"#);
    world.provider.fault(refused);
    let missing = consent(Reason::InvalidGrant);
    assert_eq!(world.resolve(&alice, OVER).await, missing);
    assert_eq!(world.resolve(&alice, OVER + 600).await, missing);
    assert_eq!(world.provider.count("refresh_token"), 1);
    assert_eq!(world.kept(&alice).await.status, Status::InvalidGrant);
    world.provider.fault(None);
    world.connect(&alice).await;
    world.authenticated(&alice, NOW + 10).await;
    assert_eq!(world.outcomes().await, ["refresh invalid_grant"]);
}

async fn a_wish_for_a_pause_is_heeded(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    world.provider.fault(Fault::RateLimited(120));
    let limited = |retry_after| Err(ResolveError::RateLimited { retry_after });
    assert_eq!(world.resolve(&alice, OVER).await, limited(120));
    assert_eq!(world.resolve(&alice, OVER + 100).await, limited(20));
    assert_eq!(world.provider.count("refresh_token"), 1);
    world.provider.fault(None);
    world.authenticated(&alice, OVER + 121).await;
}

const INVALID_CLIENT: Fault = Fault::Answer(401, r#"{"error":"invalid_client"}"#);

async fn a_lost_registration_is_not_used_again(database: Database) {
    let world = World::new(&database).await;
    let (alice, bob) = (owner("alice"), owner("bob"));
    world.connect(&alice).await;
    world.connect(&bob).await;
    world.provider.fault(INVALID_CLIENT);
    // It may pass.
    for now in [OVER, OVER + 31, OVER + 299] {
        let result = world.resolve(&alice, now).await;
        assert_eq!(result, Err(ResolveError::Upstream), "{now}");
    }
    let missing = consent(Reason::RefreshFailed);
    assert_eq!(world.resolve(&alice, OVER + 330).await, missing);
    assert_eq!(world.resolve(&alice, OVER + 331).await, missing);
    assert_eq!(world.kept(&alice).await.status, Status::Usable, "kept");
    // What is known of the registration holds for everybody.
    assert_eq!(world.resolve(&bob, OVER + 332).await, missing);
    world.provider.fault(None);
    world.connect(&alice).await;
    assert_eq!(world.provider.inner().clients, ["client0", "client1"]);
    world.authenticated(&alice, NOW + 1).await;
}

async fn a_registration_that_is_refused_now_and_then_is_kept(database: Database) {
    let world = World::new(&database).await;
    let (alice, bob) = (owner("alice"), owner("bob"));
    world.connect(&alice).await;
    world.connect(&bob).await;
    world.provider.fault(INVALID_CLIENT);
    let failed = Err(ResolveError::Upstream);
    assert_eq!(world.resolve(&alice, OVER).await, failed);
    // Somebody else's refresh shows that it is known.
    world.provider.fault(None);
    world.authenticated(&bob, OVER + 100).await;
    world.provider.fault(INVALID_CLIENT);
    assert_eq!(world.resolve(&alice, OVER + 400).await, failed);
    world.provider.fault(None);
    world.authenticated(&alice, OVER + 500).await;
    assert_eq!(world.provider.inner().clients, ["client0"]);
    assert_eq!(
        world.outcomes().await,
        [
            "refresh upstream_error",
            "refresh renewed",
            "refresh upstream_error",
            "refresh renewed",
        ]
    );
}

async fn a_refusal_without_its_code_does_not_forget_the_registration(database: Database) {
    let world = World::new(&database).await;
    let (alice, bob) = (owner("alice"), owner("bob"));
    world.connect(&alice).await;
    let mut now = OVER;
    for fault in [
        Fault::Answer(401, ""),
        Fault::Answer(401, "<html>"),
        Fault::Answer(400, r#"{"error":"unauthorized_client"}"#),
    ] {
        world.provider.fault(fault.clone());
        let result = world.resolve(&alice, now).await;
        assert_eq!(result, Err(ResolveError::Upstream), "{fault:?}");
        now += 60;
    }
    world.provider.fault(None);
    world.authenticated(&alice, now).await;
    world.connect(&bob).await;
    assert_eq!(world.provider.inner().clients, ["client0"]);
}

async fn a_refused_client_that_was_registered_by_hand_keeps_the_credential(database: Database) {
    let world = World::new(&database).await;
    let oauth = oauth(issuer(&world.provider), registered());
    let world = world.configured(Authentication::AuthorizationCode(oauth));
    let alice = owner("alice");
    world.connect(&alice).await;
    for fault in [
        INVALID_CLIENT,
        Fault::Answer(400, r#"{"error":"unauthorized_client"}"#),
    ] {
        world.provider.fault(fault);
        let result = world.resolve(&alice, OVER).await;
        assert_eq!(result, Err(ResolveError::Upstream));
    }
    world.provider.fault(None);
    world.authenticated(&alice, OVER + 60).await;
}

async fn a_refusal_of_the_current_version_renews_it_once(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let first = world.authenticated(&alice, NOW + 1).await;
    let rejected = |version: String| {
        let (world, alice) = (world.clone(), alice.clone());
        async move { authenticated(world.ask(&alice, Some((&version, 401)), &[], NOW + 2).await) }
    };
    let second = rejected(first.version.clone()).await;
    assert_ne!(second.version, first.version);
    assert_eq!(world.provider.count("refresh_token"), 1);
    // Others come late with the refusal of the old one.
    for _ in 0..3 {
        assert_eq!(rejected(first.version.clone()).await, second);
    }
    assert_eq!(world.provider.count("refresh_token"), 1);
}

async fn a_token_that_is_refused_though_it_is_fresh_is_revoked(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let first = world.authenticated(&alice, NOW + 1).await;
    let second = world.ask(&alice, Some((&first.version, 401)), &[], NOW + 2);
    let second = authenticated(second.await);
    let third = world.ask(&alice, Some((&second.version, 401)), &[], NOW + 3);
    assert_eq!(third.await, consent(Reason::Revoked));
    assert_eq!(world.provider.count("refresh_token"), 1);
    let revoked = world.resolve(&alice, NOW + 4).await;
    assert_eq!(revoked, consent(Reason::Revoked));
    world.connect(&alice).await;
    world.authenticated(&alice, NOW + 5).await;
}

async fn missing_scopes_need_a_consent_that_can_bring_them(database: Database) {
    let world = World::new(&database).await;
    world.provider.inner().grants_scope = Some("mcp:read".to_owned());
    let alice = owner("alice");
    world.connect(&alice).await;
    let ask = async |scope: &str| world.ask(&alice, None, &[scope.to_owned()], NOW + 1).await;
    assert_eq!(authenticated(ask("mcp:read").await).scopes, ["mcp:read"]);
    assert_eq!(ask("mcp:write").await, consent(Reason::InsufficientScope));
    assert_eq!(ask("admin").await, Err(ResolveError::AccessDenied));
    // Nor is a first consent asked for, which would not be enough.
    let bob = owner("bob");
    let required = ["admin".to_owned()];
    let first = world.ask(&bob, None, &required, NOW).await;
    assert_eq!(first, Err(ResolveError::AccessDenied));
}

async fn an_upstream_that_wants_more_gets_it_or_the_call_is_denied(database: Database) {
    let world = World::new(&database).await;
    let Authentication::AuthorizationCode(mut oauth) = world.source().authentication.clone() else {
        panic!("another kind");
    };
    // What users are asked for is in the configuration, or in the resource's
    // metadata: there it is `mcp:read`.
    oauth.scopes.clear();
    let by_resource = world.configured(Authentication::AuthorizationCode(oauth));
    let alice = owner("alice");
    let denied = Err(ResolveError::AccessDenied);
    for (world, few, all) in [
        (&world, "mcp:read", "mcp:read mcp:write"),
        (&by_resource, "profile", "mcp:read profile"),
    ] {
        let wants_more = async |required: &[String]| {
            let version = world.kept(&alice).await.version.to_string();
            let rejected = Some((version.as_str(), 403));
            world.ask(&alice, rejected, required, NOW + 1).await
        };
        world.provider.inner().grants_scope = Some(few.to_owned());
        world.connect(&alice).await;
        let asked = consent(Reason::InsufficientScope);
        assert_eq!(wants_more(&[]).await, asked, "{few}");
        world.provider.inner().grants_scope = Some(all.to_owned());
        world.connect(&alice).await;
        assert_eq!(wants_more(&[]).await, denied, "{all}");
        let granted = all.split(' ').map(str::to_owned);
        assert_eq!(wants_more(&granted.collect::<Vec<_>>()).await, denied);
        // Other calls go on.
        world.authenticated(&alice, NOW + 1).await;
    }
}

async fn a_token_without_an_end_has_that_of_the_one_before(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    world.provider.inner().lifetime = None;
    let second = world.authenticated(&alice, OVER).await;
    assert_eq!(second.expires_at, Some(OVER + 3600));
    assert_eq!(world.provider.inner().introspections, 0);
}

async fn a_token_whose_end_the_provider_tells_on_request_ends_then(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.provider.inner().lifetime = None;
    world.provider.inner().introspected = json!({"active": true, "exp": NOW + 100});
    world.connect(&alice).await;
    world.grants.drain().await;
    let first = world.authenticated(&alice, NOW).await;
    assert_eq!(first.expires_at, Some(NOW + 100));
    world.provider.inner().introspected = json!({"active": true, "exp": NOW + 1000});
    let second = world.authenticated(&alice, NOW + 101).await;
    assert_eq!(second.expires_at, Some(NOW + 1000));
    assert_eq!(world.provider.inner().introspections, 2);
}

async fn a_token_of_unknown_end_is_used_until_it_is_refused(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.provider.inner().lifetime = None;
    world.connect(&alice).await;
    let first = world.authenticated(&alice, NOW + 1_000_000).await;
    assert_eq!(first.expires_at, None);
    assert_eq!(world.provider.count("refresh_token"), 0);
    let refused = world.ask(&alice, Some((&first.version, 401)), &[], NOW + 1_000_001);
    assert_ne!(authenticated(refused.await).version, first.version);
}

async fn tokens_go_to_no_other_provider_and_no_other_client(database: Database) {
    let world = World::new(&database).await;
    let by_hand = oauth(issuer(&world.provider), registered());
    let world = world.configured(Authentication::AuthorizationCode(by_hand.clone()));
    let alice = owner("alice");
    world.connect(&alice).await;
    let other = World::new(&database).await;
    let elsewhere = oauth(issuer(&other.provider), registered());
    let elsewhere = other.configured(Authentication::AuthorizationCode(elsewhere));
    let missing = consent(Reason::RefreshFailed);
    assert_eq!(elsewhere.resolve(&alice, OVER).await, missing);
    assert_eq!(elsewhere.resolve(&alice, OVER + 1).await, missing);
    let mut renamed = by_hand;
    renamed.client = match renamed.client {
        Client::Registered { authentication, .. } => Client::Registered {
            id: "other".to_owned(),
            authentication,
        },
        client => client,
    };
    let renamed = world.configured(Authentication::AuthorizationCode(renamed));
    assert_eq!(renamed.resolve(&alice, OVER + 60).await, missing);
    assert_eq!(other.provider.inner().token_requests.len(), 0);
    assert_eq!(world.provider.count("refresh_token"), 0);
    // The configuration is put right: nothing is lost.
    world.authenticated(&alice, OVER + 120).await;
}

async fn a_refused_refresh_token_after_a_crash_is_a_failed_refresh(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    world.provider.fault(Fault::LoseAnswer);
    // The provider rotates, and its answer is lost on the way.
    let result = world.resolve(&alice, OVER).await;
    assert_eq!(result, Err(ResolveError::Upstream));
    assert!(world.kept(&alice).await.refresh_begun_at.is_some());
    world.provider.fault(None);
    let result = world.resolve(&alice, OVER + 60).await;
    assert_eq!(result, consent(Reason::RefreshFailed));
    assert_eq!(world.provider.inner().reuse_detected, 1);
    let again = world.resolve(&alice, OVER + 120).await;
    assert_eq!(again, consent(Reason::RefreshFailed), "and not again");
    assert_eq!(world.provider.count("refresh_token"), 2);
}

/// The database refuses to take new tokens, until it does not.
async fn what_cannot_be_written_is_written_later(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let old = world.kept(&alice).await.version;
    sqlx::any::install_default_drivers();
    let (url, refuse, accept) = match &database {
        Database::Sqlite(path) => (
            format!("sqlite://{}", path.display()),
            "CREATE TRIGGER broken BEFORE UPDATE OF sealed ON credentials \
             BEGIN SELECT RAISE(ABORT, 'no'); END",
            "DROP TRIGGER broken",
        ),
        Database::Postgres { url, .. } => (
            url.expose_text().unwrap().to_owned(),
            "ALTER TABLE credentials ADD CONSTRAINT broken CHECK (refresh_begun_at IS NOT NULL) \
             NOT VALID",
            "ALTER TABLE credentials DROP CONSTRAINT broken",
        ),
    };
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::query(refuse).execute(&pool).await.unwrap();
    let result = world.resolve(&alice, OVER).await;
    assert_eq!(result, Err(ResolveError::Unavailable));
    assert_eq!(world.kept(&alice).await.version, old);
    sqlx::query(accept).execute(&pool).await.unwrap();
    world.grants.drain().await;
    assert_ne!(world.kept(&alice).await.version, old, "it was not lost");
    world.authenticated(&alice, OVER).await;
    assert_eq!(world.provider.count("refresh_token"), 1);
}
