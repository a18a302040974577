//! What a request leads one to expect of its response.

use std::borrow::Cow;
use std::rc::Rc;

use super::ListKind;
use crate::continuity::Task;
use crate::mcp::Era;
use crate::mcp::envelope::RequestId;

/// What a request leads one to expect of its response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// A stream whose requests are not known (GET, resumption), or the answer
    /// to a notification or a response, which has no content.
    #[default]
    Anything,
    /// Answers to these requests: one, or those of a batch.
    Answers(Vec<AskedRequest>),
}

/// A request that has gone on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRequest {
    /// What its answer refers to.
    pub id: RequestId,
    /// The era of its revision.
    pub era: Era,
    /// What it asks for.
    pub kind: AskedKind,
}

/// What a request asks for, as far as its answer has to be looked at for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedKind {
    /// A list.
    List(ListKind),
    /// A tool, a prompt or a resource, or in the modern era any other method:
    /// the answer may be a task, or ask for input.
    /// Where there is no key, nothing is bound to it.
    Call(Option<Box<Called>>),
    /// A task (`tasks/get`, `tasks/result`, `tasks/cancel`, `tasks/update`).
    Task(Rc<Task>),
    /// The tasks of the upstream (`tasks/list`).
    Tasks,
    /// Notifications (`subscriptions/listen`), and the tasks among them.
    Listen(Vec<Rc<Task>>),
    /// Anything else.
    Other,
}

/// What a task or a state is bound to that is the answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The method.
    pub method: Cow<'static, str>,
    /// The name or the URI; empty where it has none.
    pub target: Rc<str>,
    /// The `id` of the rule that allows it, if one does.
    pub rule: Option<Rc<str>>,
}

impl Expected {
    /// The request that a message with this id answers.
    pub fn request(&self, id: &RequestId) -> Option<&AskedRequest> {
        match self {
            Self::Anything => None,
            Self::Answers(requests) => requests.iter().find(|request| request.id == *id),
        }
    }
}
