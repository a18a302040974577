//! Task ids (MCP 2025-11-25, Tasks; the extension
//! `io.modelcontextprotocol/tasks`), bound to the caller for whom the task
//! was made, and to the call that made it.
//!
//! A bound id is sealed; its contents are the lengths of the tool's name and
//! of the rule's id (two bytes each, big endian; one more than the length, 0
//! for none), both, and the upstream's id as it is written in JSON.

use core::fmt;
use std::rc::Rc;

use super::mac::{Purpose, StateKeys};
use super::owner::Owner;
use super::sealed::{seal, unseal};
use crate::json::raw;

/// The longest id of an upstream's that is bound, as it is written in JSON.
const UPSTREAM_ID_BYTES: usize = 1024;
/// The longest contents.
const CONTENT_BYTES: usize = 3072;

/// A task of the caller's.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// The id that the client holds.
    pub bound_id: String,
    /// The id that the upstream knows, as it is written in a JSON string,
    /// without the quotes.
    pub upstream_id: String,
    /// The call that made it; `None` where the upstream has listed it as one
    /// of the caller's.
    pub origin: Option<TaskOrigin>,
}

/// The call that made a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOrigin {
    /// The tool.
    pub tool: Rc<str>,
    /// The `id` of the rule that allowed it; `None` where none was enforced.
    pub rule: Option<Rc<str>>,
}

/// Who holds an id may not be told: ids are secrets.
impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Task {
    /// Whether this is the upstream's id of it, in whatever spelling: a JSON
    /// string.
    pub fn is_of_upstream(&self, written: &str) -> bool {
        let own = json_string(&self.upstream_id);
        match (raw::string(&own), raw::string(written)) {
            (Some(own), Some(other)) => own == other,
            _ => false,
        }
    }

    /// The upstream's id itself, without JSON's escapes.
    pub fn upstream_name(&self) -> Option<String> {
        raw::string(&json_string(&self.upstream_id)).map(|name| name.into_owned())
    }
}

/// The id for the client: visible ASCII, longer than the upstream's as it is
/// written. `None` without a key, or if it cannot be bound: if it is empty, no
/// string, or too long, or its origin is.
pub fn bind(
    keys: &StateKeys,
    owner: &Owner<'_>,
    upstream_id: &str,
    origin: Option<&TaskOrigin>,
) -> Option<String> {
    if !(1..=UPSTREAM_ID_BYTES).contains(&upstream_id.len())
        || raw::string(&json_string(upstream_id)).is_none()
    {
        return None;
    }
    let tool = origin.map(|origin| origin.tool.as_ref());
    let rule = origin.and_then(|origin| origin.rule.as_deref());
    let mut contents = Vec::new();
    for part in [tool, rule] {
        contents.extend(length_of(part)?.to_be_bytes());
    }
    for part in [tool, rule, Some(upstream_id)] {
        contents.extend(part.unwrap_or_default().bytes());
    }
    if contents.len() > CONTENT_BYTES {
        return None;
    }
    seal(keys, Purpose::Task, &contents, &owner.fields())
}

/// The task of an id that a client presents; `None` if it was not given to
/// this owner, or by nobody here at all.
pub fn open(keys: &StateKeys, owner: &Owner<'_>, bound_id: &str) -> Option<Task> {
    let contents = unseal(
        keys,
        Purpose::Task,
        bound_id,
        CONTENT_BYTES,
        &owner.fields(),
    )?;
    let (tool_length, rest) = contents.split_first_chunk::<2>()?;
    let (rule_length, rest) = rest.split_first_chunk::<2>()?;
    let (tool, rest) = part(*tool_length, rest)?;
    let (rule, rest) = part(*rule_length, rest)?;
    Some(Task {
        bound_id: bound_id.to_owned(),
        upstream_id: core::str::from_utf8(rest).ok()?.to_owned(),
        origin: tool.map(|tool| TaskOrigin { tool, rule }),
    })
}

/// One more than the length; 0 for none.
fn length_of(part: Option<&str>) -> Option<u16> {
    match part {
        None => Some(0),
        Some(text) => u16::try_from(text.len()).ok()?.checked_add(1),
    }
}

fn part(length: [u8; 2], rest: &[u8]) -> Option<(Option<Rc<str>>, &[u8])> {
    let Some(length) = u16::from_be_bytes(length).checked_sub(1) else {
        return Some((None, rest));
    };
    let (text, rest) = rest.split_at_checked(usize::from(length))?;
    Some((Some(core::str::from_utf8(text).ok()?.into()), rest))
}

/// The inside of a JSON string, with its quotes.
fn json_string(inside: &str) -> String {
    format!("\"{inside}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::super::owner::{ALICE, others};
    use super::super::sealed::characters;
    use super::*;

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    fn origin(tool: &str, rule: Option<&str>) -> TaskOrigin {
        TaskOrigin {
            tool: tool.into(),
            rule: rule.map(Rc::from),
        }
    }

    fn bound() -> String {
        bind(&keys(), &ALICE, "task-1", Some(&origin("add", Some("r")))).unwrap()
    }

    #[test]
    fn a_task_opens_for_its_owner_only_and_knows_its_call() {
        for origin in [
            None,
            Some(origin("add", None)),
            Some(origin("add", Some("sum"))),
            Some(origin("", Some(""))),
        ] {
            let bound = bind(&keys(), &ALICE, "task-1", origin.as_ref()).unwrap();
            assert!(bound.bytes().all(|byte| matches!(byte, 0x21..=0x7e)));
            let task = open(&keys(), &ALICE, &bound).unwrap();
            assert_eq!(task.upstream_id, "task-1");
            assert_eq!(task.bound_id, bound);
            assert_eq!(task.origin, origin);
            for other in others() {
                assert_eq!(open(&keys(), &other, &bound), None, "{other:?}");
            }
        }
    }

    #[test]
    fn no_changed_character_is_let_pass() {
        let bound = bound();
        for index in 0..bound.len() {
            for replacement in ["A", "B", "-", "=", ""] {
                let mut changed = bound.clone();
                changed.replace_range(index..=index, replacement);
                assert!(
                    changed == bound || open(&keys(), &ALICE, &changed).is_none(),
                    "{changed}"
                );
            }
        }
        for other in ["", "task-1", &format!("{bound}A"), &"A".repeat(9000)] {
            assert_eq!(open(&keys(), &ALICE, other), None, "{other}");
        }
    }

    #[test]
    fn a_task_opens_as_long_as_its_key_is_known() {
        let bound = bound();
        let (old, new) = (("2026-11", &[7; 32][..]), ("2026-12", &[8; 32][..]));
        assert!(open(&StateKeys::new([new, old]), &ALICE, &bound).is_some());
        assert_eq!(open(&StateKeys::new([new]), &ALICE, &bound), None);
        let other = ("2026-11", &[9; 32][..]);
        assert_eq!(open(&StateKeys::new([other]), &ALICE, &bound), None);
        assert_eq!(bind(&StateKeys::default(), &ALICE, "task-1", None), None);
    }

    #[test]
    fn what_else_the_gate_has_made_is_no_task() {
        use super::super::session::{self, SessionFlags};
        let session = session::bind(&keys(), &ALICE, "task-1", SessionFlags::default()).unwrap();
        assert_eq!(open(&keys(), &ALICE, &session), None);
        assert_eq!(session::open(&keys(), &ALICE, &bound()), None);
    }

    #[test]
    fn only_an_id_that_can_be_written_in_json_and_is_not_too_long_is_bound() {
        for id in ["", "a\nb", "a\"b", "\\", "\\ud800", &"a".repeat(1025)] {
            assert_eq!(bind(&keys(), &ALICE, id, None), None, "{id:?}");
        }
        let long = origin(&"a".repeat(3068), None);
        assert_eq!(bind(&keys(), &ALICE, "a", Some(&long)), None);
        let long = origin(&"a".repeat(65_536), None);
        assert_eq!(bind(&keys(), &ALICE, "a", Some(&long)), None);
    }

    #[test]
    fn the_longest_id_with_the_longest_key_id_still_opens() {
        let key_id = "k".repeat(255);
        let keys = StateKeys::new([(key_id.as_str(), &[7; 32][..])]);
        let longest = CONTENT_BYTES - UPSTREAM_ID_BYTES - 4;
        let origin = origin(&"t".repeat(longest), None);
        let id = "a".repeat(UPSTREAM_ID_BYTES);
        let bound = bind(&keys, &ALICE, &id, Some(&origin)).unwrap();
        assert_eq!(bound.len(), characters(CONTENT_BYTES));
        assert!(open(&keys, &ALICE, &bound).is_some());
    }

    #[test]
    fn an_upstreams_id_is_the_same_in_every_spelling() {
        let bound = bind(&keys(), &ALICE, r"\u0061\/b", None).unwrap();
        let task = open(&keys(), &ALICE, &bound).unwrap();
        assert_eq!(task.upstream_name().as_deref(), Some("a/b"));
        for (written, expected) in [
            (r#""a/b""#, true),
            (r#""\u0061/b""#, true),
            (r#""a""#, false),
            ("1", false),
            ("null", false),
        ] {
            assert_eq!(task.is_of_upstream(written), expected, "{written}");
        }
    }

    proptest! {
        #[test]
        fn what_is_bound_opens_again_and_is_longer_than_it_was(
            id in any::<String>(), tool in any::<String>(), rule in any::<Option<String>>(),
        ) {
            let written = serde_json::to_string(&id).unwrap();
            let inside = written.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let origin = origin(&tool, rule.as_deref());
            if let Some(bound) = bind(&keys(), &ALICE, inside, Some(&origin)) {
                let task = open(&keys(), &ALICE, &bound).unwrap();
                prop_assert!(bound.len() > inside.len());
                prop_assert_eq!(task.upstream_name(), Some(id));
                prop_assert_eq!(task.origin, Some(origin));
            } else {
                prop_assert!(id.is_empty() || inside.len() > UPSTREAM_ID_BYTES);
            }
        }

        #[test]
        fn what_nobody_here_has_made_does_not_open(text: String) {
            prop_assert_eq!(open(&keys(), &ALICE, &text), None);
        }
    }
}
