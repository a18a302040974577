//! Takes members out of a JSON text by writing spaces over them: the text
//! keeps its length, and every other byte its place.

use core::ops::Range;

/// Blanks the member that a path of names leads to. `None`, and nothing is
/// changed, if there is none. The text has to be strict JSON.
pub(crate) fn blank(text: &mut [u8], path: &[&str]) -> Option<()> {
    let (name, containers) = path.split_last()?;
    let mut object = skip_space(text, 0);
    for container in containers {
        object = members(text, object)?
            .iter()
            .find(|member| member.is_named(text, container))?
            .value
            .start;
    }
    let members = members(text, object)?;
    let index = members
        .iter()
        .position(|member| member.is_named(text, name))?;
    let span = span_with_comma(&members, index)?;
    text.get_mut(span)?.fill(b' ');
    Some(())
}

/// A member, and the comma that separates it from another.
fn span_with_comma(members: &[Member], index: usize) -> Option<Range<usize>> {
    let member = members.get(index)?;
    let before = index.checked_sub(1).and_then(|index| members.get(index));
    let after = members.get(index.checked_add(1)?);
    Some(match (before, after) {
        (_, Some(after)) => member.name.start..after.name.start,
        (Some(before), None) => before.value.end..member.value.end,
        (None, None) => member.name.start..member.value.end,
    })
}

/// Where a member stands: its name with the quotes, and its value.
struct Member {
    name: Range<usize>,
    value: Range<usize>,
}

impl Member {
    /// Whether this is its name, in whatever spelling.
    fn is_named(&self, text: &[u8], name: &str) -> bool {
        text.get(self.name.clone())
            .and_then(|written| serde_json::from_slice::<String>(written).ok())
            .is_some_and(|written| written == name)
    }
}

/// The members of the object that begins here; `None` if none does.
fn members(text: &[u8], start: usize) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let mut at = after(text, start, b'{')?;
    loop {
        at = skip_space(text, at);
        if text.get(at) == Some(&b'}') {
            return Some(members);
        }
        let name = at..end_of_string(text, at)?;
        let colon = skip_space(text, name.end);
        let start = skip_space(text, after(text, colon, b':')?);
        let value = start..end_of_value(text, start)?;
        at = skip_space(text, value.end);
        members.push(Member { name, value });
        if text.get(at) == Some(&b',') {
            at = at.checked_add(1)?;
        }
    }
}

/// The place behind this byte, if it stands here.
fn after(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then(|| at.checked_add(1))?
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let space = text
        .iter()
        .skip(at)
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count();
    at.saturating_add(space)
}

fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = after(text, start, b'"')?;
    loop {
        match text.get(at)? {
            b'"' => return at.checked_add(1),
            b'\\' => at = at.checked_add(2)?,
            _ => at = at.checked_add(1)?,
        }
    }
}

/// Brackets are balanced, so their kinds do not matter.
fn end_of_value(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        at = match text.get(at) {
            Some(b'"') => end_of_string(text, at)?,
            Some(b'{' | b'[') => {
                depth = depth.checked_add(1)?;
                at.checked_add(1)?
            }
            Some(b'}' | b']') if depth > 0 => {
                depth = depth.checked_sub(1)?;
                at.checked_add(1)?
            }
            // The end of a scalar.
            Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') | None if depth == 0 => {
                return (at > start).then_some(at);
            }
            Some(_) => at.checked_add(1)?,
            None => return None,
        };
        let is_container = matches!(text.get(start), Some(b'{' | b'['));
        let is_string = text.get(start) == Some(&b'"');
        if depth == 0 && (is_container || is_string) {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{
        Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };
    use serde_json::{Map, Value};

    use super::*;

    fn blanked(text: &str, path: &[&str]) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        let found = blank(&mut bytes, path);
        let after = String::from_utf8(bytes).unwrap();
        assert!(found.is_some() || after == text);
        found.map(|()| after)
    }

    #[test]
    fn the_member_and_one_comma_become_spaces() {
        for (text, path, expected) in [
            (r#"{"a":1}"#, &["a"][..], r#"{     }"#),
            (r#"{"a":1,"b":2}"#, &["a"], r#"{      "b":2}"#),
            (r#"{"a":1,"b":2}"#, &["b"], r#"{"a":1      }"#),
            (
                " { \"a\" : [ \"}\" , \"\\\"\" ] , \"b\" : { } } ",
                &["a"],
                " {                        \"b\" : { } } ",
            ),
            (
                r#"{"p":{"x":{"a":1},"y":-1.5e3}}"#,
                &["p", "y"],
                r#"{"p":{"x":{"a":1}           }}"#,
            ),
            (
                r#"{"p":{"x":{"a":"\\"},"y":null}}"#,
                &["p", "x", "a"],
                r#"{"p":{"x":{        },"y":null}}"#,
            ),
            (r#"{"\u0061":1,"b":2}"#, &["a"], r#"{           "b":2}"#),
        ] {
            assert_eq!(blanked(text, path).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_changes_nothing() {
        for (text, path) in [
            ("{}", &["a"][..]),
            (r#"{"a":1}"#, &[]),
            (r#"{"a":1}"#, &["a", "b"]),
            (r#"{"a":["b"]}"#, &["a", "b"]),
            (r#"{"x":{"a":1}}"#, &["a"]),
            (r#"["a"]"#, &["a"]),
            (r#"{"a""#, &["a"]),
            (r#"{"a":"#, &["a"]),
            ("", &["a"]),
        ] {
            assert_eq!(blanked(text, path), None, "{text}");
        }
    }

    /// Few names, so that paths often lead somewhere; odd characters, so that
    /// they are escaped.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("\"}\\".to_owned()),
            Just("é,\n".to_owned()),
            any::<String>(),
        ]
    }

    fn json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(name(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn without(value: &Value, path: &[String]) -> Option<Value> {
        let (name, rest) = path.split_first()?;
        let mut members: Map<String, Value> = value.as_object()?.clone();
        if rest.is_empty() {
            members.remove(name)?;
        } else {
            let inner = without(members.get(name)?, rest)?;
            members.insert(name.clone(), inner);
        }
        Some(Value::Object(members))
    }

    proptest! {
        #[test]
        fn what_is_left_is_the_same_object_without_the_member(
            value in json(),
            path in proptest::collection::vec(name(), 1..4),
            pretty: bool,
        ) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let mut bytes = text.clone().into_bytes();
            let found = blank(&mut bytes, &names).is_some();
            prop_assert_eq!(bytes.len(), text.len());
            let expected = without(&value, &path);
            prop_assert_eq!(found, expected.is_some());
            let left: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(left, expected.unwrap_or(value));
        }

        #[test]
        fn any_bytes_are_blanked_or_left_without_a_panic(mut bytes: Vec<u8>, name in name()) {
            let before = bytes.len();
            let _ = blank(&mut bytes, &[&name]);
            prop_assert!(bytes.len() == before);
        }
    }
}
