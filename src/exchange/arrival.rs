//! From request headers to an identity.

use std::rc::Rc;

use super::head::{Head, Verb, json_body};
use super::site::Place;
use super::{
    Arriving, Exchange, Identifying, Reading, Step, Worker, deny, edits, record_of, refused,
    request_id,
};
use crate::config::HeaderMode;
use crate::http::Headers;
use crate::http::origin::{Origin, is_preflight};
use crate::http::target::split_query;
use crate::oauth::{
    Authentication, Identity, PendingReason, TokenError, bearer_token, query_has_access_token,
    query_without_access_token,
};
use crate::record::{Outcome, Record};
use crate::reply::{Addressee, Denial, Reply, Subject, metadata, preflight, refuse};

const ENDPOINT_METHODS: &str = "POST, GET, DELETE, OPTIONS";

/// The first transition. The order of checks is the design's: route, origin,
/// credentials; no body is looked at before the caller is known.
pub(super) fn arrive(
    headers: Headers,
    end_of_stream: bool,
    worker: &mut Worker,
    now_ms: u64,
) -> (Exchange, Step) {
    let text = |name: &'static str| headers.single(name).ok().flatten().unwrap_or_default();
    let method = text(":method").to_owned();
    let target = text(":path");
    let (path, query) = split_query(target);
    // A token in the query must not reach the access log with the path.
    let clean_path = query
        .filter(|query| query_has_access_token(query))
        .map(|query| match query_without_access_token(query).as_str() {
            "" => path.to_owned(),
            rest => format!("{path}?{rest}"),
        });
    let token_in_query = clean_path.is_some();

    let (next, step) = match worker.sites.find(text(":authority"), path) {
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
            record: Box::new(record),
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
                    record: Box::new(record),
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
    let length = head.headers.single("content-length");
    if end_of_stream || length == Ok(Some("0")) {
        Arriving::Complete(Vec::new())
    } else {
        Arriving::Open
    }
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
    let announced = head
        .headers
        .all("content-length")
        .any(|length| length != b"0");
    if head.verb != Verb::Post && announced {
        return deny(Denial::UnexpectedBody, &head, None, now_ms);
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
        None => Identifying { head, body }.identify(worker, now_ms),
    }
}

impl Identifying {
    /// Asks for the identity, for the first time or again.
    pub(super) fn identify(self, worker: &mut Worker, now_ms: u64) -> (Exchange, Step) {
        let Self { head, body } = self;
        let credentials: Vec<&[u8]> = head.headers.all("authorization").collect();
        let Ok(Some(token)) = bearer_token(&credentials) else {
            return deny(Denial::NoToken, &head, None, now_ms);
        };
        let authentication = worker.authenticator.authenticate(
            &head.site.audience(),
            &token,
            head.arrived_ms,
            now_ms,
        );
        let denial = match authentication {
            Authentication::Verified(identity) => {
                return identified(head, body, identity, worker, now_ms);
            }
            Authentication::Refused(error) => Denial::InvalidToken(error),
            Authentication::Unavailable => Denial::KeysUnavailable,
            Authentication::Pending(reason) => {
                let deadline_ms = head.arrived_ms.saturating_add(worker.limits.key_wait_ms);
                if now_ms < deadline_ms && worker.waiting < worker.limits.waiting_requests {
                    return (
                        Exchange::Identifying(Box::new(Self { head, body })),
                        Step::Wait,
                    );
                }
                match reason {
                    _ if now_ms < deadline_ms => Denial::TooManyWaiting,
                    PendingReason::UnknownKey => Denial::InvalidToken(TokenError::UnknownKey),
                    PendingReason::Keys | PendingReason::Introspection => Denial::KeysUnavailable,
                }
            }
        };
        deny(denial, &head, None, now_ms)
    }
}

/// The caller is known: on to the body.
fn identified(
    head: Head,
    body: Arriving,
    identity: Rc<Identity>,
    worker: &Worker,
    now_ms: u64,
) -> (Exchange, Step) {
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
    let edits = edits::request_edits(&head.site.server, &identity, &head.headers);
    match (body, worker.header_mode) {
        (Arriving::Complete(bytes), _) => Reading {
            head,
            identity,
            edits: Some(edits),
        }
        .decide(&bytes, worker, now_ms),
        // Upstreams act on the head of a GET or DELETE, so none is released
        // undecided. Should a body come after all, it is refused then.
        (Arriving::Open, HeaderMode::Plain) if head.verb != Verb::Post => Reading {
            head,
            identity,
            edits: Some(edits),
        }
        .decide(b"", worker, now_ms),
        (Arriving::Open, HeaderMode::Holding) => (
            Exchange::Reading(Box::new(Reading {
                head,
                identity,
                edits: Some(edits),
            })),
            Step::Wait,
        ),
        (Arriving::Open, HeaderMode::Plain) => (
            Exchange::Reading(Box::new(Reading {
                head,
                identity,
                edits: None,
            })),
            Step::ReleaseHeaders(edits),
        ),
    }
}
