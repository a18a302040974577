//! The `requestState` of an upstream (MCP 2026-07-28, multi round-trip
//! requests), bound to the caller who got it, and to method and target of the
//! call. When it expires is the upstream's business.

use super::mac::{Purpose, StateKeys};
use super::owner::Owner;
use super::sealed::{seal, unseal};
use crate::json::raw;

const PREFIX: &str = "mcp-auth.upstream.";

/// The longest state of an upstream's that is bound, as it is written in JSON.
const STATE_BYTES: usize = 65_536;

/// The state for the client, longer than the upstream's as it is written in a
/// JSON string (without the quotes). `None` without a key, or if it is no
/// string, or too long.
pub fn bind(
    keys: &StateKeys,
    owner: &Owner<'_>,
    (method, target): (&str, &str),
    state: &str,
) -> Option<String> {
    if state.len() > STATE_BYTES || raw::string(&format!("\"{state}\"")).is_none() {
        return None;
    }
    let bound_to = bound_to(owner, method, target);
    let sealed = seal(keys, Purpose::UpstreamState, state.as_bytes(), &bound_to)?;
    Some(format!("{PREFIX}{sealed}"))
}

/// The upstream's own state, as it is written in a JSON string; `None` if it
/// was not given to this owner for a call of this method and target, or by
/// nobody here at all.
pub fn open(
    keys: &StateKeys,
    owner: &Owner<'_>,
    (method, target): (&str, &str),
    bound: &str,
) -> Option<String> {
    let state = unseal(
        keys,
        Purpose::UpstreamState,
        bound.strip_prefix(PREFIX)?,
        STATE_BYTES,
        &bound_to(owner, method, target),
    )?;
    String::from_utf8(state).ok()
}

fn bound_to<'a>(owner: &Owner<'a>, method: &'a str, target: &'a str) -> Vec<&'a [u8]> {
    let mut bound_to = vec![method.as_bytes(), target.as_bytes()];
    bound_to.extend(owner.fields());
    bound_to
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::owner::{ALICE, others};
    use super::*;

    const CALL: (&str, &str) = ("tools/call", "add");

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    fn bound() -> String {
        bind(&keys(), &ALICE, CALL, r"th\u0065irs").unwrap()
    }

    #[test]
    fn a_state_opens_for_its_owner_and_its_target_only_as_it_was_written() {
        let bound = bound();
        let opened = open(&keys(), &ALICE, CALL, &bound);
        assert_eq!(opened.as_deref(), Some(r"th\u0065irs"));
        for other in others() {
            assert_eq!(open(&keys(), &other, CALL, &bound), None, "{other:?}");
        }
        for call in [("tools/call", "sub"), ("prompts/get", "add"), ("", "")] {
            assert_eq!(open(&keys(), &ALICE, call, &bound), None, "{call:?}");
        }
    }

    #[test]
    fn no_changed_character_is_let_pass() {
        let bound = bound();
        for index in 0..bound.len() {
            for replacement in ["A", "B", "_", "=", ""] {
                let mut changed = bound.clone();
                changed.replace_range(index..=index, replacement);
                assert!(
                    changed == bound || open(&keys(), &ALICE, CALL, &changed).is_none(),
                    "{changed}"
                );
            }
        }
        let long = format!("{PREFIX}{}", "A".repeat(100_000));
        for other in ["", PREFIX, "theirs", "mcp-auth.state.AA", &long] {
            assert_eq!(open(&keys(), &ALICE, CALL, other), None, "{other}");
        }
    }

    #[test]
    fn a_state_opens_as_long_as_its_key_is_known() {
        let bound = bound();
        let (old, new) = (("2026-11", &[7; 32][..]), ("2026-12", &[8; 32][..]));
        let rotated = StateKeys::new([new, old]);
        assert!(open(&rotated, &ALICE, CALL, &bound).is_some());
        assert_eq!(open(&StateKeys::new([new]), &ALICE, CALL, &bound), None);
        assert_eq!(bind(&StateKeys::default(), &ALICE, CALL, "theirs"), None);
    }

    #[test]
    fn the_longest_state_opens_and_a_longer_one_is_not_bound() {
        let longest = "a".repeat(STATE_BYTES);
        let bound = bind(&keys(), &ALICE, CALL, &longest).unwrap();
        assert_eq!(open(&keys(), &ALICE, CALL, &bound), Some(longest.clone()));
        assert_eq!(bind(&keys(), &ALICE, CALL, &format!("{longest}a")), None);
        for no_string in ["a\"b", "\\", "\\ud800", "\n"] {
            assert_eq!(bind(&keys(), &ALICE, CALL, no_string), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_bound_opens_again_and_is_longer_than_it_was(state: String, target: String) {
            let written = serde_json::to_string(&state).unwrap();
            let inside = written.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let call = ("tools/call", target.as_str());
            let bound = bind(&keys(), &ALICE, call, inside).unwrap();
            prop_assert!(bound.len() > inside.len());
            let opened = open(&keys(), &ALICE, call, &bound);
            prop_assert_eq!(opened.as_deref(), Some(inside));
        }

        #[test]
        fn what_nobody_here_has_made_does_not_open(text: String, prefixed: bool) {
            let text = if prefixed { format!("{PREFIX}{text}") } else { text };
            prop_assert_eq!(open(&keys(), &ALICE, CALL, &text), None);
        }
    }
}
