//! The upstream credential of a request: asking for it, and waiting for it.

use std::rc::Rc;

use super::Worker;
use super::head::Head;
use super::outcome::request_id_in;
use crate::credential::{
    Ask, ConsentNeeded, Credential, CredentialFailure, CredentialKey, Known, Patience, Wanted,
};
use crate::oauth::{Identity, bearer_token_of};
use crate::record::CredentialUse;

/// Waiting for a credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// What is waited for.
    pub(super) key: CredentialKey,
    /// For how long.
    pub(super) patience: Patience,
}

/// What is known of the credential that a request needs.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// The server's entry asks for none.
    Unasked,
    /// It is there.
    Ready(Rc<Credential>, CredentialUse),
    /// The upstream wants none.
    NotNeeded,
    /// The user has to give consent first.
    Missing(Rc<ConsentNeeded>),
    /// There is none to be had.
    Failed(CredentialFailure),
}

/// What asking for it has brought.
pub(super) enum Search {
    /// This is known.
    Over(Found),
    /// It is being asked for.
    Goes(Wait),
    /// It would have to be waited for, and too many requests wait already.
    Crowded,
}

impl Found {
    /// What is written down of it.
    pub(super) const fn record(&self) -> Option<CredentialUse> {
        match self {
            Self::Unasked => None,
            Self::Ready(_, how) => Some(*how),
            Self::NotNeeded => Some(CredentialUse::NotNeeded),
            Self::Missing(_) => Some(CredentialUse::Consent),
            Self::Failed(_) => Some(CredentialUse::Failed),
        }
    }

    /// The credential, if it is there.
    pub(super) fn credential(&self) -> Option<&Rc<Credential>> {
        match self {
            Self::Ready(credential, _) => Some(credential),
            Self::Unasked | Self::NotNeeded | Self::Missing(_) | Self::Failed(_) => None,
        }
    }
}

/// Looks for the credential of a request, for the first time or, after a
/// wait, again.
pub(super) fn find(
    head: &Head,
    identity: &Identity,
    operation: Option<(&str, Option<&str>)>,
    earlier: Option<Wait>,
    worker: &mut Worker,
    now_ms: u64,
) -> Search {
    let Some(source) = &head.site.server.credential else {
        return Search::Over(Found::Unasked);
    };
    let Some(token_hash) = head.token else {
        return Search::Over(Found::Failed(CredentialFailure::InvalidSubjectToken));
    };
    let wanted = Wanted {
        source,
        identity,
        token_hash,
    };
    let ask = || {
        Some(Ask {
            wanted,
            token: bearer_token_of(&head.headers).ok().flatten()?.as_str(),
            request_id: request_id_in(&head.headers),
            operation,
        })
    };
    let asked_ms = earlier.map_or(now_ms, |wait| wait.patience.since_ms());
    let known = worker.credentials.look_up(wanted, &ask, asked_ms, now_ms);
    let key = match known {
        Known::Ready(credential) => {
            let how = match earlier {
                None => CredentialUse::Cached,
                Some(_) => CredentialUse::Fetched,
            };
            return Search::Over(Found::Ready(credential, how));
        }
        Known::NotNeeded => return Search::Over(Found::NotNeeded),
        Known::Consent(needed) => return Search::Over(Found::Missing(needed)),
        Known::Refused(failure) => return Search::Over(Found::Failed(failure)),
        Known::Pending(key) => key,
    };
    let patience = match earlier {
        None => Some(Patience::new(now_ms, worker.credential_timeout_ms(source))),
        Some(wait) => wait.patience.one_more(now_ms),
    };
    let Some(patience) = patience else {
        return Search::Over(Found::Failed(CredentialFailure::Unavailable));
    };
    if worker.waiting >= worker.limits.waiting_requests {
        return Search::Crowded;
    }
    Search::Goes(Wait { key, patience })
}
