use super::*;

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
