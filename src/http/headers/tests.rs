//! Headers against their plain definition.

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;

#[test]
fn a_single_header_is_trimmed_text_or_an_error() {
    let headers = Headers::from([("a", " x\t"), ("b", "1"), ("b", "2"), ("c", "é")]);
    assert_eq!(headers.single("a"), Ok(Some("x")));
    assert_eq!(headers.single("b"), Err(HeaderError::Repeated));
    assert_eq!(headers.single("c"), Err(HeaderError::NotText));
    assert_eq!(headers.single("d"), Ok(None));
}

#[test]
fn hyphens_and_underscores_are_two_spellings_of_one_name() {
    for (header, name) in [
        ("x_api-key", "x-api-key"),
        ("x-api-key", "x_api_key"),
        ("x_api-key", "x-api_key"),
    ] {
        assert!(is_spelling_of(header, name), "{header} {name}");
    }
    assert!(!is_spelling_of("x.api-key", "x_api_key"));
    assert!(!is_spelling_of("x-api-keys", "x-api-key"));
}

#[test]
fn a_set_of_names_finds_each_in_its_spellings() {
    let names: HeaderNames = ["authorization", "x-api_key", "x-b"].into_iter().collect();
    for (header, found) in [
        ("authorization", Some("authorization")),
        ("x_api-key", Some("x-api_key")),
        ("x_b", Some("x-b")),
        ("x-c", None),
        ("authorizatiom", None),
        ("", None),
    ] {
        assert_eq!(names.find(header.as_bytes()).map(|name| &**name), found);
    }
    assert_eq!(HeaderNames::default().find(b"authorization"), None);
}

#[test]
fn what_is_kept_of_headers_is_as_it_was() {
    let mut headers = Headers::from([("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")]);
    headers.reduce(|name| match name {
        b"a" => Keep::Header,
        b"b" => Keep::Name,
        _ => Keep::Nothing,
    });
    assert_eq!(headers.all("a").collect::<Vec<_>>(), [b"1", b"4"]);
    assert_eq!(headers.single("b"), Ok(Some("")));
    assert!(!headers.has("c"));
    assert_eq!(headers.names().collect::<Vec<_>>(), [b"a", b"b", b"a"]);
}

#[test]
fn a_map_whose_sizes_lie_is_none() {
    let good = Headers::from([("a", "1"), (":path", "/")]).bytes;
    assert!(Headers::read(good.clone()).is_some());
    // Of the last zero byte nothing depends.
    for length in 0..good.len() - 1 {
        assert!(Headers::read(good[..length].to_vec()).is_none(), "{length}");
    }
    for word in 0..5 {
        for lie in [u32::MAX, u32::MAX - 7, 1 << 31, 1 << 29, 1000] {
            let mut bytes = good.clone();
            bytes[word * 4..word * 4 + 4].copy_from_slice(&lie.to_le_bytes());
            assert!(Headers::read(bytes).is_none(), "{word} {lie}");
        }
    }
}

#[test]
fn text_is_visible_ascii_with_spaces_and_tabs_wherever_a_byte_stands() {
    for byte in 0..=u8::MAX {
        for place in 0..17 {
            let mut value = [b'~'; 17];
            value[place] = byte;
            let expected = matches!(byte, b'\t' | 0x20..=0x7e);
            assert_eq!(is_text(&value), expected, "{byte} {place}");
            value[(place + 3) % 17] = 0xff;
            assert!(!is_text(&value), "{byte} {place}");
        }
    }
}

#[test]
fn debug_shows_no_value() {
    let headers = Headers::from([("authorization", "Bearer secret")]);
    assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
}

/// The pairs of a map, read one word at a time.
fn reference(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let word = |index: usize| {
        let start = index.checked_mul(4)?;
        let word = bytes.get(start..start.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
    };
    let count = word(0)?;
    let mut position = count.checked_mul(8)?.checked_add(4)?;
    let mut next = |size: usize| {
        let end = position.checked_add(size)?;
        let text = bytes.get(position..end)?.to_vec();
        position = end.checked_add(1)?;
        Some(text)
    };
    let mut pairs = Vec::new();
    for index in 0..count {
        let sizes = index.checked_mul(2)?;
        let name = next(word(sizes.checked_add(1)?)?)?;
        pairs.push((name, next(word(sizes.checked_add(2)?)?)?));
    }
    Some(pairs)
}

fn read(bytes: Vec<u8>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let headers = Headers::read(bytes)?;
    let pairs = headers.pairs();
    let owned = pairs.map(|(name, value)| (name.to_vec(), value.to_vec()));
    Some(owned.collect())
}

/// Bytes in which some words are small, as sizes are.
fn nearly_a_map() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![4 => 0..6_u32, 1 => any::<u32>()];
    let words = proptest::collection::vec(word, 0..12);
    let rest = proptest::collection::vec(any::<u8>(), 0..40);
    (words, rest).prop_map(|(words, rest)| {
        let words = words.into_iter().flat_map(u32::to_le_bytes);
        words.chain(rest).collect()
    })
}

/// The value of [`Headers::single`], as it is defined.
fn single<'a>(values: &[&'a [u8]]) -> Result<Option<&'a str>, HeaderError> {
    match values {
        [] => Ok(None),
        [value] if value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) => {
            let text = core::str::from_utf8(value).unwrap();
            Ok(Some(text.trim_matches([' ', '\t'])))
        }
        [_] => Err(HeaderError::NotText),
        _ => Err(HeaderError::Repeated),
    }
}

/// Names of which some are alike but for a byte, with the same mark even.
const NAMES: [&str; 12] = [
    "",
    "a",
    "b",
    ":path",
    ":poth",
    "content-type",
    "content-tipe",
    "xontent-type",
    "content-typo",
    "x-mcp-subject-type",
    "x-mcp-sobject-type",
    "x-mcp-subject-typ",
];

proptest! {
    #[test]
    fn a_header_is_found_as_a_list_of_pairs_has_it(
        pairs in proptest::collection::vec(
            (
                proptest::sample::select(&NAMES[..]),
                prop_oneof![
                    "[ \t]{0,3}[ \t -~]{0,20}[ \t]{0,3}".prop_map(String::into_bytes),
                    "[ -~]{0,20}\\PC[ -~]{0,9}".prop_map(String::into_bytes),
                    ("[ -~]{0,20}", any::<u8>(), "[ -~]{0,20}")
                        .prop_map(|(a, b, c)| [a.as_bytes(), &[b], c.as_bytes()].concat()),
                ],
            ),
            0..8,
        ),
    ) {
        let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let headers = Headers::new(owned.collect());
        for name in NAMES {
            let of_name = pairs.iter().filter(|(other, _)| *other == name);
            let values: Vec<&[u8]> = of_name.map(|(_, value)| value.as_slice()).collect();
            prop_assert_eq!(headers.has(name), !values.is_empty());
            prop_assert_eq!(headers.single(name), single(&values));
            let (only, pseudo) = match values.as_slice() {
                [] => (Ok(None), ""),
                [value] => (Ok(Some(*value)), core::str::from_utf8(value).unwrap_or("")),
                _ => (Err(HeaderError::Repeated), ""),
            };
            prop_assert_eq!(headers.only(name), only);
            prop_assert_eq!(headers.pseudo(name), pseudo);
            prop_assert_eq!(headers.all(name).collect::<Vec<_>>(), values);
        }
        let asked = FixedNames::new([":path", "content-type", "x-mcp-subject-type"]);
        let is_there = pairs.iter().any(|(name, _)| asked.names.contains(name));
        prop_assert_eq!(headers.has_any(&asked), is_there);
    }

    #[test]
    fn any_bytes_are_read_as_a_simple_reader_reads_them(bytes in nearly_a_map()) {
        prop_assert_eq!(read(bytes.clone()), reference(&bytes));
    }

    #[test]
    fn pairs_come_back_as_they_were(
        pairs in proptest::collection::vec(
            ("[a-c_:-]{0,3}", proptest::collection::vec(any::<u8>(), 0..5)),
            0..8,
        ),
    ) {
        let headers = Headers::new(pairs.clone());
        let names: Vec<&[u8]> = pairs.iter().map(|(name, _)| name.as_bytes()).collect();
        prop_assert_eq!(headers.names().collect::<Vec<_>>(), names);
        for (name, _) in &pairs {
            let of_name = pairs.iter().filter(|(other, _)| other == name);
            let values: Vec<&[u8]> = of_name.map(|(_, value)| value.as_slice()).collect();
            prop_assert_eq!(headers.all(name).collect::<Vec<_>>(), values);
            prop_assert!(headers.has(name));
        }
        prop_assert!(!headers.has("d"));
    }
}
