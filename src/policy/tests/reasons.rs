use super::*;

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
        tasks: Vec::new(),
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
