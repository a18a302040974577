//! The form in which a grant is kept, sealed.

use serde::{Deserialize, Serialize};

use super::types::{KeptClient, KeptText};
use crate::credentials::Credential;
use crate::oauth::TokenAnswer;
use crate::secret::Secret;

/// What a consent or a refresh brought, with what the next refresh needs. A
/// refresh goes to the provider and as the client that the grant came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptGrant {
    pub(super) access_token: KeptText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<KeptText>,
    /// See `Metadata::provider`.
    pub(super) provider: String,
    pub(super) client: KeptClient,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<String>,
    /// For how many seconds an access token is good, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifetime: Option<i64>,
    pub(super) obtained_at: i64,
    /// It was obtained because the upstream had refused the one before.
    #[serde(default)]
    pub(super) after_rejection: bool,
}

/// A grant does not have the form that this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Where a grant comes from: all that an answer does not say.
pub(super) struct Origin {
    pub(super) provider: String,
    pub(super) client: KeptClient,
    pub(super) resource: Option<String>,
    /// The scopes where the answer names none (RFC 6749, section 5.1).
    pub(super) scopes: Vec<String>,
    /// The refresh token where the answer has none.
    pub(super) refresh_token: Option<KeptText>,
    /// The lifetime where the answer names none.
    pub(super) lifetime: Option<i64>,
    /// When the request began: an answer's lifetime counts from then at the
    /// earliest.
    pub(super) asked_at: i64,
    pub(super) after_rejection: bool,
}

impl KeptGrant {
    /// The grant, its scopes and its end, from an answer. `None`: a token is
    /// not text.
    pub(super) fn of(answer: &TokenAnswer, origin: Origin) -> Option<(Self, Credential)> {
        // Some servers say 0 where they mean that they do not say.
        let lifetime = answer.expires_in.filter(|seconds| *seconds > 0);
        let lifetime = lifetime.or(origin.lifetime);
        let refresh_token = match &answer.refresh_token {
            Some(token) => Some(KeptText::of(token)?),
            None => origin.refresh_token,
        };
        let grant = Self {
            access_token: KeptText::of(&answer.access_token)?,
            refresh_token,
            provider: origin.provider,
            client: origin.client,
            resource: origin.resource,
            lifetime,
            obtained_at: origin.asked_at,
            after_rejection: origin.after_rejection,
        };
        let credential = Credential {
            secret: grant.write()?,
            scopes: answer.scopes.clone().unwrap_or(origin.scopes),
            expires_at: lifetime.map(|seconds| origin.asked_at.saturating_add(seconds)),
        };
        Some((grant, credential))
    }

    pub(super) fn read(secret: &Secret) -> Result<Self, Unreadable> {
        serde_json::from_slice(secret.expose()).map_err(|_| Unreadable)
    }

    fn write(&self) -> Option<Secret> {
        serde_json::to_vec(self).ok().map(Secret::new)
    }
}
