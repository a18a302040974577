//! The credential of one call.

use core::time::Duration;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Grants;
use super::consent::scopes_to_ask;
use super::headers::{self, Headers, KeptOverride};
use super::judge::{Circumstances, Verdict, brings_more, cache_seconds, judge, margin};
use super::kept::KeptGrant;
use super::refresh::{Outcome, Task};
use super::types::{
    AuthMethod, Authenticated, ConsentKind, Reason, Rejected, Resolution, ResolveAsk, ResolveError,
};
use crate::credentials::{CredentialError, KeptCredential};
use crate::random;
use crate::secret::Secret;
use crate::servers::{Authentication, HeaderAuthentication, HeaderLevel, OAuth, Server, Source};
use crate::storage::{Action, Actor, AuditRecord, Method, Slot, Status};

/// A call whose token is still good waits no longer than this for a new one.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// Where another replica is at it, or this one takes long: ask again after so
/// many seconds.
const ASK_AGAIN: u32 = 1;

impl Grants {
    /// The credential of one call.
    ///
    /// # Errors
    /// There is none, for a reason that no consent mends.
    pub async fn resolve(
        &self,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        match source_of(ask.server, ask.source) {
            Some(source) => self.resolve_source(source, ask, now).await,
            None => Err(ResolveError::InvalidTarget),
        }
    }

    /// An override goes before everything else.
    async fn resolve_source(
        &self,
        source: &Arc<Source>,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        if let Some(resolution) = self.by_override(source, ask, now).await? {
            return Ok(resolution);
        }
        match &source.authentication {
            Authentication::None => Ok(Resolution::NotRequired { reason: NONE }),
            Authentication::Header(header) => match &header.level {
                HeaderLevel::PerUser => Ok(Resolution::ConsentRequired {
                    reason: Reason::ConsentMissing,
                    kind: ConsentKind::ApiKey,
                }),
                HeaderLevel::Global(values) => {
                    if refused(ask, FIXED) {
                        return Err(ResolveError::Upstream);
                    }
                    let headers = headers::fill(header, |name| values.get(name).cloned());
                    // The configuration refuses placeholders without a value.
                    let headers = headers.ok_or(ResolveError::Unavailable)?;
                    Ok(fixed(ask, AuthMethod::Shared, headers, FIXED.to_owned()))
                }
            },
            Authentication::ClientCredentials(oauth) => {
                self.by_client_credentials(source, oauth, ask, now).await
            }
            Authentication::TokenExchange { oauth, audience } => {
                self.by_token_exchange(source, oauth, audience.as_deref(), ask, now)
                    .await
            }
            Authentication::AuthorizationCode(oauth) => {
                self.by_consent(source, oauth, ask, now).await
            }
        }
    }

    async fn by_override(
        &self,
        source: &Source,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Option<Resolution>, ResolveError> {
        let Some((kept, headers)) = self
            .override_of(&slot(ask, source, Method::Override), source)
            .await?
        else {
            return Ok(None);
        };
        let version = kept.version.to_string();
        let refused = refused(ask, &version);
        // A key is not renewed. It is removed only by who gives another one.
        match asked_of_person(&source.authentication) {
            Some(kind) if refused || kept.status != Status::Usable => {
                if kept.status == Status::Usable {
                    let slot = slot(ask, source, Method::Override);
                    self.mark_revoked(&slot, &kept, ask, now).await?;
                }
                let reason = Reason::of(kept.status).unwrap_or(Reason::Revoked);
                return Ok(Some(Resolution::ConsentRequired { reason, kind }));
            }
            // The person the link is for could do nothing about it.
            None if refused => return Err(ResolveError::Upstream),
            _ => {}
        }
        Ok(Some(fixed(ask, AuthMethod::Override, headers, version)))
    }

    /// The override in a slot, as headers. One that does not fit the server's
    /// headers any more counts as none, and so does one for a server that takes
    /// no credential: there, nobody proves who calls.
    pub(super) async fn override_of(
        &self,
        slot: &Slot,
        source: &Source,
    ) -> Result<Option<(KeptCredential, Headers)>, CredentialError> {
        if matches!(source.authentication, Authentication::None) {
            return Ok(None);
        }
        let Some(kept) = self.get(slot).await? else {
            return Ok(None);
        };
        let value: Option<KeptOverride> =
            serde_json::from_slice(kept.credential.secret.expose()).ok();
        let headers = value.and_then(|value| headers::overridden(&source.authentication, &value));
        if headers.is_none() {
            tracing::warn!(server = source.id, "an override does not fit the server");
        }
        Ok(headers.map(|headers| (kept, headers)))
    }

    async fn by_consent(
        &self,
        source: &Arc<Source>,
        oauth: &OAuth,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        // Who is sent to agree to what is never asked for goes round in circles.
        let is_askable = |scope: &String| oauth.scopes.is_empty() || oauth.scopes.contains(scope);
        let enough = ask.required_scopes.iter().all(is_askable);
        let consent = |reason| {
            let link = enough.then(|| consent(reason));
            link.ok_or(ResolveError::AccessDenied)
        };
        let slot = slot(ask, source, Method::OAuth);
        let mut rejected = ask.rejected;
        // The second time after a refresh, which is not followed by another.
        for first in [true, false] {
            let Some(kept) = self.get(&slot).await? else {
                return consent(Reason::ConsentMissing);
            };
            let Ok(grant) = KeptGrant::read(&kept.credential.secret) else {
                tracing::error!(server = source.id, "a credential has an unknown form");
                return Err(ResolveError::Unavailable);
            };
            let [random] = *random::bytes::<1>()?;
            let of = Circumstances {
                obtainable: &oauth.scopes,
                required: ask.required_scopes,
                rejected,
                margin: margin(self.0.settings.margin_seconds, grant.lifetime, random),
                now,
            };
            let (is_rejected, usable) = match judge(&kept, &grant, of) {
                Verdict::Use => return answer(ask, &kept, &grant, now),
                Verdict::Consent(reason) => return consent(reason),
                Verdict::Denied => return Err(ResolveError::AccessDenied),
                Verdict::Widen => {
                    let asked = self.asked_of_everybody(oauth).await?;
                    if brings_more(&asked, &kept) {
                        return consent(Reason::InsufficientScope);
                    }
                    return Err(ResolveError::AccessDenied);
                }
                Verdict::Revoke => {
                    self.mark_revoked(&slot, &kept, ask, now).await?;
                    return consent(Reason::Revoked);
                }
                Verdict::Refresh { rejected, usable } => (rejected, usable),
            };
            let outcome = if first {
                let task = Task {
                    slot: slot.clone(),
                    source: Arc::clone(source),
                    oauth: oauth.clone(),
                    version: kept.version,
                    rejected: is_rejected,
                    request_id: ask.request_id.to_owned(),
                    now,
                };
                let patience = self.0.settings.patience;
                let patience = if usable {
                    patience.min(SHORT_PATIENCE)
                } else {
                    patience
                };
                self.refresh(task, patience).await.unwrap_or(Outcome::Busy)
            } else {
                Outcome::Failed
            };
            match outcome {
                Outcome::Renewed => {
                    // What was refused is not there any more.
                    rejected = None;
                }
                Outcome::Consent(reason) if !usable => return consent(reason),
                _ if usable => return answer(ask, &kept, &grant, now),
                Outcome::RateLimited(seconds) => {
                    return Err(ResolveError::RateLimited {
                        retry_after: u32::try_from(seconds.max(1)).unwrap_or(ASK_AGAIN),
                    });
                }
                Outcome::Busy => {
                    return Err(ResolveError::RefreshInProgress {
                        retry_after: ASK_AGAIN,
                    });
                }
                Outcome::Broken => return Err(ResolveError::Unavailable),
                Outcome::Failed | Outcome::Consent(_) => return Err(ResolveError::Upstream),
            }
        }
        Err(ResolveError::Upstream)
    }

    /// The scopes that a consent asks for, whatever the call needs.
    async fn asked_of_everybody(&self, oauth: &OAuth) -> Result<Vec<String>, ResolveError> {
        if !oauth.scopes.is_empty() {
            return Ok(oauth.scopes.clone());
        }
        let metadata = self.0.providers.of(&oauth.provider);
        match tokio::time::timeout(self.0.settings.patience, metadata).await {
            Ok(Ok(metadata)) => Ok(scopes_to_ask(oauth, Some(&metadata), &[])),
            // There, nobody could agree to anything at the moment.
            Ok(Err(_)) | Err(_) => Err(ResolveError::Upstream),
        }
    }

    /// Keeps that the upstream does not take this version, so that whatever link
    /// the user opens asks for another one, and says nothing of a connection
    /// that the next call does not have. The other reasons are seen in the row
    /// as it is, or are in the link.
    ///
    /// # Errors
    /// There is another version by now: the user is not to be asked.
    async fn mark_revoked(
        &self,
        slot: &Slot,
        kept: &KeptCredential,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<(), ResolveError> {
        let storage = self.0.credentials.storage();
        let marked = storage.mark_credential(slot, kept.version, Status::Revoked, now);
        if !marked.await.map_err(CredentialError::from)? {
            return match self.get(slot).await? {
                None => Ok(()),
                Some(_) => Err(ResolveError::RefreshInProgress {
                    retry_after: ASK_AGAIN,
                }),
            };
        }
        let record = AuditRecord {
            at: now,
            actor: Actor::Service,
            action: Action::Refresh,
            outcome: Reason::Revoked.as_str().to_owned(),
            owner: slot.owner.clone(),
            target: slot.target.clone(),
            operation: None,
            request_id: ask.request_id.to_owned(),
        };
        let written = storage.record(&record).await;
        Ok(written.map_err(CredentialError::from)?)
    }

    /// What is in the slot.
    pub(super) async fn get(&self, slot: &Slot) -> Result<Option<KeptCredential>, CredentialError> {
        self.0.credentials.get(slot).await
    }
}

/// Why nothing is needed.
pub(super) const NONE: &str = "This MCP server has no authentication configured.";

/// The version of what is in the configuration.
const FIXED: &str = "configured";

/// The source that is meant.
pub(super) fn source_of<'a>(server: &'a Server, id: Option<&str>) -> Option<&'a Arc<Source>> {
    match (id, server.sources.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(id), sources) => sources.iter().find(|source| source.id == id),
    }
}

/// What a person can do for the source. `None`: nothing.
pub(super) const fn asked_of_person(authentication: &Authentication) -> Option<ConsentKind> {
    match authentication {
        Authentication::AuthorizationCode(_) => Some(ConsentKind::OAuth),
        Authentication::Header(HeaderAuthentication {
            level: HeaderLevel::PerUser,
            ..
        }) => Some(ConsentKind::ApiKey),
        _ => None,
    }
}

fn slot(ask: &ResolveAsk<'_>, source: &Source, method: Method) -> Slot {
    Slot {
        owner: ask.owner.clone(),
        target: source.target(),
        method,
    }
}

pub(super) const fn consent(reason: Reason) -> Resolution {
    Resolution::ConsentRequired {
        reason,
        kind: ConsentKind::OAuth,
    }
}

/// Whether the upstream has refused that very version.
pub(super) fn refused(ask: &ResolveAsk<'_>, current: &str) -> bool {
    ask.rejected.is_some_and(
        |Rejected {
             version, status, ..
         }| version == current && status == 401,
    )
}

fn answer(
    ask: &ResolveAsk<'_>,
    kept: &KeptCredential,
    grant: &KeptGrant,
    now: i64,
) -> Result<Resolution, ResolveError> {
    Ok(Resolution::Authenticated(Authenticated {
        method: AuthMethod::OAuth,
        headers: bearer(&grant.access_token.secret()),
        version: kept.version.to_string(),
        expires_at: kept.credential.expires_at,
        scopes: kept.credential.scopes.clone(),
        cache_seconds: cache_seconds(ask.server.cache_seconds, kept.credential.expires_at, now),
    }))
}

/// Headers that do not end by themselves.
fn fixed(
    ask: &ResolveAsk<'_>,
    method: AuthMethod,
    headers: Headers,
    version: String,
) -> Resolution {
    Resolution::Authenticated(Authenticated {
        method,
        headers,
        version,
        expires_at: None,
        scopes: vec![],
        cache_seconds: ask.server.cache_seconds,
    })
}

/// RFC 6750, section 2.1.
pub(super) fn bearer(token: &Secret) -> Headers {
    let mut value = Zeroizing::new(b"Bearer ".to_vec());
    value.extend_from_slice(token.expose());
    vec![("authorization".to_owned(), Secret::new(value.as_slice()))]
}
