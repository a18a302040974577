//! The upstream has the request: until its response has gone to the client.

use std::rc::Rc;

use super::credential::Found;
use super::edits::response_edits;
use super::head::{Head, Verb};
use super::outcome::missing_consent;
use super::session::{SESSION_HEADER, SessionUse};
use super::{Exchange, Responding, Step, Worker};
use crate::attempt::{HeldTicket, Obstacle};
use crate::continuity::{Owner, SessionFlags};
use crate::credential::Rejection;
use crate::http::Headers;
use crate::http::challenge::{error_of, scopes_of};
use crate::http::origin::Origin;
use crate::oauth::{Identity, Scopes};
use crate::record::{CredentialUse, Record};
use crate::reply::{Addressee, Asker, Denial, Reply, refuse};
use crate::response::{BodyKind, Expected, ResponseBody, Unreadable, body_kind, length};
use crate::site::Site;

/// A request that has gone on: what an answer in place of the upstream's
/// needs to know of it.
#[derive(Debug)]
pub struct Admitted {
    pub(super) site: Rc<Site>,
    pub(super) origin: Origin,
    asker: Asker,
    identity: Rc<Identity>,
    found: Found,
    /// For the credential role: valid for as long as this state is.
    ticket: Option<HeldTicket>,
    session: SessionUse,
    /// For `initialize`: what the client declares with it.
    opens: Option<SessionFlags>,
    expected: Expected,
    /// Whether a success has to have content: the answers, or the stream that
    /// was asked for.
    wants_content: bool,
    /// Whether the upstream may know requests besides this one by their ids.
    in_session: bool,
    /// What was written down.
    record: Rc<Record>,
}

impl Admitted {
    pub(super) fn new(
        head: Head,
        identity: Rc<Identity>,
        asker: Asker,
        found: Found,
        ticket: Option<HeldTicket>,
        (opens, expected): (Option<SessionFlags>, Expected),
        record: Rc<Record>,
    ) -> Self {
        Self {
            wants_content: expected != Expected::Anything || head.verb == Verb::Get,
            in_session: head.headers.has(SESSION_HEADER),
            site: head.site,
            origin: head.origin,
            asker,
            identity,
            found,
            ticket,
            session: head.session,
            opens,
            expected,
            record,
        }
    }

    /// Whether it makes a difference when a response comes: for a credential
    /// that was refused, and for one that was not there.
    pub(super) fn depends_on_time(&self, headers: &Headers) -> bool {
        self.ticket.is_some() || rejection(headers).is_some()
    }

    /// The upstream's response, or somebody else's in its place.
    pub(super) fn respond(
        self,
        headers: &Headers,
        from_upstream: bool,
        has_body: bool,
        worker: &mut Worker,
        now_ms: u64,
    ) -> (Exchange, Step) {
        if let Some(denial) = self.obstacle(worker, now_ms) {
            return self.replace(&denial);
        }
        let status = headers.only(":status").ok().flatten().unwrap_or_default();
        let kept = &self.site.server.keep_response_headers;
        if from_upstream {
            if let Some(rejection) = rejection_by(status, headers)
                && let Some(denial) = self.rejected(rejection, worker, now_ms)
            {
                return self.replace(&denial);
            }
            if status.starts_with(b"3") && headers.has("location") {
                return self.replace(&Denial::Unreadable(Unreadable::Redirect));
            }
        }
        let kind = match body_kind(headers, status, self.wants_content) {
            Ok(kind) => kind,
            Err(_) if !has_body => BodyKind::Untold,
            Err(unreadable) => return self.replace(&Denial::Unreadable(unreadable)),
        };
        let mut edits = response_edits(headers, &self.origin, from_upstream, kept);
        let owner = Owner::of(&self.identity, &self.site);
        let bound =
            self.session
                .edit_response(headers, &owner, &worker.state_keys, self.opens, &mut edits);
        if let Err(denial) = bound {
            return self.replace(&denial);
        }
        // What comes of the body may be shorter or longer.
        let told = headers.only("content-length");
        if has_body && told != Ok(None) {
            edits.remove.push("content-length".into());
        }
        let body = ResponseBody::new(kind, worker.limits.answer_bytes)
            .of_length(told.ok().flatten().and_then(length));
        let state = self.responding(kind == BodyKind::Events, body);
        (state, Step::EditResponse(edits))
    }

    /// What answers in place of an upstream that has refused the credential,
    /// or that there was none; `None` where its own answer does.
    #[cold]
    #[inline(never)]
    fn rejected(&self, rejection: Rejection, worker: &mut Worker, now_ms: u64) -> Option<Denial> {
        let kept = &self.site.server.keep_response_headers;
        let challenges_pass = kept.iter().any(|name| name == "www-authenticate");
        match &self.found {
            // The credential role knows which of them it was.
            Found::Ready(..) if self.ticket.is_some() => Some(Denial::CredentialRejected),
            Found::Ready(credential, _) => {
                worker.credentials.reject(credential, rejection, now_ms);
                Some(Denial::CredentialRejected)
            }
            // It went on without one, and cannot be answered without one.
            Found::Missing(needed) => Some(missing_consent(
                &self.site,
                &self.identity,
                &self.asker,
                needed,
                &worker.state_keys,
                now_ms,
            )),
            _ if rejection.status == 401 && !challenges_pass => Some(Denial::UpstreamUnauthorized),
            _ => None,
        }
    }

    /// No attempt follows a response, so neither permit nor credential is
    /// kept.
    fn responding(self, is_stream: bool, body: ResponseBody) -> Exchange {
        Exchange::Responding(Box::new(Responding::new(
            self.site,
            self.origin,
            self.identity,
            (self.expected, self.in_session),
            self.record,
            is_stream,
            body,
        )))
    }

    /// Why the credential role had no credential for an attempt: what answers
    /// is the role itself.
    fn obstacle(&self, worker: &Worker, now_ms: u64) -> Option<Denial> {
        match self.ticket.as_ref()?.obstacle()? {
            Obstacle::Consent(needed) => Some(missing_consent(
                &self.site,
                &self.identity,
                &self.asker,
                &needed,
                &worker.state_keys,
                now_ms,
            )),
            Obstacle::Failure(failure) => Some(Denial::Credential(failure)),
            Obstacle::Rejected => Some(Denial::CredentialRejected),
        }
    }

    /// An answer of the gate's own in place of the upstream's.
    #[cold]
    #[inline(never)]
    fn replace(self, denial: &Denial) -> (Exchange, Step) {
        let to = Addressee {
            site: Some(&self.site),
            origin: &self.origin,
            subject: self.asker.subject(),
        };
        let reply = refuse(denial, to);
        let credential = match denial {
            Denial::CredentialRejected => Some(CredentialUse::Rejected),
            _ => self.record.credential,
        };
        let record = Box::new(Record {
            reason: denial.reason(),
            status: reply.status,
            credential,
            ..(*self.record).clone()
        });
        (Exchange::Answered, Step::ReplaceResponse { reply, record })
    }

    /// A GET or DELETE that was let go, and has a body after all.
    pub(super) fn refuse_body(&self) -> Reply {
        let to = Addressee {
            site: None,
            origin: &self.origin,
            subject: self.asker.subject(),
        };
        refuse(&Denial::UnexpectedBody, to)
    }
}

/// Whether a response says that the credential was not enough: 401, or 403
/// with the challenge of RFC 6750 for too few scopes.
#[inline]
pub(crate) fn rejection(headers: &Headers) -> Option<Rejection> {
    let status = headers.only(":status").ok().flatten()?;
    rejection_by(status, headers)
}

#[inline]
fn rejection_by(status: &[u8], headers: &Headers) -> Option<Rejection> {
    match status {
        b"401" => Some(Rejection {
            status: 401,
            error: challenged(headers, error_of),
            scopes: Scopes::default(),
        }),
        b"403" => challenged(headers, error_of)
            .filter(|error| error == "insufficient_scope")
            .map(|error| Rejection {
                status: 403,
                error: Some(error),
                scopes: challenged(headers, scopes_of).unwrap_or_default(),
            }),
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn challenged<T>(headers: &Headers, part: fn(&[u8]) -> Option<T>) -> Option<T> {
    headers.all("www-authenticate").find_map(part)
}
