//! JSON text taken apart one level at a time, with what is inside left as it
//! was written: for texts that go on with a part of them changed.
//!
//! Every level that is taken apart is strict: valid JSON in UTF-8, no member
//! name twice. What is not taken apart is valid JSON in UTF-8.

use core::ops::Range;
use std::borrow::Cow;

use super::JsonError;
use super::letters::is_lookalike_of_any;
use super::parse::has_duplicate;
use super::walk::Walk;

/// The members of an object, in the order in which they were written: names
/// decoded, values as they stand in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// A text of exactly one object.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`].
pub fn object(text: &[u8]) -> Result<RawObject<'_>, JsonError> {
    let (walk, is_whole) = begin(text);
    taken_apart(walk, is_whole, value)
}

/// As [`object`], and with the members of the member of that name, where its
/// value is such an object too: one pass for both.
///
/// # Errors
/// As [`object`].
pub fn object_with<'a>(
    text: &'a [u8],
    inner: &str,
) -> Result<(RawObject<'a>, Option<RawObject<'a>>), JsonError> {
    let (walk, is_whole) = begin(text);
    let mut found = None;
    let object = taken_apart(walk, is_whole, |name, walk| {
        if name != inner {
            return walk.value();
        }
        walk.next();
        let mut behind = *walk;
        let Some(members) = walk_members(&mut behind, value) else {
            return walk.value();
        };
        found = (!has_duplicate(&members)).then_some(RawObject(members));
        let value = walk.until(&behind)?;
        *walk = behind;
        Some(value)
    })?;
    Ok((object, found))
}

/// As [`object`], for a part of a text that was taken apart: that it is UTF-8 is
/// not checked again.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`].
pub(crate) fn object_within(json: &str) -> Result<RawObject<'_>, JsonError> {
    taken_apart(Walk::new(json), true, value)
}

/// `is_whole`: the text does not end with something that is no UTF-8. `value`
/// goes over the value of a member.
fn taken_apart<'a>(
    mut walk: Walk<'a>,
    is_whole: bool,
    value: impl FnMut(&str, &mut Walk<'a>) -> Option<&'a str>,
) -> Result<RawObject<'a>, JsonError> {
    let members = walk_members(&mut walk, value).ok_or(JsonError::Syntax)?;
    if has_duplicate(&members) {
        return Err(JsonError::DuplicateMember);
    }
    if !is_whole || walk.next().is_some() {
        return Err(JsonError::Syntax);
    }
    Ok(RawObject(members))
}

/// At the beginning of a text, as far as it is UTF-8, and whether that is all
/// of it.
fn begin(text: &[u8]) -> (Walk<'_>, bool) {
    match core::str::from_utf8(text) {
        Ok(text) => (Walk::new(text), true),
        // Before the byte that is no UTF-8, something else may be wrong.
        Err(error) => {
            let before = text.get(..error.valid_up_to()).unwrap_or_default();
            let before = core::str::from_utf8(before).unwrap_or_default();
            (Walk::new(before), false)
        }
    }
}

fn value<'a>(_: &str, walk: &mut Walk<'a>) -> Option<&'a str> {
    walk.value()
}

fn walk_members<'a>(
    walk: &mut Walk<'a>,
    mut value: impl FnMut(&str, &mut Walk<'a>) -> Option<&'a str>,
) -> Option<Vec<(Cow<'a, str>, &'a str)>> {
    let mut members = Vec::new();
    walk.takes(b'{').then_some(())?;
    let mut ends = walk.takes(b'}');
    while !ends {
        let name = walk.name()?.read()?;
        let value = value(&name, walk)?;
        members.push((name, value));
        ends = walk.ends(b'}')?;
    }
    Some(members)
}

/// The elements of a text of exactly one array, as they stand in it.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`] or
/// [`JsonError::DuplicateMember`].
pub fn array(text: &[u8]) -> Result<Vec<&str>, JsonError> {
    let (mut walk, is_whole) = begin(text);
    let elements = walk_elements(&mut walk).ok_or(JsonError::Syntax)?;
    if !is_whole || walk.next().is_some() {
        return Err(JsonError::Syntax);
    }
    Ok(elements)
}

fn walk_elements<'a>(walk: &mut Walk<'a>) -> Option<Vec<&'a str>> {
    let mut elements = Vec::new();
    walk.takes(b'[').then_some(())?;
    let mut ends = walk.takes(b']');
    while !ends {
        elements.push(walk.value()?);
        ends = walk.ends(b']')?;
    }
    Some(elements)
}

/// The string that this text is, if it is one.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut walk = Walk::new(text);
    let string = walk.string()?;
    if walk.next().is_some() {
        return None;
    }
    string.read()
}

/// Where a part stands in the text that it was taken from; `None` if it was
/// not taken from this text.
pub fn place(text: &[u8], part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= text.len()).then_some(start..end)
}

impl<'a> RawObject<'a> {
    /// The value of a member, as it stands in the text.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut members = self.0.iter();
        members
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    /// Whether a member is spelled like one of the names, which are ASCII, but
    /// for letter case:
    /// some readers would take it for that one.
    pub fn has_lookalike(&self, names: &[&str]) -> bool {
        self.iter()
            .any(|(member, _)| is_lookalike_of_any(member, names))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::tests::raw_reference;
    use super::*;

    #[test]
    fn parts_stay_as_they_were_written_and_know_their_place() {
        let text = br#" { "a" : [ 1.0 , {"x":1,"x":2} ] , "\u0062":"\u0041" } "#;
        let members = object(text).unwrap();
        let a = members.get("a").unwrap();
        assert_eq!(a, r#"[ 1.0 , {"x":1,"x":2} ]"#);
        assert_eq!(members.get("b"), Some(r#""\u0041""#));
        assert_eq!(string(members.get("b").unwrap()).unwrap(), "A");
        assert_eq!(array(a.as_bytes()).unwrap(), ["1.0", r#"{"x":1,"x":2}"#]);
        let place = place(text, a).unwrap();
        assert_eq!(text.get(place), Some(a.as_bytes()));
        assert_eq!(super::place(text, "elsewhere"), None);
    }

    #[test]
    fn a_level_that_is_taken_apart_is_strict() {
        for (text, error) in [
            (&br#"{"a":1,"\u0061":2}"#[..], JsonError::DuplicateMember),
            (br#"{"a":1}x"#, JsonError::Syntax),
            (br#"{"a":01}"#, JsonError::Syntax),
            (b"{\"a\":\"\xff\"}", JsonError::Syntax),
            (b"{\"a\"", JsonError::Syntax),
            (b"[]", JsonError::Syntax),
            (b"", JsonError::Syntax),
        ] {
            assert_eq!(object(text), Err(error), "{text:?}");
        }
        assert_eq!(array(b"{}"), Err(JsonError::Syntax));
        assert_eq!(array(b"[1,]"), Err(JsonError::Syntax));
        assert_eq!(string("1"), None);
    }

    #[test]
    fn an_object_in_an_object_is_taken_apart_with_it() {
        let read = |text: &'static str| object_with(text.as_bytes(), "a").unwrap();
        let (outer, inner) = read(r#"{"b":{"x":1},"\u0061": {"x" : [2] } ,"c":3}"#);
        assert_eq!(outer.get("a"), Some(r#"{"x" : [2] }"#));
        assert_eq!(outer.get("c"), Some("3"));
        assert_eq!(inner.unwrap().get("x"), Some("[2]"));
        for text in [
            r#"{"a":[{}]}"#,
            r#"{"a":{"x":1,"x":2}}"#,
            r#"{"a":{"\ud800":1}}"#,
            r#"{"b":{}}"#,
        ] {
            let (outer, inner) = read(text);
            assert_eq!((outer.0.len(), inner), (1, None), "{text}");
        }
        assert_eq!(object_with(b"{\"a\":{]}", "a"), Err(JsonError::Syntax));
    }

    #[test]
    fn a_member_that_differs_in_letter_case_only_is_a_lookalike() {
        let members = object(br#"{"result":1,"re\u017fult":2,"other":3}"#).unwrap();
        assert!(members.has_lookalike(&["id", "result"]));
        assert!(members.has_lookalike(&["Other"]));
        assert!(!members.has_lookalike(&["id", "other"]));
    }

    /// JSON texts, as strange as they are allowed to be.
    pub(in crate::json) fn json() -> impl Strategy<Value = String> {
        let scalar = prop::sample::select(vec![
            "null",
            "-1.5e+3",
            "0",
            "true",
            "\"\"",
            "\"]}\"",
            "\"\\\"\"",
            "\"\\\\\"",
            "\"\\ud800\"",
            "\"é\\u0061 a long text, and what is behind it\"",
        ]);
        let name = prop::sample::select(vec![
            "\"a\"",
            "\"\\u0061\"",
            "\"b\"",
            "\"\\ud800\"",
            "\"{\"",
            "\"\\\\\"",
            "\"c\"",
            "\"é\"",
        ]);
        let space = || prop::sample::select(vec!["", "", "", " ", "\n\t\r "]);
        scalar
            .prop_map(str::to_owned)
            .prop_recursive(4, 32, 4, move |inner| {
                let element = (space(), inner.clone(), space())
                    .prop_map(|(before, value, behind)| format!("{before}{value}{behind}"));
                let member = (space(), name.clone(), space(), element.clone()).prop_map(
                    |(before, name, behind, value)| format!("{before}{name}{behind}:{value}"),
                );
                let joined = |open: char, parts: Vec<String>, close: char| {
                    format!("{open}{}{close}", parts.join(","))
                };
                prop_oneof![
                    prop::collection::vec(element, 0..4).prop_map(move |all| joined('[', all, ']')),
                    prop::collection::vec(member, 0..4).prop_map(move |all| joined('{', all, '}')),
                ]
            })
    }

    fn is_like_the_reference(bytes: &[u8]) {
        let shown = bytes.escape_ascii();
        let members = object(bytes).map(|members| members.0);
        assert_eq!(members, raw_reference::object(bytes), "{shown}");
        assert_eq!(array(bytes), raw_reference::array(bytes), "{shown}");
        if let Ok(text) = core::str::from_utf8(bytes) {
            assert_eq!(string(text), raw_reference::string(text), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_wrong_in_the_words_of_the_reference() {
        for text in [
            &b"{\"a\":1,\"a\":2}x"[..],
            b"{\"a\":1,\"a\":2}\xff",
            b"{\"a\":1,\"a\":\"\xff\"}",
            b"{\"a\":1,\"a\":2,",
            b"{\"\\ud800\":1}",
            b"{\"a\":\"\\ud800\"}",
            b" {} ",
            b"[1]x",
            b"[\"\xff\"]",
            b"[1,\xff",
            b" \"a\\n\" ",
            b"\"\\ud800\"",
            b"\"\\ud83d\\ude00\"",
            b"\"\\udc00\"",
            b"\"a\" x",
            b"\x0c{}",
            b"",
        ] {
            is_like_the_reference(text);
        }
    }

    proptest! {
        #[test]
        fn what_is_known_to_be_json_is_taken_apart_in_the_same_way(json in json()) {
            prop_assert_eq!(object_within(&json), object(json.as_bytes()));
        }

        #[test]
        fn an_object_and_one_in_it_are_taken_apart_as_one_after_the_other(json in json()) {
            let both = object_with(json.as_bytes(), "a");
            match object(json.as_bytes()) {
                Ok(members) => {
                    let (outer, found) = both.unwrap();
                    let inner = members.get("a").map(|value| object(value.as_bytes()));
                    prop_assert_eq!(found, inner.and_then(Result::ok));
                    prop_assert_eq!(outer, members);
                }
                Err(error) => prop_assert_eq!(both, Err(error)),
            }
        }

        #[test]
        fn texts_are_taken_apart_as_serde_json_takes_them_apart(
            json in json(),
            wrong in prop::collection::vec(any::<u8>(), 0..3),
            at: prop::sample::Index,
        ) {
            is_like_the_reference(json.as_bytes());
            let mut bytes = json.into_bytes();
            let at = at.index(bytes.len());
            bytes.splice(at..at, wrong.iter().copied());
            is_like_the_reference(&bytes);
            bytes.extend(wrong);
            is_like_the_reference(&bytes);
        }

        #[test]
        fn any_bytes_are_taken_apart_or_refused_without_a_panic(bytes: Vec<u8>, text: String) {
            is_like_the_reference(&bytes);
            is_like_the_reference(text.as_bytes());
            let _ = object_within(&text);
        }
    }
}
