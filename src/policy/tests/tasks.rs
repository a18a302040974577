use super::*;

fn task(policy: &Policy, who: (&str, &str), tool: &str, rule: Option<&str>) -> String {
    in_words(&policy.decide_on_task(&identity(who), tool, rule))
}

#[test]
fn a_task_is_for_whom_the_rule_of_its_call_is_for() {
    let demo = demo();
    let sum = Some("sum");
    assert_eq!(task(&demo, WRITER, "get-sum", sum), "permit sum");
    assert_eq!(
        task(&demo, READER, "get-sum", sum),
        "scopes sum [mcp:read mcp:write]"
    );
    assert_eq!(
        task(&demo, ("mcp:write", "{}"), "get-sum", sum),
        "scopes sum [mcp:read mcp:write]"
    );
    assert_eq!(task(&demo, ADMIN, "get-env", Some("env")), "permit env");
    assert_eq!(task(&demo, WRITER, "get-env", Some("env")), "unknown env");
}

#[test]
fn a_rule_that_is_gone_or_names_the_tool_no_more_permits_no_task() {
    let demo = demo();
    for rule in ["gone", "toggle", "protocol"] {
        assert_eq!(task(&demo, ADMIN, "get-sum", Some(rule)), "unknown -");
    }
    assert_eq!(task(&demo, ADMIN, "no-such-tool", Some("sum")), "unknown -");
    let other = rules(
        r#"{"id":"a","who":{"subjects":["root"]},"what":{"tools":["t"]}},
           {"id":"b","what":{"tools":["t"]}}"#,
    );
    assert_eq!(task(&other, READER, "t", Some("a")), "unknown a");
    assert_eq!(task(&other, READER, "t", Some("b")), "permit b");
}

#[test]
fn a_deny_rule_denies_tasks_unless_it_looks_at_arguments() {
    let deny = |rest: &str| {
        rules(&format!(
            r#"{{"id":"a","what":{{"tools":["*"]}}}},
               {{"id":"d","effect":"deny",{rest},"what":{{"tools":["t"]}}}}"#
        ))
    };
    let all = deny(r#""who":{}"#);
    assert_eq!(task(&all, READER, "t", Some("a")), "unknown d");
    assert_eq!(task(&all, READER, "d", Some("a")), "permit a");
    assert_eq!(task(&all, READER, "t", Some("d")), "unknown d");
    let others = deny(r#""who":{"subjects":["other"]}"#);
    assert_eq!(task(&others, READER, "t", Some("a")), "permit a");
    let recorded = deny(r#""audit_only":true"#);
    assert_eq!(
        task(&recorded, READER, "t", Some("a")),
        "permit a but unknown d"
    );
    let looks = deny(r#""arguments":[{"argument":"x","equals":1}]"#);
    assert_eq!(task(&looks, READER, "t", Some("a")), "permit a");
}

#[test]
fn the_arguments_of_a_task_that_no_rule_allowed_were_never_judged() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["t"]}},
           {"id":"b","what":{"tools":["u"]},"arguments":[{"argument":"x","present":false}]},
           {"id":"w","who":{"scopes":["w"]},"what":{"tools":["v"]}},
           {"id":"c","what":{"tools":["y"]}},
           {"id":"d","effect":"deny","what":{"tools":["y"]},
            "arguments":[{"argument":"x","present":true}]}"#,
    );
    assert_eq!(task(&policy, READER, "t", None), "permit a");
    assert!(task(&policy, READER, "u", None).starts_with("argument b"));
    assert_eq!(task(&policy, READER, "v", None), "scopes w [w]");
    assert_eq!(task(&policy, READER, "y", None), "rule d");
    assert_eq!(task(&policy, READER, "z", None), "unknown -");
}

#[test]
fn what_is_audit_only_denies_no_task() {
    let server = policy(r#""audit_only":true,"rules":[{"id":"r","what":{"tools":["a"]}}]"#);
    assert_eq!(task(&server, READER, "b", None), "permit - but unknown -");
    assert_eq!(
        task(&server, READER, "b", Some("gone")),
        "permit - but unknown -"
    );
    assert_eq!(task(&server, READER, "a", Some("r")), "permit r");
    let rule =
        rules(r#"{"id":"a","audit_only":true,"who":{"subjects":["root"]},"what":{"tools":["*"]}}"#);
    assert_eq!(
        task(&rule, READER, "t", Some("a")),
        "permit a but unknown a"
    );
}
