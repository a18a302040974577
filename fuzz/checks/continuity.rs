//! What a client brings back is never taken for the gate's own unless the
//! gate has made it; and what the gate makes, it knows again.

use mcp_auth_filter::continuity::{
    CallDigest, Owner, Presented, Retry, SessionFlags, StateKeys, TaskOrigin, bind_session,
    bind_task, bind_upstream_state, open_session, open_task, open_upstream_state, present,
    request_state,
};
use mcp_auth_filter::json::overwrite::Overwrite;
use mcp_auth_filter::json::{self, Json};
use mcp_auth_filter::mcp::{Call, Era};

const NOW_S: u64 = 1_800_000_000;

const OWNER: Owner<'_> = Owner {
    issuer: "https://as.example",
    subject: "alice",
    subject_type: "user",
    client: None,
    resource: "https://gate.example/mcp",
};

/// The bytes are a session id, a task id, a request state, and the body of a
/// retry.
pub(crate) fn check(bytes: &[u8]) {
    let keys = StateKeys::new([("fuzz", &[7; 32][..])]);
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(open_session(&keys, &OWNER, &text), None, "a forged session");
    let flags = SessionFlags {
        elicitation_by_url: bytes.len() % 2 == 1,
    };
    if let Some(bound) = bind_session(&keys, &OWNER, &text, flags) {
        let session = open_session(&keys, &OWNER, &bound).expect("a session of ours");
        assert_eq!(
            (session.upstream_id.as_str(), session.flags),
            (&*text, flags)
        );
    }
    handles(&keys, &text);
    let call = Call::without_target("tools/list");
    for state in [text.to_string(), format!("mcp-auth.state.{text}")] {
        let found = present(&keys, &OWNER, &call, &state, NOW_S);
        assert!(
            matches!(found, Presented::Foreign | Presented::Forged),
            "{found:?}"
        );
    }
    let _ = retry(&keys, bytes);
}

/// Task ids and states of an upstream: none opens that was not bound, and what
/// is bound is the same when it is opened, and shorter.
fn handles(keys: &StateKeys, text: &str) {
    const CALL: (&str, &str) = ("tools/call", "echo");
    assert_eq!(open_task(keys, &OWNER, text), None, "a forged task");
    for state in [text.to_owned(), format!("mcp-auth.upstream.{text}")] {
        let opened = open_upstream_state(keys, &OWNER, CALL, &state);
        assert_eq!(opened, None, "a forged state");
    }
    let origin = TaskOrigin {
        tool: text.into(),
        rule: (text.len() % 2 == 1).then(|| text.into()),
    };
    for origin in [None, Some(origin)] {
        if let Some(bound) = bind_task(keys, &OWNER, text, origin.as_ref()) {
            let task = open_task(keys, &OWNER, &bound).expect("a task of ours");
            assert!(bound.len() > text.len() && task.upstream_name().is_some());
            assert_eq!((task.upstream_id.as_str(), task.origin), (text, origin));
        }
    }
    if let Some(bound) = bind_upstream_state(keys, &OWNER, CALL, text) {
        assert!(bound.len() > text.len());
        let opened = open_upstream_state(keys, &OWNER, CALL, &bound);
        assert_eq!(opened.as_deref(), Some(text), "a state of ours");
    }
}

/// The rewritten message has the same length, and means the same less what is
/// the gate's.
fn retry(keys: &StateKeys, bytes: &[u8]) -> Option<()> {
    let message = json::parse(bytes, 32).ok()?;
    let params = message.as_object()?.get("params")?.as_object()?;
    let call = Call::of("tools/call", params).ok()?;
    let state = request_state(keys, &OWNER, &CallDigest::of(&call), NOW_S)?;
    assert_eq!(
        present(keys, &OWNER, &call, &state, NOW_S),
        Presented::Valid
    );
    let retry = Retry::read(keys, &OWNER, Era::Modern, &call, params, NOW_S).ok()?;
    let mut overwrite = Overwrite::new(bytes);
    retry
        .rewrite(&mut overwrite)
        .expect("the message that was read");
    let rewritten = overwrite.finish()?;
    assert_eq!(rewritten.len(), bytes.len());
    let after = json::parse(&rewritten, 32).expect("still JSON");
    let after = after.as_object()?.get("params")?.as_object()?;
    for (name, value) in params.iter() {
        let own = |name: &str| matches!(name, "inputResponses" | "requestState");
        assert!(
            own(name) || after.get(name) == Some(value),
            "{name} is lost"
        );
    }
    let responses = after.get("inputResponses").and_then(Json::as_object);
    assert!(responses.is_none_or(|responses| responses.get("mcp-auth.consent").is_none()));
    Some(())
}
