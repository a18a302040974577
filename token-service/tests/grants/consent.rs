//! Obtaining grants, and finding the provider.

use std::sync::Arc;

use mcp_token_service::config::Database;
use mcp_token_service::grants::{
    AuthMethod, AuthStatus, ConsentKind, PendingAuthorization, Reason, ResolveError,
};
use mcp_token_service::oauth::{MetadataProblem, ProviderError};
use mcp_token_service::secret::Secret;
use mcp_token_service::servers::{Authentication, Client, OAuth};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::on_both_databases;
use crate::provider::{Fault, Provider, basic};
use crate::world::{
    NOW, REDIRECT, World, by_resource, consent, header, issuer, oauth, owner, registered, server,
    virtual_server,
};

on_both_databases!(
    the_end_of_the_service_waits_for_the_exchange_of_a_code,
    who_has_not_agreed_has_to_and_who_has_gets_a_token,
    a_client_is_registered_once_and_anew_when_its_secret_ends,
    a_registration_that_the_provider_has_lost_is_forgotten,
    every_kind_of_client_authenticates_in_its_way,
    an_answer_of_another_issuer_is_refused_before_the_code_is_sent,
    what_is_pending_survives_being_kept,
    a_virtual_server_needs_all_of_its_sources,
    metadata_that_is_not_for_who_was_asked_is_refused,
    a_clients_secret_goes_to_the_issuer_that_it_is_for_and_no_other,
    scopes_come_from_the_resource_where_none_are_configured,
);

async fn who_has_not_agreed_has_to_and_who_has_gets_a_token(database: Database) {
    let world = World::new(&database).await;
    let (alice, bob) = (owner("alice"), owner("bob"));
    let status = async |who| world.grants.status(who, &world.server, NOW).await.unwrap();
    let missing = AuthStatus::Required {
        method: AuthMethod::OAuth,
        reason: Reason::ConsentMissing,
        kind: ConsentKind::OAuth,
    };
    assert_eq!(status(&alice).await, missing);
    assert_eq!(
        world.resolve(&alice, NOW).await,
        consent(Reason::ConsentMissing)
    );
    world.connect(&alice).await;
    let found = world.authenticated(&alice, NOW).await;
    assert_eq!(found.method, AuthMethod::OAuth);
    assert!(header(&found).starts_with("Bearer at"));
    assert_eq!(found.scopes, ["mcp:read", "mcp:write"]);
    let method = AuthMethod::OAuth;
    assert_eq!(status(&alice).await, AuthStatus::Authenticated { method });
    assert_eq!(status(&bob).await, missing);
    assert_eq!(
        world.resolve(&bob, NOW).await,
        consent(Reason::ConsentMissing)
    );

    let (form, authorization) = world.provider.inner().token_requests[0].clone();
    assert_eq!(form["resource"], format!("{}/mcp", world.provider.url));
    assert_eq!(form["redirect_uri"], REDIRECT);
    let secret = basic(&authorization.unwrap());
    assert_eq!(secret, "client0:secret+of+client0");
}

async fn a_client_is_registered_once_and_anew_when_its_secret_ends(database: Database) {
    let world = World::new(&database).await;
    let other = world.replica(&database).await;
    world.connect(&owner("alice")).await;
    other.connect(&owner("bob")).await;
    assert_eq!(world.provider.inner().clients.len(), 1);
    // Another provider has clients of its own.
    let second = World::new(&database).await;
    second.provider.inner().secret_expires_at = NOW + 1000;
    second.connect(&owner("alice")).await;
    second.connect(&owner("alice")).await;
    assert_eq!(second.provider.inner().clients.len(), 1);
    let begun = second
        .grants
        .begin(second.source(), &[], None, REDIRECT, "s", NOW + 999)
        .await
        .unwrap();
    assert_eq!(second.provider.inner().clients.len(), 2);
    assert!(begun.url.as_str().contains("client_id=client1"));
}

async fn a_registration_that_the_provider_has_lost_is_forgotten(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    let (grants, source) = (&world.grants, world.source());
    let begun = grants
        .begin(source, &[], None, REDIRECT, "s", NOW)
        .await
        .unwrap();
    let code = world.provider.authorize(&begun.url);
    let lost = Fault::Answer(401, r#"{"error":"invalid_client"}"#);
    world.provider.fault(lost);
    let iss = Some(world.provider.url.as_str());
    let finished = grants.finish(&alice, source, &begun.pending, &code, iss, "r", NOW);
    assert!(matches!(
        finished.await,
        Err(ProviderError::ClientForgotten)
    ));
    world.provider.fault(None);
    world.connect(&alice).await;
    assert_eq!(world.provider.inner().clients.len(), 2);
}

async fn every_kind_of_client_authenticates_in_its_way(database: Database) {
    let world = World::new(&database).await;
    let last = || {
        world
            .provider
            .inner()
            .token_requests
            .last()
            .unwrap()
            .clone()
    };
    let with = |client| {
        let oauth = oauth(issuer(&world.provider), client);
        world.configured(Authentication::AuthorizationCode(oauth))
    };
    with(registered()).connect(&owner("alice")).await;
    let (form, authorization) = last();
    assert_eq!(basic(&authorization.unwrap()), "registered:client+secret");
    assert!(!form.contains_key("client_secret"));
    with(Client::MetadataDocument)
        .connect(&owner("alice"))
        .await;
    let (form, authorization) = last();
    assert_eq!(authorization, None);
    assert_eq!(form["client_id"], "http://127.0.0.1:8081/oauth/client.json");
    assert!(world.provider.inner().clients.is_empty());
}

async fn an_answer_of_another_issuer_is_refused_before_the_code_is_sent(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    let (grants, source) = (&world.grants, world.source());
    let begun = grants
        .begin(source, &[], None, REDIRECT, "s", NOW)
        .await
        .unwrap();
    let code = world.provider.authorize(&begun.url);
    for iss in [None, Some("https://evil.example"), Some("")] {
        let finished = grants.finish(&alice, source, &begun.pending, &code, iss, "r", NOW);
        assert!(matches!(finished.await, Err(ProviderError::Issuer)));
    }
    assert_eq!(world.provider.inner().token_requests.len(), 0);
    // Nor for another source.
    let iss = Some(world.provider.url.as_str());
    let other = server("other", world.source().authentication.clone());
    let other = &other.sources[0];
    let finished = grants.finish(&alice, other, &begun.pending, &code, iss, "r", NOW);
    assert!(finished.await.is_err());
    assert_eq!(world.provider.inner().token_requests.len(), 0);
    // A code that the provider does not know leaves nothing behind.
    let unknown = Secret::new("unknown");
    let finished = grants.finish(&alice, source, &begun.pending, &unknown, iss, "r", NOW);
    assert!(matches!(finished.await, Err(ProviderError::Refused(_))));
    assert_eq!(
        world.resolve(&alice, NOW).await,
        consent(Reason::ConsentMissing)
    );
}

async fn what_is_pending_survives_being_kept(database: Database) {
    let world = World::new(&database).await;
    let (grants, source) = (&world.grants, world.source());
    let begun = grants
        .begin(source, &[], None, REDIRECT, "s", NOW)
        .await
        .unwrap();
    let text = serde_json::to_string(&begun.pending).unwrap();
    let pending: PendingAuthorization = serde_json::from_str(&text).unwrap();
    assert_eq!(pending, begun.pending);
    let printed = format!("{begun:?}");
    assert!(!printed.contains("secret of client"), "{printed}");
}

async fn a_virtual_server_needs_all_of_its_sources(database: Database) {
    let world = World::new(&database).await;
    let kind = world.source().authentication.clone();
    let sources = [
        ("one", kind.clone()),
        ("open", Authentication::None),
        ("two", kind),
    ];
    let whole = virtual_server("all", &sources);
    let alice = owner("alice");
    let pending = async || {
        let pending = world.grants.pending_sources(&alice, &whole, &[], NOW).await;
        let pending = pending.unwrap().into_iter();
        pending.map(|source| source.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(pending().await, ["one", "two"]);
    let one = World {
        server: server("one", sources[0].1.clone()).into(),
        ..world.clone()
    };
    one.connect(&alice).await;
    assert_eq!(pending().await, ["two"]);
    let status = async || world.grants.status(&alice, &whole, NOW).await.unwrap();
    assert!(matches!(status().await, AuthStatus::Required { .. }));
    let two = World {
        server: server("two", sources[0].1.clone()).into(),
        ..world.clone()
    };
    two.connect(&alice).await;
    assert!(pending().await.is_empty());
    assert!(matches!(status().await, AuthStatus::Authenticated { .. }));
}

async fn metadata_that_is_not_for_who_was_asked_is_refused(database: Database) {
    let problem = async |provider: &Provider, of: &Client| {
        let found = by_resource(provider, None);
        let kind = Authentication::AuthorizationCode(oauth(found, of.clone()));
        let world = World::with(&database, provider.clone(), server("notes", kind)).await;
        let begun = world
            .grants
            .begin(world.source(), &[], None, REDIRECT, "s", NOW)
            .await;
        begun.err()
    };
    let with = async |name: &'static str, value: Value| {
        let provider = Provider::start().await;
        provider.inner().metadata.insert(name, value);
        problem(&provider, &Client::Dynamic).await
    };
    let is = |error: Option<ProviderError>, expected: MetadataProblem| match error {
        Some(ProviderError::Metadata(found)) => assert_eq!(found, expected),
        other => panic!("{other:?}"),
    };
    let good = Provider::start().await;
    assert!(problem(&good, &Client::Dynamic).await.is_none());
    is(
        with("issuer", json!("https://evil.example")).await,
        MetadataProblem::Mismatch("issuer"),
    );
    is(
        with("code_challenge_methods_supported", Value::Null).await,
        MetadataProblem::Pkce,
    );
    is(
        with("token_endpoint", json!("ftp://as.example/")).await,
        MetadataProblem::Field("token_endpoint"),
    );
    let outside = with("registration_endpoint", json!("http://169.254.169.254/")).await;
    assert!(matches!(outside, Some(ProviderError::Outbound(_))));
    let outside = with("authorization_endpoint", json!("http://10.0.0.1/")).await;
    assert!(matches!(outside, Some(ProviderError::Outbound(_))));
    let provider = Provider::start().await;
    let foreign = json!("https://evil.example/mcp");
    provider
        .inner()
        .resource_metadata
        .insert("resource", foreign);
    is(
        problem(&provider, &Client::Dynamic).await,
        MetadataProblem::Mismatch("resource"),
    );
    let provider = Provider::start().await;
    let documents = "client_id_metadata_document_supported";
    provider.inner().metadata.insert(documents, json!(false));
    assert!(matches!(
        problem(&provider, &Client::MetadataDocument).await,
        Some(ProviderError::Unsupported(_))
    ));
}

async fn a_clients_secret_goes_to_the_issuer_that_it_is_for_and_no_other(database: Database) {
    let provider = Provider::start().await;
    let other = Provider::start().await;
    let world = async |issuer: &str, grant: fn(OAuth) -> Authentication| {
        let found = by_resource(&provider, Some(issuer));
        let kind = grant(oauth(found, registered()));
        World::with(&database, provider.clone(), server("notes", kind)).await
    };
    // Of several that the resource names, the one that is meant.
    let named = |issuers: &[&str]| {
        let named = json!(issuers);
        let mut inner = provider.inner();
        inner
            .resource_metadata
            .insert("authorization_servers", named);
    };
    named(&[&other.url, &provider.url]);
    let consented = world(&provider.url, Authentication::AuthorizationCode).await;
    consented.connect(&owner("alice")).await;
    let machine = world(&provider.url, Authentication::ClientCredentials).await;
    machine.authenticated(&owner("bob"), NOW).await;
    let sent = provider.inner().token_requests.clone();
    assert!(sent.iter().all(|(_, client)| client.is_some()), "{sent:?}");
    assert_eq!(sent.len(), 2);

    // The resource names somebody else now.
    named(&[&other.url]);
    let consented = world(&provider.url, Authentication::AuthorizationCode).await;
    let begun = consented
        .grants
        .begin(consented.source(), &[], None, REDIRECT, "s", NOW);
    let expected = MetadataProblem::Mismatch("authorization_servers");
    assert!(matches!(
        begun.await,
        Err(ProviderError::Metadata(problem)) if problem == expected
    ));
    let machine = world(&provider.url, Authentication::ClientCredentials).await;
    let refused = machine.resolve(&owner("bob"), NOW).await;
    assert_eq!(refused, Err(ResolveError::Upstream));
    assert_eq!(provider.inner().token_requests.len(), 2);
    assert!(other.inner().token_requests.is_empty());
}

async fn scopes_come_from_the_resource_where_none_are_configured(database: Database) {
    let world = World::new(&database).await;
    let Authentication::AuthorizationCode(mut oauth) = world.source().authentication.clone() else {
        panic!("another kind");
    };
    oauth.scopes.clear();
    let world = world.configured(Authentication::AuthorizationCode(oauth));
    let begun = world
        .grants
        .begin(world.source(), &[], None, REDIRECT, "s", NOW)
        .await;
    let url = begun.unwrap().url;
    let scope = url.query_pairs().find(|(name, _)| name == "scope");
    assert_eq!(scope.unwrap().1, "mcp:read");
}

async fn the_end_of_the_service_waits_for_the_exchange_of_a_code(database: Database) {
    let world = World::new(&database).await;
    let hold = Arc::new(Notify::new());
    world.provider.inner().hold = Some(Arc::clone(&hold));
    let call = {
        let world = world.clone();
        tokio::spawn(async move { world.connect(&owner("alice")).await })
    };
    while world.provider.count("authorization_code") == 0 {
        world.provider.arrived.notified().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    hold.notify_one();
    world.grants.drain().await;
    world.authenticated(&owner("alice"), NOW).await;
}
