use super::*;
use crate::mcp::Revision;
use crate::mcp::call::untargeted;

#[test]
fn the_demonstration_decides_tools_as_its_table_says() {
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
fn the_demonstration_decides_prompts_and_resources_as_its_table_says() {
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
    for method in untargeted(&Revision::ALL) {
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
