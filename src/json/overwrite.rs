//! A JSON text with parts of it written over: it keeps its length, and every
//! other byte its place.

use core::fmt;
use core::ops::Range;

/// Changes of a text of strict JSON, in place. Nothing is copied before the
/// first of them.
#[derive(Clone)]
pub struct Overwrite<'a> {
    original: &'a [u8],
    changed: Option<Vec<u8>>,
}

/// A string in a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// What it says.
    pub text: String,
    place: Range<usize>,
}

impl<'a> Overwrite<'a> {
    /// Of this text, in which nothing is changed yet.
    pub const fn new(original: &'a [u8]) -> Self {
        Self {
            original,
            changed: None,
        }
    }

    /// Writes spaces over the member that a path of names leads to. `None`,
    /// and nothing is changed, if there is none.
    pub fn blank(&mut self, path: &[&str]) -> Option<()> {
        let (name, containers) = path.split_last()?;
        let members = members(self.text(), self.find(containers)?)?;
        let index = members
            .iter()
            .position(|member| member.is_named(self.text(), name))?;
        let span = span_with_comma(&members, index)?;
        self.changed().get_mut(span)?.fill(b' ');
        Some(())
    }

    /// The string that a path of names leads to.
    pub fn string(&self, path: &[&str]) -> Option<Written> {
        self.written_at(self.find(path)?)
    }

    /// The strings of the array that a path of names leads to. `None` if there
    /// is none, or something else is in it.
    pub fn strings(&self, path: &[&str]) -> Option<Vec<Written>> {
        elements(self.text(), self.find(path)?)?
            .into_iter()
            .map(|element| self.written_at(element.start))
            .collect()
    }

    /// Writes another string over one of this text, and spaces over what is
    /// left of it. `inside` is what stands between the quotes. `None`, and
    /// nothing is changed, if it is longer.
    pub fn write(&mut self, over: &Written, inside: &str) -> Option<()> {
        let room = over.place.len().checked_sub(inside.len())?;
        let spaces = room.checked_sub(2)?;
        let with = format!("\"{inside}\"{:spaces$}", "");
        let place = over.place.clone();
        let part = self.changed().get_mut(place)?;
        part.iter_mut()
            .zip(with.bytes())
            .for_each(|(byte, with)| *byte = with);
        Some(())
    }

    /// The text with its changes; `None` if there are none.
    pub fn finish(self) -> Option<Vec<u8>> {
        self.changed
    }

    fn text(&self) -> &[u8] {
        self.changed.as_deref().unwrap_or(self.original)
    }

    fn changed(&mut self) -> &mut Vec<u8> {
        self.changed.get_or_insert_with(|| self.original.to_vec())
    }

    /// Where the value begins that a path of names leads to.
    fn find(&self, path: &[&str]) -> Option<usize> {
        let text = self.text();
        let mut at = skip_space(text, 0);
        for name in path {
            at = members(text, at)?
                .iter()
                .find(|member| member.is_named(text, name))?
                .value
                .start;
        }
        Some(at)
    }

    fn written_at(&self, start: usize) -> Option<Written> {
        let place = start..end_of_string(self.text(), start)?;
        let text = serde_json::from_slice(self.text().get(place.clone())?).ok()?;
        Some(Written { text, place })
    }
}

/// Without the text, which is a client's.
impl fmt::Debug for Overwrite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overwrite")
            .field("bytes", &self.original.len())
            .field("is_changed", &self.changed.is_some())
            .finish()
    }
}

/// Without the text, which may be a secret.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
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

/// The elements of the array that begins here; `None` if none does.
fn elements(text: &[u8], start: usize) -> Option<Vec<Range<usize>>> {
    let mut elements = Vec::new();
    let mut at = after(text, start, b'[')?;
    loop {
        at = skip_space(text, at);
        if text.get(at) == Some(&b']') {
            return Some(elements);
        }
        let element = at..end_of_value(text, at)?;
        at = skip_space(text, element.end);
        elements.push(element);
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
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use serde_json::{Map, Value};

    use super::*;

    fn blanked(text: &str, path: &[&str]) -> Option<String> {
        let mut overwrite = Overwrite::new(text.as_bytes());
        let found = overwrite.blank(path);
        let after = overwrite.finish();
        assert_eq!(found.is_some(), after.is_some());
        after.map(|after| String::from_utf8(after).unwrap())
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

    #[test]
    fn a_shorter_string_takes_the_place_of_one_and_a_longer_one_does_not() {
        let text = r#" { "a" : [ "one" , "t\u0077o" , "" ] , "b" : "\"" } "#;
        let mut overwrite = Overwrite::new(text.as_bytes());
        let all = overwrite.strings(&["a"]).unwrap();
        let said: Vec<&str> = all.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(said, ["one", "two", ""]);
        assert_eq!(overwrite.write(&all[2], "x"), None);
        assert!(overwrite.clone().finish().is_none());
        overwrite.write(&all[1], "2").unwrap();
        overwrite.write(&all[0], "eno").unwrap();
        let b = overwrite.string(&["b"]).unwrap();
        assert_eq!(b.text, "\"");
        overwrite.write(&b, "").unwrap();
        assert_eq!(
            String::from_utf8(overwrite.finish().unwrap()).unwrap(),
            r#" { "a" : [ "eno" , "2"        , "" ] , "b" : ""   } "#
        );
        for (text, path) in [
            (r#"{"a":["x",1]}"#, "a"),
            (r#"{"a":{}}"#, "a"),
            (r#"{"a":["#, "a"),
            ("{}", "a"),
        ] {
            assert_eq!(Overwrite::new(text.as_bytes()).strings(&[path]), None);
            assert_eq!(Overwrite::new(text.as_bytes()).string(&[path]), None);
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
            let mut overwrite = Overwrite::new(text.as_bytes());
            let found = overwrite.blank(&names).is_some();
            let bytes = overwrite.finish();
            let expected = without(&value, &path);
            prop_assert_eq!((found, bytes.is_some()), (expected.is_some(), expected.is_some()));
            let bytes = bytes.unwrap_or_else(|| text.clone().into_bytes());
            prop_assert_eq!(bytes.len(), text.len());
            let left: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(left, expected.unwrap_or(value));
        }

        #[test]
        fn the_same_object_with_a_string_replaced_is_left(
            value in json(),
            path in proptest::collection::vec(name(), 1..4),
            with: String,
        ) {
            let text = value.to_string();
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let mut overwrite = Overwrite::new(text.as_bytes());
            let mut expected = value;
            let there = string_at(&mut expected, &path);
            let found = overwrite.string(&names);
            prop_assert_eq!(
                found.as_ref().map(|found| found.text.as_str()),
                there.as_ref().and_then(|there| there.as_str())
            );
            if let (Some(found), Some(there)) = (found, there) {
                let written = with_escapes(&with);
                let fits = written.len() <= with_escapes(&found.text).len();
                prop_assert_eq!(overwrite.write(&found, &written).is_some(), fits);
                if fits {
                    *there = Value::from(with);
                }
            }
            let bytes = overwrite.finish().unwrap_or_else(|| text.clone().into_bytes());
            prop_assert_eq!(bytes.len(), text.len());
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_written_over_or_left_without_a_panic(bytes: Vec<u8>, name in name()) {
            let mut overwrite = Overwrite::new(&bytes);
            let _ = overwrite.blank(&[&name]);
            let _ = overwrite.strings(&[&name]);
            if let Some(written) = overwrite.string(&[&name]) {
                let _ = overwrite.write(&written, "");
            }
            if let Some(after) = overwrite.finish() {
                prop_assert_eq!(after.len(), bytes.len());
            }
        }
    }

    fn string_at<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
        let mut at = value;
        for name in path {
            at = at.as_object_mut()?.get_mut(name)?;
        }
        at.is_string().then_some(at)
    }

    fn with_escapes(text: &str) -> String {
        let written = serde_json::to_string(text).unwrap();
        let inside = written.strip_prefix('"').unwrap().strip_suffix('"');
        inside.unwrap().to_owned()
    }
}
