//! What a permitted request leads one to expect of its response.

use std::borrow::Cow;
use std::rc::Rc;

use crate::continuity::{StateKeys, Task};
use crate::mcp::envelope::Message;
use crate::mcp::revision::known;
use crate::mcp::{Call, Era, Revision, Target};
use crate::policy::Permit;
use crate::response::{AskedKind, AskedRequest, Called, ListKind};

/// The request, if this message is one that wants an answer. `tasks` are those
/// that it names, opened; none where ids are not bound.
pub(super) fn asked(
    message: &Message<'_>,
    call: Option<&Call<'_>>,
    tasks: &[Rc<Task>],
    permit: &Permit,
    revision: Revision,
    keys: &StateKeys,
) -> Option<AskedRequest> {
    let Message::Request { id, .. } = message else {
        return None;
    };
    let era = revision.era();
    let kind = match call {
        Some(call) => kind_of(call, tasks, permit, era, keys),
        None => AskedKind::Other,
    };
    let id = id.clone();
    Some(AskedRequest { id, era, kind })
}

fn kind_of(
    call: &Call<'_>,
    tasks: &[Rc<Task>],
    permit: &Permit,
    era: Era,
    keys: &StateKeys,
) -> AskedKind {
    if let Some(list) = ListKind::of(call.method) {
        return AskedKind::List(list);
    }
    match (&call.target, tasks) {
        (Target::Subscriptions(_), tasks) => AskedKind::Listen(tasks.to_vec()),
        (Target::Method, [task]) => AskedKind::Task(Rc::clone(task)),
        (Target::Method, _) if call.method == "tasks/list" => AskedKind::Tasks,
        // Of extensions, some may ask for input as calls do (MCP 2026-07-28,
        // multi round-trip requests).
        (Target::Method, _) if era == Era::Legacy => AskedKind::Other,
        _ if keys.is_empty() => AskedKind::Call(None),
        _ => AskedKind::Call(Some(Box::new(Called {
            method: known(call.method).map_or_else(|| call.method.to_owned().into(), Cow::Borrowed),
            target: call.target_name().into(),
            rule: permit.rule().map(Rc::clone),
        }))),
    }
}
