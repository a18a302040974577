//! How an exchange ends without reaching the upstream, and what is written
//! down of any.

use std::rc::Rc;

use super::head::Head;
use super::{Exchange, Step};
use crate::continuity::{Owner, StateKeys};
use crate::credential::{ConsentAnswer, ConsentNeeded};
use crate::http::Headers;
use crate::oauth::Identity;
use crate::record::{CallRecord, Outcome, Record, ResponseChanges};
use crate::reply::{Addressee, Asker, ConsentForm, Denial, MissingConsent, Reply, Subject, refuse};
use crate::site::Site;

/// What is known of an exchange whoever decides on it.
pub(super) fn record_of(head: &Head, identity: Option<Rc<Identity>>, now_ms: u64) -> Record {
    record_of_calls(Vec::new(), head, identity, now_ms)
}

/// The same, where it is known what was asked for.
pub(super) fn record_of_calls(
    calls: Vec<CallRecord>,
    head: &Head,
    identity: Option<Rc<Identity>>,
    now_ms: u64,
) -> Record {
    Record {
        server: Some(Rc::clone(&head.site.server.id)),
        identity,
        request_id: request_id(&head.headers),
        http_method: head.verb.as_str().into(),
        revision: None,
        calls,
        outcome: Outcome::default(),
        reason: "",
        status: 0,
        elapsed_ms: now_ms.saturating_sub(head.arrived_ms),
        body_bytes: 0,
        credential: None,
        response: ResponseChanges::default(),
    }
}

/// Envoy makes the id where a client sends none, and may keep a client's.
pub(super) fn request_id(headers: &Headers) -> Option<String> {
    request_id_in(headers).map(str::to_owned)
}

/// The same, without a copy.
pub(super) fn request_id_in(headers: &Headers) -> Option<&str> {
    const CHARACTERS: usize = 64;
    let id = headers.single("x-request-id").ok().flatten()?;
    Some(id.get(..CHARACTERS).unwrap_or(id))
}

/// Refuses a request whose message was not read.
#[cold]
#[inline(never)]
pub(super) fn deny(
    denial: Denial,
    head: &Head,
    identity: Option<Rc<Identity>>,
    now_ms: u64,
) -> (Exchange, Step) {
    let to = Addressee {
        site: Some(&head.site),
        origin: &head.origin,
        subject: Subject::Unread,
    };
    let reply = refuse(&denial, to);
    refused(&denial, reply, record_of(head, identity, now_ms))
}

#[cold]
#[inline(never)]
pub(super) fn refused(denial: &Denial, reply: Reply, record: Record) -> (Exchange, Step) {
    let challenged = matches!(denial, Denial::Consent(_))
        || reply
            .headers
            .iter()
            .any(|(name, _)| *name == "www-authenticate");
    let outcome = if challenged {
        Outcome::Challenged
    } else {
        Outcome::Denied
    };
    let record = Box::new(Record {
        outcome,
        reason: denial.reason(),
        status: reply.status,
        ..record
    });
    (
        Exchange::Answered,
        Step::Reply {
            reply,
            path: None,
            record: Some(record),
        },
    )
}

/// The client left, or Envoy answered by itself, before a decision.
pub(super) fn undecided(
    head: &Head,
    identity: Option<Rc<Identity>>,
    now_ms: u64,
) -> (Exchange, Step) {
    aborted(record_of(head, identity, now_ms))
}

/// The same, where more is known.
pub(super) fn aborted(record: Record) -> (Exchange, Step) {
    let record = Record {
        outcome: Outcome::Aborted,
        reason: "aborted",
        ..record
    };
    (Exchange::Answered, Step::Note(Box::new(record)))
}

/// The answer to a missing consent, in the form that this client can take.
pub(super) fn missing_consent(
    site: &Site,
    identity: &Identity,
    asker: &Asker,
    needed: &ConsentNeeded,
    keys: &StateKeys,
    now_ms: u64,
) -> Denial {
    let source = site.server.credential.as_ref();
    let wanted = source.map_or(ConsentAnswer::Http403, |source| {
        source.consent_answer_for(identity.client())
    });
    let form = ConsentForm::choose(wanted, needed, asker, || {
        asker.request_state(keys, &Owner::of(identity, site), now_ms / 1000)
    });
    Denial::Consent(Box::new(MissingConsent {
        needed: needed.clone(),
        form,
    }))
}
