//! Whether a user can use a server.

use std::sync::Arc;

use super::Grants;
use super::kept::KeptGrant;
use super::resolve::NONE;
use super::types::{AuthMethod, AuthStatus, ConsentKind, Reason};
use crate::credentials::CredentialError;
use crate::owner::Owner;
use crate::servers::{Authentication, HeaderLevel, Server, Source};
use crate::storage::{Method, Slot};

const SHARED: &str = "This MCP server uses a credential that is the same for all users.";
const EXCHANGED: &str = "This MCP server gets a token for the user's own token.";

impl Grants {
    /// Whether the user can use the server: all of its sources.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn status(
        &self,
        owner: &Owner,
        server: &Server,
        now: i64,
    ) -> Result<AuthStatus, CredentialError> {
        let mut whole = AuthStatus::NotRequired { reason: NONE };
        for (index, source) in server.sources.iter().enumerate() {
            match (self.source_status(owner, source, now).await?, &whole) {
                (required @ AuthStatus::Required { .. }, _) => return Ok(required),
                (found @ AuthStatus::Authenticated { .. }, AuthStatus::NotRequired { .. }) => {
                    whole = found;
                }
                (found @ AuthStatus::NotRequired { .. }, AuthStatus::NotRequired { .. })
                    if index == 0 =>
                {
                    whole = found;
                }
                _ => {}
            }
        }
        Ok(whole)
    }

    /// The sources for which the user still has to agree at a provider or to
    /// give a key, in order.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn pending_sources(
        &self,
        owner: &Owner,
        server: &Server,
        now: i64,
    ) -> Result<Vec<Arc<Source>>, CredentialError> {
        let mut pending = vec![];
        for source in &server.sources {
            let status = self.source_status(owner, source, now).await?;
            if matches!(status, AuthStatus::Required { .. }) {
                pending.push(Arc::clone(source));
            }
        }
        Ok(pending)
    }

    /// Whether the user can use one source.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn source_status(
        &self,
        owner: &Owner,
        source: &Source,
        now: i64,
    ) -> Result<AuthStatus, CredentialError> {
        let slot = |method| Slot {
            owner: owner.clone(),
            target: source.target(),
            method,
        };
        let overridden = self.override_of(&slot(Method::Override), source).await?;
        if overridden.is_some() {
            let method = AuthMethod::Override;
            return Ok(AuthStatus::Authenticated { method });
        }
        let required = |reason| AuthStatus::Required {
            method: AuthMethod::OAuth,
            reason,
            kind: ConsentKind::OAuth,
        };
        Ok(match &source.authentication {
            Authentication::None => AuthStatus::NotRequired { reason: NONE },
            Authentication::Header(header) => match header.level {
                HeaderLevel::Global(_) => AuthStatus::NotRequired { reason: SHARED },
                HeaderLevel::PerUser => AuthStatus::Required {
                    method: AuthMethod::Override,
                    reason: Reason::ConsentMissing,
                    kind: ConsentKind::ApiKey,
                },
            },
            Authentication::ClientCredentials(_) => AuthStatus::NotRequired { reason: SHARED },
            Authentication::TokenExchange { .. } => AuthStatus::NotRequired { reason: EXCHANGED },
            Authentication::AuthorizationCode(_) => {
                let Some(kept) = self.get(&slot(Method::OAuth)).await? else {
                    return Ok(required(Reason::ConsentMissing));
                };
                if let Some(reason) = Reason::of(kept.status) {
                    return Ok(required(reason));
                }
                let ended = kept.credential.expires_at.is_some_and(|at| at <= now);
                let renewable = KeptGrant::read(&kept.credential.secret)
                    .is_ok_and(|grant| grant.refresh_token.is_some());
                if ended && !renewable {
                    return Ok(required(Reason::RefreshFailed));
                }
                let method = AuthMethod::OAuth;
                AuthStatus::Authenticated { method }
            }
        })
    }
}
