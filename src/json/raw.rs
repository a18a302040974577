//! JSON text taken apart one level at a time, with what is inside left as it
//! was written: for texts that go on with a part of them changed.
//!
//! Every level that is taken apart is strict: valid JSON in UTF-8, no member
//! name twice. What is not taken apart is valid JSON in UTF-8.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::JsonError;
use super::cursor::Cursor;
use super::letters::is_lookalike_of_any;
use super::parse::has_duplicate;

/// The members of an object, in the order in which they were written: names
/// decoded, values as they stand in the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// A text of exactly one object.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`].
pub fn object(text: &[u8]) -> Result<RawObject<'_>, JsonError> {
    serde_json::from_slice(text).map_err(|error| classify(&error))
}

/// As [`object`], for a text that is known to be JSON, like what another object
/// was taken apart into: that is not checked again.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`].
pub(crate) fn object_within(json: &str) -> Result<RawObject<'_>, JsonError> {
    let members = members(json).ok_or(JsonError::Syntax)?;
    if has_duplicate(&members) {
        return Err(JsonError::DuplicateMember);
    }
    Ok(RawObject(members))
}

fn members(json: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut cursor = Cursor::new(json);
    let mut members = Vec::new();
    cursor.take(b'{').then_some(())?;
    if !cursor.take(b'}') {
        loop {
            let name = cursor.string()?;
            cursor.take(b':').then_some(())?;
            members.push((name, cursor.value()?));
            if !cursor.take(b',') {
                break;
            }
        }
        cursor.take(b'}').then_some(())?;
    }
    cursor.peek().is_none().then_some(members)
}

/// The elements of a text of exactly one array, as they stand in it.
///
/// # Errors
/// [`JsonError`]; never [`JsonError::TooDeep`] or
/// [`JsonError::DuplicateMember`].
pub fn array(text: &[u8]) -> Result<Vec<&str>, JsonError> {
    let elements: Elements<'_> = serde_json::from_slice(text).map_err(|error| classify(&error))?;
    Ok(elements.0)
}

/// The string that this text is, if it is one.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let name: Name<'_> = serde_json::from_str(text).ok()?;
    Some(name.0)
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

const DUPLICATE: &str = "duplicate member";

/// serde carries our own error as text, so this reads it back.
fn classify(error: &serde_json::Error) -> JsonError {
    let is_ours = error.classify() == serde_json::error::Category::Data;
    let text = error.to_string();
    if is_ours && text.starts_with(DUPLICATE) {
        JsonError::DuplicateMember
    } else if !is_ours && text.starts_with("recursion limit exceeded") {
        JsonError::TooDeep
    } else {
        JsonError::Syntax
    }
}

struct Elements<'a>(Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = access.next_element::<&RawValue>()? {
                    elements.push(element.get());
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = RawObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = access.next_key::<Name<'de>>()? {
                    members.push((name.0, access.next_value::<&RawValue>()?.get()));
                }
                if has_duplicate(&members) {
                    return Err(A::Error::custom(DUPLICATE));
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A string, without a copy where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn what_is_known_to_be_json_is_taken_apart_in_the_same_way(json in json()) {
            prop_assert_eq!(object_within(&json), object(json.as_bytes()));
        }

        #[test]
        fn any_bytes_are_taken_apart_or_refused_without_a_panic(bytes: Vec<u8>, text: String) {
            let _ = object(&bytes);
            let _ = array(&bytes);
            let _ = string(&text);
            let _ = object_within(&text);
        }
    }
}
