//! What the project ships and prints is true.

use super::*;
use crate::json::parse as json;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_configuration_in_the_readme_works() {
    let readme = file("README.md");
    let example = readme
        .split("```json\n")
        .find(|block| block.starts_with("{\n  \"header_mode\""))
        .and_then(|block| block.split("```").next())
        .unwrap();
    let config = read(example.as_bytes()).unwrap();
    assert_eq!(config.warnings, []);
}

#[test]
fn the_credential_role_in_the_readme_works() {
    let readme = file("README.md");
    let value = readme
        .split_once("value: '{\"role\"")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(rest, _)| format!("{{\"role\"{rest}"))
        .unwrap();
    let plugin = read_plugin(value.as_bytes()).unwrap();
    assert!(matches!(plugin, Plugin::Credential { server } if server == "notes"));
}

#[test]
fn the_policy_in_the_envoy_configuration_is_the_one_that_the_tests_are_about() {
    let envoy = file("envoy/static.yaml");
    let shipped: String = envoy
        .split_once("value: |\n")
        .unwrap()
        .1
        .lines()
        .take_while(|line| line.starts_with("                    "))
        .collect();
    let tested = file("tests/config/good/demo.json");
    let [shipped, tested] = [shipped, tested].map(|text| json(text.as_bytes(), 32).unwrap());
    assert!(shipped.same_value(&tested));
}
