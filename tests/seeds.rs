//! The seeds of the fuzz targets `message`, `configuration`, `exchange`,
//! `headers`, `credential_answer`, `continuity`, `response_stream` and
//! `list_filter`, as plain tests.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../fuzz/checks/configuration.rs"]
mod configuration;
#[path = "../fuzz/checks/continuity.rs"]
mod continuity;
#[path = "../fuzz/checks/credential_answer.rs"]
mod credential_answer;
#[path = "../fuzz/checks/exchange.rs"]
mod exchange;
#[path = "../fuzz/checks/headers.rs"]
mod headers;
#[path = "../fuzz/checks/lines.rs"]
mod lines;
#[path = "../fuzz/checks/list_filter.rs"]
mod list_filter;
#[path = "../fuzz/checks/message.rs"]
mod message;
#[path = "../fuzz/checks/response_stream.rs"]
mod response_stream;

use std::fs;
use std::path::Path;

fn each_seed(folder: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("seeds") {
        let path = entry.expect("a seed").path();
        println!("{}", path.display());
        check(&fs::read(path).expect("a seed"));
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn no_seed_of_a_message_means_different_things_to_two_parsers() {
    each_seed("fuzz/seeds/message", message::check);
}

#[test]
fn every_seed_of_a_configuration_is_accepted_or_refused_with_places() {
    for folder in [
        "tests/config/good",
        "tests/config/bad",
        "tests/config/bad-semantic",
    ] {
        each_seed(folder, configuration::check);
    }
}

#[test]
fn no_seed_of_an_exchange_is_forwarded() {
    each_seed("fuzz/seeds/exchange", exchange::check);
}

#[test]
fn no_seed_has_headers_that_are_accepted_and_say_otherwise_than_its_body() {
    each_seed("fuzz/seeds/headers", headers::check);
}

#[test]
fn every_seed_of_a_credential_answer_fails_closed() {
    each_seed("fuzz/seeds/credential_answer", credential_answer::check);
}

#[test]
fn no_seed_passes_for_what_the_gate_has_given_out() {
    each_seed("fuzz/seeds/continuity", continuity::check);
}

#[test]
fn every_seed_of_a_response_gives_the_same_in_parts() {
    each_seed("fuzz/seeds/response_stream", response_stream::check);
}

#[test]
fn every_seed_of_a_list_is_filtered_to_the_byte_or_not_understood() {
    each_seed("fuzz/seeds/list_filter", list_filter::check);
}
