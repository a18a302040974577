//! From request headers to an identity.

use std::borrow::Cow;
use std::rc::Rc;

use super::head::{Head, Verb, json_body};
use super::outcome::{deny, record_of, refused, request_id};
use super::refusing::{Refusing, announced_body};
use super::session::SessionUse;
use super::tasks::TaskName;
use super::{Arriving, Exchange, Identifying, Preparing, Reading, Step, Worker};
use crate::config::HeaderMode;
use crate::http::Headers;
use crate::http::origin::{Origin, is_preflight};
use crate::http::target::split_query;
use crate::oauth::{
    self, Authentication, Identity, bearer_token_of, presented_token, query_has_access_token,
    query_without_access_token,
};
use crate::record::{Outcome, Record};
use crate::reply::{Addressee, Denial, Reply, Subject, metadata, preflight, refuse};
use crate::site::Place;

const ENDPOINT_METHODS: &str = "POST, GET, DELETE, OPTIONS";

/// The first transition. The order of checks is the design's: route, origin,
/// credentials; no body is looked at before the caller is known.
pub(super) fn arrive(
    headers: Headers,
    end_of_stream: bool,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    let (path, query) = split_query(headers.pseudo(":path"));
    let clean_path = query.and_then(|query| clean_path(path, query));
    let token_in_query = clean_path.is_some();
    let length = announced_length(&headers);
    let announced = announced_body(&headers, length, end_of_stream, worker);

    let (next, step) = match worker.sites.find(headers.pseudo(":authority"), path) {
        None => no_server(&headers),
        Some((site, Place::Metadata)) => {
            let reply = metadata(headers.pseudo(":method"), &headers, site);
            answered(reply, Rc::clone(&site.server.id), &headers)
        }
        Some((site, Place::Endpoint)) => {
            let site = Rc::clone(site);
            let origin = Origin::of(&headers, &site.own_origin, &site.server.allowed_origins);
            let verb = Verb::parse(headers.pseudo(":method"));
            let head = Head {
                site,
                origin,
                verb: verb.unwrap_or(Verb::Post),
                headers,
                arrived_ms: now_ms,
                session: SessionUse::default(),
                task_name: TaskName::default(),
                token: None,
            };
            if verb.is_none() {
                other_method(&head, now_ms)
            } else {
                let body = Announced {
                    length,
                    has_ended: end_of_stream,
                };
                endpoint(head, body, token_in_query, worker, now_ms)
            }
        }
    };
    match step {
        Step::Reply { reply, record, .. } => {
            replying(next, (reply, record), clean_path, announced, now_ms)
        }
        step => (next, step),
    }
}

/// The path of a request without the token in its query, if there is one: it
/// must not reach the access log.
#[cold]
#[inline(never)]
fn clean_path(path: &str, query: &str) -> Option<String> {
    if !query_has_access_token(query) {
        return None;
    }
    Some(match query_without_access_token(query).as_str() {
        "" => path.to_owned(),
        rest => format!("{path}?{rest}"),
    })
}

/// An answer waits for the end of a body of an announced length. With a token
/// in the path, the path is cleaned at once: should the client leave, the
/// access log has it.
#[cold]
#[inline(never)]
fn replying(
    next: Exchange,
    (reply, record): (Reply, Option<Box<Record>>),
    clean_path: Option<String>,
    announced: Option<usize>,
    now_ms: u64,
) -> (Exchange, Step) {
    match (record, announced) {
        (Some(record), Some(length)) if clean_path.is_none() => {
            let state = Refusing::new(reply, record, length, now_ms);
            (Exchange::Refusing(Box::new(state)), Step::Wait)
        }
        (record, _) => (
            next,
            Step::Reply {
                reply,
                path: clean_path,
                record,
            },
        ),
    }
}

#[cold]
#[inline(never)]
fn no_server(headers: &Headers) -> (Exchange, Step) {
    let to = Addressee {
        site: None,
        origin: &Origin::Absent,
        subject: Subject::Unread,
    };
    let denial = Denial::NoServer;
    let record = Record {
        request_id: request_id(headers),
        http_method: recorded_method(headers),
        ..Record::default()
    };
    refused(&denial, refuse(&denial, to), record)
}

fn recorded_method(headers: &Headers) -> Cow<'static, str> {
    const CHARACTERS: usize = 32;
    let method = headers.pseudo(":method");
    Cow::Owned(method.chars().take(CHARACTERS).collect())
}

#[cold]
#[inline(never)]
fn answered(reply: Reply, server: Rc<str>, headers: &Headers) -> (Exchange, Step) {
    let record = Record {
        server: Some(server),
        request_id: request_id(headers),
        http_method: recorded_method(headers),
        outcome: Outcome::Answered,
        reason: "answered",
        status: reply.status,
        ..Record::default()
    };
    (
        Exchange::Answered,
        Step::Reply {
            reply,
            path: None,
            record: Some(Box::new(record)),
        },
    )
}

/// What is neither POST, GET nor DELETE: a preflight, or nothing of ours.
#[cold]
#[inline(never)]
fn other_method(head: &Head, now_ms: u64) -> (Exchange, Step) {
    let record = || Record {
        http_method: recorded_method(&head.headers),
        ..record_of(head, None, now_ms)
    };
    let denial = if head.headers.pseudo(":method") == "OPTIONS" && is_preflight(&head.headers) {
        if let Origin::Allowed(_) = head.origin {
            let reply = preflight(&head.headers, &head.origin);
            let status = reply.status;
            let record = Record {
                outcome: Outcome::Answered,
                reason: "preflight",
                status,
                ..record()
            };
            return (
                Exchange::Answered,
                Step::Reply {
                    reply,
                    path: None,
                    record: Some(Box::new(record)),
                },
            );
        }
        Denial::ForeignOrigin
    } else {
        Denial::MethodNotAllowed {
            allow: ENDPOINT_METHODS,
        }
    };
    let to = Addressee {
        site: Some(&head.site),
        origin: &head.origin,
        subject: Subject::Unread,
    };
    refused(&denial, refuse(&denial, to), record())
}

/// What the headers say of the body.
#[derive(Clone, Copy)]
struct Announced {
    length: Option<usize>,
    /// There is none.
    has_ended: bool,
}

fn announces_body(headers: &Headers, length: Option<usize>) -> bool {
    headers.has("transfer-encoding") || (headers.has("content-length") && length != Some(0))
}

fn announced_length(headers: &Headers) -> Option<usize> {
    headers
        .single("content-length")
        .ok()
        .flatten()?
        .parse()
        .ok()
}

fn endpoint(
    head: Head,
    announced: Announced,
    token_in_query: bool,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    if head.origin == Origin::Foreign {
        return deny(Denial::ForeignOrigin, &head, None, now_ms);
    }
    let Announced { length, has_ended } = announced;
    if head.verb != Verb::Post && announces_body(&head.headers, length) {
        return deny(Denial::UnexpectedBody, &head, None, now_ms);
    }
    if length.is_some_and(|length| length > worker.limits.body_bytes) {
        return deny(Denial::BodyTooLarge, &head, None, now_ms);
    }
    if token_in_query && matches!(bearer_token_of(&head.headers), Ok(Some(_))) {
        return deny(Denial::MalformedCredentials, &head, None, now_ms);
    }
    // In HTTP/2, a request with `content-length: 0` may still end with a frame
    // of its own.
    let body = if has_ended || length == Some(0) {
        Arriving::Complete(0)
    } else {
        Arriving::Open
    };
    identify(head, body, worker, now_ms)
}

/// Asks for the identity, for the first time or again.
pub(super) fn identify(
    mut head: Head,
    body: Arriving,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    let authenticator = &mut worker.authenticator;
    head.token = presented_token(&head.headers).and_then(|token| authenticator.hash_of(token));
    let read = || match bearer_token_of(&head.headers) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err(Denial::NoToken),
        Err(_) => Err(Denial::MalformedCredentials),
    };
    let audience = head.site.audience();
    let arrived_ms = head.arrived_ms;
    let denial = match authenticator.authenticate(&audience, head.token, read, arrived_ms, now_ms) {
        Ok(Authentication::Verified(identity)) => {
            return identified(head, body, identity, worker, now_ms);
        }
        Ok(Authentication::Pending(awaited)) => {
            return pending(head, body, awaited, worker, now_ms);
        }
        Ok(Authentication::Refused(error)) => Denial::InvalidToken(error),
        Ok(Authentication::Unavailable) => Denial::KeysUnavailable,
        Err(denial) => denial,
    };
    deny(denial, &head, None, now_ms)
}

/// Somebody has to be asked first.
#[cold]
#[inline(never)]
fn pending(
    mut head: Head,
    body: Arriving,
    awaited: oauth::Awaited,
    worker: &Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    if now_ms >= head.deadline_ms(&worker.limits) {
        return deny(Denial::KeysUnavailable, &head, None, now_ms);
    }
    // Half of the places are for callers who are known: anybody can make up
    // tokens that have to be asked about.
    if worker.waiting >= worker.limits.waiting_requests.div_ceil(2) {
        return deny(Denial::TooManyWaiting, &head, None, now_ms);
    }
    head.reduce();
    let state = Identifying {
        head,
        body,
        awaited,
    };
    (Exchange::Identifying(Box::new(state)), Step::Wait)
}

/// The caller is known: on to the body.
fn identified(
    mut head: Head,
    body: Arriving,
    identity: Rc<Identity>,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    match SessionUse::of(&head.headers, &head.site, &identity, &worker.state_keys) {
        Ok(session) => head.session = session,
        Err(denial) => return deny(denial, &head, Some(identity), now_ms),
    }
    if let Some(name) = TaskName::of(&head.headers, &head.site, &identity, &worker.state_keys) {
        head.task_name = name;
    }
    if head.verb == Verb::Post
        && let Err(wanted) = json_body(&head.headers)
    {
        return deny(
            Denial::UnsupportedMediaType(wanted),
            &head,
            Some(identity),
            now_ms,
        );
    }
    let reading = Reading {
        head,
        identity,
        released: None,
    };
    match (body, worker.header_mode) {
        (Arriving::Complete(0), _) => reading.decide(b"", worker, now_ms),
        // Upstreams act on the head of a GET or DELETE, so none is released
        // undecided. Should a body come after all, it is refused then.
        (Arriving::Open, HeaderMode::Plain) if reading.head.verb != Verb::Post => {
            reading.decide(b"", worker, now_ms)
        }
        (Arriving::Complete(held), _) => {
            (Exchange::Reading(Box::new(reading)), Step::ReadBody(held))
        }
        (Arriving::Open, HeaderMode::Plain) => {
            let Reading { head, identity, .. } = reading;
            Preparing::release(head, identity, None, worker, now_ms)
        }
        (Arriving::Open, HeaderMode::Holding) | (Arriving::Begun, _) => {
            (Exchange::Reading(Box::new(reading)), Step::Wait)
        }
    }
}
