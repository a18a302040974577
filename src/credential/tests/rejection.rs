use super::*;

fn unauthorized() -> Rejection {
    Rejection {
        status: 401,
        error: Some("invalid_token".to_owned()),
        scopes: Scopes::default(),
    }
}

fn too_few_scopes() -> Rejection {
    Rejection {
        status: 403,
        error: Some("insufficient_scope".to_owned()),
        scopes: Scopes::parse("notes:write").unwrap(),
    }
}

fn desk_with(token: &str, version: &str) -> Desk {
    let mut desk = Desk::new(vault());
    desk.after(200, &authenticated(token, version, 60));
    desk.now_ms = NOW_MS.saturating_add(100);
    desk
}

#[test]
fn a_rejected_credential_is_asked_for_once_more_with_its_version() {
    let mut desk = desk_with("old", "17");
    let old = desk.ready();
    desk.store.reject(&old, unauthorized(), desk.now_ms);
    // Also for a request that was there before the first answer.
    assert!(matches!(desk.ask_again(NOW_MS), Known::Pending(_)));
    let call = desk.call();
    assert_eq!(
        json_of(&call)["rejected"],
        json!({"credential_version": "17", "status": 401, "error": "invalid_token"})
    );
    desk.answer(&call, 200, &authenticated("new", "18", 60));
    assert_eq!(bearer(&desk.ready()), "Bearer new");

    desk.now_ms += 60_000;
    assert!(desk.must_ask());
    assert_eq!(json_of(&desk.call()).get("rejected"), None);
}

#[test]
fn many_rejections_of_one_credential_cost_one_call() {
    let mut desk = desk_with("old", "17");
    let old = desk.ready();
    for _ in 0..10 {
        desk.store.reject(&old, unauthorized(), desk.now_ms);
        assert!(desk.must_ask());
    }
    let call = desk.call();
    desk.answer(&call, 200, &authenticated("new", "18", 60));
    // A late one: the newer credential stays.
    desk.store.reject(&old, unauthorized(), desk.now_ms);
    assert_eq!(bearer(&desk.ready()), "Bearer new");
}

#[test]
fn what_is_rejected_while_its_call_is_under_way_is_not_given_out_again() {
    let mut desk = desk_with("old", "17");
    let old = desk.ready();
    desk.now_ms += 60_000;
    let arrived_ms = desk.now_ms;
    assert!(desk.must_ask());
    let call = desk.call();
    desk.store.reject(&old, unauthorized(), desk.now_ms);
    let settled = desk.answer(&call, 200, &authenticated("old", "17", 60));
    assert_eq!(settled.awaited, None);
    let call = desk.call();
    assert_eq!(json_of(&call)["rejected"]["credential_version"], "17");
    desk.answer(&call, 200, &authenticated("new", "18", 60));
    let Known::Ready(credential) = desk.ask_again(arrived_ms) else {
        panic!("a credential");
    };
    assert_eq!(bearer(&credential), "Bearer new");
}

#[test]
fn a_service_that_stays_with_a_rejected_credential_is_not_asked_for_ever() {
    let mut desk = desk_with("fixed", "1");
    let fixed = desk.ready();
    desk.store.reject(&fixed, unauthorized(), desk.now_ms);
    desk.ask();
    let call = desk.call();
    let settled = desk.answer(&call, 200, &authenticated("fixed", "1", 60));
    assert!(settled.awaited.is_some());
    assert_eq!(bearer(&desk.ready()), "Bearer fixed");
    assert!(!desk.store.has_due(desk.now_ms));
}

#[test]
fn a_rejection_is_told_again_if_the_service_could_not_answer() {
    let mut desk = desk_with("old", "17");
    let old = desk.ready();
    desk.store.reject(&old, unauthorized(), desk.now_ms);
    desk.ask();
    let call = desk.call();
    desk.settle(&call, None);
    desk.now_ms += 1;
    assert!(desk.must_ask());
    assert_eq!(
        json_of(&desk.call())["rejected"]["credential_version"],
        "17"
    );
}

#[test]
fn the_rejection_of_one_user_is_no_other_users_business() {
    let mut desk = desk_with("of-alice", "1");
    let credential = desk.ready();
    desk.identity = Identity::for_test("bob", "", "{}");
    desk.after(200, &authenticated("of-bob", "1", 60));
    desk.store.reject(&credential, unauthorized(), desk.now_ms);
    assert_eq!(bearer(&desk.ready()), "Bearer of-bob");
}

#[test]
fn a_credential_without_a_version_is_simply_asked_for_anew() {
    let issued = |token: &str| json!({"access_token": token, "token_type": "Bearer"});
    let mut desk = Desk::new(sts());
    desk.after(200, &issued("old"));
    let old = desk.ready();
    desk.store.reject(&old, unauthorized(), desk.now_ms);
    desk.now_ms += 1;
    assert!(desk.must_ask());
    let call = desk.call();
    desk.answer(&call, 200, &issued("new"));
    assert_eq!(bearer(&desk.ready()), "Bearer new");
}

#[test]
fn the_scopes_that_were_missing_are_asked_for() {
    let mut desk = desk_with("first", "1");
    let credential = desk.ready();
    desk.store
        .reject(&credential, too_few_scopes(), desk.now_ms);
    assert!(desk.must_ask());
    let question = json_of(&desk.call());
    assert_eq!(question["required_scopes"], json!(["notes:write"]));
    assert_eq!(question["rejected"]["status"], 403);
}

/// One tool that wants more than this user may have is no reason to keep the
/// user from the others.
#[test]
fn that_there_are_no_more_scopes_to_be_had_counts_for_that_call_alone() {
    let mut desk = desk_with("first", "1");
    let credential = desk.ready();
    desk.store
        .reject(&credential, too_few_scopes(), desk.now_ms);
    let denied = desk.after(403, &error("access_denied"));
    assert!(
        matches!(denied, Known::Refused(CredentialFailure::AccessDenied)),
        "{denied:?}"
    );
    desk.now_ms += 1;
    assert!(desk.must_ask());
    let call = desk.call();
    assert_eq!(json_of(&call).get("rejected"), None);
    desk.answer(&call, 200, &authenticated("first", "1", 60));
    assert_eq!(bearer(&desk.ready()), "Bearer first");
}
