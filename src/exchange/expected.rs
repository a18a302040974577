//! What a permitted request leads one to expect of its response.

use std::rc::Rc;

use crate::continuity::Task;
use crate::mcp::envelope::Message;
use crate::mcp::{Call, Era, Revision, Target};
use crate::policy::Permit;
use crate::response::{AskedKind, AskedRequest, ListKind};
use crate::text::Text;

/// The request, if this message is one that wants an answer. `tasks` are those
/// that it names, opened; none where ids are not bound.
pub(super) fn asked(
    message: &Message<'_>,
    call: Option<&Call<'_>>,
    tasks: &[Rc<Task>],
    permit: &Permit,
    revision: Revision,
) -> Option<AskedRequest> {
    let Message::Request { id, .. } = message else {
        return None;
    };
    Some(AskedRequest {
        id: id.clone(),
        era: revision.era(),
        kind: call.map_or(AskedKind::Other, |call| {
            kind_of(call, tasks, permit, revision.era())
        }),
    })
}

fn kind_of(call: &Call<'_>, tasks: &[Rc<Task>], permit: &Permit, era: Era) -> AskedKind {
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
        _ => AskedKind::Call {
            method: method(call.method),
            target: call.target_name().into(),
            rule: permit.rule().map(Rc::clone),
        },
    }
}

/// Those that are called most have not to be copied.
fn method(name: &str) -> Text {
    match name {
        "tools/call" => "tools/call".into(),
        "prompts/get" => "prompts/get".into(),
        "resources/read" => "resources/read".into(),
        other => other.to_owned().into(),
    }
}
