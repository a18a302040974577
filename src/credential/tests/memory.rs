use super::*;

#[test]
fn a_credential_is_remembered_for_the_shortest_of_all_times() {
    // cache_ttl_s, operator's maximum, seconds to expires_at, seconds to the
    // end of the user's token; and what comes out, in seconds.
    for (ttl, most, expires, token, seconds) in [
        (60, 300, Some(3600), 3600, 60),
        (300, 60, Some(3600), 3600, 60),
        (300, 300, Some(40), 3600, 25),
        (300, 300, Some(15), 3600, 0),
        (300, 300, None, 3600, 300),
        (100_000, 300, None, 36_000, 300),
        (300, 300, Some(3600), 7, 7),
        (0, 300, Some(3600), 3600, 0),
        (300, 0, Some(3600), 3600, 0),
        (u64::MAX, 300, Some(u64::MAX), 3600, 300),
    ] {
        let mut desk = Desk::new(TokenService {
            cache_seconds: most,
            ..vault()
        });
        desk.identity = desk.identity.of_test(
            "https://issuer.example",
            SubjectType::User,
            NOW_MS / 1000 + token,
        );
        let mut body = authenticated("t", "1", ttl);
        match expires {
            Some(seconds) => {
                body["expires_at"] = (NOW_MS / 1000).saturating_add(seconds).into();
            }
            None => {
                body.as_object_mut().unwrap().remove("expires_at");
            }
        }
        let case = (ttl, most, expires, token);
        assert!(
            matches!(desk.after(200, &body), Known::Ready(_)),
            "{case:?}"
        );
        if seconds > 0 {
            desk.now_ms = NOW_MS + seconds * 1000 - 1;
            desk.ready();
        }
        desk.now_ms = NOW_MS + (seconds * 1000).max(1);
        assert!(desk.must_ask(), "{case:?}");
    }
}

#[test]
fn a_credential_that_has_ended_already_is_not_used() {
    for expires_at in [0, 1, NOW_MS / 1000] {
        let mut body = authenticated("t", "1", 60);
        body["expires_at"] = expires_at.into();
        assert_eq!(
            Desk::new(vault()).after(200, &body),
            Known::Refused(CredentialFailure::Unavailable)
        );
    }
}

#[test]
fn many_who_ask_at_once_cost_one_call_and_all_get_its_answer() {
    let mut desk = Desk::new(vault());
    let arrived: Vec<u64> = (0..100).map(|n| NOW_MS + n).collect();
    for arrived_ms in &arrived {
        desk.now_ms = *arrived_ms;
        assert!(desk.must_ask());
    }
    let call = desk.call();
    desk.now_ms += 50;
    assert!(desk.must_ask());
    assert!(desk.calls().is_empty());
    let settled = desk.answer(&call, 200, &authenticated("t", "1", 0));
    for arrived_ms in arrived {
        desk.now_ms += 1;
        let Known::Ready(credential) = desk.ask_again(arrived_ms) else {
            panic!("all who waited");
        };
        assert_eq!(settled.awaited, Some(credential.key()));
    }
    assert!(desk.must_ask(), "it was for those who waited alone");
}

#[test]
fn the_call_does_not_depend_on_who_asked_first() {
    let mut desk = Desk::new(vault());
    desk.ask();
    // The first one goes away: nobody tells the store, and nobody has to.
    desk.now_ms += 10;
    let second_ms = desk.now_ms;
    desk.ask();
    let call = desk.call();
    desk.now_ms += 10;
    desk.answer(&call, 200, &authenticated("t", "1", 0));
    assert!(matches!(desk.ask_again(second_ms), Known::Ready(_)));
}

#[test]
fn a_missing_consent_is_told_to_those_who_waited_and_then_forgotten() {
    let mut desk = Desk::new(vault());
    let arrived_ms = desk.now_ms;
    desk.ask();
    let call = desk.call();
    desk.now_ms += 20;
    desk.answer(&call, 403, &consent());
    assert!(matches!(desk.ask_again(arrived_ms), Known::Consent(_)));
    desk.now_ms += 1;
    assert!(desk.must_ask(), "the user may have consented meanwhile");
    let call = desk.call();
    desk.answer(&call, 200, &authenticated("t", "1", 60));
    desk.ready();
}

#[test]
fn only_a_denial_is_remembered_and_not_for_long() {
    for (code, most, seconds) in [
        ("access_denied", 300, 30),
        ("access_denied", 5, 5),
        ("access_denied", 0, 0),
        ("upstream_error", 300, 0),
        ("invalid_subject_token", 300, 0),
        ("unknown_server", 300, 0),
    ] {
        let mut desk = Desk::new(TokenService {
            cache_seconds: most,
            ..vault()
        });
        desk.after(403, &error(code));
        if seconds > 0 {
            desk.now_ms = NOW_MS + seconds * 1000 - 1;
            assert!(matches!(desk.ask(), Known::Refused(_)), "{code}");
        }
        desk.now_ms = NOW_MS + (seconds * 1000).max(1);
        assert!(desk.must_ask(), "{code}");
    }
}

#[test]
fn a_call_that_the_host_has_lost_is_given_up() {
    let mut desk = Desk::new(vault());
    let arrived_ms = desk.now_ms;
    desk.ask();
    let call = desk.call();
    desk.now_ms += 35_000;
    assert_eq!(desk.store.lost(desk.now_ms), None);
    desk.now_ms += 1;
    assert_eq!(desk.store.lost(desk.now_ms), Some(call.id));
    let settled = desk.settle(&call, None);
    assert!(settled.awaited.is_some(), "those who wait are woken");
    assert!(settled.event.is_some(), "and it is told");
    assert_eq!(desk.store.lost(desk.now_ms), None);
    assert_eq!(
        desk.ask_again(arrived_ms),
        Known::Refused(CredentialFailure::Unavailable)
    );
    assert_eq!(desk.store.answered(call.id, None, desk.now_ms), None);
    desk.now_ms += 1;
    assert!(desk.must_ask());
}

#[test]
fn an_answer_to_somebody_elses_call_is_left_alone() {
    let mut desk = Desk::new(vault());
    desk.ask();
    let other = FetchIds::default().next_id();
    let answer = FetchAnswer::new(200, b"{}");
    assert_eq!(desk.store.answered(other, Some(answer), NOW_MS), None);
    assert_eq!(desk.calls().len(), 1);
}

#[test]
fn memory_and_open_questions_are_bounded() {
    let mut desk = Desk::new(vault());
    desk.store = CredentialStore::new(vec![Rc::new(vault())], 10);
    for n in 0..100 {
        desk.token = format!("token-{n}");
        desk.after(200, &authenticated(&format!("t{n}"), "1", 60));
    }
    let still_there = (0..100)
        .filter(|n| {
            desk.token = format!("token-{n}");
            matches!(desk.ask_again(NOW_MS + 1), Known::Ready(_))
        })
        .count();
    assert!(still_there <= 10, "{still_there}");

    let mut desk = Desk::new(vault());
    let mut pending = 0;
    for n in 0..1500 {
        desk.token = format!("token-{n}");
        match desk.ask() {
            Known::Pending(_) => pending += 1,
            Known::Refused(CredentialFailure::Unavailable) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pending, 1000);
}

#[test]
fn refusals_displace_no_credentials() {
    let mut desk = Desk::new(vault());
    desk.store = CredentialStore::new(vec![Rc::new(vault())], 10);
    desk.after(200, &authenticated("t", "1", 60));
    for n in 0..100 {
        desk.token = format!("token-{n}");
        desk.after(403, &consent());
    }
    desk.token = "the-token".to_owned();
    desk.ready();
}
