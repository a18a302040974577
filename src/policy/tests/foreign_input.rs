use proptest::prelude::*;

use super::*;

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
