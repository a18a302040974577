//! What ties a sealed secret to its place.

use super::KeyId;
use crate::owner::{Owner, Target};

/// Where a secret belongs. It opens there only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// What it is for.
    pub target: &'a Target,
    /// What it is.
    pub kind: RecordKind,
    /// The version of the record; an older secret does not open as a newer one.
    pub version: i64,
}

/// What a sealed secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An upstream credential from a consent.
    OAuth,
    /// An upstream credential that somebody set.
    Override,
    /// What a consent that has begun needs to be finished.
    Consent,
    /// What the service authenticates with at an authorization server. The
    /// issuer is that server's, the subject the redirect URI.
    Client,
}

impl Binding<'_> {
    /// Associated data of the encrypted secret.
    pub(super) fn for_data(&self) -> Vec<u8> {
        self.encode(&[b"mcp-token-service data 1"])
    }

    /// Associated data of the wrapped data key.
    pub(super) fn for_key(&self, id: &KeyId) -> Vec<u8> {
        self.encode(&[b"mcp-token-service key 1", id.as_str().as_bytes()])
    }

    /// Every field after its length, so that no two bindings have the same
    /// encoding.
    fn encode(&self, purpose: &[&[u8]]) -> Vec<u8> {
        let version = self.version.to_be_bytes();
        let fields = [
            self.owner.issuer.as_bytes(),
            self.owner.subject.as_bytes(),
            self.owner.subject_type.as_str().as_bytes(),
            self.target.server.as_bytes(),
            self.target.source.as_bytes(),
            self.kind.as_str().as_bytes(),
            &version,
        ];
        let mut encoded = Vec::new();
        for field in purpose.iter().chain(&fields) {
            encoded.extend((field.len() as u64).to_be_bytes());
            encoded.extend(*field);
        }
        encoded
    }
}

impl RecordKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Override => "override",
            Self::Consent => "consent",
            Self::Client => "client",
        }
    }
}
