//! Schema and parser, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value =
        serde_json::from_str(include_str!("../../../envoy/policy.schema.json")).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
});

/// What is no JSON is not valid either.
fn fits_schema(bytes: &[u8]) -> bool {
    serde_json::from_slice(bytes).is_ok_and(|document: Value| SCHEMA.is_valid(&document))
}

fn expected() -> BTreeMap<String, Vec<String>> {
    serde_json::from_str(include_str!("../../../tests/config/expected.json")).unwrap()
}

fn pointers(errors: &[ConfigError]) -> Vec<String> {
    let set: BTreeSet<String> = errors.iter().map(|error| error.pointer.clone()).collect();
    set.into_iter().collect()
}

#[test]
fn good_configurations_are_accepted_by_parser_and_schema() {
    for (name, bytes) in corpus("good") {
        let errors = read_plugin(&bytes).map(|_| ()).err();
        assert_eq!(errors, None, "{name}");
        assert!(fits_schema(&bytes), "{name}");
    }
}

#[test]
fn bad_configurations_are_refused_by_parser_and_schema_with_the_places_of_all_errors() {
    let expected = expected();
    for (name, bytes) in corpus("bad") {
        let errors = read_plugin(&bytes).unwrap_err();
        assert_eq!(pointers(&errors), expected[&name], "{name}: {errors:?}");
        assert!(!fits_schema(&bytes), "{name}");
    }
}

#[test]
fn what_a_schema_cannot_say_is_refused_by_the_parser_alone() {
    let expected = expected();
    for (name, bytes) in corpus("bad-semantic") {
        let errors = read_plugin(&bytes).unwrap_err();
        assert_eq!(pointers(&errors), expected[&name], "{name}: {errors:?}");
        assert!(fits_schema(&bytes), "{name}");
    }
}

#[test]
fn no_case_of_the_corpus_is_forgotten() {
    let files = corpus("bad").into_iter().chain(corpus("bad-semantic"));
    let names: Vec<String> = files.map(|(name, _)| name).collect();
    let listed: Vec<String> = expected().into_keys().collect();
    let sorted: BTreeSet<&String> = names.iter().collect();
    assert_eq!(sorted, listed.iter().collect());
}

/// Every place in a document, as JSON pointers.
fn places(document: &Value, pointer: &str, into: &mut Vec<String>) {
    into.push(pointer.to_owned());
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{pointer}/{token}"), into);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                places(value, &format!("{pointer}/{index}"), into);
            }
        }
        _ => {}
    }
}

const OTHER_VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1.5",
    "30.0",
    "1e300",
    "\"\"",
    "\"a\"",
    "\"*\"",
    "\"a b\"",
    "\"é\"",
    "\"/\"",
    "\"/a/\"",
    "\"https://a.example./\"",
    "\"http://h:80/\"",
    "\"a..b\"",
    "[]",
    "[\"a\"]",
    "{}",
    "{\"a\":1}",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        prop_assert!(read_plugin(&bytes).is_err());
    }

    #[test]
    fn what_the_parser_accepts_the_schema_accepts(
        file in 0_usize..5, place: prop::sample::Index, value in prop::sample::select(&OTHER_VALUES[..]),
        remove: bool,
    ) {
        let (_, bytes) = corpus("good").swap_remove(file);
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let pointer = place.get(&all);
        let parent = pointer.rsplit_once('/').map(|(parent, name)| (parent, name.replace("~1", "/")));
        match parent {
            Some((parent, name)) if remove => match document.pointer_mut(parent).unwrap() {
                Value::Object(members) => {
                    members.remove(&name);
                }
                Value::Array(elements) => {
                    elements.remove(name.parse().unwrap());
                }
                _ => {}
            },
            _ => *document.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap(),
        }
        let bytes = document.to_string();
        if read_plugin(bytes.as_bytes()).is_ok() {
            prop_assert!(fits_schema(bytes.as_bytes()), "{} {}", pointer, bytes);
        }
    }
}
