//! What a permitted request leads one to expect of its response.

use std::rc::Rc;

use crate::mcp::envelope::Message;
use crate::mcp::{Call, Revision, Target};
use crate::policy::Permit;
use crate::response::{AskedKind, AskedRequest, ListKind};

/// The request, if this message is one that wants an answer.
pub(super) fn asked(
    message: &Message,
    call: Option<&Call<'_>>,
    permit: &Permit,
    revision: Revision,
) -> Option<AskedRequest> {
    let Message::Request { id, .. } = message else {
        return None;
    };
    Some(AskedRequest {
        id: id.clone(),
        era: revision.era(),
        kind: call.map_or(AskedKind::Other, |call| kind_of(call, permit)),
    })
}

fn kind_of(call: &Call<'_>, permit: &Permit) -> AskedKind {
    match &call.target {
        Target::Tool(target) | Target::Prompt(target) | Target::Resource(target) => {
            AskedKind::Call {
                method: call.method.into(),
                target: (*target).into(),
                rule: permit.rule().map(Rc::from),
            }
        }
        Target::Subscriptions(_) => AskedKind::Listen(Vec::new()),
        Target::Method => ListKind::of(call.method).map_or(AskedKind::Other, AskedKind::List),
    }
}
