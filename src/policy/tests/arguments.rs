use super::*;

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
