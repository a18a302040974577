use serde_json::Value;

use super::*;

fn warnings_of(rules: &str) -> Vec<String> {
    let text = include_str!("../../../tests/config/good/minimal.json");
    let mut document: Value = serde_json::from_str(text).unwrap();
    document["servers"][0]["extra_methods"] = serde_json::json!(["vendor/*"]);
    document["servers"][0]["rules"] = serde_json::from_str(rules).unwrap();
    let config = read(document.to_string().as_bytes()).unwrap();
    config
        .warnings
        .into_iter()
        .map(|warning| warning.pointer)
        .collect()
}

#[test]
fn what_never_matches_is_a_warning_with_its_place() {
    for (rules, place) in [
        ("[]", "/servers/0/rules"),
        (
            r#"[{"id":"r","what":{"tools":["a","get-*"],"except":["get-*"]}}]"#,
            "/servers/0/rules/0/what/tools/1",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b/*"],"except":["a://**"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b/../c"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"resources":["a://b%2Fc/**"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
        (
            r#"[{"id":"r","what":{"methods":["ping","tool/list"]}}]"#,
            "/servers/0/rules/0/what/methods/1",
        ),
        (
            r#"[{"id":"r","what":{"methods":["tools/ca*"]}}]"#,
            "/servers/0/rules/0/what/methods/0",
        ),
        (
            r#"[{"id":"r","who":{"scopes":["x"]},"what":{"tools":["a"]}}]"#,
            "/servers/0/rules/0/who/scopes",
        ),
        (
            r#"[{"id":"r","effect":"deny","what":{"tools":["get-env "]}}]"#,
            "/servers/0/rules/0/what/tools/0",
        ),
        (
            r#"[{"id":"r","what":{"prompts":["a","\u0000*"]}}]"#,
            "/servers/0/rules/0/what/prompts/1",
        ),
        (
            r#"[{"id":"r","who":{"subject_types":["user","virtualaccount"]},"what":{"tools":["a"]}}]"#,
            "/servers/0/rules/0/who/subject_types/1",
        ),
        (
            r#"[{"id":"a","what":{"tools":["y","x"]}},{"id":"b","effect":"deny","what":{"tools":["x*"]}}]"#,
            "/servers/0/rules/0/what/tools/1",
        ),
        (
            r#"[{"id":"a","what":{"resources":["a://b/*"]}},{"id":"b","effect":"deny","what":{"resources":["a://**"]}}]"#,
            "/servers/0/rules/0/what/resources/0",
        ),
    ] {
        assert_eq!(warnings_of(rules), [place], "{rules}");
    }
    for rules in [
        r#"[{"id":"r","what":{"tools":["get-*"],"except":["get-e*"]}}]"#,
        r#"[{"id":"r","what":{"resources":["a://b/.?", "a://**"]}}]"#,
        r#"[{"id":"r","what":{"methods":["vendor/x","tools/*","GET"]}}]"#,
        r#"[{"id":"r","effect":"deny","who":{"scopes":["x"]},"what":{"tools":["a"]}}]"#,
        r#"[{"id":"r","what":{"tools":["get env","* *","*"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x*"]}},{"id":"b","effect":"deny","what":{"tools":["x"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x"]}},{"id":"b","effect":"deny","what":{"prompts":["x"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x"]}},{"id":"b","effect":"deny","what":{"tools":["*"],"except":["x"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x"]}},{"id":"b","effect":"deny","audit_only":true,"what":{"tools":["x"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x"]}},{"id":"b","effect":"deny","who":{"subjects":["m"]},"what":{"tools":["x"]}}]"#,
        r#"[{"id":"a","what":{"tools":["x"]}},{"id":"b","effect":"deny","arguments":[{"argument":"n","present":true}],"what":{"tools":["x"]}}]"#,
    ] {
        assert_eq!(warnings_of(rules), [""; 0], "{rules}");
    }
}

#[test]
fn a_method_of_no_version_that_the_server_speaks_is_a_warning() {
    let text = include_str!("../../../tests/config/good/minimal.json");
    for (versions, methods, places) in [
        (
            vec!["2026-07-28"],
            vec!["tools/list", "initialize", "GET", "response"],
            vec![1, 2, 3],
        ),
        (vec!["2025-11-25"], vec!["server/discover", "GET"], vec![0]),
        (
            vec!["2025-11-25", "2026-07-28"],
            vec!["server/discover", "initialize", "GET"],
            vec![],
        ),
    ] {
        let mut document: Value = serde_json::from_str(text).unwrap();
        document["servers"][0]["protocol_versions"] = versions.into();
        document["servers"][0]["rules"] =
            serde_json::json!([{"id": "r", "what": {"methods": methods}}]);
        let config = read(document.to_string().as_bytes()).unwrap();
        let found: Vec<String> = config.warnings.into_iter().map(|w| w.pointer).collect();
        let wanted: Vec<String> = places
            .into_iter()
            .map(|place| format!("/servers/0/rules/0/what/methods/{place}"))
            .collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn answers_that_need_a_state_key_are_a_warning_without_one() {
    let text = include_str!("../../../tests/config/good/placed-by-cluster.json");
    for (answer, place) in [
        ("auto", &["/servers/0/credential"][..]),
        ("elicit", &["/servers/0/credential"]),
        ("tool_result", &[]),
        ("http_403", &[]),
        ("challenge", &[]),
    ] {
        let mut document: Value = serde_json::from_str(text).unwrap();
        document.as_object_mut().unwrap().remove("state_keys");
        document["servers"][0]["credential"]["consent_answer"] = answer.into();
        let config = read(document.to_string().as_bytes()).unwrap();
        let places: Vec<&str> = config.warnings.iter().map(|w| w.pointer.as_str()).collect();
        assert_eq!(places, place, "{answer}");
    }
}

#[test]
fn hosts_for_an_elicitation_that_is_refused_are_a_warning() {
    let text = include_str!("../../../tests/config/good/minimal.json");
    for (elicitation, places) in [
        (true, &[][..]),
        (false, &["/servers/0/client_features/url_elicitation_hosts"]),
    ] {
        let mut document: Value = serde_json::from_str(text).unwrap();
        document["servers"][0]["client_features"] = serde_json::json!({
            "elicitation": elicitation,
            "url_elicitation_hosts": ["connect.example"],
        });
        let config = read(document.to_string().as_bytes()).unwrap();
        let found: Vec<&str> = config.warnings.iter().map(|w| w.pointer.as_str()).collect();
        assert_eq!(found, places);
    }
}
