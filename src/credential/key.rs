//! Whose credential, for what.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::service::CredentialSource;
use crate::oauth::{Identity, TokenHash};

/// Everything that a credential depends on. What is known of one key is never
/// told to another. It is looked up with every request, so each part is
/// hashed once for all requests that share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialKey {
    /// The token that the request came with. It is part of the key because
    /// the token service checks it again: what it answered to one token says
    /// nothing of another.
    token: TokenHash,
    /// Issuer, subject and kind of subject.
    caller: [u8; 32],
    /// What is asked for, and of whom.
    source: [u8; 32],
}

impl CredentialKey {
    /// Of a user, by the token that the request came with, and a server.
    pub(super) fn of(
        identity: &Identity,
        token: TokenHash,
        service_id: &str,
        source: &CredentialSource,
    ) -> Self {
        Self {
            token,
            caller: *identity.caller_hash(),
            source: *source.digest(service_id),
        }
    }
}

impl Hash for CredentialKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.token.hash(state);
        state.write(&self.caller);
        state.write(&self.source);
    }
}

impl fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKey(…)")
    }
}
