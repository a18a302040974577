//! Messages that go on before they are complete.

use proptest::prelude::*;

use super::reference::{CLIENTS, is_json, is_plain_answer, read};
use super::*;
use crate::response::glance::Glance;

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"0123456789"}],"tools":[]}}"#;

/// Only what may go on incomplete may go on complete.
fn by_answer(text: &[u8]) -> Ruling {
    if is_plain_answer(text) {
        Ruling::Pass
    } else {
        Ruling::Drop
    }
}

fn glanced(text: &[u8]) -> Glance {
    let mut glance = Glance::default();
    glance.feed(text);
    glance
}

#[test]
fn a_large_answer_goes_on_before_it_is_complete() {
    let answer = ANSWER.replace(",\"tools\":[]", "");
    let (before, after) = answer.split_at(60);
    for (kind, start, end) in [
        (BodyKind::Json, "", ""),
        (BodyKind::Events, "id: 1\ndata: ", "\n\n"),
    ] {
        let mut body = ResponseBody::flowing_from(kind, 4096, 50);
        let first = format!("{start}{before}");
        assert_eq!(
            body.feed(first.as_bytes(), false, &mut AllPass),
            Fed::AsItCame
        );
        assert!(!body.is_settled());
        let second = format!("{after}{end}");
        assert_eq!(
            body.feed(second.as_bytes(), true, &mut AllPass),
            Fed::AsItCame
        );
    }
}

#[test]
fn an_answer_that_turns_out_to_be_critical_is_never_completed() {
    let (before, after) = ANSWER.split_at(60);
    for kind in [BodyKind::Json, BodyKind::Events] {
        let start = if kind == BodyKind::Events {
            "data: {}\n\ndata: "
        } else {
            ""
        };
        let mut body = ResponseBody::flowing_from(kind, 4096, 50);
        let first = format!("{start}{before}");
        assert_eq!(
            body.feed(first.as_bytes(), false, &mut AllPass),
            Fed::AsItCame
        );
        assert_eq!(
            body.feed(after.as_bytes(), false, &mut AllPass),
            Fed::Cut(Vec::new())
        );
        assert_eq!(
            body.feed(b"\n\ndata: {}\n\n", true, &mut AllPass),
            Fed::Instead(Vec::new())
        );
    }
}

#[test]
fn where_messages_may_not_flow_they_are_held() {
    struct Held;
    impl Inspect for Held {
        fn may_flow(&self) -> bool {
            false
        }
        fn message(&mut self, _: &[u8]) -> Option<Ruling> {
            Some(Ruling::Drop)
        }
        fn unread(&mut self, _: Withheld) -> Ruling {
            Ruling::Drop
        }
    }
    for (kind, start, end) in [
        (BodyKind::Json, "", ""),
        (BodyKind::Events, "data: ", "\n\n"),
    ] {
        let mut body = ResponseBody::flowing_from(kind, 4096, 8);
        for byte in format!("{start}{ANSWER}{end}").bytes() {
            let fed = body.feed(&[byte], false, &mut Held);
            assert_eq!(fed, Fed::Instead(Vec::new()));
        }
        let fed = body.feed(b" ", true, &mut Held);
        assert_eq!(fed, Fed::Instead(Vec::new()));
    }
}

#[test]
fn what_a_glance_vouches_for() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"#,
        r#" { "result" : { "content" : [ { "tools" : [ ] , "\u0041" : -1.5e+3 } ] "#,
        r#"{"result":{"resultType":"complete","_meta":{"a":{"taskId":1}},"x":"tools"}"#,
        r#"{"result":{},"id":"a\nb","jsonrpc":"2.0"} "#,
        "{\"result\":{\"é\":true,\"",
        r#"{"result":{"d\u00e9\"\\":1,"_meta":{"io.modelcontextprotocol\/x\u4e00":"#,
        r#"{"result":{"content":[{"\n\ud83d\ude00":1}],"\u005fmeta":{"tools":"#,
    ] {
        assert!(glanced(text.as_bytes()).may_flow(), "{text}");
    }
    let long = format!("{{\"result\":{{\"{}\":1,", "tools".repeat(100));
    assert!(glanced(long.as_bytes()).may_flow());
}

#[test]
fn what_a_glance_does_not_vouch_for() {
    for text in [
        "",
        r#"{"jsonrpc":"2.0","id":1,"#,
        r#"[{"result":{"#,
        r#"{"result":[{"#,
        r#"{"method":"x","result":{"#,
        r#"{"result":{},"method""#,
        r#"{"result":{},"error""#,
        r#"{"result":{},"result""#,
        r#"{"result":{},"Result""#,
        r#"{"result":{},"re\u0073ult""#,
        r#"{"jsonrpc":"1.0","result":{"#,
        r#"{"id":null,"result":{"#,
        r#"{"id":{"result":{}},"result":{"#,
        r#"{"result":{"tools""#,
        r#"{"result":{"a":[],"Tools""#,
        "{\"result\":{\"tool\u{17f}\"",
        "{\"result\":{\"ta\u{17f}\u{212a}\"",
        r#"{"result":{"\u0074ools""#,
        r#"{"result":{"\u0054OOL\u017F""#,
        r#"{"result":{"tas\u212a""#,
        r#"{"result":{"tools\u0000""#,
        r#"{"result":{"tools\n""#,
        r#"{"result":{"tools\ud800""#,
        r#"{"result":{"\u0072esultType":"task""#,
        r#"{"result":{"_meta":{"io.modelcontextprotocol\/related-task""#,
        r#"{"result":{"\u005fmeta":{"io.modelcontextprotocol\u002frelated-tas\u212A""#,
        r#"{"result":{"\/":1,"\u00g0""#,
        r#"{"result":{"\'""#,
        r#"{"result":{"resultType":"task""#,
        r#"{"result":{"resultType":1"#,
        r#"{"result":{"resulttype":"task""#,
        r#"{"result":{"_meta":{"io.modelcontextprotocol/related-task""#,
        r#"{"result":{}}x"#,
        r#"{"result":{}}{"#,
        r#"{"result":{"a":1 "b":2"#,
        r#"{"result":{a:1"#,
        r#"{"result":{'a':1"#,
        r#"{"result":{"a":01"#,
        r#"{"result":{"a":1,}"#,
        r#"{"result":{"a":[1}"#,
        r#"{"result":{"a":NaN"#,
        r#"{"result":{/**/"#,
        "{\"result\":{\"a\":\"\n",
        "\u{feff}{\"result\":{",
        "{\"result\":\u{a0}{",
    ] {
        assert!(!glanced(text.as_bytes()).may_flow(), "{text}");
    }
    assert!(!glanced(b"{\"result\":{\"a\":\"\xff").may_flow());
    assert!(!glanced(b"{\"result\":{\"a\":\"\xc3\"").may_flow());
    let deep = format!("{{\"result\":{{\"a\":{}", "[".repeat(127));
    assert!(!glanced(deep.as_bytes()).may_flow());
}

/// A name or a string, in JSON.
fn string() -> impl Strategy<Value = String> {
    let critical = prop::sample::select(vec![
        "tools",
        "prompts",
        "resources",
        "resourceTemplates",
        "task",
        "tasks",
        "taskId",
        "requestState",
        "inputRequests",
        "resultType",
        "_meta",
        "result",
        "id",
        "jsonrpc",
        "error",
        "method",
        "io.modelcontextprotocol/related-task",
    ]);
    let written = critical.prop_flat_map(|name| {
        let escaped = name.replacen('s', "\\u0073", 1);
        prop_oneof![
            4 => Just(name.to_owned()),
            1 => Just(name.to_uppercase()),
            1 => Just(name.replace('s', "\u{17f}")),
            1 => Just(escaped),
            1 => Just(name.replace('/', "\\/").replace('k', "\\u212a").replace('o', "\\u004F")),
        ]
    });
    let plain = prop::sample::select(vec![
        "content",
        "a",
        "",
        "complete",
        "2.0",
        "\\\"",
        "\\\\",
        "}",
        "{\\\"tools\\\":[]}",
        "é",
        "\\ud83d\\ude00",
        "a\\/d\\u00e9",
        "\\n",
        "]",
        "isError",
        "\u{2028}",
        "data: ",
        "name that is longer than sixty-four bytes, and so none of these names",
    ]);
    prop_oneof![2 => written, 3 => plain.prop_map(str::to_owned)]
        .prop_map(|text| format!("\"{text}\""))
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n"), 1 => Just("\t\r\n ")]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => string(),
        1 => prop::sample::select(vec!["1", "-0.5e3", "null", "true", "false", "{}", "[]"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![object_of(inner.clone()), array_of(inner)]
    })
}

fn array_of(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(",")))
}

fn object_of(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((string(), blank(), inner), 0..4).prop_map(object)
}

fn object(members: Vec<(String, &'static str, String)>) -> String {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, blank, value)| format!("{blank}{name}{blank}:{blank}{value}{blank}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Messages, most of them answers or nearly so, some with a byte changed.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let member = prop_oneof![
        4 => Just(("\"jsonrpc\"".to_owned(), "", "\"2.0\"".to_owned())),
        4 => Just(("\"id\"".to_owned(), "", "1".to_owned())),
        8 => (blank(), object_of(value()))
            .prop_map(|(blank, result)| ("\"result\"".to_owned(), blank, result)),
        1 => (string(), blank(), value()),
    ];
    let change = prop_oneof![
        6 => Just(None),
        1 => any::<(prop::sample::Index, u8)>().prop_map(Some),
        1 => (any::<prop::sample::Index>(), prop::sample::select(b"\"\\{}[]:, \n\r".to_vec()))
            .prop_map(Some),
    ];
    (prop::collection::vec(member, 1..5), change).prop_map(|(members, change)| {
        let mut text = object(members).into_bytes();
        if let Some((at, byte)) = change {
            let at = at.index(text.len());
            text[at] = byte;
        }
        text
    })
}

proptest! {
    #[test]
    fn a_glance_vouches_for_a_whole_text_if_it_is_a_plain_answer(
        text in message(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut glance = Glance::default();
        for part in cut_at(&text, &cuts) {
            glance.feed(&part);
        }
        if is_json(&text) {
            prop_assert!(!glance.may_flow() || is_plain_answer(&text));
        }
        // What it does not vouch for is not plain, or a name is escaped.
        if is_plain_answer(&text) && !text.contains(&b'\\') {
            prop_assert!(glance.may_flow(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_flowed_never_becomes_a_message_that_would_not_pass(
        messages in prop::collection::vec(message(), 1..4),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        flow_from in 16..100_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut stream = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            stream.extend(format!("id: {number}{line_end}").bytes());
            for line in message.split(|byte| matches!(byte, b'\r' | b'\n')) {
                stream.extend(b"data: ");
                stream.extend(line);
                stream.extend(line_end.bytes());
            }
            stream.extend(line_end.bytes());
        }
        let setting = Setting { flow_from, ..EVENTS };
        let parts = cut_at(&stream, &cuts);
        let outcome = run(setting, slices(&parts), &by_answer);
        for client in CLIENTS {
            let client = read(&outcome.out, client);
            let data = client.events.into_iter().map(|event| event.data);
            for data in data.chain([client.rest]) {
                prop_assert!(
                    !is_json(&data) || is_plain_answer(&data),
                    "{}", data.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_body_that_flowed_never_becomes_a_message_that_would_not_pass(
        message in message(),
        flow_from in 16..100_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let setting = Setting { flow_from, ..JSON };
        let parts = cut_at(&message, &cuts);
        let outcome = run(setting, slices(&parts), &by_answer);
        prop_assert!(!is_json(&outcome.out) || is_plain_answer(&outcome.out));
        if is_plain_answer(&message) && !message.contains(&b'\\') {
            prop_assert_eq!(outcome.out, message);
        }
    }
}
