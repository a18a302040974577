//! The response is on its way to the client.

use std::rc::Rc;

use super::{Exchange, Step};
use crate::continuity::StateKeys;
use crate::http::origin::Origin;
use crate::oauth::Identity;
use crate::record::{Record, ResponseChanges};
use crate::reply::{Addressee, Denial, Reply, Subject, refuse};
use crate::response::{Expected, Fed, Ground, Inspector, ResponseBody, Tally, Withheld};
use crate::site::Site;

/// A response whose headers have gone on. It may last for hours, so it keeps
/// only what its messages are judged by.
#[derive(Debug)]
pub struct Responding {
    site: Rc<Site>,
    origin: Origin,
    identity: Rc<Identity>,
    expected: Expected,
    in_session: bool,
    is_stream: bool,
    body: ResponseBody,
    tally: Tally,
    /// What was written down.
    record: Rc<Record>,
}

impl Responding {
    pub(super) fn new(
        site: Rc<Site>,
        origin: Origin,
        identity: Rc<Identity>,
        (expected, in_session): (Expected, bool),
        record: Rc<Record>,
        is_stream: bool,
        body: ResponseBody,
    ) -> Self {
        Self {
            site,
            origin,
            identity,
            expected,
            in_session,
            is_stream,
            body,
            tally: Tally::default(),
            record,
        }
    }

    /// A part of the body.
    pub(super) fn pass(
        mut self: Box<Self>,
        part: &[u8],
        is_last: bool,
        keys: &StateKeys,
    ) -> (Exchange, Step) {
        let mut inspector = Inspector {
            ground: Ground {
                site: &self.site,
                identity: &self.identity,
                keys,
            },
            expected: &self.expected,
            in_session: self.in_session,
            is_stream: self.is_stream,
            tally: &mut self.tally,
        };
        let fed = self.body.feed(part, is_last, &mut inspector);
        if matches!(fed, Fed::Cut(_)) {
            self.tally.count(Withheld::NotUnderstood);
        }
        (Exchange::Responding(self), Step::PassBody(fed))
    }

    /// The body has ended, and trailers follow, behind which nothing of a
    /// body can go on.
    pub(super) fn end(self: Box<Self>, keys: &StateKeys) -> (Exchange, Step) {
        let (state, step) = self.pass(&[], true, keys);
        let is_complete = match &step {
            Step::PassBody(Fed::AsItCame) => true,
            Step::PassBody(Fed::Instead(rest)) => rest.is_empty(),
            _ => false,
        };
        if is_complete {
            (state, Step::Continue)
        } else {
            (state, Step::PassBody(Fed::Cut(Vec::new())))
        }
    }

    /// It is over. What was changed in it is written down, if anything was.
    pub(super) fn finish(self) -> (Exchange, Step) {
        if self.tally == Tally::default() {
            return (Exchange::Answered, Step::Continue);
        }
        let record = Record {
            response: ResponseChanges {
                hidden: self.tally.hidden,
                withheld: self.tally.withheld,
                reason: self.tally.first.map(Withheld::reason),
            },
            ..(*self.record).clone()
        };
        (Exchange::Answered, Step::Amend(Box::new(record)))
    }

    /// A GET or DELETE that was let go, and has a body after all.
    pub(super) fn refuse_body(&self) -> Reply {
        let to = Addressee {
            site: None,
            origin: &self.origin,
            subject: Subject::Unanswerable,
        };
        refuse(&Denial::UnexpectedBody, to)
    }
}
