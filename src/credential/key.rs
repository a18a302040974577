//! Whose credential, for what.

use core::fmt;
use core::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use super::service::CredentialSource;
use crate::oauth::Identity;

/// The SHA-256 of everything that a credential depends on. What is known of
/// one key is never told to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialKey([u8; 32]);

impl CredentialKey {
    /// Of a user, by the token that the request came with, and a server. The
    /// token is part of it because the token service checks it again: what it
    /// answered to one token says nothing of another.
    pub(super) fn of(
        identity: &Identity,
        token: &str,
        service_id: &str,
        source: &CredentialSource,
    ) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            // Lengths keep ("ab", "c") and ("a", "bc") apart.
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(identity.issuer().as_bytes());
        part(identity.subject().as_bytes());
        part(identity.subject_type().as_str().as_bytes());
        part(service_id.as_bytes());
        part(source.server_id.as_bytes());
        part(source.audience.as_bytes());
        part(source.resource.as_deref().unwrap_or_default().as_bytes());
        part(source.scopes.to_string().as_bytes());
        part(source.headers.join(" ").as_bytes());
        part(&Sha256::digest(token.as_bytes()));
        Self(hash.finalize().into())
    }
}

impl Hash for CredentialKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKey(…)")
    }
}
