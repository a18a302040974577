//! What comes back from an upstream: read as it comes, and changed where the
//! caller may not have all of it.
//!
//! The bytes of a response are cut into messages ([`ResponseBody`]), each
//! message is looked at ([`Inspector`]), and what it turns out to be decides:
//! it passes as it came, goes on changed, or is kept back.

mod asks;
mod beginning;
mod body;
mod content;
mod document;
mod event;
mod events;
mod expected;
mod glance;
mod handles;
mod inspector;
mod lists;
mod part;
mod plain;
mod splice;
#[cfg(test)]
mod tests;
mod undecided;
mod uniform;
mod utf8;
mod withheld;

pub use body::{BodyKind, Fed, ResponseBody};
pub use content::{Unreadable, body_kind, length};
pub use expected::{AskedKind, AskedRequest, Called, Expected};
pub use inspector::{Ground, Inspector, Tally};
pub use lists::{ListKind, filter_text};
pub use withheld::Withheld;

use crate::json::words;

/// What becomes of one complete message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It goes on as it came.
    Pass,
    /// This text goes on in its place: one JSON text.
    Instead(Vec<u8>),
    /// Nothing goes on in its place.
    Drop,
}

/// Looks at the messages of one response.
pub trait Inspect {
    /// Whether messages of this response may go on before they are complete,
    /// where their beginning says that nothing in them has to be changed. Not
    /// so where the answer is a list.
    fn may_flow(&self) -> bool;

    /// Whether this is a message, and passes. It is asked before anything else
    /// about a text, and only for speed: of those that it is not said of,
    /// [`message`](Self::message) says what becomes of them.
    fn passes(&self, _text: &[u8]) -> bool {
        false
    }

    /// Decides on a message: the whole of a JSON body, or the data of one
    /// event, without the line ends after it. `None` if it is none, nor an
    /// array of some; then [`unread`](Self::unread) says what becomes of it.
    fn message(&mut self, text: &[u8]) -> Option<Ruling>;

    /// What goes on in place of a message that was not read to its end, or
    /// that cannot be told from one.
    fn unread(&mut self, why: Withheld) -> Ruling;
}
