//! Reading a JSON document whose every fault is collected with its place.

use core::cell::RefCell;
use core::fmt::Display;

use super::{ConfigError, ConfigWarning};
use crate::json::{Json, Object};

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<ConfigWarning>>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Json<'a>,
    pub(super) pointer: String,
    report: &'a Report,
}

/// The members of an object and its place.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    object: &'a Object<'a>,
    pointer: String,
    report: &'a Report,
}

// Dynamic dispatch: a copy of this for each pair of types would be large.
impl Report {
    #[inline(never)]
    pub(super) fn error(&self, pointer: &str, expected: &dyn Display, found: &dyn Display) {
        self.errors.borrow_mut().push(ConfigError {
            pointer: pointer.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }

    #[inline(never)]
    pub(super) fn warning(&self, pointer: &str, problem: &dyn Display) {
        self.warnings.borrow_mut().push(ConfigWarning {
            pointer: pointer.to_owned(),
            problem: problem.to_string(),
        });
    }

    pub(super) fn finish(self) -> (Vec<ConfigError>, Vec<ConfigWarning>) {
        (self.errors.into_inner(), self.warnings.into_inner())
    }
}

// === impl Node ===

impl<'a> Node<'a> {
    pub(super) const fn root(value: &'a Json<'a>, report: &'a Report) -> Self {
        Self {
            value,
            pointer: String::new(),
            report,
        }
    }

    /// Reports that something else belongs here; the value is described.
    pub(super) fn expected(&self, expected: impl Display) {
        self.unexpected(&expected);
    }

    #[inline(never)]
    fn unexpected(&self, expected: &dyn Display) {
        self.report
            .error(&self.pointer, expected, &describe(self.value));
    }

    /// Reports that something else belongs here.
    pub(super) fn error(&self, expected: impl Display, found: impl Display) {
        self.report.error(&self.pointer, &expected, &found);
    }

    pub(super) fn warning(&self, problem: impl Display) {
        self.report.warning(&self.pointer, &problem);
    }

    /// A warning about something further down; `path` goes on from here.
    pub(super) fn warning_at(&self, path: &str, problem: impl Display) {
        self.report
            .warning(&format!("{}/{path}", self.pointer), &problem);
    }

    /// The members of an object that has no others than the known ones.
    #[inline(never)]
    pub(super) fn members(&self, known: &[&str]) -> Option<Members<'a>> {
        let Some(object) = self.value.as_object() else {
            self.expected("an object");
            return None;
        };
        for (name, _) in object.iter().filter(|(name, _)| !known.contains(name)) {
            self.report.error(
                &child(&self.pointer, name),
                &format_args!("one of the fields {}", known.join(", ")),
                &"a field that is not known",
            );
        }
        Some(Members {
            object,
            pointer: self.pointer.clone(),
            report: self.report,
        })
    }

    /// The member of an object, of which nothing is reported.
    #[inline(never)]
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(name)?;
        Some(Self {
            value,
            pointer: child(&self.pointer, name),
            report: self.report,
        })
    }

    /// The elements of an array.
    #[inline(never)]
    pub(super) fn elements(&self) -> Option<Vec<Self>> {
        let Some(elements) = self.value.as_array() else {
            self.expected("an array");
            return None;
        };
        Some(
            elements
                .iter()
                .enumerate()
                .map(|(index, value)| Self {
                    value,
                    pointer: child(&self.pointer, &index.to_string()),
                    report: self.report,
                })
                .collect(),
        )
    }

    /// The elements of an array with at least one.
    #[inline(never)]
    pub(super) fn some_elements(&self) -> Option<Vec<Self>> {
        let elements = self.elements()?;
        if elements.is_empty() {
            self.error("at least one element", "an empty array");
            return None;
        }
        Some(elements)
    }

    /// What `read` makes of each element; it reports what it makes nothing of.
    /// An element that comes twice is an error.
    #[inline(never)]
    pub(super) fn unique<T: PartialEq>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let mut values = Vec::new();
        each_once(&self.elements()?, &mut |element| {
            is_new(&mut values, read(element))
        });
        Some(values)
    }

    /// Like `unique`, of an array with at least one element.
    pub(super) fn some_unique<T: PartialEq>(
        &self,
        read: impl Fn(&Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.some_elements()?;
        self.unique(read)
    }

    #[inline(never)]
    pub(super) fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected("a string");
        }
        text
    }

    /// A string that is not empty.
    #[inline(never)]
    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.string()?;
        if text.is_empty() {
            self.error("a text that is not empty", "an empty string");
            return None;
        }
        Some(text)
    }

    #[inline(never)]
    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.expected("true or false");
        }
        value
    }

    /// A whole number, also written as `30.0`, within bounds that belong to
    /// the range.
    #[inline(never)]
    pub(super) fn integer(&self, minimum: u64, maximum: u64) -> Option<u64> {
        let value = match self.value {
            Json::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            _ => None,
        }
        .filter(|value| (minimum..=maximum).contains(value));
        if value.is_none() {
            self.expected(format_args!("a whole number from {minimum} to {maximum}"));
        }
        value
    }

    /// One of the names of a closed list.
    #[inline(never)]
    pub(super) fn one_of<T: Copy>(&self, names: &[(&str, T)]) -> Option<T> {
        let found = self.value.as_str().and_then(|text| {
            names
                .iter()
                .find_map(|(name, value)| (*name == text).then_some(*value))
        });
        if found.is_none() {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            self.expected(format_args!("one of {}", names.join(", ")));
        }
        found
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    #[inline(never)]
    pub(super) fn optional(&self, name: &str) -> Option<Node<'a>> {
        self.object.get(name).map(|value| Node {
            value,
            pointer: child(&self.pointer, name),
            report: self.report,
        })
    }

    /// The member, or a report that it is missing.
    #[inline(never)]
    pub(super) fn required(&self, name: &str) -> Option<Node<'a>> {
        let member = self.optional(name);
        if member.is_none() {
            self.error(format_args!("the field \"{name}\""), "no such field");
        }
        member
    }

    /// What `read` makes of the member, or `default` without the member.
    #[inline(never)]
    pub(super) fn or<T>(
        &self,
        name: &str,
        default: T,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Option<T> {
        self.optional(name)
            .map_or(Some(default), |node| read(&node))
    }

    /// What `read` makes of the member, which may be absent. `None`: there is
    /// one, and nothing could be made of it.
    #[inline(never)]
    pub(super) fn maybe<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Node<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.optional(name)
            .map_or(Some(None), |node| read(&node).map(Some))
    }

    /// Those of the names that are there.
    #[inline(never)]
    pub(super) fn present<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names
            .iter()
            .copied()
            .filter(|name| self.object.get(name).is_some())
            .collect()
    }

    /// Reports about the object as a whole.
    pub(super) fn error(&self, expected: impl Display, found: impl Display) {
        self.report.error(&self.pointer, &expected, &found);
    }
}

/// Takes up each element, and reports those that were there before.
#[inline(never)]
fn each_once<'a>(elements: &[Node<'a>], take: &mut dyn FnMut(&Node<'a>) -> bool) {
    for element in elements {
        if !take(element) {
            element.error("each element once", "one that was there before");
        }
    }
}

/// Adds a value, if there is one; `false` if it was there before.
fn is_new<T: PartialEq>(values: &mut Vec<T>, value: Option<T>) -> bool {
    match value {
        Some(value) if values.contains(&value) => return false,
        Some(value) => values.push(value),
        None => {}
    }
    true
}

fn whole(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole; saturates")]
    #[expect(clippy::cast_sign_loss, reason = "not negative")]
    (number.fract() == 0.0 && number >= 0.0).then_some(number as u64)
}

/// The pointer of a member or an element (RFC 6901, section 3).
#[inline(never)]
fn child(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}

/// A value in a few words. What is in objects and arrays is left out, and so is
/// what may be a URL with a password.
fn describe(value: &Json) -> String {
    const LONGEST: usize = 80;
    match value {
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) if text.chars().count() > LONGEST => "a long string".to_owned(),
        Json::String(text) if text.contains('@') => "a string with an @".to_owned(),
        scalar => serde_json::to_string(scalar).unwrap_or_default(),
    }
}
