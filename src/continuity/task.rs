//! Task ids (MCP 2025-11-25, Tasks; the extension
//! `io.modelcontextprotocol/tasks`), bound to the caller for whom the task
//! was made, and to the call that made it.

use core::fmt;
use std::rc::Rc;

use super::mac::StateKeys;
use super::owner::Owner;

/// A task of the caller's.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// The id that the client holds.
    pub bound_id: String,
    /// The id that the upstream knows, as it is written in a JSON string,
    /// without the quotes.
    pub upstream_id: String,
    /// The call that made it.
    pub origin: TaskOrigin,
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

/// The id for the client. `None` without a key, or if it cannot be bound.
pub fn bind(
    _keys: &StateKeys,
    _owner: &Owner<'_>,
    _upstream_id: &str,
    _origin: &TaskOrigin,
) -> Option<String> {
    None
}

/// The task of an id that a client presents; `None` if it was not given to
/// this owner, or by nobody here at all.
pub fn open(_keys: &StateKeys, _owner: &Owner<'_>, _bound_id: &str) -> Option<Task> {
    None
}
