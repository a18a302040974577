use super::*;

/// Everything that a credential depends on, changed one at a time.
fn others() -> Vec<Desk> {
    let changes: [fn(&mut Desk); 10] = [
        |desk| desk.identity = Identity::for_test("bob", "", "{}"),
        |desk| desk.identity = Identity::for_test("alic", "", "{}"),
        |desk| {
            desk.identity = desk.identity.clone().of_test(
                "https://other.example",
                SubjectType::User,
                2_000_000_000,
            );
        },
        |desk| {
            desk.identity = desk.identity.clone().of_test(
                "https://issuer.example",
                SubjectType::VirtualAccount,
                2_000_000_000,
            );
        },
        |desk| desk.source.server_id = "mail".to_owned(),
        |desk| desk.source.service = 1,
        |desk| desk.source.resource = Some("https://notes.example/".to_owned()),
        |desk| desk.source.scopes = Scopes::parse("write").unwrap(),
        |desk| desk.source.audience = "other".to_owned(),
        |desk| desk.token = "another-token".to_owned(),
    ];
    changes
        .into_iter()
        .map(|change| {
            let mut desk = Desk::new(vault());
            change(&mut desk);
            desk
        })
        .collect()
}

#[test]
fn what_is_known_of_one_is_never_told_to_another() {
    let other_vault = TokenService {
        id: "vault-2".into(),
        ..vault()
    };
    let mut desk = Desk::new(vault());
    desk.store = CredentialStore::new(vec![Rc::new(vault()), Rc::new(other_vault)], 1000);
    desk.after(200, &authenticated("of-alice", "1", 60));
    let keys: Vec<CredentialKey> = others()
        .into_iter()
        .map(|other| {
            desk.identity = other.identity;
            desk.source = other.source;
            desk.token = other.token;
            match desk.ask() {
                Known::Pending(key) => key,
                known => panic!("{known:?}"),
            }
        })
        .collect();
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key));
    }
    assert_eq!(desk.calls().len(), keys.len());
}

#[test]
fn each_gets_the_answer_to_the_own_question_in_whatever_order_they_come() {
    let mut desk = Desk::new(vault());
    let users: Vec<String> = (0..20).map(|n| format!("user-{n}")).collect();
    for user in &users {
        desk.identity = Identity::for_test(user, "", "{}");
        desk.ask();
    }
    let mut calls = desk.calls();
    calls.reverse();
    for call in calls {
        let user = json_of(&call)["subject"]["id"].as_str().unwrap().to_owned();
        desk.answer(&call, 200, &authenticated(&format!("of-{user}"), "1", 60));
    }
    for user in &users {
        desk.identity = Identity::for_test(user, "", "{}");
        assert_eq!(bearer(&desk.ready()), format!("Bearer of-{user}"));
    }
}

#[test]
fn parts_that_join_to_the_same_text_are_kept_apart() {
    let identity = Identity::for_test("alice", "", "{}");
    let key = |server: &str, audience: &str| {
        let source = CredentialSource {
            server_id: server.to_owned(),
            audience: audience.to_owned(),
            ..source()
        };
        CredentialKey::of(
            &identity,
            TokenHashKey::new([7; 16]).hash(b"t"),
            "vault",
            &source,
        )
    };
    assert_ne!(key("ab", "c"), key("a", "bc"));
    assert_eq!(key("a", "b"), key("a", "b"));
    assert_eq!(format!("{:?}", key("a", "b")), "CredentialKey(…)");
}
