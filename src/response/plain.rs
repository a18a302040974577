//! An answer in which there is nothing to look for.

use super::inspector::READ_IN_RESULTS;
use super::lists::ListKind;
use crate::json::Seen;
use crate::json::letters::same_letters;
use crate::json::walk::Walk;

/// A message that is the result of a request, and whose members say that
/// nothing in it may have to be changed or kept back: unless it is a list, or
/// is about a task that was asked for.
///
/// This is what nearly all answers are, so it is found out in one pass. Of any
/// other text nothing is said, whether it is a message or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainAnswer<'a> {
    /// The `id`, as it is written.
    pub(super) id: Option<&'a str>,
}

impl<'a> PlainAnswer<'a> {
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let mut walk = Walk::new(core::str::from_utf8(text).ok()?);
        let mut id = None;
        let (mut has_version, mut has_result) = (false, false);
        walk.takes(b'{').then_some(())?;
        loop {
            let name = walk.name()?;
            // Escapes do not have to be asked for: with one it is no such name.
            match name.inside.as_bytes() {
                [b'j', b's', b'o', b'n', b'r', b'p', b'c'] if !has_version => {
                    walk.value()?;
                    has_version = true;
                }
                [b'i', b'd'] if id.is_none() => id = Some(walk.value()?),
                [b'r', b'e', b's', b'u', b'l', b't'] if !has_result => {
                    go_over_result(&mut walk)?;
                    has_result = true;
                }
                _ => return None,
            }
            if walk.ends(b'}')? {
                break;
            }
        }
        (has_result && walk.next().is_none()).then_some(Self { id })
    }
}

/// An object with no member that may have to be looked at.
fn go_over_result(walk: &mut Walk<'_>) -> Option<()> {
    walk.takes(b'{').then_some(())?;
    if walk.takes(b'}') {
        return Some(());
    }
    let mut seen = Seen::default();
    loop {
        let name = walk.name()?;
        seen.add(name.inside);
        if name.has_escapes || seen.may_repeat {
            return None;
        }
        let value = walk.value()?;
        if begins_like_one(name.inside) {
            is_harmless(name.inside, value).then_some(())?;
        }
        if walk.ends(b'}')? {
            return Some(());
        }
    }
}

/// Whether a name begins with the same two letters as one of those that are
/// looked at: none of them has other spellings.
fn begins_like_one(name: &str) -> bool {
    let [first, second, ..] = name.as_bytes() else {
        return false;
    };
    matches!(
        [first | 0x20, second | 0x20],
        [b't', b'a' | b'o'] | [b'r', b'e'] | [b'p', b'r'] | [b'i', b'n'] | [0x7f, b'm']
    )
}

/// Whether a member says nothing that makes a difference: it is none of those
/// that are looked at, or says that all of the result is there, or is `_meta`,
/// which is looked at for tasks only.
#[inline(never)]
fn is_harmless(name: &str, value: &str) -> bool {
    match name {
        "_meta" => true,
        "resultType" => value == "\"complete\"",
        _ => !looked_at().any(|other| same_letters(name, other)),
    }
}

/// Members of a result that are looked at, whatever was asked for.
fn looked_at() -> impl Iterator<Item = &'static str> {
    let lists = ListKind::ALL.into_iter().map(ListKind::member);
    READ_IN_RESULTS.into_iter().chain(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_is_told_by_its_first_two_letters() {
        for name in looked_at() {
            assert!(begins_like_one(name), "{name}");
            assert!(begins_like_one(&name.to_uppercase()), "{name}");
        }
    }
}
