//! From bytes to [`Json`], through serde_json's tokenizer.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Json, Number, Object};

/// Why bytes are not the strict JSON that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Not one JSON value in UTF-8, or more than one, or a number that no
    /// double can hold.
    Syntax,
    /// A member name appears twice in one object.
    DuplicateMember,
    /// Nested deeper than allowed.
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a single valid JSON value",
            Self::DuplicateMember => "a member name appears twice in one object",
            Self::TooDeep => "nested too deeply",
        })
    }
}

/// Parses exactly one JSON value. `max_depth` is how many arrays and objects
/// may stand inside each other; a scalar has depth 0. serde_json's own bound
/// of 127 holds as well.
///
/// # Errors
/// See [`JsonError`].
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<Json, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Value {
        depth_left: max_depth,
    }
    .deserialize(&mut deserializer)
    .map_err(|error| classify(&error))?;
    deserializer.end().map_err(|_| JsonError::Syntax)?;
    Ok(value)
}

pub(super) const DUPLICATE: &str = "duplicate member";
const TOO_DEEP: &str = "too deep";

/// serde carries our own errors as text, so this reads them back.
pub(super) fn classify(error: &serde_json::Error) -> JsonError {
    if error.classify() != serde_json::error::Category::Data {
        let text = error.to_string();
        return if text.starts_with("recursion limit exceeded") {
            JsonError::TooDeep
        } else {
            JsonError::Syntax
        };
    }
    let text = error.to_string();
    if text.starts_with(DUPLICATE) {
        JsonError::DuplicateMember
    } else if text.starts_with(TOO_DEEP) {
        JsonError::TooDeep
    } else {
        JsonError::Syntax
    }
}

#[derive(Clone, Copy)]
struct Value {
    depth_left: usize,
}

impl Value {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        self.depth_left
            .checked_sub(1)
            .map(|depth_left| Self { depth_left })
            .ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut elements = Vec::new();
        while let Some(element) = access.next_element_seed(inner)? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(inner)?;
            members.push((name, value));
        }
        if has_duplicate(&members) {
            return Err(A::Error::custom(DUPLICATE));
        }
        Ok(Json::Object(Object(members)))
    }
}

/// Compares each pair in small objects, where that is fastest, and sorts in
/// large ones, where it would take quadratic time.
pub(crate) fn has_duplicate<N: AsRef<str>, V>(members: &[(N, V)]) -> bool {
    const SMALL: usize = 16;
    if members.len() <= SMALL {
        return members.iter().enumerate().any(|(index, (name, _))| {
            members
                .iter()
                .take(index)
                .any(|(earlier, _)| earlier.as_ref() == name.as_ref())
        });
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if left == right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str) -> Json {
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

    proptest::proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, 16);
        }
    }
}
