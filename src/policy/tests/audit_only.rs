use super::*;

#[test]
fn an_audit_only_server_records_what_it_would_deny() {
    let policy =
        policy(r#""audit_only":true,"scopes":["s"],"rules":[{"id":"r","what":{"tools":["a"]}}]"#);
    assert_eq!(tool(&policy, ("s", "{}"), "a", "{}"), "permit r");
    assert_eq!(
        tool(&policy, ("s", "{}"), "b", "{}"),
        "permit - but unknown -"
    );
    assert_eq!(
        tool(&policy, ("", "{}"), "a", "{}"),
        "permit - but scopes r [s]"
    );
}

#[test]
fn an_audit_only_deny_rule_denies_nothing() {
    let policy = rules(
        r#"{"id":"a","who":{"scopes":["w"]},"what":{"tools":["*"]}},
           {"id":"d","effect":"deny","audit_only":true,"what":{"tools":["rm"]}}"#,
    );
    assert_eq!(
        tool(&policy, ("w", "{}"), "rm", "{}"),
        "permit a but unknown d"
    );
    assert_eq!(tool(&policy, ("w", "{}"), "ls", "{}"), "permit a");
    assert_eq!(tool(&policy, ("", "{}"), "rm", "{}"), "scopes a [w]");
}

#[test]
fn an_audit_only_allow_rule_lets_pass_all_that_it_names_but_not_what_is_denied() {
    let policy = policy(
        r#""scopes":["s"],"rules":[
           {"id":"a","audit_only":true,"who":{"subjects":["root"]},"what":{"tools":["*"]},
            "arguments":[{"argument":"x","equals":1}]},
           {"id":"d","effect":"deny","what":{"tools":["rm"]}}]"#,
    );
    assert_eq!(
        tool(&policy, ("s", "{}"), "ls", "{}"),
        "permit a but unknown a"
    );
    assert_eq!(tool(&policy, ("s", "{}"), "rm", "{}"), "unknown d");
    assert_eq!(tool(&policy, ("", "{}"), "ls", "{}"), "scopes - [s]");
    let prompt = decide(
        &policy,
        ("s", "{}"),
        "prompts/get",
        Target::Prompt("ls"),
        "{}",
    );
    assert_eq!(prompt, "unknown -");
}
