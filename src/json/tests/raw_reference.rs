//! Levels of JSON taken apart by serde_json.

use core::fmt;
use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{JsonError, has_duplicate};

type Level<'a> = Vec<(Cow<'a, str>, &'a str)>;

pub(in crate::json) fn object(text: &[u8]) -> Result<Level<'_>, JsonError> {
    let members: Members<'_> = serde_json::from_slice(text).map_err(|error| classify(&error))?;
    Ok(members.0)
}

pub(in crate::json) fn array(text: &[u8]) -> Result<Vec<&str>, JsonError> {
    let elements: Elements<'_> = serde_json::from_slice(text).map_err(|error| classify(&error))?;
    Ok(elements.0)
}

pub(in crate::json) fn string(text: &str) -> Option<Cow<'_, str>> {
    let name: Name<'_> = serde_json::from_str(text).ok()?;
    Some(name.0)
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

struct Members<'a>(Level<'a>);

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

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

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
                Ok(Members(members))
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
