//! Bodies of responses, in parts.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod cuts;
mod documents;
mod events;
mod flow;
mod lists;
mod plain;
mod reference;

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::body::{BodyKind, Fed, ResponseBody};
use super::{Inspect, Ruling, Withheld};

/// What a response has come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    out: Vec<u8>,
    was_cut: bool,
    /// Every part went on as it came.
    as_it_came: bool,
    read: Vec<Vec<u8>>,
    unread: Vec<Withheld>,
    most_held: usize,
}

/// A body, and how much of it may be held.
#[derive(Clone, Copy, Debug)]
struct Setting {
    kind: BodyKind,
    limit: usize,
    flow_from: usize,
}

const EVENTS: Setting = Setting {
    kind: BodyKind::Events,
    limit: 4096,
    flow_from: 4096,
};

const JSON: Setting = Setting {
    kind: BodyKind::Json,
    ..EVENTS
};

const UNTOLD: Setting = Setting {
    kind: BodyKind::Untold,
    ..EVENTS
};

/// Decides as it is told, and writes down what it has seen.
struct Told<'a> {
    rule: &'a dyn Fn(&[u8]) -> Ruling,
    outcome: &'a mut Outcome,
}

impl Inspect for Told<'_> {
    fn may_flow(&self) -> bool {
        true
    }

    fn message(&mut self, text: &[u8]) -> Option<Ruling> {
        if is_incomplete(text) {
            return None;
        }
        self.outcome.read.push(text.to_vec());
        Some((self.rule)(text))
    }

    fn unread(&mut self, why: Withheld) -> Ruling {
        self.outcome.unread.push(why);
        Ruling::Instead(why.reason().into())
    }
}

/// The beginning of a JSON text, as far as it goes.
fn is_incomplete(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn run<'a>(
    setting: Setting,
    parts: impl IntoIterator<Item = &'a [u8]>,
    rule: &dyn Fn(&[u8]) -> Ruling,
) -> Outcome {
    let body = ResponseBody::flowing_from(setting.kind, setting.limit, setting.flow_from);
    run_body(body, setting, parts, rule)
}

fn run_body<'a>(
    mut body: ResponseBody,
    setting: Setting,
    parts: impl IntoIterator<Item = &'a [u8]>,
    rule: &dyn Fn(&[u8]) -> Ruling,
) -> Outcome {
    let mut outcome = Outcome {
        as_it_came: true,
        ..Outcome::default()
    };
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let mut told = Told {
            rule,
            outcome: &mut outcome,
        };
        match body.feed(part, parts.peek().is_none(), &mut told) {
            Fed::AsItCame => outcome.out.extend(part),
            Fed::Instead(bytes) => {
                outcome.as_it_came = false;
                outcome.out.extend(bytes);
            }
            Fed::Cut(bytes) => {
                outcome.out.extend(bytes);
                outcome.was_cut = true;
                let after = body.feed(b"data: {}\n\n", true, &mut AllPass);
                assert_eq!(after, Fed::Instead(Vec::new()));
                break;
            }
        }
        let (held, capacity) = body.held();
        outcome.most_held = outcome.most_held.max(held);
        assert!(capacity <= setting.limit.max(held), "{capacity}");
    }
    assert!(body.is_settled());
    outcome
}

fn whole(setting: Setting, body: &[u8], rule: &dyn Fn(&[u8]) -> Ruling) -> Outcome {
    run(setting, [body], rule)
}

struct AllPass;

impl Inspect for AllPass {
    fn may_flow(&self) -> bool {
        true
    }

    fn message(&mut self, _: &[u8]) -> Option<Ruling> {
        Some(Ruling::Pass)
    }

    fn unread(&mut self, _: Withheld) -> Ruling {
        Ruling::Drop
    }
}

fn pass(_: &[u8]) -> Ruling {
    Ruling::Pass
}

/// Drops what has `drop` in it, replaces what has `swap` in it.
fn by_words(text: &[u8]) -> Ruling {
    let text = String::from_utf8_lossy(text);
    if text.contains("drop") {
        Ruling::Drop
    } else if text.contains("swap") {
        Ruling::Instead(b"{\n\"new\":1}".to_vec())
    } else {
        Ruling::Pass
    }
}

/// A text, and places where it is cut.
fn cut_at(text: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].to_vec())
        .collect()
}

fn slices(parts: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    parts.iter().map(Vec::as_slice)
}

/// Streams that are made of what matters in them.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![&b"\n"[..], b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r"]),
        3 => prop::sample::select(vec![
            &b"data: {\"a\":\"drop\"}\n\n"[..], b"id: 5\ndata: {\"swap\":1}\n\n", b"data: {}\r\rdata: []",
            b"event: x\r\ndata: [1]\r\n\r\n", b"id: 1\ndata:\n\n", b": ping\n\n", b"data",
        ]),
        3 => prop::sample::select(vec![
            &b"data"[..], b"data:", b"data: ", b"dat", b"id: 1", b"id", b"id: 2\0", b"event: x", b":",
            b"{", b"}", b"[1]", b"\"drop\"", b"\"swap\"", b"x", b" ", b"\xef\xbb\xbf", b"\xef", b"\xc3",
            b"\xff", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{", b"\"content\":[", b"\"tools\":[",
        ]),
        1 => prop::sample::select(vec![
            &b"\x0b"[..], b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8",
            b"\xe2\x80\xa9", b"\xc2", b"\x85", b"\xe2\x80", b"\xa8", b"\xc3\xaf\xc2\xbb\xc2\xbf",
            b": x\xe2\x80\xa8data: {\"drop\":1}\xe2\x80\xa8\xc2\x85", b"\xc3\xaf\xc2\xbb", b"\xc2\xa0",
        ]),
        1 => prop::sample::select(vec![&b"data: \xc3\xa9\n\n"[..], b"\xef\xbb\xbfdata: {\"drop\":1}\n\n"]),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}
