//! Whether a user can use a server.

use std::sync::Arc;

use super::Grants;
use super::kept::KeptGrant;
use super::refresh::needs_consent;
use super::resolve::{NONE, asked_of_person};
use super::types::{AuthMethod, AuthStatus, ConsentKind, Needed, Reason};
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
    /// give a key, in order. `needed`: what has to be there beside.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn pending_sources(
        &self,
        owner: &Owner,
        server: &Server,
        needed: &[Needed],
        now: i64,
    ) -> Result<Vec<Arc<Source>>, CredentialError> {
        let mut pending = vec![];
        for source in &server.sources {
            let is_pending = match self.source_status(owner, source, now).await? {
                AuthStatus::Required { .. } => true,
                AuthStatus::Authenticated {
                    method: AuthMethod::OAuth,
                } => self.lacks(owner, source, needed).await?,
                _ => false,
            };
            if is_pending {
                pending.push(Arc::clone(source));
            }
        }
        Ok(pending)
    }

    /// Whether the user's grant does not have what is needed of the source.
    async fn lacks(
        &self,
        owner: &Owner,
        source: &Source,
        needed: &[Needed],
    ) -> Result<bool, CredentialError> {
        let of_source = of_source(source, needed);
        if of_source.is_empty() {
            return Ok(false);
        }
        let slot = Slot {
            owner: owner.clone(),
            target: source.target(),
            method: Method::OAuth,
        };
        let Some(kept) = self.get(&slot).await? else {
            return Ok(true);
        };
        let version = kept.version.to_string();
        let has = |scope: &String| kept.credential.scopes.contains(scope);
        Ok(of_source.iter().any(|it| {
            it.instead_of.as_deref() == Some(version.as_str()) || !it.scopes.iter().all(has)
        }))
    }

    /// The scopes to ask for beside those that the source always asks for:
    /// those that are needed, and then those that the user's grant has too,
    /// which the new one replaces. Otherwise two calls with different needs
    /// would take turns in sending the user to the provider.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub async fn further_scopes(
        &self,
        owner: &Owner,
        source: &Source,
        needed: &[Needed],
    ) -> Result<Vec<String>, CredentialError> {
        let of_source = of_source(source, needed);
        if of_source.is_empty() {
            return Ok(vec![]);
        }
        let mut scopes: Vec<String> = vec![];
        for it in of_source {
            scopes.extend(it.scopes.iter().cloned());
        }
        let slot = Slot {
            owner: owner.clone(),
            target: source.target(),
            method: Method::OAuth,
        };
        if let Some(kept) = self.get(&slot).await? {
            scopes.extend(kept.credential.scopes);
        }
        Ok(scopes)
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
        if let Some((kept, _)) = overridden {
            let refused = Reason::of(kept.status).zip(asked_of_person(&source.authentication));
            return Ok(match refused {
                None => AuthStatus::Authenticated {
                    method: AuthMethod::Override,
                },
                Some((reason, kind)) => AuthStatus::Required {
                    method: match kind {
                        ConsentKind::OAuth => AuthMethod::OAuth,
                        ConsentKind::ApiKey => AuthMethod::Override,
                    },
                    reason,
                    kind,
                },
            });
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
                // Before its end too: the upstream may have refused it.
                let lost = needs_consent(kept.last_error.as_deref());
                if lost || (ended && !renewable) {
                    return Ok(required(Reason::RefreshFailed));
                }
                let method = AuthMethod::OAuth;
                AuthStatus::Authenticated { method }
            }
        })
    }
}

fn of_source<'a>(source: &Source, needed: &'a [Needed]) -> Vec<&'a Needed> {
    let of_source = |it: &&Needed| it.source == source.id;
    needed.iter().filter(of_source).collect()
}
