use super::*;

#[test]
fn nothing_that_no_rule_names_is_allowed() {
    let empty = rules("");
    assert_eq!(tool(&empty, ADMIN, "echo", "{}"), "unknown -");
    assert_eq!(resource(&empty, ADMIN, "a://b"), "unknown -");
    let method = decide(&empty, ADMIN, "ping", Target::Method, "{}");
    assert_eq!(method, "unknown -");
}

#[test]
fn a_rule_of_one_kind_says_nothing_about_another() {
    let tools = rules(r#"{"id":"r","what":{"tools":["*"]}}"#);
    let prompt = decide(&tools, READER, "prompts/get", Target::Prompt("echo"), "{}");
    assert_eq!(prompt, "unknown -");
    assert_eq!(resource(&tools, READER, "echo"), "unknown -");
    assert_eq!(
        decide(&tools, READER, "echo", Target::Method, "{}"),
        "unknown -"
    );
}

#[test]
fn a_deny_rule_wins_in_any_order() {
    let allow = r#"{"id":"a","what":{"tools":["*"]}}"#;
    let deny = r#"{"id":"d","effect":"deny","what":{"tools":["rm"]}}"#;
    for text in [format!("{allow},{deny}"), format!("{deny},{allow}")] {
        let policy = rules(&text);
        assert_eq!(tool(&policy, READER, "rm", "{}"), "unknown d");
        assert_eq!(tool(&policy, READER, "ls", "{}"), "permit a");
    }
}

#[test]
fn a_deny_rule_on_an_argument_denies_unless_it_certainly_does_not_hold() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["*"]}},
           {"id":"d","effect":"deny","what":{"tools":["get"]},
            "arguments":[{"argument":"path","matches":"/etc*"}]}"#,
    );
    for (arguments, wanted) in [
        (r#"{"path":"/etc/passwd"}"#, "rule d"),
        (r#"{"path":"/home"}"#, "permit a"),
        (r#"{"path":7}"#, "rule d"),
        ("{}", "rule d"),
        ("null", "rule d"),
    ] {
        assert_eq!(
            tool(&policy, READER, "get", arguments),
            wanted,
            "{arguments}"
        );
    }
}

#[test]
fn a_condition_that_fails_decides_a_deny_rule_whatever_is_unknown() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["*"]}},
           {"id":"d","effect":"deny","who":{"claims":[{"claim":"role","equals":"guest"}]},
            "what":{"tools":["*"]},"arguments":[{"argument":"x","equals":1},
            {"argument":"y","equals":1}]}"#,
    );
    let guest = ("", r#"{"role":"guest"}"#);
    assert_eq!(tool(&policy, guest, "t", r#"{"x":1}"#), "rule d");
    assert_eq!(tool(&policy, guest, "t", r#"{"x":2}"#), "permit a");
    assert_eq!(tool(&policy, ("", "{}"), "t", r#"{"x":1}"#), "permit a");
    let odd = ("", r#"{"role":["guest"]}"#);
    assert_eq!(tool(&policy, odd, "t", r#"{"x":1,"y":1}"#), "rule d");
}

#[test]
fn a_deny_rule_with_scopes_is_about_callers_who_have_all_of_them() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["*"]}},
           {"id":"d","effect":"deny","who":{"scopes":["w","x"]},"what":{"tools":["*"]}}"#,
    );
    assert_eq!(tool(&policy, ("w x", "{}"), "t", "{}"), "unknown d");
    assert_eq!(tool(&policy, ("w", "{}"), "t", "{}"), "permit a");
}

#[test]
fn no_step_up_is_offered_where_a_deny_rule_holds() {
    let policy = rules(
        r#"{"id":"a","who":{"scopes":["w"]},"what":{"tools":["*"]}},
           {"id":"d","effect":"deny","what":{"tools":["rm"]}}"#,
    );
    assert_eq!(tool(&policy, READER, "rm", "{}"), "unknown d");
    assert_eq!(tool(&policy, READER, "ls", "{}"), "scopes a [w]");
}

#[test]
fn an_exception_is_for_the_rule_that_makes_it_only() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["get-*"],"resources":["a://**"],
            "except":["get-env","a://secret/**"]}},
           {"id":"b","who":{"subjects":["root"]},"what":{"tools":["get-env"]}}"#,
    );
    assert_eq!(tool(&policy, READER, "get-x", "{}"), "permit a");
    assert_eq!(tool(&policy, READER, "get-env", "{}"), "unknown b");
    assert_eq!(resource(&policy, READER, "a://x/y"), "permit a");
    assert_eq!(resource(&policy, READER, "a://secret/y"), "unknown -");
}
