//! From a message to an admission: every call in it is decided on.

use core::fmt;
use std::rc::Rc;

use super::head::{Head, Verb};
use super::{declared, expected, tasks};
use crate::config::Limits;
use crate::continuity::{ForgedState, Owner, Retry, SessionFlags, StateKeys, Task, open_task};
use crate::json::JsonError;
use crate::json::overwrite::Overwrite;
use crate::mcp::agreement::{self, AgreementError};
use crate::mcp::elicitation::declares_url;
use crate::mcp::envelope::{self, Body, BodyLimits, EnvelopeError, Message};
use crate::mcp::{Call, Era, Revision};
use crate::oauth::Identity;
use crate::policy::{Decision, Denied, Permit};
use crate::record::CallRecord;
use crate::reply::{Addressee, Asker, Denial, Reply, Subject, combine, refuse};
use crate::response::{AskedRequest, Expected};

/// The proof that every call of a request has a permit. Only this module
/// makes one, and nothing is forwarded without.
#[derive(PartialEq)]
pub struct Admission {
    permits: Permits,
    /// What it brings back from an earlier answer.
    pub(super) retry: Retry,
    /// The message to send on in place of the one that came: of the same
    /// length, without what is the gate's own, and without the capabilities
    /// of the client that the upstream may not use.
    message: Option<Vec<u8>>,
    /// For `initialize`: what the client declares with it.
    pub(super) opens: Option<SessionFlags>,
    /// What its response has to answer.
    pub(super) expected: Expected,
}

/// A permit for each of its calls.
#[derive(PartialEq)]
enum Permits {
    One(Permit),
    OfBatch(Vec<Permit>),
}

impl Permits {
    const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::OfBatch(permits) => permits.len(),
        }
    }
}

/// Without the message: its arguments are the client's, and nobody else's.
impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.message.as_ref().map(Vec::len);
        f.debug_struct("Admission")
            .field("permits", &self.permits.len())
            .field("message_bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Admission {
    const fn of(permits: Permits) -> Self {
        Self {
            permits,
            retry: Retry::NONE,
            message: None,
            opens: None,
            expected: Expected::Anything,
        }
    }

    /// The message to send on, where it is not the one that came. It has the
    /// same length.
    pub fn message(&self) -> Option<&[u8]> {
        self.message.as_deref()
    }
}

/// What a decision needs besides the request itself.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) limits: &'a Limits,
    pub(super) keys: &'a StateKeys,
    /// Seconds since 1970.
    pub(super) now_s: u64,
}

/// A permit, what it is for, and the tasks that this names.
struct Permitted<'a> {
    permit: Permit,
    /// None for a response.
    call: Option<Call<'a>>,
    tasks: Vec<Rc<Task>>,
}

impl Permitted<'_> {
    fn asked(
        &self,
        message: &Message<'_>,
        revision: Revision,
        keys: &StateKeys,
    ) -> Option<AskedRequest> {
        let call = self.call.as_ref();
        expected::asked(message, call, &self.tasks, &self.permit, revision, keys)
    }
}

/// What became of a request: admitted, or the answer and why.
pub(super) struct Judgement {
    pub(super) result: Result<Admission, (Denial, Reply)>,
    pub(super) revision: Option<Revision>,
    pub(super) calls: Vec<CallRecord>,
    /// Who gets the answer, if one has to be given later.
    pub(super) asker: Asker,
}

impl Judgement {
    fn refused(
        denial: Denial,
        revision: Option<Revision>,
        head: &Head,
        subject: Subject<'_>,
    ) -> Self {
        let reply = refuse(&denial, addressee(head, subject));
        Self {
            result: Err((denial, reply)),
            revision,
            calls: Vec::new(),
            asker: Asker::Unanswerable,
        }
    }
}

/// Decides on a request of which head, body and caller are known.
pub(super) fn judge(
    head: &Head,
    identity: &Identity,
    body: &[u8],
    ground: Ground<'_>,
) -> Judgement {
    match head.verb {
        Verb::Post => judge_message(head, identity, body, ground),
        Verb::Get => judge_bodiless(head, identity, body, Call::GET),
        Verb::Delete => judge_bodiless(head, identity, body, Call::DELETE),
    }
}

fn addressee<'a>(head: &'a Head, subject: Subject<'a>) -> Addressee<'a> {
    Addressee {
        site: Some(&head.site),
        origin: &head.origin,
        subject,
    }
}

/// GET and DELETE: legacy only, and without a body.
fn judge_bodiless(
    head: &Head,
    identity: &Identity,
    body: &[u8],
    method: &'static str,
) -> Judgement {
    let unanswerable = Subject::Unanswerable;
    if !body.is_empty() {
        return Judgement::refused(Denial::UnexpectedBody, None, head, unanswerable);
    }
    // Nothing in a body could bear these out, and an upstream may route by them.
    if head.headers.has("mcp-method") || head.headers.has("mcp-name") {
        let error = AgreementError::Mismatch("Mcp-Method");
        return Judgement::refused(Denial::Agreement(error), None, head, unanswerable);
    }
    let supported = &head.site.server.protocol_versions;
    let revision = match agreement::header_revision(&head.headers, supported) {
        Ok(named) => named.unwrap_or(Revision::ASSUMED),
        Err(error) => {
            return Judgement::refused(Denial::Agreement(error), None, head, unanswerable);
        }
    };
    if revision.era() == Era::Modern
        || supported
            .iter()
            .all(|revision| revision.era() == Era::Modern)
    {
        let denial = Denial::MethodNotAllowed {
            allow: "POST, OPTIONS",
        };
        return Judgement::refused(denial, Some(revision), head, unanswerable);
    }
    if !supported.contains(&revision) {
        let error = AgreementError::UnsupportedVersion {
            requested: revision.as_str().to_owned(),
            form: Era::Legacy,
        };
        return Judgement::refused(Denial::Agreement(error), Some(revision), head, unanswerable);
    }
    let call = Call::pseudo(method);
    let (decision, record) = decide(head, identity, &call);
    let result = match decision {
        Ok(permit) => Ok(Admission::of(Permits::One(permit))),
        Err(denial) => {
            let reply = refuse(&denial, addressee(head, unanswerable));
            Err((denial, reply))
        }
    };
    Judgement {
        result,
        revision: Some(revision),
        calls: vec![record],
        asker: Asker::Unanswerable,
    }
}

fn judge_message(head: &Head, identity: &Identity, bytes: &[u8], ground: Ground<'_>) -> Judgement {
    let bounds = BodyLimits {
        depth: ground.limits.json_depth,
        batch_elements: ground.limits.batch_elements,
    };
    let body = match envelope::parse(bytes, bounds, &head.site.asked_arguments) {
        Ok(body) => body,
        Err(error) => {
            return Judgement::refused(Denial::Envelope(error), None, head, Subject::Unread);
        }
    };
    let revision =
        match agreement::revision(&head.headers, &body, &head.site.server.protocol_versions) {
            Ok(revision) => revision,
            Err(error) => {
                let subject = match &body {
                    Body::Single(Message::Request { id, method, .. }) => Subject::Request {
                        id,
                        method,
                        era: Era::Modern,
                        call: None,
                    },
                    _ => Subject::Unread,
                };
                return Judgement::refused(Denial::Agreement(error), None, head, subject);
            }
        };
    match &body {
        Body::Single(message) => {
            let (result, mut record) =
                judge_one(head, identity, message, revision, ground.keys, false);
            let mut asker = Asker::of(message, revision);
            let result = result.and_then(|permitted| {
                let admission = admit(&permitted, head, identity, message, revision, bytes, ground)
                    .map_err(|denial| {
                        record.allowed = false;
                        record.reason = denial.reason();
                        answered(denial, head, subject(message, revision, None))
                    })?;
                // Without a credential there is no consent to ask for.
                if head.site.server.credential.is_some()
                    && admission.retry.may_be_asked()
                    && let Some(call) = &permitted.call
                {
                    let declared = head.session.flags().elicitation_by_url;
                    asker = Asker::who_may_be_asked(message, call, revision, declared);
                }
                Ok(admission)
            });
            Judgement {
                result,
                revision: Some(revision),
                calls: vec![record],
                asker,
            }
        }
        Body::Batch(messages) => judge_batch(head, identity, messages, revision, ground.keys),
    }
}

/// What goes on of a permitted message.
fn admit(
    permitted: &Permitted<'_>,
    head: &Head,
    identity: &Identity,
    message: &Message<'_>,
    revision: Revision,
    bytes: &[u8],
    ground: Ground<'_>,
) -> Result<Admission, Denial> {
    let Ground { keys, now_s, .. } = ground;
    let mut admission = Admission::of(Permits::One(permitted.permit.clone()));
    if let Some(asked) = permitted.asked(message, revision, keys) {
        admission.expected = Expected::Answers(vec![asked]);
    }
    let owner = Owner::of(identity, &head.site);
    let mut rewritten = Overwrite::new(bytes);
    if let Message::Request { method, params, .. } | Message::Notification { method, params } =
        message
        && let Some(call) = &permitted.call
    {
        admission.retry = Retry::read(keys, &owner, revision.era(), call, params, now_s)
            .map_err(|ForgedState| Denial::ForgedState)?;
        admission
            .retry
            .rewrite(&mut rewritten)
            .map_err(|ForgedState| Denial::ForgedState)?;
        if tasks::rewrite(&mut rewritten, call, &permitted.tasks).is_none() {
            return Err(Denial::UnknownTask);
        }
        let features = &head.site.server.client_features;
        for path in declared::refused(features, method, params) {
            if rewritten.blank(&path).is_none() {
                return Err(Denial::Envelope(EnvelopeError::Json(JsonError::Syntax)));
            }
        }
        if method == "initialize" {
            admission.opens = Some(SessionFlags {
                elicitation_by_url: declares_url(params.get("capabilities")),
            });
        }
    }
    if !keys.is_empty() {
        tasks::rewrite_related(&mut rewritten, message, |id| open_task(keys, &owner, id))?;
    }
    admission.message = rewritten.finish();
    Ok(admission)
}

/// A batch goes on whole or not at all.
fn judge_batch(
    head: &Head,
    identity: &Identity,
    messages: &[Message<'_>],
    revision: Revision,
    keys: &StateKeys,
) -> Judgement {
    let mut permits = Vec::new();
    let mut calls = Vec::new();
    let mut elements = Vec::new();
    let mut first_denial = None;
    let mut asked = Vec::new();
    for message in messages {
        let (result, record) = judge_one(head, identity, message, revision, keys, true);
        calls.push(record);
        let reply = match result {
            Ok(permitted) => {
                asked.extend(permitted.asked(message, revision, keys));
                permits.push(permitted.permit);
                None
            }
            Err((denial, reply)) => {
                first_denial.get_or_insert(denial);
                Some(reply)
            }
        };
        elements.push((message.id(), reply));
    }
    let result = match first_denial.zip(combine(&elements, &head.origin)) {
        Some(refused) => Err(refused),
        None => Ok(Admission {
            expected: Expected::Answers(asked),
            ..Admission::of(Permits::OfBatch(permits))
        }),
    };
    Judgement {
        result,
        revision: Some(revision),
        calls,
        asker: Asker::Unanswerable,
    }
}

/// The decision on a message.
fn judge_one<'a>(
    head: &Head,
    identity: &Identity,
    message: &'a Message<'a>,
    revision: Revision,
    keys: &StateKeys,
    in_batch: bool,
) -> (Result<Permitted<'a>, (Denial, Reply)>, CallRecord) {
    let (Message::Request { method, params, .. } | Message::Notification { method, params }) =
        message
    else {
        let call = Call::pseudo(Call::RESPONSE);
        let (decision, record) = match revision.era() {
            Era::Legacy => decide(head, identity, &call),
            Era::Modern => refused(Denial::ResponseInModernEra, &call),
        };
        return (
            match decision {
                Ok(permit) => Ok(Permitted {
                    permit,
                    call: None,
                    tasks: Vec::new(),
                }),
                Err(denial) => Err(answered(denial, head, Subject::Unanswerable)),
            },
            record,
        );
    };
    let call = Call::of(method, params);
    let is_known = match message {
        Message::Request { .. } => revision.has_request(method),
        Message::Notification { .. } | Message::Response { .. } => {
            revision.has_notification(method)
        }
    };
    let is_extra = || {
        let extra = &head.site.server.extra_methods;
        extra.iter().any(|pattern| pattern.matches(method))
    };
    let is_absent = tasks::is_refused(method, &head.site, keys);
    let (decision, mut record) = match &call {
        _ if is_absent || !(is_known || is_extra()) => {
            refused(Denial::UnknownMethod, &Call::without_target(method))
        }
        _ if in_batch && method == "initialize" => {
            refused(Denial::InitializeInBatch, &Call::without_target(method))
        }
        Err(error) => refused(Denial::Params(error.clone()), &Call::without_target(method)),
        // The one revision with batches has no tasks, and nothing in a batch
        // is rewritten.
        Ok(call) if in_batch && !call.tasks.is_empty() && !keys.is_empty() => {
            refused(Denial::UnknownMethod, &Call::without_target(method))
        }
        Ok(call) => decide(head, identity, call),
    };
    let decision = decision.and_then(|permit| {
        let tasks = match &call {
            Ok(call) => tasks::decide(head, identity, call, keys, &mut record)
                .map_err(|denial| tasks::undeclared_first(denial, params, revision)),
            Err(_) => Ok(Vec::new()),
        }
        .inspect_err(|denial| {
            record.allowed = false;
            record.reason = denial.reason();
        })?;
        Ok((permit, tasks))
    });
    let result = match decision {
        Ok((permit, tasks)) => Ok(Permitted {
            permit,
            call: call.ok(),
            tasks,
        }),
        Err(denial) => {
            let subject = subject(message, revision, call.as_ref().ok());
            Err(answered(denial, head, subject))
        }
    };
    (result, record)
}

/// What an answer to a message can refer to.
fn subject<'a>(
    message: &'a Message<'a>,
    revision: Revision,
    call: Option<&'a Call<'a>>,
) -> Subject<'a> {
    match message {
        Message::Request { id, method, .. } => Subject::Request {
            id,
            method,
            era: revision.era(),
            call,
        },
        Message::Notification { .. } | Message::Response { .. } => Subject::Unanswerable,
    }
}

/// A refusal that is none of the policy's.
fn refused(denial: Denial, call: &Call<'_>) -> (Result<Permit, Denial>, CallRecord) {
    let mut record = CallRecord::of(call, &[]);
    record.reason = denial.reason();
    (Err(denial), record)
}

fn answered(denial: Denial, head: &Head, subject: Subject<'_>) -> (Denial, Reply) {
    let reply = refuse(&denial, addressee(head, subject));
    (denial, reply)
}

/// Asks the policy, and writes down what it says.
fn decide(
    head: &Head,
    identity: &Identity,
    call: &Call<'_>,
) -> (Result<Permit, Denial>, CallRecord) {
    let server = &head.site.server;
    let mut record = CallRecord::of(call, &server.audit_arguments);
    match server.policy.decide(identity, call) {
        Decision::Permit(permit) => {
            record.allowed = true;
            record.reason = "allowed";
            record.rule = permit.rule().map(Rc::clone);
            record.unenforced = permit.unenforced().map(Denied::reason);
            (Ok(permit), record)
        }
        Decision::Deny(denied) => {
            record.reason = denied.reason();
            record.rule = denied.rule().map(Rc::clone);
            (Err(Denial::Policy(denied)), record)
        }
    }
}
