//! The tasks of an exchange: the client holds ids that are bound to it, the
//! upstream sees its own.

use std::rc::Rc;

use super::edits::HeaderEdits;
use super::head::Head;
use crate::config::TasksList;
use crate::continuity::{Owner, StateKeys, Task, open_task};
use crate::http::Headers;
use crate::http::headers::is_spelling_of;
use crate::json::overwrite::Overwrite;
use crate::json::{Json, Object};
use crate::mcp::agreement::{
    META_CAPABILITIES, NAME_HEADER, TASKS_EXTENSION, mirrored, mirrored_name,
};
use crate::mcp::envelope::Message;
use crate::mcp::{Call, Era, Revision, Target};
use crate::oauth::Identity;
use crate::policy::{Decision, Denied};
use crate::record::CallRecord;
use crate::reply::Denial;
use crate::site::Site;

/// MCP 2025-11-25, Tasks, "Associating Task-Related Messages".
const META_TASK: &str = "io.modelcontextprotocol/related-task";

/// What becomes of `Mcp-Name`, which the upstream gets before the body says
/// whether it is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum TaskName {
    /// It names no task of the caller's.
    #[default]
    None,
    /// It names a task, and `Mcp-Method` says that it should.
    Named(Task),
    /// It names a task, and nothing says that it should.
    Stray,
}

impl TaskName {
    /// From the headers of a request whose caller is known; `None` if they
    /// name no task of the caller's.
    #[inline]
    pub(super) fn of(
        headers: &Headers,
        site: &Site,
        identity: &Identity,
        keys: &StateKeys,
    ) -> Option<Self> {
        let name = mirrored_name(headers)?;
        Self::read(&name, headers, &Owner::of(identity, site), keys)
    }

    #[inline(never)]
    fn read(name: &str, headers: &Headers, owner: &Owner<'_>, keys: &StateKeys) -> Option<Self> {
        let task = open_task(keys, owner, name)?;
        match headers.single("mcp-method") {
            Ok(Some(method)) if method.starts_with("tasks/") => Some(Self::Named(task)),
            Ok(None) => Some(Self::Stray),
            Ok(Some(_)) | Err(_) => None,
        }
    }

    /// The request, with the upstream's own id or with none.
    #[inline(never)]
    pub(super) fn edit_request(&self, headers: &Headers, edits: &mut HeaderEdits) {
        let name = match self {
            Self::None => return,
            Self::Named(task) => task.upstream_name(),
            Self::Stray => None,
        };
        edits.remove_where(headers, |name| is_spelling_of(name, NAME_HEADER));
        if let Some(name) = name {
            edits.set.push((NAME_HEADER.into(), mirrored(&name).into()));
        }
    }
}

/// Whether a method that the revision has is there all the same: whose the
/// tasks of a list are, only the upstream knows.
pub(super) fn is_refused(method: &str, site: &Site, keys: &StateKeys) -> bool {
    let is_trusted = site.server.tasks_list == TasksList::Trusted;
    method == "tasks/list" && !keys.is_empty() && !is_trusted
}

/// The tasks that a call names, each of which has to be the caller's, made by
/// a call that is permitted still.
pub(super) fn decide(
    head: &Head,
    identity: &Identity,
    call: &Call<'_>,
    keys: &StateKeys,
    record: &mut CallRecord,
) -> Result<Vec<Rc<Task>>, Denial> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let owner = Owner::of(identity, &head.site);
    let mut tasks = Vec::new();
    for id in &call.tasks {
        let task = open_task(keys, &owner, id).ok_or(Denial::UnknownTask)?;
        decide_on(&task, head, identity, record)?;
        tasks.push(Rc::new(task));
    }
    Ok(tasks)
}

/// That a client cannot have tasks comes before that there is no such task, as
/// it does at an upstream (SEP-2663, "Required Capabilities").
pub(super) fn undeclared_first(denial: Denial, params: &Object, revision: Revision) -> Denial {
    let is_unknown = matches!(denial, Denial::UnknownTask);
    if is_unknown && revision.era() == Era::Modern && !declares_tasks(params) {
        return Denial::UndeclaredTask;
    }
    denial
}

fn declares_tasks(params: &Object) -> bool {
    let meta = params.get("_meta").and_then(Json::as_object);
    let capabilities = meta.and_then(|meta| meta.get(META_CAPABILITIES)?.as_object());
    let extensions =
        capabilities.and_then(|capabilities| capabilities.get("extensions")?.as_object());
    extensions.is_some_and(|extensions| extensions.get(TASKS_EXTENSION).is_some())
}

fn decide_on(
    task: &Task,
    head: &Head,
    identity: &Identity,
    record: &mut CallRecord,
) -> Result<(), Denial> {
    let server = &head.site.server;
    let Some(origin) = &task.origin else {
        // Listed once, when the upstream's list was trusted.
        return match server.tasks_list {
            TasksList::Trusted => Ok(()),
            TasksList::Refused => Err(Denial::UnknownTask),
        };
    };
    record.name_tool(&origin.tool);
    let rule = origin.rule.as_deref();
    match server.policy.decide_on_task(identity, &origin.tool, rule) {
        Decision::Permit(permit) => {
            record.rule = permit.rule().map(Rc::clone);
            let unenforced = permit.unenforced().map(Denied::reason);
            record.unenforced = record.unenforced.or(unenforced);
            Ok(())
        }
        Decision::Deny(denied) => {
            record.rule = denied.rule().map(Rc::clone);
            Err(Denial::Task(denied))
        }
    }
}

/// Makes of the message what the upstream gets: with its own ids of the tasks
/// that the call names. `None` if it is not the message that names them.
pub(super) fn rewrite(
    message: &mut Overwrite<'_>,
    call: &Call<'_>,
    tasks: &[Rc<Task>],
) -> Option<()> {
    if tasks.is_empty() {
        return Some(());
    }
    let written = match call.target {
        Target::Subscriptions(_) => message.strings(&["params", "notifications", "taskIds"])?,
        _ => vec![message.string(&["params", "taskId"])?],
    };
    if written.len() != tasks.len() {
        return None;
    }
    for (written, task) in written.iter().zip(tasks) {
        message.write(written, &task.upstream_id)?;
    }
    Some(())
}

/// The same for the id of the task that a message says it belongs to, if it is
/// one of the caller's. In notifications and responses others stay: a client
/// has tasks of its own, which the server has asked it for. What a client asks
/// for belongs to a task of the server's.
///
/// # Errors
/// [`Denial::UnknownTask`]
pub(super) fn rewrite_related(
    rewritten: &mut Overwrite<'_>,
    message: &Message<'_>,
    open: impl Fn(&str) -> Option<Task>,
) -> Result<(), Denial> {
    let member = match message {
        Message::Request { params, .. } | Message::Notification { params, .. } => {
            let meta = params.get("_meta").and_then(Json::as_object);
            if meta.and_then(|meta| meta.get(META_TASK)).is_none() {
                return Ok(());
            }
            "params"
        }
        Message::Response { .. } => "result",
    };
    let written = rewritten.string(&[member, "_meta", META_TASK, "taskId"]);
    let task = written.as_ref().and_then(|written| open(&written.text));
    match (written, task) {
        (Some(written), Some(task)) => {
            // What is bound is longer than what it holds.
            let _ = rewritten.write(&written, &task.upstream_id);
            Ok(())
        }
        _ if matches!(message, Message::Request { .. }) => Err(Denial::UnknownTask),
        _ => Ok(()),
    }
}
