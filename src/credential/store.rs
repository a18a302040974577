//! What a worker remembers of credentials, and the calls under way.

use core::fmt;
use std::rc::Rc;

use super::key::CredentialKey;
use super::known::{Credential, CredentialFailure, Known, Rejection, SettledCredential};
use super::service::{CredentialSource, TokenService};
use crate::callout::{Fetch, FetchAnswer, FetchId, FetchIds};
use crate::oauth::Identity;

/// A question about one user's credential for one server.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Where the credential comes from.
    pub source: &'a CredentialSource,
    /// Who is calling.
    pub identity: &'a Identity,
    /// The verified token that the request came with.
    pub token: &'a str,
    /// The request's id, for the token service's log.
    pub request_id: Option<&'a str>,
    /// Method, and name of the tool, prompt or resource.
    pub operation: Option<(&'a str, Option<&'a str>)>,
}

/// The credentials of one worker: what is known, what is being asked.
pub struct CredentialStore {
    services: Vec<Rc<TokenService>>,
}

impl CredentialStore {
    /// With the token services of the configuration; remembers at most
    /// `capacity` credentials.
    pub fn new(services: Vec<Rc<TokenService>>, _capacity: usize) -> Self {
        Self { services }
    }

    /// What is known of a credential; if nothing is, the token service will
    /// be asked, once for all who ask for the same. A request that waits asks
    /// again with the same `arrived_ms`, the time at which it came.
    pub fn look_up(&mut self, ask: &Ask<'_>, _arrived_ms: u64, _now_ms: u64) -> Known {
        let Some(service) = self.services.get(ask.source.service) else {
            return Known::Refused(CredentialFailure::Configuration);
        };
        let _key = CredentialKey::of(ask.identity, ask.token, &service.id, ask.source);
        Known::Refused(CredentialFailure::Unavailable)
    }

    /// The upstream has refused this credential: it is not given out again,
    /// and the token service is told when it is asked next. A newer one that
    /// is there by now stays.
    pub fn reject(&mut self, _credential: &Credential, _rejection: Rejection, _now_ms: u64) {}

    /// Whether [`Self::due`] has something to do.
    pub const fn has_due(&self, _now_ms: u64) -> bool {
        false
    }

    /// The calls to make now. Each has to be reported to [`Self::answered`],
    /// also if it could not be dispatched.
    pub const fn due(&mut self, _now_ms: u64, _ids: &mut FetchIds) -> Vec<Fetch> {
        Vec::new()
    }

    /// Takes the answer of a call, `None` where there was none. The result is
    /// `None` if the call was not made here.
    pub const fn answered(
        &mut self,
        _id: FetchId,
        _answer: Option<FetchAnswer<'_>>,
        _now_ms: u64,
    ) -> Option<SettledCredential> {
        None
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").finish_non_exhaustive()
    }
}

impl fmt::Debug for CredentialStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialStore").finish_non_exhaustive()
    }
}
