//! The program as an operator sees it.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::process::{Command, Output};

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcp-token-service"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_generated_key_can_be_used_as_it_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let configuration = directory.path().join("config.json");
    std::fs::write(&key, program(&["generate-key"]).stdout).unwrap();
    let document = serde_json::json!({
        "encryption": {"writing_key": "1", "keys": [{"id": "1", "secret": {"file": key}}]},
    });
    std::fs::write(&configuration, document.to_string()).unwrap();
    let output = program(&["check", "--config", configuration.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn without_an_encryption_key_it_refuses_and_says_how_to_make_one() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("config.json");
    std::fs::write(&configuration, "{}").unwrap();
    let output = program(&["check", "--config", configuration.to_str().unwrap()]);
    assert!(!output.status.success());
    let complaint = text(&output.stderr);
    assert!(complaint.contains("/encryption"), "{complaint}");
    assert!(
        complaint.contains("mcp-token-service generate-key"),
        "{complaint}"
    );
}

#[test]
fn a_command_that_is_not_known_is_answered_with_the_usage() {
    for arguments in [
        &[] as &[&str],
        &["frobnicate"],
        &["check"],
        &["check", "--config"],
    ] {
        let output = program(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text(&output.stderr).contains("usage:"), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn rewrapping_brings_the_database_up_to_date_and_counts() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let configuration = directory.path().join("config.json");
    std::fs::write(&key, program(&["generate-key"]).stdout).unwrap();
    let document = serde_json::json!({
        "data_directory": directory.path().join("data"),
        "encryption": {"writing_key": "1", "keys": [{"id": "1", "secret": {"file": key}}]},
    });
    std::fs::write(&configuration, document.to_string()).unwrap();
    let output = program(&["rewrap", "--config", configuration.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "0 secrets rewrapped, 0 had the writing key already\n"
    );
}
