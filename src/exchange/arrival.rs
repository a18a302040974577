//! From request headers to an identity.

use std::rc::Rc;

use super::head::{Head, Verb, json_body};
use super::outcome::{deny, record_of, refused, request_id};
use super::session::SessionUse;
use super::tasks::TaskName;
use super::{Arriving, Exchange, Identifying, Preparing, Reading, Step, Worker};
use crate::config::HeaderMode;
use crate::http::Headers;
use crate::http::origin::{Origin, is_preflight};
use crate::http::target::split_query;
use crate::oauth::{
    Authentication, Identity, bearer_token, query_has_access_token, query_without_access_token,
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
    let method = headers.pseudo(":method").to_owned();
    let target = headers.pseudo(":path");
    let (path, query) = split_query(target);
    // A token in the query must not reach the access log with the path.
    let clean_path = query
        .filter(|query| query_has_access_token(query))
        .map(|query| match query_without_access_token(query).as_str() {
            "" => path.to_owned(),
            rest => format!("{path}?{rest}"),
        });
    let token_in_query = clean_path.is_some();

    let (next, step) = match worker.sites.find(headers.pseudo(":authority"), path) {
        None => no_server(&headers, &method),
        Some((site, Place::Metadata)) => {
            let reply = metadata(&method, &headers, site);
            answered(reply, Rc::clone(&site.server.id), &headers, &method)
        }
        Some((site, Place::Endpoint)) => {
            let site = Rc::clone(site);
            let origin = Origin::of(&headers, &site.own_origin, &site.server.allowed_origins);
            let verb = Verb::parse(&method);
            let head = Head {
                site,
                origin,
                verb: verb.unwrap_or(Verb::Post),
                headers,
                arrived_ms: now_ms,
                session: SessionUse::default(),
                task_name: TaskName::default(),
            };
            if verb.is_none() {
                other_method(&head, &method, now_ms)
            } else {
                let body = expected_body(&head, end_of_stream);
                endpoint(head, body, token_in_query, worker, now_ms)
            }
        }
    };
    match step {
        Step::Reply { reply, record, .. } => (
            next,
            Step::Reply {
                reply,
                path: clean_path,
                record,
            },
        ),
        step => (next, step),
    }
}

fn no_server(headers: &Headers, method: &str) -> (Exchange, Step) {
    let to = Addressee {
        site: None,
        origin: &Origin::Absent,
        subject: Subject::Unread,
    };
    let denial = Denial::NoServer;
    let record = Record {
        request_id: request_id(headers),
        http_method: method.chars().take(32).collect(),
        ..Record::default()
    };
    refused(&denial, refuse(&denial, to), record)
}

fn answered(reply: Reply, server: Rc<str>, headers: &Headers, method: &str) -> (Exchange, Step) {
    let record = Record {
        server: Some(server),
        request_id: request_id(headers),
        http_method: method.chars().take(32).collect(),
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
fn other_method(head: &Head, method: &str, now_ms: u64) -> (Exchange, Step) {
    let record = || Record {
        http_method: method.chars().take(32).collect(),
        ..record_of(head, None, now_ms)
    };
    let denial = if method == "OPTIONS" && is_preflight(&head.headers) {
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

/// What is known of the body when the headers are there. In HTTP/2, a request
/// with `content-length: 0` may still end with a frame of its own.
fn expected_body(head: &Head, end_of_stream: bool) -> Arriving {
    if end_of_stream || announced_length(&head.headers) == Some(0) {
        Arriving::Complete(0)
    } else {
        Arriving::Open
    }
}

fn announces_body(headers: &Headers) -> bool {
    headers.has("transfer-encoding")
        || (headers.has("content-length") && announced_length(headers) != Some(0))
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
    body: Arriving,
    token_in_query: bool,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    if head.origin == Origin::Foreign {
        return deny(Denial::ForeignOrigin, &head, None, now_ms);
    }
    if head.verb != Verb::Post && announces_body(&head.headers) {
        return deny(Denial::UnexpectedBody, &head, None, now_ms);
    }
    if announced_length(&head.headers).is_some_and(|length| length > worker.limits.body_bytes) {
        return deny(Denial::BodyTooLarge, &head, None, now_ms);
    }
    let credentials: Vec<&[u8]> = head.headers.all("authorization").collect();
    let denial = match bearer_token(&credentials) {
        Err(_) => Some(Denial::MalformedCredentials),
        Ok(Some(_)) if token_in_query => Some(Denial::MalformedCredentials),
        Ok(None) => Some(Denial::NoToken),
        Ok(Some(_)) => None,
    };
    match denial {
        Some(denial) => deny(denial, &head, None, now_ms),
        None => identify(head, body, worker, now_ms),
    }
}

/// Asks for the identity, for the first time or again.
pub(super) fn identify(
    mut head: Head,
    body: Arriving,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    let credentials: Vec<&[u8]> = head.headers.all("authorization").collect();
    let Ok(Some(token)) = bearer_token(&credentials) else {
        return deny(Denial::NoToken, &head, None, now_ms);
    };
    let authentication =
        worker
            .authenticator
            .authenticate(&head.site.audience(), &token, head.arrived_ms, now_ms);
    let denial = match authentication {
        Authentication::Verified(identity) => {
            return identified(head, body, identity, worker, now_ms);
        }
        Authentication::Refused(error) => Denial::InvalidToken(error),
        Authentication::Unavailable => Denial::KeysUnavailable,
        Authentication::Pending(_) if now_ms >= head.deadline_ms(&worker.limits) => {
            Denial::KeysUnavailable
        }
        Authentication::Pending(_) if worker.waiting >= worker.limits.waiting_requests => {
            Denial::TooManyWaiting
        }
        Authentication::Pending(awaited) => {
            head.reduce();
            let state = Identifying {
                head,
                body,
                awaited,
            };
            return (Exchange::Identifying(Box::new(state)), Step::Wait);
        }
    };
    deny(denial, &head, None, now_ms)
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
    head.task_name = TaskName::of(&head.headers, &head.site, &identity, &worker.state_keys);
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
