//! Task ids and request states in what comes back: bound to the caller.

use std::rc::Rc;

use super::expected::{AskedKind, AskedRequest, Called};
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
            // There were no keys when it was asked for.
            AskedKind::Call(None) => Err(Withheld::Unbound),
            AskedKind::Call(Some(called)) => {
                let Called {
                    method,
                    target,
                    rule,
                } = &**called;
                if method == "tools/call" {
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
        let state = members.get("requestState");
        let Some(state) = state.filter(|state| *state != "null") else {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
    use serde_json::{Value, json};

    use super::*;
    use crate::continuity::{open_task, open_upstream_state};
    use crate::mcp::envelope::RequestId;

    const ALICE: Owner<'_> = Owner {
        issuer: "https://issuer.example",
        subject: "alice",
        subject_type: "user",
        client: None,
        resource: "https://gate.example/mcp",
    };

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    fn asked(era: Era, kind: AskedKind) -> AskedRequest {
        let id = RequestId::Integer(1);
        AskedRequest { id, era, kind }
    }

    fn call(method: &str, target: &str) -> AskedKind {
        AskedKind::Call(Some(Box::new(Called {
            method: method.to_owned().into(),
            target: target.into(),
            rule: Some("r".into()),
        })))
    }

    /// What becomes of a result.
    fn bound(
        text: &str,
        asked: Option<&AskedRequest>,
        keys: &StateKeys,
    ) -> Result<String, Withheld> {
        let members = raw::object(text.as_bytes()).unwrap();
        let mut splice = Splice::new(text.as_bytes());
        let binder = Binder { owner: ALICE, keys };
        binder.result(&members, asked, &mut splice)?;
        Ok(String::from_utf8(splice.apply().unwrap()).unwrap())
    }

    #[test]
    fn a_new_task_knows_the_call_that_made_it() {
        let asked = asked(Era::Modern, call("tools/call", "add"));
        let text = r#"{"resultType":"task","taskId":"\u0061\n","status":"working"}"#;
        let after = bound(text, Some(&asked), &keys()).unwrap();
        let after: Value = serde_json::from_str(&after).unwrap();
        let task = open_task(&keys(), &ALICE, after["taskId"].as_str().unwrap()).unwrap();
        assert_eq!(task.upstream_id, r"\u0061\n");
        let origin = task.origin.unwrap();
        assert_eq!((&*origin.tool, origin.rule.as_deref()), ("add", Some("r")));
    }

    #[test]
    fn where_nobody_knows_what_to_bind_to_nothing_is_passed_unbound() {
        let asked = asked(Era::Modern, AskedKind::Call(None));
        let text = r#"{"resultType":"task","taskId":"a","status":"working"}"#;
        assert_eq!(bound(text, Some(&asked), &keys()), Err(Withheld::Unbound));
        let no_keys = StateKeys::default();
        assert_eq!(bound(text, Some(&asked), &no_keys).as_deref(), Ok(text));
    }

    #[test]
    fn what_stands_elsewhere_is_left_as_it_is() {
        let tool = || call("tools/call", "add");
        for (text, era, kind) in [
            (
                r#"{"content":[{"taskId":"a","requestState":"b"}]}"#,
                Era::Modern,
                tool(),
            ),
            (
                r#"{"structuredContent":{"task":{"taskId":"a"}}}"#,
                Era::Legacy,
                tool(),
            ),
            (
                r#"{"taskId":"a","resultType":"complete"}"#,
                Era::Modern,
                tool(),
            ),
            (r#"{"task":"a","taskId":"a"}"#, Era::Legacy, tool()),
            (r#"{"resultType":"task"}"#, Era::Modern, tool()),
            (r#"{"requestState":"a"}"#, Era::Legacy, tool()),
            (
                r#"{"task":{"taskId":"a"}}"#,
                Era::Legacy,
                call("prompts/get", "p"),
            ),
            (r#"{"task":{"taskId":"a"}}"#, Era::Legacy, AskedKind::Other),
            (
                r#"{"taskId":"a"}"#,
                Era::Modern,
                AskedKind::Listen(Vec::new()),
            ),
        ] {
            let asked = asked(era, kind);
            assert_eq!(bound(text, Some(&asked), &keys()).as_deref(), Ok(text));
        }
        let text = r#"{"resultType":"task","taskId":"a","requestState":1}"#;
        assert_eq!(bound(text, None, &keys()).as_deref(), Ok(text));
        let asked = asked(Era::Modern, tool());
        let without = StateKeys::default();
        assert_eq!(bound(text, Some(&asked), &without).as_deref(), Ok(text));
    }

    #[test]
    fn what_cannot_be_bound_is_withheld() {
        let long = format!(r#"{{"task":{{"taskId":"{}"}}}}"#, "a".repeat(1025));
        for (text, why) in [
            (
                r#"{"resultType":"task","taskId":1}"#,
                Withheld::NotUnderstood,
            ),
            (
                r#"{"resultType":"task","taskId":null}"#,
                Withheld::NotUnderstood,
            ),
            (
                r#"{"resultType":"task","taskId":"\ud800"}"#,
                Withheld::NotUnderstood,
            ),
            (r#"{"resultType":"task","taskId":""}"#, Withheld::Unbound),
            (
                r#"{"task":{"taskId":"a","taskId":"b"}}"#,
                Withheld::NotUnderstood,
            ),
            (r#"{"requestState":{}}"#, Withheld::NotUnderstood),
            (&long, Withheld::Unbound),
        ] {
            let asked = asked(Era::Modern, call("tools/call", "add"));
            assert_eq!(bound(text, Some(&asked), &keys()), Err(why), "{text}");
        }
    }

    #[test]
    fn a_known_task_is_named_as_the_client_knows_it_wherever_it_stands() {
        let task = Task {
            bound_id: "bound".to_owned(),
            upstream_id: "up".to_owned(),
            origin: None,
        };
        let asked = asked(Era::Legacy, AskedKind::Task(Rc::new(task)));
        for (text, expected) in [
            (
                r#"{"taskId": "\u0075p", "result": {"taskId": "up"}}"#,
                Ok(r#"{"taskId": "bound", "result": {"taskId": "up"}}"#),
            ),
            (
                r#"{"task": {"taskId": "up"}, "_meta": {"io.modelcontextprotocol/related-task": {"taskId": "up"}}}"#,
                Ok(
                    r#"{"task": {"taskId": "bound"}, "_meta": {"io.modelcontextprotocol/related-task": {"taskId": "bound"}}}"#,
                ),
            ),
            (
                r#"{"_meta": 1, "task": []}"#,
                Ok(r#"{"_meta": 1, "task": []}"#),
            ),
            (r#"{"taskId": "UP"}"#, Err(Withheld::Unbound)),
            (
                r#"{"taskId": "up", "task": {"taskId": "other"}}"#,
                Err(Withheld::Unbound),
            ),
            (r#"{"taskId": ["up"]}"#, Err(Withheld::NotUnderstood)),
        ] {
            let after = bound(text, Some(&asked), &keys());
            assert_eq!(after.as_deref(), expected.as_deref(), "{text}");
        }
    }

    fn id() -> impl Strategy<Value = String> {
        prop_oneof![Just("up".to_owned()), proptest::prelude::any::<String>()]
    }

    proptest! {
        #[test]
        fn only_the_id_and_the_state_of_an_answer_change(id in id(), state: String, other: String) {
            let text = json!({
                "resultType": "task", "taskId": id, "requestState": state, "x": {"taskId": other},
            });
            let asked = asked(Era::Modern, call("tools/call", "add"));
            match bound(&text.to_string(), Some(&asked), &keys()) {
                Ok(after) => {
                    let mut after: Value = serde_json::from_str(&after).unwrap();
                    let given = after["taskId"].take();
                    let task = open_task(&keys(), &ALICE, given.as_str().unwrap()).unwrap();
                    let given = after["requestState"].take();
                    let call = ("tools/call", "add");
                    let opened =
                        open_upstream_state(&keys(), &ALICE, call, given.as_str().unwrap());
                    let opened: String =
                        serde_json::from_str(&format!("\"{}\"", opened.unwrap())).unwrap();
                    after["taskId"] = json!(task.upstream_name());
                    after["requestState"] = json!(opened);
                    prop_assert_eq!(after, text);
                }
                Err(why) => prop_assert_eq!((why, id.is_empty()), (Withheld::Unbound, true)),
            }
        }
    }
}
