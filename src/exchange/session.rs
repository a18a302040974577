//! The session of an exchange (legacy; MCP 2025-11-25, Streamable HTTP,
//! "Session Management"): the client holds an id that is bound to it, the
//! upstream sees its own.

use super::edits::HeaderEdits;
use crate::continuity::{Owner, Session, SessionFlags, StateKeys, bind_session, open_session};
use crate::http::Headers;
use crate::http::headers::is_spelling_of;
use crate::mcp::{Era, agreement};
use crate::oauth::Identity;
use crate::reply::{Denial, SessionFault};
use crate::site::Site;

pub(super) const SESSION_HEADER: &str = "mcp-session-id";

/// What the gate does with the session of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum SessionUse {
    /// There are no state keys: ids pass as they are.
    #[default]
    Untouched,
    /// The request speaks a revision without sessions.
    Ignored,
    /// The request is outside of any session.
    Outside,
    /// The request belongs to a session of this caller's.
    Within(Session),
}

impl SessionUse {
    /// From the headers of a request whose caller is known.
    #[inline]
    pub(super) fn of(
        headers: &Headers,
        site: &Site,
        identity: &Identity,
        keys: &StateKeys,
    ) -> Result<Self, Denial> {
        if keys.is_empty() {
            return Ok(Self::Untouched);
        }
        Self::read(headers, site, identity, keys)
    }

    #[inline(never)]
    fn read(
        headers: &Headers,
        site: &Site,
        identity: &Identity,
        keys: &StateKeys,
    ) -> Result<Self, Denial> {
        // The body cannot say otherwise: it has to agree with the header.
        let named = agreement::header_revision(headers, &site.server.protocol_versions);
        if let Ok(Some(revision)) = named
            && revision.era() == Era::Modern
        {
            return Ok(Self::Ignored);
        }
        match headers.single(SESSION_HEADER) {
            Err(_) => Err(Denial::Session(SessionFault::Malformed)),
            Ok(None) => Ok(Self::Outside),
            Ok(Some(id)) => open_session(keys, &Owner::of(identity, site), id)
                .map(Self::Within)
                .ok_or(Denial::Session(SessionFault::Unknown)),
        }
    }

    /// What the client declared when it opened the session.
    pub(super) const fn flags(&self) -> SessionFlags {
        match self {
            Self::Within(session) => session.flags,
            Self::Untouched | Self::Ignored | Self::Outside => SessionFlags {
                elicitation_by_url: false,
            },
        }
    }

    /// The request, with the upstream's own id or with none.
    #[inline(never)]
    pub(super) fn edit_request(&self, headers: &Headers, edits: &mut HeaderEdits) {
        if matches!(self, Self::Untouched) {
            return;
        }
        edits.remove_where(headers, |name| is_spelling_of(name, SESSION_HEADER));
        if let Self::Within(session) = self {
            let id = session.upstream_id.clone();
            edits.set.push((SESSION_HEADER.into(), id.into()));
        }
    }

    /// The response, with an id that is bound to the caller. `opened` is what
    /// the client declares with this very request, if it is `initialize`.
    ///
    /// # Errors
    /// [`Denial::UpstreamSession`] if the upstream's id cannot be bound.
    pub(super) fn edit_response(
        &self,
        headers: &Headers,
        owner: &Owner<'_>,
        keys: &StateKeys,
        opened: Option<SessionFlags>,
        edits: &mut HeaderEdits,
    ) -> Result<(), Denial> {
        if matches!(self, Self::Untouched) || !headers.has(SESSION_HEADER) {
            return Ok(());
        }
        edits.remove.push(SESSION_HEADER.into());
        if matches!(self, Self::Ignored) {
            return Ok(());
        }
        let id = headers.single(SESSION_HEADER);
        let Ok(Some(id)) = id else {
            return Err(Denial::UpstreamSession);
        };
        let bound = match self {
            // The client goes on with the id that it has, whichever key made it.
            Self::Within(session) if session.upstream_id == id && opened.is_none() => {
                session.bound_id.clone()
            }
            _ => bind_session(keys, owner, id, opened.unwrap_or_else(|| self.flags()))
                .ok_or(Denial::UpstreamSession)?,
        };
        edits.set.push((SESSION_HEADER.into(), bound.into()));
        Ok(())
    }
}
