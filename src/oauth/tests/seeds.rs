//! The seeds of the fuzz targets, as plain tests.

use std::fs;
use std::path::Path;

use super::support::*;
use crate::json::parse;
use crate::oauth::keys::KeySet;

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let seeds: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), fs::read(path).unwrap())
        })
        .collect();
    assert!(!seeds.is_empty());
    seeds
}

#[test]
fn no_seed_of_a_token_passes() {
    for (name, seed) in seeds("token") {
        let Ok(text) = core::str::from_utf8(&seed) else {
            continue;
        };
        let mut gate = Gate::new(inline(&ed_jwks()));
        assert!(gate.refusal(text.trim_end()).is_some(), "{name}");
    }
}

#[test]
fn every_seed_of_a_key_set_loads_or_fails() {
    let mut loaded = 0;
    for (_, seed) in seeds("jwks") {
        if let Ok(set) = parse(&seed, 16)
            && KeySet::from_jwks(&set).is_ok()
        {
            loaded += 1;
        }
    }
    assert!(loaded > 0);
}

#[test]
fn every_seed_of_an_introspection_answer_is_read() {
    for (_, seed) in seeds("introspection_answer") {
        let mut gate = Gate::new(introspecting(60));
        gate.ask("opaque");
        let call = gate.call();
        let answer = crate::callout::FetchAnswer::new(200, &seed);
        gate.authenticator.answered(call.id, Some(answer), NOW_MS);
        gate.ask("opaque");
    }
}
