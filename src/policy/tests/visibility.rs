use proptest::prelude::*;

use super::*;

const TOOLS: [&str; 16] = [
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-long-running-operation",
    "get-roots-list",
    "trigger-elicitation-request",
    "trigger-sampling-request",
    "simulate-research-query",
];
const PROMPTS: [&str; 4] = [
    "simple-prompt",
    "args-prompt",
    "completable-prompt",
    "resource-prompt",
];
const TEXT: &str = "demo://resource/dynamic/text/{resourceId}";
const BLOB: &str = "demo://resource/dynamic/blob/{resourceId}";

fn shows(policy: &Policy, who: (&str, &str), entry: Entry<'_>) -> bool {
    let identity = identity(who);
    let now = policy.shows(&identity, entry, false);
    let obtainable = policy.shows(&identity, entry, true);
    assert_eq!(now, obtainable, "{entry:?}");
    now
}

/// What of it is shown: what the caller may use now, and what besides with
/// scopes that they can obtain.
fn shown<'a>(
    policy: &Policy,
    who: (&str, &str),
    names: &[&'a str],
    entry: fn(&'a str) -> Entry<'a>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    let identity = identity(who);
    let (mut now, mut obtainable) = (Vec::new(), Vec::new());
    for name in names {
        let could = policy.shows(&identity, entry(name), true);
        if policy.shows(&identity, entry(name), false) {
            assert!(could, "{name}");
            now.push(*name);
        } else if could {
            obtainable.push(*name);
        }
    }
    (now, obtainable)
}

fn without<'a>(names: &[&'a str], hidden: &[&str]) -> Vec<&'a str> {
    let kept = names.iter().filter(|name| !hidden.contains(name));
    kept.copied().collect()
}

#[test]
fn the_demonstration_shows_each_caller_the_tools_that_they_may_use() {
    const WITH_WRITE: [&str; 4] = [
        "get-sum",
        "gzip-file-as-resource",
        "toggle-simulated-logging",
        "toggle-subscriber-updates",
    ];
    let demo = demo();
    let (reader, obtainable) = shown(&demo, READER, &TOOLS, Entry::Tool);
    assert_eq!(obtainable, WITH_WRITE);
    let hidden = [&WITH_WRITE[..], &["get-env"]].concat();
    assert_eq!(reader, without(&TOOLS, &hidden));
    let writer = shown(&demo, WRITER, &TOOLS, Entry::Tool);
    assert_eq!(writer, (without(&TOOLS, &["get-env"]), vec![]));
    let admin = shown(&demo, ADMIN, &TOOLS, Entry::Tool);
    assert_eq!(admin, (TOOLS.to_vec(), vec![]));
    let (now, obtainable) = shown(&demo, ("", "{}"), &TOOLS, Entry::Tool);
    assert_eq!((now, obtainable), (vec![], without(&TOOLS, &["get-env"])));
    assert!(!shows(&demo, ADMIN, Entry::Tool("no-such-tool")));
}

#[test]
fn the_demonstration_shows_each_caller_the_prompts_and_resources_that_they_may_use() {
    let demo = demo();
    let document = "demo://resource/static/document/features.md";
    let text = "demo://resource/dynamic/text/7";
    let blob = "demo://resource/dynamic/blob/7";
    let resources = [document, text, blob, "other://x", "demo://resource/../x"];
    for who in [READER, WRITER] {
        let prompts = shown(&demo, who, &PROMPTS, Entry::Prompt);
        assert_eq!(prompts, (vec!["simple-prompt", "args-prompt"], vec![]));
        let found = shown(&demo, who, &resources, Entry::Resource);
        assert_eq!(found, (vec![document, text], vec![]));
        let found = shown(&demo, who, &[TEXT, BLOB], Entry::Template);
        assert_eq!(found, (vec![TEXT], vec![]));
    }
    let prompts = shown(&demo, ADMIN, &PROMPTS, Entry::Prompt);
    assert_eq!(prompts, (PROMPTS.to_vec(), vec![]));
    let found = shown(&demo, ADMIN, &resources, Entry::Resource);
    assert_eq!(found, (vec![document, text, blob, "other://x"], vec![]));
    let found = shown(&demo, ADMIN, &[TEXT, BLOB], Entry::Template);
    assert_eq!(found, (vec![TEXT, BLOB], vec![]));
}

#[test]
fn scopes_that_this_caller_cannot_obtain_hide_what_needs_them() {
    let policy = rules(
        r#"{"id":"w","who":{"scopes":["w"]},"what":{"tools":["write"]}},
           {"id":"z","who":{"scopes":["z"]},"what":{"tools":["zap"]}},
           {"id":"q","who":{"scopes":["q"]},"what":{"tools":["query"]}}"#,
    );
    let tools = ["write", "zap", "query"];
    let found = shown(&policy, ("", "{}"), &tools, Entry::Tool);
    assert_eq!(found, (vec![], vec!["write"]));
    let found = shown(&policy, ("z q", "{}"), &tools, Entry::Tool);
    assert_eq!(found, (vec!["zap", "query"], vec!["write"]));
}

#[test]
fn conditions_on_arguments_hide_only_what_no_arguments_would_do_for() {
    for (claims, arguments, wanted) in [
        ("{}", r#"{"argument":"a","equals":1}"#, true),
        ("{}", r#"{"argument":"a","equals_claim":"x"}"#, false),
        (
            r#"{"x":["v"]}"#,
            r#"{"argument":"a","equals_claim":"x"}"#,
            false,
        ),
        (
            r#"{"x":"v"}"#,
            r#"{"argument":"a","equals_claim":"x"}"#,
            true,
        ),
        (
            r#"{"x":"v"}"#,
            r#"{"argument":"a","equals_claim":"x"},{"argument":"a","matches":"w*"}"#,
            false,
        ),
        (
            r#"{"x":"v","y":"w"}"#,
            r#"{"argument":"a","equals_claim":"x"},{"argument":"a","equals_claim":"y"}"#,
            false,
        ),
    ] {
        let policy = rules(&format!(
            r#"{{"id":"r","what":{{"tools":["t"]}},"arguments":[{arguments}]}}"#
        ));
        let shown = shows(&policy, ("", claims), Entry::Tool("t"));
        assert_eq!(shown, wanted, "{claims} {arguments}");
    }
}

#[test]
fn a_deny_rule_hides_what_it_denies_whatever_the_arguments_are() {
    for (deny, wanted) in [
        (r#""what":{"tools":["*"]}"#, false),
        (r#""what":{"tools":["*"],"except":["t"]}"#, true),
        (r#""audit_only":true,"what":{"tools":["*"]}"#, true),
        (
            r#""who":{"subjects":["other"]},"what":{"tools":["*"]}"#,
            true,
        ),
        (
            r#""who":{"claims":[{"claim":"odd","contains":"x"}]},"what":{"tools":["*"]}"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","equals":1}]"#,
            true,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","equals_claim":"none"}]"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","equals_claim":"sub"}]"#,
            true,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","equals":null}]"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","in":[true,false]}]"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","matches":"*"}]"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","present":false}]"#,
            true,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"b","present":false}]"#,
            false,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","in":["x","y"]}]"#,
            true,
        ),
        (
            r#""what":{"tools":["t"]},"arguments":[{"argument":"a","matches":["x","y*"]},
               {"argument":"a","present":true}]"#,
            true,
        ),
    ] {
        let who = ("", r#"{"odd":{"x":true},"sub":"me"}"#);
        let rule = format!(r#"{{"id":"d","effect":"deny",{deny}}}"#);
        let plain = rules(&format!(r#"{{"id":"a","what":{{"tools":["t"]}}}},{rule}"#));
        if !deny.contains(r#""b""#) {
            assert_eq!(shows(&plain, who, Entry::Tool("t")), wanted, "{deny}");
        }
        let narrow = rules(&format!(
            r#"{{"id":"a","what":{{"tools":["t"]}},
                "arguments":[{{"argument":"a","in":["x","z"]}},{{"argument":"b","present":false}}]}},{rule}"#
        ));
        let decided = ["x", "z"].into_iter().any(|value| {
            tool(&narrow, who, "t", &format!(r#"{{"a":"{value}"}}"#)).starts_with("permit")
        });
        assert_eq!(shows(&narrow, who, Entry::Tool("t")), decided, "{deny}");
    }
}

#[test]
fn what_is_audit_only_hides_nothing() {
    let server = policy(r#""audit_only":true,"rules":[]"#);
    let ambiguous = "demo://a/../b";
    for entry in [
        Entry::Tool("x"),
        Entry::Resource(ambiguous),
        Entry::Template("{"),
    ] {
        assert!(shows(&server, ("", "{}"), entry), "{entry:?}");
    }
    let policy = policy(
        r#""scopes":["s"],"rules":[
           {"id":"a","audit_only":true,"who":{"subjects":["root"]},
            "what":{"tools":["*"]},"arguments":[{"argument":"x","equals_claim":"none"}]},
           {"id":"d","effect":"deny","what":{"tools":["rm"]}}]"#,
    );
    assert!(shows(&policy, ("s", "{}"), Entry::Tool("ls")));
    assert!(!shows(&policy, ("s", "{}"), Entry::Tool("rm")));
    let found = shown(&policy, ("", "{}"), &["ls", "rm"], Entry::Tool);
    assert_eq!(found, (vec![], vec!["ls"]));
}

#[test]
fn what_no_call_can_name_is_not_shown() {
    let policy = rules(r#"{"id":"r","what":{"tools":["*"],"prompts":["*"],"resources":["**"]}}"#);
    for entry in [
        Entry::Tool("echo "),
        Entry::Tool("a\u{0}"),
        Entry::Prompt("\techo"),
        Entry::Resource("demo://a/../b"),
        Entry::Resource("demo://a b"),
        Entry::Template("demo://a/../{b}"),
        Entry::Template("demo://a/{b"),
    ] {
        assert!(!shows(&policy, READER, entry), "{entry:?}");
    }
    for entry in [
        Entry::Tool("echo"),
        Entry::Prompt(""),
        Entry::Resource("demo://a/b"),
        Entry::Template("demo://a/{b}"),
    ] {
        assert!(shows(&policy, READER, entry), "{entry:?}");
    }
}

#[test]
fn a_template_is_shown_where_something_that_it_expands_to_is_permitted() {
    for (rules_text, wanted) in [
        (r#"{"id":"a","what":{"resources":["demo://x/*"]}}"#, true),
        (r#"{"id":"a","what":{"resources":["demo://x/7"]}}"#, true),
        (r#"{"id":"a","what":{"resources":["demo://x/*/*"]}}"#, false),
        (r#"{"id":"a","what":{"resources":["demo://y/*"]}}"#, false),
        (
            r#"{"id":"a","what":{"resources":["**"],"except":["demo://x/*"]}}"#,
            false,
        ),
        (
            r#"{"id":"a","what":{"resources":["**"],"except":["demo://x/1*"]}}"#,
            true,
        ),
        (
            r#"{"id":"a","what":{"resources":["**"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://*/*"]}}"#,
            false,
        ),
        (
            r#"{"id":"a","what":{"resources":["demo://x/1*"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://x/1*"]}}"#,
            false,
        ),
        (
            r#"{"id":"a","what":{"resources":["**"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://x/1*"]}}"#,
            true,
        ),
        (
            r#"{"id":"a","what":{"resources":["**"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://**"],"except":["demo://x/7"]}}"#,
            true,
        ),
        (
            r#"{"id":"a","what":{"resources":["**"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://**"],"except":["demo://y/*"]}}"#,
            false,
        ),
        (
            r#"{"id":"a","what":{"resources":["demo://x/1","demo://y/1"]}},
               {"id":"d","effect":"deny","what":{"resources":["demo://x/*"]}}"#,
            false,
        ),
        (
            r#"{"id":"a","who":{"subjects":["other"]},"what":{"resources":["**"]}}"#,
            false,
        ),
    ] {
        let policy = rules(rules_text);
        let entry = Entry::Template("demo://x/{id}");
        assert_eq!(shows(&policy, READER, entry), wanted, "{rules_text}");
    }
}

/// A part of a rule, or nothing.
fn part(options: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(options)
}

prop_compose! {
    fn any_rule()(
        effect in part(&[r#""effect":"deny","#, "", ""]),
        audit_only in part(&[r#""audit_only":true,"#, "", "", ""]),
        who in part(&[
            "", "",
            r#""who":{"scopes":["w"]},"#,
            r#""who":{"scopes":["z"]},"#,
            r#""who":{"subjects":["some*"]},"#,
            r#""who":{"subjects":["root"]},"#,
            r#""who":{"claims":[{"claim":"role","equals":"admin"}]},"#,
        ]),
        what in part(&[
            r#""tools":["*"],"prompts":["p*"]"#,
            r#""tools":["t","u?"],"except":["ux"]"#,
            r#""prompts":["*"],"except":["p"]"#,
            r#""resources":["a://**"],"except":["a://x/*"]"#,
            r#""resources":["a://x/*","a://y/1"]"#,
            r#""resources":["**/1"]"#,
        ]),
        arguments in part(&[
            "", "",
            r#"{"argument":"a","equals":1}"#,
            r#"{"argument":"a","in":[1,"x",null]}"#,
            r#"{"argument":"a","equals_claim":"role"}"#,
            r#"{"argument":"a","equals_claim":"role"},{"argument":"a","matches":"a*"}"#,
            r#"{"argument":"a","present":true}"#,
            r#"{"argument":"a","present":false},{"argument":"b","minimum":1}"#,
            r#"{"argument":"a","matches":["*"]}"#,
            r#"{"argument":"b","equals":true},{"argument":"/a/c","equals":1}"#,
        ]),
    ) -> (String, String) {
        let arguments = if what.contains("resources") || arguments.is_empty() {
            String::new()
        } else {
            format!(r#","arguments":[{arguments}]"#)
        };
        (format!("{effect}{audit_only}{who}"), format!(r#""what":{{{what}}}{arguments}"#))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_is_permitted_is_shown_and_whatever_a_step_up_would_permit_too(
        parts in prop::collection::vec(any_rule(), 1..5),
        base in part(&["", r#""scopes":["s"],"#]),
        scopes in part(&["", "s", "s w", "w z", "s w z"]),
        claims in part(&["{}", r#"{"role":"admin"}"#, r#"{"role":["admin"]}"#, r#"{"role":1}"#]),
        arguments in part(&[
            "null", "{}", r#"{"a":1}"#, r#"{"a":"x","b":1}"#, r#"{"a":"admin"}"#,
            r#"{"a":null,"b":0}"#, r#"{"b":2}"#, r#"{"a":{"c":1},"b":true}"#, r#"{"a":[1]}"#,
        ]),
        name in part(&["t", "u1", "ux", "p", "p1", "q"]),
        (uri, template) in prop::sample::select(&[
            ("a://x/1", "a://x/{n}"), ("a://x/1", "a://{k}/1"), ("a://y/1", "a://{k}/{n}"),
            ("a://z/2", "a://z{/n}"), ("a://x/2", "{+any}"), ("b://1", "b://{n}"),
            ("a://z/{n}", "a://z/{n}"), ("a://x/1/2", "a://x/{n}/{m}"),
        ][..]),
    ) {
        let rules: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(index, (head, tail))| format!(r#"{{"id":"r{index}",{head}{tail}}}"#))
            .collect();
        let policy = policy(&format!(
            r#"{base}"obtainable_scopes":[{{"scopes":["w"]}}],"rules":[{}]"#, rules.join(",")
        ));
        let who = (scopes, claims);
        let identity = identity(who);
        for (method, target, entries) in [
            ("tools/call", Target::Tool(name), vec![Entry::Tool(name)]),
            ("prompts/get", Target::Prompt(name), vec![Entry::Prompt(name)]),
            (
                "resources/read",
                Target::Resource(uri),
                vec![Entry::Resource(uri), Entry::Template(template)],
            ),
        ] {
            let arguments = if method == "resources/read" { "null" } else { arguments };
            let decision = decide(&policy, who, method, target, arguments);
            for entry in entries {
                let now = policy.shows(&identity, entry, false);
                let obtainable = policy.shows(&identity, entry, true);
                prop_assert!(!now || obtainable, "{rules:?} {entry:?}");
                if decision.starts_with("permit") {
                    prop_assert!(now, "{rules:?} {entry:?} {decision}");
                }
                if decision.starts_with("scopes r") {
                    prop_assert!(obtainable, "{rules:?} {entry:?} {decision}");
                }
                // Where arguments do not matter, it is shown for that reason
                // only.
                let exact = !matches!(entry, Entry::Template(_))
                    && !rules.iter().any(|rule| rule.contains("arguments"));
                if exact && now {
                    prop_assert!(decision.starts_with("permit"), "{rules:?} {entry:?} {decision}");
                }
            }
        }
    }
}
