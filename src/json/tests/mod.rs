//! The parser by itself, and against `serde_json` as a reference.

pub(super) mod raw_reference;
mod reference;

use proptest::prelude::*;

use super::*;

fn ok(text: &str) -> Json<'static> {
    parse(text.as_bytes(), 8).unwrap()
}

#[test]
fn a_duplicate_member_is_refused_at_any_depth_and_in_any_spelling() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[[{"x":{"a":1,"b":2,"a":1}}]]"#,
    ] {
        assert_eq!(
            parse(text.as_bytes(), 8),
            Err(JsonError::DuplicateMember),
            "{text}"
        );
    }
    let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
    let text = format!("{{{many}\"k7\":1}}");
    assert_eq!(parse(text.as_bytes(), 8), Err(JsonError::DuplicateMember));
    let text = format!("{{{many}\"other\":1}}");
    assert_eq!(ok(&text).as_object().unwrap().len(), 41);
}

#[test]
fn nesting_is_allowed_up_to_the_bound_and_not_beyond() {
    assert!(parse(b"[[{}]]", 3).is_ok());
    assert_eq!(parse(b"[[[{}]]]", 3), Err(JsonError::TooDeep));
    assert_eq!(parse(b"[]", 0), Err(JsonError::TooDeep));
    assert!(parse(b"1", 0).is_ok());
    let deep = "[".repeat(5000);
    assert_eq!(parse(deep.as_bytes(), 10_000), Err(JsonError::TooDeep));
}

#[test]
fn what_is_not_exactly_one_json_value_in_utf_8_is_a_syntax_error() {
    for bytes in [
        &b""[..],
        b"{}{}",
        b"{} x",
        b"\xef\xbb\xbf{}",
        b"\"\xff\"",
        b"{\"a\":1,}",
        b"'a'",
        b"01",
        b"1e999",
        b"NaN",
        b"\"\\ud800\"",
        b"[1",
        b"\"a\nb\"",
        b"\x00",
    ] {
        assert_eq!(parse(bytes, 8), Err(JsonError::Syntax), "{bytes:?}");
    }
}

#[test]
fn numbers_are_the_same_by_value_not_by_spelling() {
    assert!(ok("1").same_value(&ok("1.0")));
    assert!(ok("100").same_value(&ok("1e2")));
    assert!(ok("0.5").same_value(&ok("5e-1")));
    assert!(!ok("9007199254740993").same_value(&ok("9007199254740992.0")));
    assert!(!ok("1").same_value(&ok("\"1\"")));
    assert!(ok(r#"{"a":1,"b":[2]}"#).same_value(&ok(r#"{"b":[2.0],"a":1}"#)));
}

#[test]
fn of_a_message_only_what_is_asked_for_is_read() {
    let text = r#"{"id":[1],"params":{"_meta":{"a":{"b":1}},"arguments":
        {"plain":"x","number":-1.5,"escaped":"\u0078","list":[1, {}],"asked":{"c":["\u0064"]}}}}"#;
    let read = message(text.as_bytes(), 8, &["asked".to_owned()]).unwrap();
    let whole = ok(text);
    let member = |json: &Json<'_>, path: &[&str]| {
        path.iter().fold(json.clone().into_owned(), |json, name| {
            json.as_object().unwrap().get(name).unwrap().clone()
        })
    };
    for path in [
        &["id"][..],
        &["params", "_meta"],
        &["params", "arguments", "plain"],
        &["params", "arguments", "number"],
        &["params", "arguments", "asked"],
    ] {
        assert_eq!(member(&read, path), member(&whole, path), "{path:?}");
    }
    for (name, written) in [("escaped", r#""\u0078""#), ("list", "[1, {}]")] {
        let value = member(&read, &["params", "arguments", name]);
        assert_eq!(value, Json::Unread(written.into()), "{name}");
        assert!(!value.same_value(&value));
    }
    for text in [
        r#"{"result":{"a":[1]}}"#,
        r#"[{"error":{"a":[1]}},{"result":["\n"]}]"#,
    ] {
        let read = message(text.as_bytes(), 8, &[]).unwrap();
        assert!(format!("{read:?}").contains("Unread"), "{text}");
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}

#[test]
fn what_is_not_read_is_checked_all_the_same() {
    for (value, error) in [
        (r#"{"b":{"a":1,"a":2}}"#, JsonError::DuplicateMember),
        (r#"{"b":[{"a":1,"\u0061":2}]}"#, JsonError::DuplicateMember),
        (r#"[[[[]]]]"#, JsonError::TooDeep),
        (r#"["\ud800"]"#, JsonError::Syntax),
        ("[1e999]", JsonError::Syntax),
        ("[01]", JsonError::Syntax),
        ("[1,]", JsonError::Syntax),
        ("{\"a\":\"\u{1}\"}", JsonError::Syntax),
    ] {
        let text = format!(r#"{{"params":{{"arguments":{{"x":{value}}}}}}}"#);
        assert_eq!(
            message(text.as_bytes(), 6, &[]),
            Err(error.clone()),
            "{text}"
        );
        let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        let text = format!(r#"{{"result":{{{many}"x":[{value}]}}}}"#);
        assert_eq!(message(text.as_bytes(), 6, &[]), Err(error), "{text}");
    }
}

/// Texts that are nearly JSON, and JSON that is nearly ambiguous.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"\"a\"",
        b"\"\\u0061\"",
        b"\"b\"",
        b"\"params\":",
        b"\"arguments\":{",
        b"\"result\":",
        b"\"a\":1",
        b"\"b\":{}",
        b"\"\\u0062\":[",
        b"\"c\":\"x",
        b"\"",
        b"\\",
        b"\\ud83d",
        b"\\ude00",
        b"\\n",
        b"\xff",
        b"\xc3\xa9",
        b"\x1f",
        b"0",
        b"-0",
        b"12",
        b"-7",
        b".5",
        b"e9",
        b"E+400",
        b"18446744073709551616",
        b"true",
        b"false",
        b"null",
        b"nul",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

/// Whole documents, now and then with a name twice or too deep.
fn document() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[a-c]{0,2}".prop_map(|text| format!("\"{text}\"")),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        Just(r#""\u0061""#.to_owned()),
    ];
    let scalar = prop_oneof![
        text.clone(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        Just("null".to_owned()),
        Just(" true ".to_owned()),
    ];
    scalar.prop_recursive(6, 64, 20, move |inner| {
        let name = prop_oneof![
            text.clone(),
            prop::sample::select(vec![
                "\"params\"".to_owned(),
                "\"arguments\"".to_owned(),
                "\"result\"".to_owned(),
            ])
        ];
        let members = (name, inner.clone()).prop_map(|(name, value)| format!("{name} :{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..20)
                .prop_map(|elements| format!("[{}]", elements.join(","))),
            prop::collection::vec(members, 0..20)
                .prop_map(|members| format!("{{{}}}", members.join(", "))),
        ]
    })
}

fn is_like_the_reference(bytes: &[u8], depth: usize) -> Result<(), TestCaseError> {
    let expected = reference::parse(bytes, depth);
    let parsed = parse(bytes, depth);
    prop_assert_eq!(&parsed, &expected);
    prop_assert_eq!(&borrowed(bytes, depth), &expected);
    let asked = ["a".to_owned()];
    match (message(bytes, depth, &asked), &expected) {
        (Ok(read), Ok(expected)) => is_read_of(&read, expected)?,
        (read, expected) => prop_assert_eq!(read.err(), expected.clone().err()),
    }
    // The numbers to the bit.
    prop_assert_eq!(format!("{parsed:?}"), format!("{expected:?}"));
    Ok(())
}

/// The same but for what is unread, which is the same when it is read.
fn is_read_of(read: &Json<'_>, whole: &Json<'_>) -> Result<(), TestCaseError> {
    match (read, whole) {
        (Json::Unread(text), whole) => {
            prop_assert_eq!(&borrowed(text.as_bytes(), usize::MAX).unwrap(), whole);
        }
        (Json::Array(read), Json::Array(whole)) => {
            prop_assert_eq!(read.len(), whole.len());
            for (read, whole) in read.iter().zip(whole) {
                is_read_of(read, whole)?;
            }
        }
        (Json::Object(read), Json::Object(whole)) => {
            prop_assert_eq!(read.len(), whole.len());
            for ((name, read), (expected, whole)) in read.iter().zip(whole.iter()) {
                prop_assert_eq!(name, expected);
                is_read_of(read, whole)?;
            }
        }
        (read, whole) => prop_assert_eq!(read, whole),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_what_the_reference_says(bytes: Vec<u8>) {
        is_like_the_reference(&bytes, 16)?;
    }

    #[test]
    fn what_is_nearly_json_is_what_the_reference_says(bytes in nearly_json()) {
        is_like_the_reference(&bytes, 4)?;
    }

    #[test]
    fn documents_are_what_the_reference_says(text in document(), depth in 2_usize..9) {
        is_like_the_reference(text.as_bytes(), depth)?;
        let call = format!(r#"{{"params":{{"arguments":{{"a":{text},"b":{text}}}}}}}"#);
        is_like_the_reference(call.as_bytes(), depth.saturating_add(2))?;
    }

    #[test]
    fn a_byte_that_is_wrong_is_found_wherever_it_stands(
        text in document(),
        byte: u8,
        place: prop::sample::Index,
    ) {
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        is_like_the_reference(&bytes, 8)?;
    }

    #[test]
    fn texts_end_where_the_first_special_byte_stands(bytes: Vec<u8>) {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let expected = bytes.iter().position(special).unwrap_or(bytes.len());
        prop_assert_eq!(text::plain(&bytes), expected);
    }

    #[test]
    fn names_have_twins_where_a_pair_has_the_same_letters(
        names in prop::collection::vec("[aAkK\u{212a}sS\u{17f}é]{0,3}", 0..24),
    ) {
        let folded = |name: &String| name.replace('\u{212a}', "k").replace('\u{17f}', "s").to_ascii_lowercase();
        let mut sorted: Vec<String> = names.iter().map(folded).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let has = letters::has_twins(names.iter().map(String::as_str));
        prop_assert_eq!(has, sorted.len() < names.len());
    }
}
