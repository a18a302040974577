//! Bodies that are one JSON text.

use super::*;

fn said(body: &str) -> String {
    let outcome = whole(JSON, body.as_bytes(), &by_words);
    String::from_utf8(outcome.out).unwrap()
}

#[test]
fn a_message_passes_is_replaced_or_dropped() {
    for body in [" {\"a\":1}\n", "[]", "{}"] {
        let outcome = whole(JSON, body.as_bytes(), &by_words);
        assert!(outcome.as_it_came);
        assert_eq!(outcome.read, [body.as_bytes()]);
    }
    assert_eq!(said("{\"swap\":1}"), "{\n\"new\":1}");
    assert_eq!(said("{\"drop\":1}"), "");
    // Whether a text is one message is not decided here.
    assert_eq!(said("{drop}"), "");
}

#[test]
fn what_is_no_message_passes() {
    for body in [
        "",
        "  ",
        "\"drop\"",
        "12",
        "null",
        "Not found",
        "<html>{drop}",
    ] {
        let outcome = whole(JSON, body.as_bytes(), &by_words);
        assert!(outcome.as_it_came && outcome.read.is_empty(), "{body}");
    }
    let long = "x".repeat(10_000);
    assert_eq!(said(&long), long);
}

#[test]
fn what_some_reader_may_take_for_a_message_is_looked_at() {
    for body in [
        "\u{feff}{\"drop\":1}",
        "\0{drop",
        "\u{a0}{drop}",
        "\u{b}[drop",
    ] {
        assert_eq!(said(body), "", "{body:?}");
    }
}

#[test]
fn a_message_that_is_cut_off_is_replaced() {
    for body in ["{", "[{\"a\":1}", "{\"a\":{\"b\":1}", " {\"a\":\"drop"] {
        assert_eq!(said(body), "cut_off", "{body}");
    }
}

#[test]
fn a_message_over_the_limit_is_replaced_at_once_and_the_rest_is_swallowed() {
    let mut outcome = Outcome::default();
    let mut told = Told {
        rule: &pass,
        outcome: &mut outcome,
    };
    let mut body = ResponseBody::flowing_from(BodyKind::Json, 32, 32);
    let mut feed = |part: &[u8]| body.feed(part, false, &mut told);
    assert_eq!(feed(&[b'['; 32]), Fed::Instead(Vec::new()));
    assert_eq!(feed(b"1"), Fed::Instead(b"too_large".to_vec()));
    assert_eq!(feed(b"2]]]"), Fed::Instead(Vec::new()));
    let blank = " ".repeat(5000);
    assert_eq!(said(&blank), "too_large");
}
