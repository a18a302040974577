//! Names that differ in letter case only. Go's encoding/json, for one, takes
//! `Name` for `name`; what such a reader would read must not differ from what
//! was decided on.

use crate::names::repeat;

/// Equality under the simple Unicode case folding that Go uses: ASCII, and
/// the two letters outside of it that fold to ASCII ones.
#[inline]
pub(crate) fn same_letters(left: &str, right: &str) -> bool {
    may_have_same_letters(left, right) && have_same_letters(left, right)
}

/// Most names differ in their first letter or in the last one.
#[inline]
fn may_have_same_letters(left: &str, right: &str) -> bool {
    let may_be_same = |left: Option<&u8>, right: Option<&u8>| match (left, right) {
        (Some(left), Some(right)) => {
            left.eq_ignore_ascii_case(right) || !left.is_ascii() || !right.is_ascii()
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let (left, right) = (left.as_bytes(), right.as_bytes());
    may_be_same(left.first(), right.first()) && may_be_same(left.last(), right.last())
}

#[inline(never)]
fn have_same_letters(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    folded(left).eq(folded(right))
}

/// Whether a name is spelled like another one but for letter case.
#[inline]
pub(crate) fn is_lookalike(name: &str, of: &str) -> bool {
    may_have_same_letters(name, of) && name != of && have_same_letters(name, of)
}

/// Whether a name is a lookalike of one of these, which are ASCII.
pub(crate) fn is_lookalike_of_any(name: &str, of: &[&str]) -> bool {
    of.iter().any(|of| is_lookalike(name, of))
}

/// Whether two of some names, which differ, have the same letters.
pub(crate) fn has_twins<'n>(names: impl ExactSizeIterator<Item = &'n str> + Clone) -> bool {
    const FEW: usize = 16;
    if names.len() <= FEW {
        let mut later = names;
        while let Some(name) = later.next() {
            if later.clone().any(|other| same_letters(name, other)) {
                return true;
            }
        }
        return false;
    }
    let names: Vec<String> = names.map(|name| folded(name).collect()).collect();
    repeat(names.iter().map(String::as_str).collect())
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(fold)
}

const fn fold(character: char) -> char {
    match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Letters that fold to others, and the two that do so from outside of
    /// ASCII.
    const NAME: &str = "[aAkKsS\u{212a}\u{17f}\u{e9}_]{0,4}";

    proptest! {
        #[test]
        fn a_look_at_both_ends_changes_nothing(left in NAME, right in NAME) {
            let are_same = folded(&left).eq(folded(&right));
            prop_assert_eq!(same_letters(&left, &right), are_same);
            prop_assert_eq!(is_lookalike(&left, &right), are_same && left != right);
            prop_assert_eq!(
                is_lookalike_of_any(&left, &["k", &right]),
                is_lookalike(&left, "k") || is_lookalike(&left, &right)
            );
        }
    }
}
