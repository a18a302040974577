//! Task ids and request states in what comes back: bound to the caller.

use std::rc::Rc;

use super::expected::{AskedKind, AskedRequest};
use super::splice::Splice;
use super::withheld::Withheld;
use crate::continuity::{Owner, StateKeys, Task, TaskOrigin, bind_task, bind_upstream_state};
use crate::json::raw::{self, RawObject};
use crate::mcp::Era;

/// MCP 2025-11-25, Tasks, "Associating Task-Related Messages".
const META_TASK: &str = "io.modelcontextprotocol/related-task";

/// What ids and states are bound with.
#[derive(Clone, Copy)]
pub(super) struct Binder<'a> {
    pub(super) owner: Owner<'a>,
    pub(super) keys: &'a StateKeys,
}

impl Binder<'_> {
    /// Binds what a result gives out, as edits of the message that it stands
    /// in. `asked` is the request that it answers. Without keys nothing is
    /// bound, and neither is what stands where nothing looks for it: no id and
    /// no state is taken back that is not bound.
    ///
    /// # Errors
    /// [`Withheld::Unbound`], [`Withheld::NotUnderstood`]
    pub(super) fn result(
        self,
        members: &RawObject<'_>,
        asked: Option<&AskedRequest>,
        splice: &mut Splice<'_>,
    ) -> Result<(), Withheld> {
        let Some(AskedRequest { era, kind, .. }) = asked.filter(|_| !self.keys.is_empty()) else {
            return Ok(());
        };
        match kind {
            AskedKind::Call {
                method,
                target,
                rule,
            } => {
                if **method == *"tools/call" {
                    let (tool, rule) = (Rc::clone(target), rule.clone());
                    self.new_task(members, &TaskOrigin { tool, rule }, splice)?;
                }
                if *era == Era::Modern {
                    self.state(members, (method, target), splice)?;
                }
                Ok(())
            }
            AskedKind::Task(task) => known_task(members, task, splice),
            AskedKind::Tasks => self.listed_tasks(members, splice),
            AskedKind::List(_) | AskedKind::Listen(_) | AskedKind::Other => Ok(()),
        }
    }

    /// The same for the parameters of a notification or of a request of the
    /// server's. `asked` is the request on whose stream it is.
    ///
    /// # Errors
    /// [`Withheld::Unbound`], [`Withheld::NotUnderstood`],
    /// [`Withheld::Subscription`]
    pub(super) fn params(
        self,
        method: &str,
        members: &RawObject<'_>,
        asked: Option<&AskedRequest>,
        splice: &mut Splice<'_>,
    ) -> Result<(), Withheld> {
        if self.keys.is_empty() {
            return Ok(());
        }
        match asked.map(|asked| &asked.kind) {
            Some(AskedKind::Task(task)) if is_task_status(method) => {
                known_task(members, task, splice)
            }
            Some(AskedKind::Task(task)) => related_task(members, task, splice),
            Some(AskedKind::Listen(tasks)) if is_task_status(method) => {
                let id = members.get("taskId").ok_or(Withheld::Subscription)?;
                let task = among(tasks, id)?;
                known_task(members, task, splice)
            }
            Some(AskedKind::Listen(tasks)) if method == ACKNOWLEDGED => {
                acknowledged(members, tasks, splice)
            }
            _ => Ok(()),
        }
    }

    /// `CreateTaskResult`, of either era.
    fn new_task(
        self,
        members: &RawObject<'_>,
        origin: &TaskOrigin,
        splice: &mut Splice<'_>,
    ) -> Result<(), Withheld> {
        let is_task = members.get("resultType").and_then(raw::string);
        let task = match (is_task, members.get("task")) {
            (Some(kind), _) if kind == "task" => Some(members.clone()),
            (_, Some(task)) if task.starts_with('{') => Some(object(task)?),
            _ => None,
        };
        let Some(id) = task.and_then(|task| task.get("taskId")) else {
            return Ok(());
        };
        let bound = self.bind_task(id, Some(origin))?;
        replace(splice, id, &bound)?;
        let task = Task {
            bound_id: bound,
            upstream_id: inside(id)?.to_owned(),
            origin: Some(origin.clone()),
        };
        related_task(members, &task, splice)
    }

    /// `ListTasksResult`: the calls that made them are not known.
    fn listed_tasks(
        self,
        members: &RawObject<'_>,
        splice: &mut Splice<'_>,
    ) -> Result<(), Withheld> {
        let Some(tasks) = members.get("tasks") else {
            return Ok(());
        };
        let tasks = raw::array(tasks.as_bytes()).map_err(|_| Withheld::NotUnderstood)?;
        for task in tasks {
            let id = object(task)?.get("taskId").ok_or(Withheld::NotUnderstood)?;
            replace(splice, id, &self.bind_task(id, None)?)?;
        }
        Ok(())
    }

    fn state(
        self,
        members: &RawObject<'_>,
        call: (&str, &str),
        splice: &mut Splice<'_>,
    ) -> Result<(), Withheld> {
        let Some(state) = members.get("requestState") else {
            return Ok(());
        };
        let bound = bind_upstream_state(self.keys, &self.owner, call, inside(state)?);
        replace(splice, state, &bound.ok_or(Withheld::Unbound)?)
    }

    fn bind_task(self, id: &str, origin: Option<&TaskOrigin>) -> Result<String, Withheld> {
        bind_task(self.keys, &self.owner, inside(id)?, origin).ok_or(Withheld::Unbound)
    }
}

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Tells what has become of a task of the server's (MCP 2025-11-25, and the
/// extension).
fn is_task_status(method: &str) -> bool {
    matches!(method, "notifications/tasks/status" | "notifications/tasks")
}

/// What is said of a task that the client has asked for: under the id that the
/// client has, wherever the id stands. Of another task nothing is said here.
fn known_task(
    members: &RawObject<'_>,
    task: &Task,
    splice: &mut Splice<'_>,
) -> Result<(), Withheld> {
    let within = match members.get("task") {
        Some(inner) if inner.starts_with('{') => object(inner)?.get("taskId"),
        _ => None,
    };
    let ids = [members.get("taskId"), within, related(members)?];
    for id in ids.into_iter().flatten() {
        inside(id)?;
        if !task.is_of_upstream(id) {
            return Err(Withheld::Unbound);
        }
        replace(splice, id, &task.bound_id)?;
    }
    Ok(())
}

/// What belongs to a task, if it is this one. Other ids are the client's own,
/// of tasks that the server has asked it for.
fn related_task(
    members: &RawObject<'_>,
    task: &Task,
    splice: &mut Splice<'_>,
) -> Result<(), Withheld> {
    match related(members)? {
        Some(id) if task.is_of_upstream(id) => replace(splice, id, &task.bound_id),
        _ => Ok(()),
    }
}

fn related<'a>(members: &RawObject<'a>) -> Result<Option<&'a str>, Withheld> {
    let Some(meta) = members.get("_meta").filter(|meta| meta.starts_with('{')) else {
        return Ok(None);
    };
    match object(meta)?.get(META_TASK) {
        Some(task) if task.starts_with('{') => Ok(object(task)?.get("taskId")),
        _ => Ok(None),
    }
}

/// The tasks that the server has agreed to tell of.
fn acknowledged(
    members: &RawObject<'_>,
    tasks: &[Rc<Task>],
    splice: &mut Splice<'_>,
) -> Result<(), Withheld> {
    let Some(agreed) = members.get("notifications") else {
        return Ok(());
    };
    let Some(ids) = object(agreed)?.get("taskIds") else {
        return Ok(());
    };
    for id in raw::array(ids.as_bytes()).map_err(|_| Withheld::NotUnderstood)? {
        replace(splice, id, &among(tasks, id)?.bound_id)?;
    }
    Ok(())
}

fn among<'a>(tasks: &'a [Rc<Task>], id: &str) -> Result<&'a Task, Withheld> {
    let mut tasks = tasks.iter();
    let task = tasks.find(|task| task.is_of_upstream(id));
    task.map(Rc::as_ref).ok_or(Withheld::Subscription)
}

fn object(text: &str) -> Result<RawObject<'_>, Withheld> {
    raw::object(text.as_bytes()).map_err(|_| Withheld::NotUnderstood)
}

/// What stands between the quotes of a string.
fn inside(text: &str) -> Result<&str, Withheld> {
    raw::string(text)
        .and_then(|_| text.strip_prefix('"')?.strip_suffix('"'))
        .ok_or(Withheld::NotUnderstood)
}

/// Bound ids and states need no escapes.
fn replace(splice: &mut Splice<'_>, part: &str, bound: &str) -> Result<(), Withheld> {
    splice
        .replace(part, format!("\"{bound}\""))
        .ok_or(Withheld::NotUnderstood)
}
