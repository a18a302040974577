//! Credentials without a consent: keys, tokens of the service itself, and
//! tokens for a user's own.

use std::collections::BTreeMap;

use mcp_token_service::config::Database;
use mcp_token_service::grants::{
    AuthMethod, AuthStatus, ConsentKind, OverrideError, OverrideValue, Reason, Resolution,
    ResolveAsk, ResolveError,
};
use mcp_token_service::owner::Owner;
use mcp_token_service::secret::Secret;
use mcp_token_service::servers::{Authentication, HeaderLevel, OAuth};

use crate::on_both_databases;
use crate::provider::Fault;
use crate::world::{
    NOW, World, authenticated, header, header_authentication, issuer, oauth, owner, registered,
    virtual_server,
};

on_both_databases!(
    a_server_without_authentication_needs_nothing,
    a_key_for_all_is_put_into_the_header,
    a_key_of_ones_own_is_asked_for_and_then_used,
    an_override_goes_before_everything,
    one_token_of_the_service_serves_all_users,
    a_refused_token_of_the_service_is_replaced_once,
    trouble_with_a_token_of_the_service_is_not_repeated_at_once,
    a_token_for_the_users_own_needs_it_and_errors_are_told_apart,
    a_token_for_the_users_own_has_what_the_call_needs_or_is_not_given,
    of_a_virtual_server_a_source_has_to_be_named,
);

async fn a_server_without_authentication_needs_nothing(database: Database) {
    let world = World::new(&database).await.configured(Authentication::None);
    let found = world.resolve(&owner("alice"), NOW).await;
    assert!(matches!(found, Ok(Resolution::NotRequired { .. })));
}

async fn a_key_for_all_is_put_into_the_header(database: Database) {
    let values = BTreeMap::from([("API_KEY".to_owned(), Secret::new("shared"))]);
    let kind = header_authentication(HeaderLevel::Global(values));
    let world = World::new(&database).await.configured(kind);
    let alice = owner("alice");
    let found = world.authenticated(&alice, NOW).await;
    assert_eq!(header(&found), "Bearer shared");
    assert_eq!(found.method, AuthMethod::Shared);
    let refused = world.ask(&alice, Some((&found.version, 401)), &[], NOW);
    assert_eq!(refused.await, Err(ResolveError::Upstream));
}

async fn a_key_of_ones_own_is_asked_for_and_then_used(database: Database) {
    let kind = header_authentication(HeaderLevel::PerUser);
    let world = World::new(&database).await.configured(kind);
    let (alice, bob) = (owner("alice"), owner("bob"));
    let missing = Ok(Resolution::ConsentRequired {
        reason: Reason::ConsentMissing,
        kind: ConsentKind::ApiKey,
    });
    assert_eq!(world.resolve(&alice, NOW).await, missing);
    let set = async |value: &str| {
        let value = OverrideValue::One(Secret::new(value));
        let (grants, server) = (&world.grants, &world.server);
        grants
            .set_override(&alice, server, None, &value, "r", NOW)
            .await
    };
    set("key1").await.unwrap();
    let found = world.authenticated(&alice, NOW).await;
    assert_eq!(header(&found), "Bearer key1");
    assert_eq!(found.method, AuthMethod::Override);
    assert_eq!(world.resolve(&bob, NOW).await, missing);
    assert!(matches!(
        set("a\r\nb").await,
        Err(OverrideError::InvalidValue(_))
    ));
    // A refused key is asked for again, and a new one works.
    let refused = world.ask(&alice, Some((&found.version, 401)), &[], NOW);
    assert_eq!(
        refused.await,
        Ok(Resolution::ConsentRequired {
            reason: Reason::Revoked,
            kind: ConsentKind::ApiKey,
        })
    );
    set("key2").await.unwrap();
    let found = world.ask(&alice, Some((&found.version, 401)), &[], NOW);
    assert_eq!(header(&authenticated(found.await)), "Bearer key2");
}

async fn an_override_goes_before_everything(database: Database) {
    let world = World::new(&database).await;
    let alice = owner("alice");
    world.connect(&alice).await;
    let value = OverrideValue::One(Secret::new("Bearer mine"));
    let (grants, server) = (&world.grants, &world.server);
    let set = grants.set_override(&alice, server, None, &value, "r", NOW);
    set.await.unwrap();
    assert_eq!(
        header(&world.authenticated(&alice, NOW).await),
        "Bearer mine"
    );
    let status = grants.status(&alice, server, NOW).await.unwrap();
    let method = AuthMethod::Override;
    assert_eq!(status, AuthStatus::Authenticated { method });
    let listed = grants.overrides(server).await.unwrap();
    assert_eq!(listed[0].0, alice);
    assert_eq!(world.outcomes().await, ["override set"]);
}

async fn machine(database: &Database) -> World {
    let world = World::new(database).await;
    let oauth = oauth(issuer(&world.provider), registered());
    world.configured(Authentication::ClientCredentials(oauth))
}

async fn one_token_of_the_service_serves_all_users(database: Database) {
    let world = machine(&database).await;
    let calls = (0..20).map(|number| {
        let world = world.clone();
        let person = owner(&format!("person{number}"));
        tokio::spawn(async move { world.authenticated(&person, NOW).await })
    });
    let calls: Vec<_> = calls.collect();
    let found = world.authenticated(&owner("alice"), NOW).await;
    assert_eq!(found.method, AuthMethod::Shared);
    for call in calls {
        assert_eq!(call.await.unwrap(), found);
    }
    assert_eq!(world.provider.count("client_credentials"), 1);
    world.authenticated(&owner("alice"), NOW + 3600).await;
    assert_eq!(world.provider.count("client_credentials"), 2);
    let form = world.provider.inner().token_requests[0].0.clone();
    assert_eq!(form["scope"], "mcp:read mcp:write");
    // What was asked for is on record, and nobody's.
    assert_eq!(world.outcomes().await, ["fetch obtained", "fetch obtained"]);
    let records = world.credentials.storage().records(1).await.unwrap();
    assert_eq!(records[0].owner, Owner::nobody());
    assert_eq!(records[0].target, world.source().target());
}

async fn a_refused_token_of_the_service_is_replaced_once(database: Database) {
    let world = machine(&database).await;
    let alice = owner("alice");
    let first = world.authenticated(&alice, NOW).await;
    let refused = async |version: &str| world.ask(&alice, Some((version, 401)), &[], NOW + 1).await;
    let second = authenticated(refused(&first.version).await);
    assert_ne!(second.version, first.version);
    assert_eq!(authenticated(refused(&first.version).await), second);
    let third = refused(&second.version).await;
    assert_eq!(third, Err(ResolveError::Upstream));
    assert_eq!(world.provider.count("client_credentials"), 2);
}

async fn trouble_with_a_token_of_the_service_is_not_repeated_at_once(database: Database) {
    let world = machine(&database).await;
    let alice = owner("alice");
    world.provider.fault(Fault::Answer(503, ""));
    for now in [NOW, NOW + 29] {
        let result = world.resolve(&alice, now).await;
        assert_eq!(result, Err(ResolveError::Upstream));
    }
    assert_eq!(world.provider.count("client_credentials"), 1);
    world.provider.fault(None);
    world.authenticated(&alice, NOW + 30).await;
    // While it is good, it is used.
    world.provider.fault(Fault::Answer(503, ""));
    world.authenticated(&alice, NOW + 3625).await;
    assert_eq!(
        world.outcomes().await,
        [
            "fetch upstream_error",
            "fetch obtained",
            "fetch upstream_error"
        ]
    );
}

async fn a_token_for_the_users_own_needs_it_and_errors_are_told_apart(database: Database) {
    let world = World::new(&database).await;
    let world = world.configured(Authentication::TokenExchange {
        oauth: oauth(issuer(&world.provider), registered()),
        audience: Some("upstream".to_owned()),
    });
    let alice = owner("alice");
    let exchange = async |token: Option<&str>| {
        let token = token.map(Secret::new);
        let ask = ResolveAsk {
            owner: &alice,
            server: &world.server,
            source: None,
            subject_token: token.as_ref(),
            required_scopes: &[],
            rejected: None,
            request_id: "r",
        };
        world.grants.resolve(&ask, NOW).await
    };
    let found = authenticated(exchange(Some("alice's")).await);
    assert_eq!(found.method, AuthMethod::TokenExchange);
    let form = world.provider.inner().token_requests[0].0.clone();
    assert_eq!(form["subject_token"], "alice's");
    assert_eq!(form["audience"], "upstream");
    let invalid = Err(ResolveError::InvalidSubjectToken);
    assert_eq!(exchange(None).await, invalid);
    assert_eq!(exchange(Some("expired")).await, invalid);
    assert_eq!(
        exchange(Some("forbidden")).await,
        Err(ResolveError::AccessDenied)
    );
    world.provider.fault(Fault::Answer(500, ""));
    assert_eq!(exchange(Some("alice's")).await, Err(ResolveError::Upstream));
    assert_eq!(
        world.outcomes().await,
        [
            "fetch obtained",
            "fetch invalid_subject_token",
            "fetch access_denied",
            "fetch upstream_error"
        ]
    );
    let records = world.credentials.storage().records(1).await.unwrap();
    assert_eq!(
        (&records[0].owner, records[0].request_id.as_str()),
        (&alice, "r")
    );
}

async fn a_token_for_the_users_own_has_what_the_call_needs_or_is_not_given(database: Database) {
    let world = World::new(&database).await;
    let (alice, token) = (owner("alice"), Secret::new("alice's"));
    // The scopes of the token, or why there is none, and those asked for.
    let exchange = async |configured: &[&str], required: &[&str], granted: Option<&str>| {
        let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let required: Vec<String> = scopes(required);
        let oauth = OAuth {
            scopes: scopes(configured),
            ..oauth(issuer(&world.provider), registered())
        };
        let audience = None;
        let world = world.configured(Authentication::TokenExchange { oauth, audience });
        world.provider.inner().grants_scope = granted.map(str::to_owned);
        world.provider.inner().token_requests.clear();
        let ask = ResolveAsk {
            owner: &alice,
            server: &world.server,
            source: None,
            subject_token: Some(&token),
            required_scopes: &required,
            rejected: None,
            request_id: "r",
        };
        let resolved = world.grants.resolve(&ask, NOW).await;
        let given = resolved.map(|found| authenticated(Ok(found)).scopes.join(" "));
        let asked = world.provider.inner().token_requests.pop();
        (
            given,
            asked.and_then(|(form, _)| form.get("scope").cloned()),
        )
    };
    let given = |scopes: &str| Ok(scopes.to_owned());
    let asked = |scopes: &str| Some(scopes.to_owned());
    let denied = || Err(ResolveError::AccessDenied);
    // What is configured is asked for, whatever the call needs of it.
    let found = exchange(&["a", "b"], &["b"], None).await;
    assert_eq!(found, (given("a b"), asked("a b")));
    let found = exchange(&["a", "b"], &[], Some("a")).await;
    assert_eq!(found, (given("a"), asked("a b")));
    // Without a configuration, what the call needs; the answer need not repeat it.
    let found = exchange(&[], &["c", "d"], None).await;
    assert_eq!(found, (given("c d"), asked("c d")));
    assert_eq!(exchange(&[], &[], None).await, (given(""), None));
    // Less than the call needs, or more than is configured, is none.
    let found = exchange(&["a", "b"], &["b"], Some("a")).await;
    assert_eq!(found, (denied(), asked("a b")));
    assert_eq!(exchange(&["a"], &["a", "b"], None).await, (denied(), None));
}

async fn of_a_virtual_server_a_source_has_to_be_named(database: Database) {
    let world = World::new(&database).await;
    let kind = world.source().authentication.clone();
    let whole = virtual_server("all", &[("notes", kind), ("open", Authentication::None)]);
    let alice = owner("alice");
    world.connect(&alice).await;
    let ask = async |source| {
        let ask = ResolveAsk {
            owner: &alice,
            server: &whole,
            source,
            subject_token: None,
            required_scopes: &[],
            rejected: None,
            request_id: "r",
        };
        world.grants.resolve(&ask, NOW).await
    };
    assert_eq!(ask(None).await, Err(ResolveError::InvalidTarget));
    assert_eq!(ask(Some("all")).await, Err(ResolveError::InvalidTarget));
    let direct = world.authenticated(&alice, NOW).await;
    assert_eq!(authenticated(ask(Some("notes")).await), direct);
    assert!(matches!(
        ask(Some("open")).await,
        Ok(Resolution::NotRequired { .. })
    ));
}
