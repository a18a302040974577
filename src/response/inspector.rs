//! The messages of one response, each told what it is and what becomes of it.

use super::expected::Expected;
use super::withheld::Withheld;
use super::{Inspect, Ruling};
use crate::continuity::StateKeys;
use crate::oauth::Identity;
use crate::site::Site;

/// Whose response it is.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The server.
    pub site: &'a Site,
    /// The caller.
    pub identity: &'a Identity,
    /// What handles are bound with.
    pub keys: &'a StateKeys,
}

/// What was changed in a response so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries of lists that the caller could not use.
    pub hidden: u32,
    /// Messages that were kept back or replaced.
    pub withheld: u32,
    /// Why the first of them was.
    pub first: Option<Withheld>,
}

/// Looks at the messages of one response.
#[derive(Debug)]
pub struct Inspector<'a> {
    /// Whose response it is.
    pub ground: Ground<'a>,
    /// What was asked for.
    pub expected: &'a Expected,
    /// What has been changed.
    pub tally: &'a mut Tally,
}

impl Inspect for Inspector<'_> {
    fn may_flow(&self) -> bool {
        false
    }

    fn message(&mut self, _text: &[u8]) -> Ruling {
        Ruling::Drop
    }

    fn unread(&mut self, _why: Withheld) -> Ruling {
        Ruling::Drop
    }
}
