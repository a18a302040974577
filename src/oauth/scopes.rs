//! Sets of OAuth scopes (RFC 6749, section 3.3).

use core::fmt;

use crate::names::distinct;

/// A set of scopes, kept sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Vec<String>);

/// A text that is no scope: empty, or with a character that RFC 6749 keeps
/// out of scopes (white space, `"`, `\`, controls, anything but ASCII).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScope;

impl Scopes {
    /// From the space-separated form of a token or a challenge.
    ///
    /// # Errors
    /// [`InvalidScope`] if any part is none. Several spaces in a row, and
    /// spaces at the ends, are let pass: authorization servers write them.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        Self::from_names(text.split(' ').filter(|name| !name.is_empty()))
    }

    /// From single names.
    ///
    /// # Errors
    /// [`InvalidScope`] if any of them is none.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        let names: Vec<&str> = names.into_iter().collect();
        if !names.iter().all(|name| is_scope(name)) {
            return Err(InvalidScope);
        }
        Ok(Self::of(distinct(names).into_iter()))
    }

    /// Of names in order, each once.
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(str::to_owned).collect())
    }

    /// Whether the scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.0
            .binary_search_by(|member| member.as_str().cmp(scope))
            .is_ok()
    }

    /// Whether every scope of `other` is in the set.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.contains(scope))
    }

    /// The scopes of this set that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|scope| !other.contains(scope)))
    }

    /// The scopes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.united(other))
    }

    /// The scopes of both sets, in order.
    pub fn united<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        core::iter::from_fn(move || {
            let least = match (left.peek(), right.peek()) {
                (Some(left), Some(right)) => (*left).min(*right),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return None,
            };
            left.next_if_eq(&least);
            right.next_if_eq(&least);
            Some(least)
        })
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many scopes there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The space-separated form.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// `1*( %x21 / %x23-5B / %x5D-7E )`
fn is_scope(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_in_order() {
        let scopes = Scopes::parse(" b  a b").unwrap();
        assert_eq!(scopes.to_string(), "a b");
        assert!(scopes.contains("a") && !scopes.contains("c"));
        assert_eq!(
            scopes.without(&Scopes::parse("a").unwrap()).to_string(),
            "b"
        );
        assert!(Scopes::parse("").unwrap().is_empty());
        let other = Scopes::parse("c b 0").unwrap();
        assert_eq!(
            scopes.united(&other).collect::<Vec<_>>(),
            ["0", "a", "b", "c"]
        );
    }

    #[test]
    fn what_the_grammar_keeps_out_is_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "é", "a\nb"] {
            assert_eq!(Scopes::parse(text), Err(InvalidScope), "{text:?}");
        }
    }
}
