//! Event streams.

use proptest::prelude::*;

use super::reference::{
    CLIENTS, Client, Dispatched, MARK, Read, WRONG_MARK, read, uniform, up_to_blank_line,
};
use super::*;
use crate::response::beginning::Beginning;
use crate::response::event::with_line_feeds;

fn said(stream: &str) -> String {
    said_with(EVENTS, stream)
}

fn said_with(setting: Setting, stream: &str) -> String {
    let outcome = whole(setting, stream.as_bytes(), &by_words);
    String::from_utf8(outcome.out).unwrap()
}

#[test]
fn an_event_passes_at_its_blank_line() {
    let mut body = ResponseBody::new(BodyKind::Events, 4096);
    let mut feed = |part: &str| body.feed(part.as_bytes(), false, &mut AllPass);
    let instead = |text: &str| Fed::Instead(text.into());
    assert_eq!(feed("data: {}\n\n"), Fed::AsItCame);
    assert_eq!(feed("data: {}\n\ndata: {"), instead("data: {}\n\n"));
    assert_eq!(feed("}\n"), instead(""));
    assert_eq!(feed("\n"), instead("data: {}\n\n"));
    // Without waiting for the LF that a CR may have.
    assert_eq!(feed("data: {}\r\n\r"), instead("data: {}\r\n\r\n"));
    assert_eq!(feed("\ndata: {}\n\n"), instead("data: {}\n\n"));
    assert!(body.is_settled());
}

#[test]
fn events_without_a_message_pass_as_they_are() {
    for stream in [
        "id: 1\ndata:\n\n",
        "id: 1\ndata\n\n",
        ": ping\n\n",
        "\n\n\n",
        "event: endpoint\ndata: /messages?drop\n\n",
        "retry: 1000\n\n",
        "data: é {drop}\n\n",
        "data: x\ndata: Ж\ndata: 日本 drop\ndata: “drop”\ndata: 😀\n\n",
        "data : {\"drop\":1}\n\n",
        "Data: {\"drop\":1}\n\n",
        "datax: {\"drop\":1}\n\n",
        " data: {\"drop\":1}\n\n",
        ":data: {\"drop\":1}\n\n",
    ] {
        let outcome = whole(EVENTS, stream.as_bytes(), &by_words);
        assert!(outcome.as_it_came && outcome.read.is_empty(), "{stream:?}");
    }
}

#[test]
fn text_that_some_reader_may_take_for_a_message_is_looked_at() {
    for text in [
        "\u{feff}{",
        "\u{b}{",
        "\u{a0}[",
        "\u{0}{",
        "\u{2003}{",
        "\u{3000}{",
        "\u{ef}\u{bb}\u{bf}{",
    ] {
        let stream = format!("data: {text}drop\n\n");
        let outcome = whole(EVENTS, stream.as_bytes(), &by_words);
        assert_eq!(outcome.out, b"", "{text:?}");
    }
}

#[test]
fn a_line_of_data_that_may_be_a_message_alone_does_not_pass_in_a_text() {
    for data in [
        "data: x\ndata: {}",
        "data\ndata:x\rdata:[",
        "data: \"\ndata: \0{",
    ] {
        let outcome = whole(EVENTS, format!("id: 1\n{data}\n\n").as_bytes(), &pass);
        assert_eq!(outcome.out, b"id: 1\ndata: not_understood\n\n", "{data:?}");
        assert!(outcome.read.is_empty());
    }
    assert_eq!(said_with(UNTOLD, "data: x\ndata: {"), "data: cut_off\n\n");
    let text = "data: x\ndata: 1 {}\ndata:\n\n";
    assert!(whole(EVENTS, text.as_bytes(), &pass).as_it_came);
}

#[test]
fn a_dropped_event_leaves_its_id() {
    assert_eq!(said("event: x\ndata: {drop}\n\n"), "");
    assert_eq!(said("id: 8\nevent: x\ndata: {drop}\n\n"), "id: 8\n\n");
    assert_eq!(said("id: 8\ndata: {drop}\nid:9\nid: 1\0\n\n"), "id: 9\n\n");
    assert_eq!(said("id\ndata: {drop}\n\n"), "id: \n\n");
}

#[test]
fn a_replaced_event_keeps_its_other_lines() {
    assert_eq!(
        said("id: 7\r\ndata: {\r\n: c\r\ndata: \"swap\"}\r\nevent: x\r\n\r\n"),
        "id: 7\ndata: {\ndata: \"new\":1}\n: c\nevent: x\n\n"
    );
}

#[test]
fn what_has_no_blank_line_after_it_is_never_dispatched() {
    assert_eq!(said("data: {}\n\n: ping\n"), "data: {}\n\n");
    assert_eq!(
        said("data: {}\n\nid: 3\ndata: {}\n"),
        "data: {}\n\ndata: cut_off\n\n"
    );
    assert_eq!(said("id: 3\ndata: {}"), "data: cut_off\n\n");
}

#[test]
fn an_event_over_the_limit_is_replaced_at_once_and_the_stream_goes_on() {
    let setting = Setting {
        limit: 32,
        ..EVENTS
    };
    let long = "x".repeat(1000);
    let stream = format!("id: 1\nevent: x\ndata: {{\"{long}\"}}\nid: 2\n\ndata: {{}}\n\n");
    assert_eq!(
        said_with(setting, &stream),
        "id: 1\nevent: x\ndata: too_large\n\ndata: {}\n\n"
    );
    let start = stream.get(..40).unwrap();
    let parts = [start.as_bytes(), b"more"];
    let mut body = ResponseBody::flowing_from(BodyKind::Events, 32, 32);
    let mut outcome = Outcome::default();
    let mut told = Told {
        rule: &pass,
        outcome: &mut outcome,
    };
    let fed = body.feed(parts[0], false, &mut told);
    assert_eq!(
        fed,
        Fed::Instead(b"id: 1\nevent: x\ndata: too_large\n\n".to_vec())
    );
    assert_eq!(
        body.feed(parts[1], false, &mut told),
        Fed::Instead(Vec::new())
    );
}

#[test]
fn lines_that_are_no_data_go_on_however_long_they_are() {
    let setting = Setting {
        limit: 32,
        flow_from: 16,
        ..EVENTS
    };
    let long = "x".repeat(1000);
    let stream = format!(": {long}\nevent: y\ndata: {{}}\n\n");
    let outcome = whole(setting, stream.as_bytes(), &by_words);
    assert!(outcome.as_it_came && outcome.unread.is_empty());
    let dropped = format!(": {long}\nid: 2\ndata: {{drop}}\n\n");
    assert_eq!(said_with(setting, &dropped), format!(": {long}\nid: 2\n\n"));
}

#[test]
fn a_byte_order_mark_means_something_at_the_beginning_only() {
    assert_eq!(said("\u{feff}data: {drop}\n\n"), "");
    let inside = "data: {}\n\n\u{feff}data: {drop}\n\n";
    assert_eq!(said(inside), inside);
    // Nor does it come to be there.
    assert_eq!(
        said("data: {drop}\n\n\u{feff}data: {drop}\n\n"),
        ":\n\u{feff}data: {drop}\n\n"
    );
    assert_eq!(
        said("id: 1\n\u{feff}data: x\ndata: {cut"),
        ":\n\u{feff}data: x\ndata: cut_off\n\n"
    );
}

#[test]
fn a_byte_order_mark_at_the_beginning_does_not_go_on() {
    let wrong = "\u{ef}\u{bb}\u{bf}";
    for marks in [
        "\u{feff}".to_owned(),
        wrong.to_owned(),
        format!("\u{feff}{wrong}"),
        format!("{wrong}\u{feff}\u{feff}{wrong}{wrong}"),
    ] {
        assert_eq!(said(&format!("{marks}data: {{drop}}\n\n")), "");
        assert_eq!(said(&format!("{marks}data: []\n\n")), "data: []\n\n");
        // Some clients would not take the first line for data.
        let hidden = format!("{marks}data: x\ndata: {{drop}}\n\n");
        assert_eq!(said(&hidden), "data: not_understood\n\n");
        let json = format!("{marks} {{\"drop\":1}}");
        assert_eq!(said_with(UNTOLD, &json), "");
    }
    assert_eq!(
        said(&format!("data: {{drop}}\n\n{wrong}data: {{drop}}\n\n")),
        format!(":\n{wrong}data: {{drop}}\n\n")
    );
}

#[test]
fn a_character_that_ends_a_line_for_some_clients_goes_on_as_none() {
    for (end, instead) in [
        ("\u{85}", "\\u0085"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
        ("\u{b}", "\u{1f}"),
        ("\u{c}", "\u{1f}"),
        ("\u{1c}", "\u{1f}"),
        ("\u{1d}", "\u{1f}"),
        ("\u{1e}", "\u{1f}"),
    ] {
        for stream in [
            "data: {\"a\":\"b|c|\"}\n\n",
            ": x|data: {drop}||\n\n",
            "id: 1|data: {drop}||\ndata: x\n\n",
            "|data: {drop}||\n\n",
            "data: x|data: {drop}||\n\n",
        ] {
            let stream = |end: &str| stream.replace('|', end);
            let outcome = whole(EVENTS, stream(end).as_bytes(), &by_words);
            assert_eq!(outcome.out, stream(instead).as_bytes());
        }
    }
    let instead = |_: &[u8]| Ruling::Instead("{\"\u{2028}data: x\"}".into());
    let outcome = whole(EVENTS, b"data: {}\n\n", &instead);
    assert_eq!(outcome.out, b"data: {\"\\u2028data: x\"}\n\n");
    let others = "data: {\"\u{c2}\u{a0}\u{2027}\u{202a}\u{7f}\t\u{1f}\u{20}\"}\n\n";
    assert!(whole(EVENTS, others.as_bytes(), &by_words).as_it_came);
}

#[test]
fn an_error_page_passes_as_it_is() {
    for page in [
        "Not found",
        "<html>\n<body>\n\nNot\rfound</body>\n",
        "",
        "  \n",
        "\u{feff}Gone",
        "Привет",
        "data: it",
    ] {
        let outcome = whole(UNTOLD, page.as_bytes(), &by_words);
        let expected = page.replace("Not\rfound", "Not\r\nfound");
        // A byte order mark does not go on, whatever it is of.
        let expected = expected.trim_start_matches('\u{feff}');
        assert_eq!(String::from_utf8(outcome.out).unwrap(), expected);
    }
    let long = "<p>".repeat(100_000);
    let outcome = whole(UNTOLD, long.as_bytes(), &by_words);
    assert!(outcome.as_it_came);
}

#[test]
fn a_body_of_no_known_type_is_read_as_what_it_begins_with() {
    assert_eq!(said_with(UNTOLD, " \r\n{\"drop\":1}"), "");
    assert_eq!(said_with(UNTOLD, "\u{feff}{\"drop\":1}"), "");
    assert_eq!(said_with(UNTOLD, "[\"swap\"]"), "{\n\"new\":1}");
    assert_eq!(said_with(UNTOLD, "\n\ndata: {drop}\n\n"), "\n\n");
    assert_eq!(said_with(UNTOLD, "data: {cut"), "data: cut_off\n\n");
    let blank = " ".repeat(5000);
    assert_eq!(said_with(UNTOLD, &blank), "too_large");
    let utf16: Vec<u8> = "\u{feff}{\"drop\":1}"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let outcome = whole(UNTOLD, &utf16, &by_words);
    assert_eq!(outcome.read, [utf16]);
}

#[test]
fn an_event_stream_that_begins_with_json_is_one_text() {
    for before in ["", " ", "\n\n", "\r\n \t", "\u{feff}", "\u{feff}\n "] {
        for (text, expected) in [
            ("{\"a\":\n\n1}\n\n", "{\"a\":\n\n1}\n\n"),
            ("[\"swap\"]\n\n", "{\n\"new\":1}"),
            ("{\n\ndata: drop}\n\n", ""),
            ("{\"cut\":\n\n", "cut_off"),
        ] {
            let stream = format!("{before}{text}");
            let outcome = whole(EVENTS, stream.as_bytes(), &by_words);
            let parts = stream.as_bytes().chunks(1);
            assert_eq!(run(EVENTS, parts, &by_words).out, outcome.out, "{stream:?}");
            let out = String::from_utf8(outcome.out).unwrap();
            assert_eq!(out.trim_start(), expected, "{stream:?}");
        }
    }
}

#[test]
fn what_is_left_out_of_a_text_leaves_no_message() {
    for kind in [BodyKind::Json, BodyKind::Untold] {
        let setting = Setting { kind, ..EVENTS };
        let said = |text: &str| said_with(setting, text);
        assert_eq!(said("data: {drop}\n\n{\"a\":1}"), ":\n{\"a\":1}");
        assert_eq!(said("\n\ndata: {drop}\n\n{}"), "\n\n:\n{}");
        assert_eq!(said("data: {drop}\n\n\n\n[]"), ":\n\n\n[]");
        assert_eq!(
            said("id: 1\n{\"a\":1}\ndata: {"),
            ":\n{\"a\":1}\ndata: cut_off\n\n"
        );
        assert_eq!(said("data: {drop}\n\nmore"), "more");
    }
    assert_eq!(said("data: {drop}\n\n{}\n\n"), ":\n{}\n\n");
    assert_eq!(said("\n\ndata: {drop}\n\n []\n\n"), "\n\n:\n []\n\n");
}

/// Whether a stream is JSON, and not read as events.
fn is_json(stream: &[u8]) -> bool {
    let stream = uniform(stream);
    matches!(stream.trim_ascii_start(), [b'{' | b'[', ..])
}

/// What has to become of what a client would have read.
fn ruled(before: Read, unread: &[Withheld]) -> Read {
    let mut events = Vec::new();
    for mut event in before.events {
        let has_line_like_message = event
            .data
            .split(|byte| *byte == b'\n')
            .any(|line| Beginning::of(line).may_be_message());
        let is_message = Beginning::of(&event.data).may_be_message();
        let ruling = if is_message && !is_incomplete(&event.data) {
            by_words(&event.data)
        } else if is_message || has_line_like_message {
            Ruling::Instead(b"not_understood".to_vec())
        } else {
            Ruling::Pass
        };
        match ruling {
            Ruling::Pass => {}
            Ruling::Instead(text) => event.data = text,
            Ruling::Drop => continue,
        }
        events.push(event);
    }
    let rest = Vec::new();
    if let [.., Withheld::CutOff] = unread {
        let data = b"cut_off".to_vec();
        // Of which kind, and after which id, is compared elsewhere.
        events.push(Dispatched {
            data,
            kind: Vec::new(),
            id: before.id.clone(),
        });
    }
    Read {
        events,
        id: before.id,
        rest,
    }
}

proptest! {
    #[test]
    fn a_client_reads_what_was_ruled_and_nothing_else(stream in stream()) {
        prop_assume!(!is_json(&stream));
        let outcome = whole(EVENTS, &stream, &by_words);
        let expected = ruled(read(&uniform(&stream), Client::Standard), &outcome.unread);
        for client in CLIENTS {
            let mut after = read(&outcome.out, client);
            if let [.., Withheld::CutOff] = outcome.unread[..] {
                after.events.last_mut().unwrap().kind.clear();
            }
            prop_assert_eq!(&after, &expected, "{:?}", client);
        }
    }

    #[test]
    fn of_a_body_of_any_kind_a_client_reads_nothing_that_was_not_looked_at(
        kind in prop::sample::select(vec![BodyKind::Json, BodyKind::Untold, BodyKind::Events]),
        stream in stream(),
    ) {
        let outcome = whole(Setting { kind, ..EVENTS }, &stream, &by_words);
        let new = [&b"{\n\"new\":1}"[..], b"cut_off"];
        let was_looked_at = |text: &[u8]| {
            outcome.read.iter().any(|read| read == text) && by_words(text) == Ruling::Pass
                || new.contains(&text)
        };
        let is_message = if kind == BodyKind::Events {
            is_json(&outcome.out)
        } else {
            Beginning::after_unusual(&outcome.out) == Beginning::Message
        };
        if is_message {
            // White space before a text has gone on before it.
            let text = outcome.out.trim_ascii_start();
            let is_same = |all: &Vec<u8>| all.trim_ascii_start() == text;
            prop_assert!(
                was_looked_at(text) || outcome.read.iter().any(|all| is_same(all) && was_looked_at(all)),
                "{}", outcome.out.escape_ascii()
            );
            return Ok(());
        }
        for client in CLIENTS {
            let client = read(&outcome.out, client);
            for data in client.events.into_iter().map(|event| event.data).chain([client.rest]) {
                let is_text = !Beginning::of(&data).may_be_message();
                prop_assert!(is_text || was_looked_at(&data), "{}", data.escape_ascii());
            }
        }
    }

    #[test]
    fn where_all_passes_what_came_up_to_the_last_blank_line_goes_on(stream in stream()) {
        let unread = whole(EVENTS, &stream, &pass).unread;
        prop_assume!(!unread.contains(&Withheld::NotUnderstood) && !is_json(&stream));
        let mut body = ResponseBody::new(BodyKind::Events, 1 << 20);
        let out = match body.feed(&stream, true, &mut AllPass) {
            Fed::AsItCame => stream.clone(),
            Fed::Instead(out) => out,
            Fed::Cut(_) => panic!("nothing of it is critical"),
        };
        let mut expected = with_line_feeds(up_to_blank_line(&uniform(&stream)));
        if expected.ends_with(b"\r") {
            expected.push(b'\n');
        }
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn whole_events_that_pass_are_not_copied(stream in stream()) {
        let mut stream = with_line_feeds(up_to_blank_line(&uniform(&stream)));
        if stream.ends_with(b"\r") {
            stream.push(b'\n');
        }
        prop_assume!(!stream.starts_with(MARK) && !stream.starts_with(WRONG_MARK));
        let outcome = whole(EVENTS, &stream, &pass);
        prop_assume!(outcome.unread.is_empty() && !is_json(&stream));
        prop_assert!(outcome.as_it_came);
    }
}
