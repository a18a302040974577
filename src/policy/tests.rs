use proptest::prelude::*;

use super::*;
use crate::config;
use crate::json::{Json, parse};

const READER: (&str, &str) = ("mcp:read", "{}");
const WRITER: (&str, &str) = ("mcp:read mcp:write", "{}");
const ADMIN: (&str, &str) = ("mcp:read mcp:write", r#"{"roles":["admin"]}"#);

fn identity((scopes, claims): (&str, &str)) -> Identity {
    Identity::for_test("somebody", scopes, claims)
}

fn json(text: &str) -> Json {
    parse(text.as_bytes(), 16).unwrap()
}

fn demo() -> Policy {
    let bytes = include_bytes!("../../tests/config/good/demo.json");
    let config = config::parse(bytes, &|_| None).unwrap();
    assert_eq!(config.warnings, []);
    config.servers[0].policy.clone()
}

/// The policy of a server with these fields besides the usual ones.
fn policy(fields: &str) -> Policy {
    let text = format!(
        r#"{{"issuers":[{{"id":"demo","issuer":"https://issuer.example","algorithms":["RS256"],
             "keys":{{"discovery":{{"cluster":"as"}}}}}}],
            "servers":[{{"id":"s","resource":"https://mcp.example/s","issuers":["demo"],{fields}}}]}}"#
    );
    let config = config::parse(text.as_bytes(), &|_| None).unwrap();
    config.servers[0].policy.clone()
}

fn rules(rules: &str) -> Policy {
    policy(&format!(
        r#""obtainable_scopes":[{{"scopes":["w","x","y"]}},
            {{"scopes":["z"],"who":{{"subjects":["someone-else"]}}}}],"rules":[{rules}]"#
    ))
}

/// A decision in a few words.
fn decide(
    policy: &Policy,
    who: (&str, &str),
    method: &str,
    target: Target<'_>,
    arguments: &str,
) -> String {
    let arguments = json(arguments);
    let call = Call {
        method,
        target,
        arguments: arguments.as_object(),
    };
    in_words(&policy.decide(&identity(who), &call))
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::Permit(permit) => match permit.unenforced() {
            None => format!("permit {}", permit.rule().unwrap_or("-")),
            Some(denied) => format!(
                "permit {} but {}",
                permit.rule().unwrap_or("-"),
                denied_in_words(denied)
            ),
        },
        Decision::Deny(denied) => denied_in_words(denied),
    }
}

fn denied_in_words(denied: &Denied) -> String {
    let name = |rule: &Option<Rc<str>>| rule.as_deref().unwrap_or("-").to_owned();
    match denied {
        Denied::MissingScopes { rule, scopes } => format!("scopes {} [{scopes}]", name(rule)),
        Denied::Unknown { rule } => format!("unknown {}", name(rule)),
        Denied::Argument { rule, expectation } => format!("argument {rule}: {expectation}"),
        Denied::Rule { rule } => format!("rule {rule}"),
    }
}

fn tool(policy: &Policy, who: (&str, &str), name: &str, arguments: &str) -> String {
    decide(policy, who, "tools/call", Target::Tool(name), arguments)
}

fn resource(policy: &Policy, who: (&str, &str), uri: &str) -> String {
    decide(policy, who, "resources/read", Target::Resource(uri), "{}")
}

// === the demonstration's policy ===

#[test]
fn the_demonstration_decides_tools_as_the_issue_says() {
    let demo = demo();
    let sum = r#"{"a":1,"b":2}"#;
    let step_up = "scopes sum [mcp:read mcp:write]";
    let range = "must be a number from -1000 to 1000";
    let (no_a, no_b) = (format!("\"a\" {range}"), format!("\"b\" {range}"));
    let bad_a = format!("argument sum: {no_a}");
    let bad_both = format!("argument sum: {no_a}, and {no_b}");
    let gzip = "argument gzip-data-only: \"data\" must be a text like \"data:*\"";
    for (who, name, arguments, wanted) in [
        (READER, "echo", "{}", "permit read-tools"),
        (READER, "get-tiny-image", "{}", "permit read-tools"),
        (READER, "simulate-research", "{}", "permit read-tools"),
        (READER, "trigger-sampling", "{}", "permit read-tools"),
        (READER, "get-sum", sum, step_up),
        (READER, "get-sum", r#"{"a":1001,"b":2}"#, &bad_a),
        (
            READER,
            "toggle-logging",
            "{}",
            "scopes toggle [mcp:read mcp:write]",
        ),
        (
            READER,
            "gzip-file-as-resource",
            r#"{"data":"data:,x"}"#,
            "scopes gzip-data-only [mcp:read mcp:write]",
        ),
        (
            READER,
            "gzip-file-as-resource",
            r#"{"data":"https://x"}"#,
            gzip,
        ),
        (READER, "get-env", "{}", "unknown env"),
        (READER, "no-such-tool", "{}", "unknown -"),
        (READER, "Echo", "{}", "unknown -"),
        (WRITER, "echo", "{}", "permit read-tools"),
        (WRITER, "get-sum", sum, "permit sum"),
        (WRITER, "get-sum", r#"{"a":-1000,"b":1000.0}"#, "permit sum"),
        (WRITER, "get-sum", r#"{"a":1000.5,"b":2}"#, &bad_a),
        (WRITER, "get-sum", r#"{"a":"1","b":2}"#, &bad_a),
        (WRITER, "get-sum", r#"{"b":2}"#, &bad_a),
        (WRITER, "get-sum", "{}", &bad_both),
        (WRITER, "get-sum", "null", &bad_both),
        (WRITER, "toggle-logging", "{}", "permit toggle"),
        (
            WRITER,
            "gzip-file-as-resource",
            r#"{"data":"data:text/plain,x"}"#,
            "permit gzip-data-only",
        ),
        (
            WRITER,
            "gzip-file-as-resource",
            r#"{"data":"DATA:,x"}"#,
            gzip,
        ),
        (WRITER, "gzip-file-as-resource", "{}", gzip),
        (WRITER, "get-env", "{}", "unknown env"),
        (ADMIN, "get-env", "{}", "permit env"),
        (ADMIN, "get-sum", sum, "permit sum"),
        (ADMIN, "no-such-tool", "{}", "unknown -"),
        (
            ("mcp:read", r#"{"roles":["admin"]}"#),
            "get-sum",
            sum,
            step_up,
        ),
        (
            ("mcp:read", r#"{"roles":"administrator"}"#),
            "get-env",
            "{}",
            "unknown env",
        ),
        (("", "{}"), "echo", "{}", "scopes read-tools [mcp:read]"),
        (("", "{}"), "get-sum", sum, step_up),
        (
            ("mcp:write", "{}"),
            "echo",
            "{}",
            "scopes read-tools [mcp:read]",
        ),
        (
            ("mcp:write", "{}"),
            "no-such-tool",
            "{}",
            "scopes - [mcp:read]",
        ),
        (
            ("mcp:write", r#"{"roles":["admin"]}"#),
            "get-env",
            "{}",
            "scopes env [mcp:read]",
        ),
    ] {
        assert_eq!(
            tool(&demo, who, name, arguments),
            wanted,
            "{who:?} {name} {arguments}"
        );
    }
}

#[test]
fn the_demonstration_decides_prompts_and_resources_as_the_issue_says() {
    let demo = demo();
    let admin_rule = "unknown admin-prompts-and-resources";
    for (who, name, wanted) in [
        (READER, "simple-prompt", "permit read-prompts"),
        (WRITER, "args-prompt", "permit read-prompts"),
        (READER, "resource-prompt", admin_rule),
        (
            ADMIN,
            "resource-prompt",
            "permit admin-prompts-and-resources",
        ),
    ] {
        let decision = decide(&demo, who, "prompts/get", Target::Prompt(name), "{}");
        assert_eq!(decision, wanted, "{who:?} {name}");
    }
    for (who, uri, wanted) in [
        (
            READER,
            "demo://resource/static/document/a.md",
            "permit read-resources",
        ),
        (
            WRITER,
            "demo://resource/dynamic/text/1",
            "permit read-resources",
        ),
        (
            READER,
            "demo://resource/dynamic/text/{resourceId}",
            "permit read-resources",
        ),
        (READER, "demo://resource/dynamic/text/1/2", admin_rule),
        (READER, "demo://resource/dynamic/blob/1", admin_rule),
        (
            READER,
            "demo://resource/dynamic/text/../blob/1",
            "unknown -",
        ),
        (
            READER,
            "demo://resource/dynamic/text/%2e%2e%2Fblob",
            "unknown -",
        ),
        (
            ADMIN,
            "demo://resource/dynamic/blob/1",
            "permit admin-prompts-and-resources",
        ),
        (ADMIN, "demo://resource/dynamic/text/../blob/1", "unknown -"),
    ] {
        assert_eq!(resource(&demo, who, uri), wanted, "{who:?} {uri}");
    }
}

#[test]
fn the_demonstration_allows_every_other_method_with_the_base_scope() {
    let demo = demo();
    for method in methods::UNTARGETED {
        let decision = decide(&demo, READER, method, Target::Method, "{}");
        assert_eq!(decision, "permit protocol", "{method}");
        let decision = decide(&demo, ("", "{}"), method, Target::Method, "{}");
        assert_eq!(decision, "scopes protocol [mcp:read]", "{method}");
    }
}

#[test]
fn a_subscription_needs_its_method_and_each_of_its_resources() {
    let demo = demo();
    let text = "demo://resource/dynamic/text/1";
    let blob = "demo://resource/dynamic/blob/1";
    let listen = |who, uris| {
        let target = Target::Subscriptions(uris);
        decide(&demo, who, "subscriptions/listen", target, "{}")
    };
    assert_eq!(listen(READER, vec![]), "permit protocol");
    assert_eq!(listen(READER, vec![text]), "permit protocol");
    assert_eq!(
        listen(READER, vec![text, blob]),
        "unknown admin-prompts-and-resources"
    );
    assert_eq!(listen(ADMIN, vec![text, blob]), "permit protocol");
    let no_method = rules(r#"{"id":"all","what":{"resources":["**"]}}"#);
    let target = Target::Subscriptions(vec![text]);
    assert_eq!(
        decide(&no_method, READER, "subscriptions/listen", target, "{}"),
        "unknown -"
    );
}

// === allow, deny, except ===

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

// === who ===

#[test]
fn every_part_of_who_has_to_hold() {
    for (who, claims, holds) in [
        (r#"{"subjects":["some*"]}"#, "{}", true),
        (r#"{"subjects":["x","somebody"]}"#, "{}", true),
        (r#"{"subjects":["Somebody"]}"#, "{}", false),
        (r#"{"subject_types":["user"]}"#, "{}", true),
        (r#"{"subject_types":["virtualaccount"]}"#, "{}", false),
        (r#"{"clients":["client-?"]}"#, "{}", true),
        (r#"{"clients":["other"]}"#, "{}", false),
        (r#"{"issuers":["demo"]}"#, "{}", true),
        (
            r#"{"subjects":["somebody"],"clients":["other"]}"#,
            "{}",
            false,
        ),
        (
            r#"{"claims":[{"claim":"a.b","equals":true}]}"#,
            r#"{"a":{"b":true}}"#,
            true,
        ),
        (
            r#"{"claims":[{"claim":"a.b","equals":true}]}"#,
            r#"{"a":{"b":"true"}}"#,
            false,
        ),
        (
            r#"{"claims":[{"claim":"a","in":[1,2]}]}"#,
            r#"{"a":2.0}"#,
            true,
        ),
        (
            r#"{"claims":[{"claim":"a","matches":"*@x.example"}]}"#,
            r#"{"a":"m@x.example"}"#,
            true,
        ),
        (
            r#"{"claims":[{"claim":"a","matches":"*@x.example"}]}"#,
            r#"{"a":"m@x.example.y"}"#,
            false,
        ),
        (r#"{"claims":[{"claim":"a","present":false}]}"#, "{}", true),
        (
            r#"{"claims":[{"claim":"a","present":true}]}"#,
            r#"{"a":null}"#,
            true,
        ),
        (
            r#"{"claims":[{"claim":"a","contains":"x"},{"claim":"b","contains":"y"}]}"#,
            r#"{"a":["x"],"b":"x z"}"#,
            false,
        ),
    ] {
        let policy = rules(&format!(
            r#"{{"id":"r","who":{who},"what":{{"tools":["t"]}}}}"#
        ));
        let wanted = if holds { "permit r" } else { "unknown r" };
        assert_eq!(
            tool(&policy, ("", claims), "t", "{}"),
            wanted,
            "{who} {claims}"
        );
    }
}

#[test]
fn an_absent_claim_is_no_reason_to_deny_and_one_of_another_type_is() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["*"]}},
           {"id":"d","effect":"deny","who":{"claims":[{"claim":"roles","contains":"guest"}]},
            "what":{"tools":["*"]}}"#,
    );
    for (claims, wanted) in [
        ("{}", "permit a"),
        (r#"{"roles":["user"]}"#, "permit a"),
        (r#"{"roles":["guest"]}"#, "unknown d"),
        (r#"{"roles":{"guest":true}}"#, "unknown d"),
        (r#"{"roles":[{"name":"guest"}]}"#, "unknown d"),
    ] {
        assert_eq!(tool(&policy, ("", claims), "t", "{}"), wanted, "{claims}");
    }
}

// === arguments ===

#[test]
fn conditions_on_arguments_hold_or_say_what_they_want() {
    for (condition, arguments, problem) in [
        (r#""equals":1"#, r#"{"x":1.0}"#, ""),
        (r#""equals":1"#, r#"{"x":"1"}"#, "1"),
        (r#""equals":"a""#, r#"{"x":"b"}"#, "\"a\""),
        (r#""in":["a",2]"#, r#"{"x":2}"#, ""),
        (r#""in":["a",2]"#, r#"{"x":3}"#, "one of \"a\", 2"),
        (r#""matches":["a*","b*"]"#, r#"{"x":"b/c"}"#, ""),
        (
            r#""matches":["a*","b*"]"#,
            r#"{"x":"c"}"#,
            "a text like one of \"a*\", \"b*\"",
        ),
        (r#""minimum":1"#, r#"{"x":1}"#, ""),
        (r#""minimum":1"#, r#"{"x":0.99}"#, "a number of at least 1"),
        (
            r#""maximum":1.5"#,
            r#"{"x":[1]}"#,
            "a number of at most 1.5",
        ),
        (r#""equals_claim":"sub""#, r#"{"x":"me"}"#, ""),
        (
            r#""equals_claim":"sub""#,
            r#"{"x":"you"}"#,
            "the same as the claim \"sub\" of the caller",
        ),
        (
            r#""equals_claim":"no""#,
            r#"{"x":"me"}"#,
            "the same as the claim \"no\" of the caller",
        ),
        (
            r#""equals_claim":"list""#,
            r#"{"x":["me"]}"#,
            "the same as the claim \"list\" of the caller",
        ),
    ] {
        let policy = rules(&format!(
            r#"{{"id":"r","what":{{"tools":["t"]}},"arguments":[{{"argument":"x",{condition}}}]}}"#
        ));
        let wanted = if problem.is_empty() {
            "permit r".to_owned()
        } else {
            format!("argument r: \"x\" must be {problem}")
        };
        let who = ("", r#"{"sub":"me","list":["me"]}"#);
        assert_eq!(
            tool(&policy, who, "t", arguments),
            wanted,
            "{condition} {arguments}"
        );
        if !condition.contains("claim") {
            assert_ne!(tool(&policy, who, "t", "{}"), "permit r", "{condition}");
        }
    }
}

#[test]
fn presence_is_always_known() {
    let present =
        r#"{"id":"r","what":{"tools":["t"]},"arguments":[{"argument":"x","present":true}]}"#;
    let absent = present.replace("true", "false");
    assert_eq!(
        tool(&rules(present), READER, "t", r#"{"x":null}"#),
        "permit r"
    );
    assert_eq!(
        tool(&rules(present), READER, "t", "{}"),
        "argument r: \"x\" must be given"
    );
    assert_eq!(tool(&rules(&absent), READER, "t", "null"), "permit r");
    assert_eq!(
        tool(&rules(&absent), READER, "t", r#"{"x":1}"#),
        "argument r: \"x\" must not be given"
    );
}

#[test]
fn a_pointer_reaches_into_objects_and_arrays() {
    let policy = rules(
        r#"{"id":"r","what":{"tools":["t"]},
            "arguments":[{"argument":"/a/1/b~1c~0","equals":1}]}"#,
    );
    assert_eq!(
        tool(&policy, READER, "t", r#"{"a":[0,{"b/c~":1}]}"#),
        "permit r"
    );
    for arguments in [
        r#"{"a":[{"b/c~":1}]}"#,
        r#"{"a":{"1":{"b/c":1}}}"#,
        r#"{"a":1}"#,
        r#"{"/a/1/b~1c~0":1}"#,
    ] {
        assert_ne!(
            tool(&policy, READER, "t", arguments),
            "permit r",
            "{arguments}"
        );
    }
}

// === step-up and reasons ===

#[test]
fn the_smallest_step_up_is_offered_and_the_first_by_name_among_equals() {
    let policy = rules(
        r#"{"id":"two","who":{"scopes":["w","x"]},"what":{"tools":["t"]}},
           {"id":"y","who":{"scopes":["y"]},"what":{"tools":["t"]}},
           {"id":"x","who":{"scopes":["x"]},"what":{"tools":["t"]}}"#,
    );
    assert_eq!(tool(&policy, ("", "{}"), "t", "{}"), "scopes x [x]");
    let one_more = rules(r#"{"id":"two","who":{"scopes":["w","x"]},"what":{"tools":["t"]}}"#);
    assert_eq!(tool(&one_more, ("w", "{}"), "t", "{}"), "scopes two [w x]");
}

#[test]
fn a_step_up_is_offered_only_for_what_this_caller_can_obtain() {
    let policy = rules(
        r#"{"id":"r","who":{"scopes":["z"]},"what":{"tools":["t"]}},
           {"id":"s","who":{"scopes":["nobody"]},"what":{"tools":["u"]}}"#,
    );
    assert_eq!(tool(&policy, ("", "{}"), "t", "{}"), "unknown r");
    assert_eq!(tool(&policy, ("", "{}"), "u", "{}"), "unknown s");
    let someone_else = Identity::for_test("someone-else", "", "{}");
    let call = Call {
        method: "tools/call",
        target: Target::Tool("t"),
        arguments: None,
    };
    assert_eq!(
        in_words(&policy.decide(&someone_else, &call)),
        "scopes r [z]"
    );
}

#[test]
fn a_step_up_is_offered_only_if_the_arguments_suit_already() {
    let policy = rules(
        r#"{"id":"r","who":{"scopes":["w"]},"what":{"tools":["t"]},
            "arguments":[{"argument":"x","equals":1}]}"#,
    );
    assert_eq!(tool(&policy, ("", "{}"), "t", r#"{"x":1}"#), "scopes r [w]");
    assert_eq!(
        tool(&policy, ("", "{}"), "t", r#"{"x":2}"#),
        "argument r: \"x\" must be 1"
    );
}

#[test]
fn arguments_are_the_reason_only_if_they_suit_no_rule_for_the_caller() {
    let policy = rules(
        r#"{"id":"a","what":{"tools":["t"]},"arguments":[{"argument":"x","equals":1}]},
           {"id":"b","what":{"tools":["t"]},"arguments":[{"argument":"y","equals":1}]},
           {"id":"d","effect":"deny","what":{"tools":["t"]},
            "arguments":[{"argument":"z","equals":1}]}"#,
    );
    assert_eq!(tool(&policy, READER, "t", r#"{"y":1,"z":0}"#), "permit b");
    assert_eq!(tool(&policy, READER, "t", r#"{"y":1,"z":1}"#), "rule d");
    assert_eq!(
        tool(&policy, READER, "t", r#"{"z":1}"#),
        "argument a: \"x\" must be 1"
    );
}

// === audit-only ===

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

// === foreign input ===

proptest! {
    #[test]
    fn a_uri_with_a_dot_segment_is_never_permitted(
        before in "[a-z/]{0,8}", dots in "\\.{1,2}|%2[eEfF]|%5[cC]", after in "(/[a-z/]{0,8})?",
    ) {
        let policy = rules(r#"{"id":"r","what":{"resources":["**","demo:**"]}}"#);
        let uri = format!("demo://{before}/{dots}{after}");
        prop_assert_eq!(resource(&policy, ADMIN, &uri), "unknown -");
    }

    #[test]
    fn what_no_rule_allows_is_never_permitted(name: String, method: String) {
        let policy = rules(r#"{"id":"r","who":{"scopes":["w"]},"what":{"tools":["*"],"methods":["*"]}}"#);
        prop_assert_eq!(tool(&policy, READER, &name, "{}"), "scopes r [w]");
        let prompt = decide(&policy, ADMIN, &method, Target::Prompt(&name), "{}");
        prop_assert_eq!(prompt, "unknown -");
    }
}
