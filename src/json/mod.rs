//! Strict JSON: the one parser for every foreign byte (messages, tokens, key
//! sets, configuration, answers to callouts).
//!
//! What `serde_json::Value` lets pass and this does not: a member name that
//! appears twice in one object, at any depth and in any escaped spelling
//! (another parser may keep the other one), and nesting over a bound.

pub(crate) mod letters;
pub mod overwrite;
mod parse;
pub mod raw;
mod text;
pub(crate) mod walk;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::ser::Error as _;
use serde_json::value::RawValue;

use self::letters::{has_twins, is_lookalike_of_any};

pub use parse::{JsonError, borrowed, message, parse};
pub(crate) use parse::{Seen, has_duplicate};
pub use serde_json::Number;
pub(crate) use text::is_plain;

/// A JSON value (RFC 8259), which may leave its texts where they stand. Member
/// names are unique within an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as an integer where it is written as one and fits.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object<'a>),
    /// Strict JSON that nobody has asked for, as it is written: an object, an
    /// array, or a string with escapes. It is the same as nothing, and nothing
    /// can be said of it.
    Unread(Cow<'a, str>),
}

/// The members of a JSON object, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Json<'a> {
    /// An object with these members, whose names differ.
    pub(crate) fn object<N: Into<Cow<'a, str>>>(
        members: impl IntoIterator<Item = (N, Self)>,
    ) -> Self {
        let members = members.into_iter();
        Self::Object(Object(
            members.map(|(name, value)| (name.into(), value)).collect(),
        ))
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is one that an unsigned 64-bit integer can hold.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, if this is an object.
    pub const fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of the JSON grammar.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Unread(_) => "value",
        }
    }

    /// Equality by value: `1` and `1.0` are the same number, and the order
    /// of members has no meaning.
    pub fn same_value(&self, other: &Json<'_>) -> bool {
        match (self, other) {
            (Self::Null, Json::Null) => true,
            (Self::Bool(left), Json::Bool(right)) => left == right,
            (Self::Number(left), Json::Number(right)) => same_number(left, right),
            (Self::String(left), Json::String(right)) => left == right,
            (Self::Array(left), Json::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.same_value(r))
            }
            (Self::Object(left), Json::Object(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .all(|(name, l)| right.get(name).is_some_and(|r| l.same_value(r)))
            }
            _ => false,
        }
    }

    /// The value with texts of its own.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(number) => Json::Number(number),
            Self::String(text) => Json::String(owned(text)),
            Self::Array(elements) => {
                Json::Array(elements.into_iter().map(Self::into_owned).collect())
            }
            Self::Object(members) => Json::Object(members.into_owned()),
            Self::Unread(text) => Json::Unread(owned(text)),
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// Exact for integers; a float equals an integer where the float has exactly
/// that value.
fn same_number(left: &Number, right: &Number) -> bool {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left.as_f64() == right.as_f64(),
        _ => false,
    }
}

/// The number as an integer, also where it is written as `1.0` or `1e2`.
pub(crate) fn integer(number: &Number) -> Option<i128> {
    /// Every integer up to 2^53 has a float of its own; beyond it, a float
    /// stands for several integers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64()?;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(value as i128);
    }
    None
}

// === impl Object ===

impl<'a> Object<'a> {
    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let first = name.as_bytes().first();
        self.0.iter().find_map(|(member, value)| {
            // Most names differ in their first letter.
            let is_it = member.as_bytes().first() == first && member == name;
            is_it.then_some(value)
        })
    }

    /// The object with one more member; `None` if it has one of that name
    /// with another value.
    pub fn with(mut self, name: &'a str, value: &Json<'a>) -> Option<Self> {
        match self.get(name) {
            Some(present) => present.same_value(value).then_some(self),
            None => {
                self.0.push((Cow::Borrowed(name), value.clone()));
                Some(self)
            }
        }
    }

    /// The members, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json<'a>)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The object with texts of its own.
    pub fn into_owned(self) -> Object<'static> {
        let members = self.0.into_iter();
        Object(
            members
                .map(|(name, value)| (owned(name), value.into_owned()))
                .collect(),
        )
    }

    /// Whether a member is spelled like one of the names, which are ASCII, but
    /// for letter case.
    pub(crate) fn has_lookalike(&self, names: &[&str]) -> bool {
        self.iter()
            .any(|(member, _)| is_lookalike_of_any(member, names))
    }

    /// Whether two members differ in letter case only.
    pub(crate) fn has_twins(&self) -> bool {
        has_twins(self.iter().map(|(name, _)| name))
    }

    /// How many members there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Json<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Json<'_> {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

// === serialisation ===

impl serde::Serialize for Json<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(elements) => serializer.collect_seq(elements),
            Self::Object(members) => serializer.collect_map(members.iter()),
            Self::Unread(text) => serde_json::from_str::<&RawValue>(text)
                .map_err(S::Error::custom)?
                .serialize(serializer),
        }
    }
}
