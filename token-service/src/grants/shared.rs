//! Tokens of the service itself, one for all users, and tokens that are given
//! for a user's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Grants;
use super::consent::resource_of;
use super::judge::{REJECTED_AGAIN, cache_seconds, margin};
use super::resolve::{bearer, refused};
use super::types::{AuthMethod, Authenticated, Resolution, ResolveAsk, ResolveError};
use crate::oauth::{
    ErrorCode, Grant, ProviderError, TokenAnswer, introspect_expiry, request_token,
};
use crate::owner::Owner;
use crate::random;
use crate::secret::Secret;
use crate::servers::{OAuth, Source};
use crate::storage::{Action, Actor, AuditRecord, Version};
use crate::telemetry;

/// The tokens of the service itself, by source.
#[derive(Default)]
pub(super) struct SharedTokens(Mutex<HashMap<String, Entry>>);

#[derive(Clone, Default)]
struct Entry {
    token: Option<Arc<SharedToken>>,
    /// Nothing is tried before this time, after this failure.
    cooling: Option<(i64, ResolveError)>,
}

pub(super) struct SharedToken {
    token: Secret,
    version: String,
    scopes: Vec<String>,
    lifetime: Option<i64>,
    expires_at: Option<i64>,
    obtained_at: i64,
    after_rejection: bool,
}

/// What a request for one brought.
pub(super) type Fetched = Result<Arc<SharedToken>, ResolveError>;

impl SharedTokens {
    fn entry(&self, source: &str) -> Entry {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(source).cloned().unwrap_or_default()
    }

    fn change(&self, source: &str, change: impl FnOnce(&mut Entry)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(source.to_owned()).or_default());
    }
}

impl Grants {
    /// The token of the service itself. It is kept in memory: each replica has
    /// its own.
    pub(super) async fn by_client_credentials(
        &self,
        source: &Arc<Source>,
        oauth: &OAuth,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        let settings = &self.0.settings;
        let Entry { token, cooling } = self.0.shared.entry(&source.id);
        let [random] = *random::bytes::<1>()?;
        let good = token.as_ref().filter(|token| {
            let left = token
                .expires_at
                .map_or(i64::MAX, |at| at.saturating_sub(now));
            left > 0 && !refused(ask, &token.version)
        });
        if let Some(token) = good {
            let left = token
                .expires_at
                .map_or(i64::MAX, |at| at.saturating_sub(now));
            let early = left <= margin(settings.margin_seconds, token.lifetime, random);
            if !early || cooling.as_ref().is_some_and(|(until, _)| *until > now) {
                return Ok(shared(ask, token, now));
            }
        }
        if let Some((_, error)) = cooling.filter(|(until, _)| *until > now) {
            return Err(error);
        }
        let rejected = token
            .as_ref()
            .is_some_and(|token| refused(ask, &token.version));
        if let Some(token) = &token
            && rejected
            && token.after_rejection
            && now.saturating_sub(token.obtained_at) < REJECTED_AGAIN
        {
            // The next one would be refused as well.
            return Err(ResolveError::Upstream);
        }
        let work = {
            let (grants, source, oauth) = (self.clone(), Arc::clone(source), oauth.clone());
            let request_id = ask.request_id.to_owned();
            async move {
                let fetched = grants.fetch_shared(&source, &oauth, rejected, now).await;
                let fetch = Fetch {
                    grant: "client_credentials",
                    outcome: outcome(&fetched),
                    owner: &Owner::nobody(),
                    source: &source,
                    request_id: &request_id,
                };
                grants.note_fetch(fetch, now).await;
                fetched
            }
        };
        let key = source.id.clone();
        let fetched = self.0.fetches.join(key, settings.patience, work).await;
        match (fetched, good) {
            (Some(Ok(token)), _) => Ok(shared(ask, &token, now)),
            (_, Some(token)) => Ok(shared(ask, token, now)),
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(ResolveError::RefreshInProgress { retry_after: 1 }),
        }
    }

    async fn fetch_shared(
        &self,
        source: &Source,
        oauth: &OAuth,
        after_rejection: bool,
        now: i64,
    ) -> Fetched {
        let tokens = &self.0.shared;
        match self.ask_shared(oauth, after_rejection, now).await {
            Ok(token) => {
                let token = Arc::new(token);
                let kept = Arc::clone(&token);
                tokens.change(&source.id, |entry| {
                    *entry = Entry {
                        token: Some(kept),
                        cooling: None,
                    };
                });
                Ok(token)
            }
            Err(error) => {
                tracing::warn!(server = source.id, %error, "no token of the service's own");
                let until = now.saturating_add(self.0.settings.cooldown_seconds);
                let error = trouble(&error);
                tokens.change(&source.id, |entry| entry.cooling = Some((until, error)));
                Err(error)
            }
        }
    }

    async fn ask_shared(
        &self,
        oauth: &OAuth,
        after_rejection: bool,
        now: i64,
    ) -> Result<SharedToken, ProviderError> {
        let metadata = self.0.providers.of(&oauth.provider).await?;
        let client = registered(oauth)?;
        let outbound = self.0.providers.outbound();
        let resource = resource_of(oauth, &metadata, None);
        let answer: TokenAnswer = request_token(
            outbound,
            &metadata.endpoints.token,
            &client,
            Grant::ClientCredentials,
            &oauth.scopes,
            resource,
            &oauth.token_parameters,
        )
        .await?;
        let lifetime = answer.expires_in.filter(|seconds| *seconds > 0);
        let mut expires_at = lifetime.map(|seconds| now.saturating_add(seconds));
        if let (None, Some(endpoint)) = (expires_at, &metadata.endpoints.introspection) {
            let found = introspect_expiry(outbound, endpoint, &client, &answer.access_token);
            expires_at = found.await.ok().flatten();
        }
        Ok(SharedToken {
            token: answer.access_token,
            version: Version::fresh()?.to_string(),
            scopes: answer.scopes.unwrap_or_else(|| oauth.scopes.clone()),
            lifetime,
            expires_at,
            obtained_at: now,
            after_rejection,
        })
    }

    /// A token for the user's own (RFC 8693). It is not kept here; the filter
    /// keeps it.
    pub(super) async fn by_token_exchange(
        &self,
        source: &Source,
        oauth: &OAuth,
        audience: Option<&str>,
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Resolution, ResolveError> {
        let subject_token = ask.subject_token.ok_or(ResolveError::InvalidSubjectToken)?;
        let scopes = scopes_to_exchange(&oauth.scopes, ask.required_scopes)?;
        let grant = Grant::TokenExchange {
            subject_token,
            audience,
        };
        let exchanged = self.exchange(oauth, grant, scopes, ask, now).await;
        let fetch = Fetch {
            grant: "token_exchange",
            outcome: outcome(&exchanged),
            owner: ask.owner,
            source,
            request_id: ask.request_id,
        };
        self.note_fetch(fetch, now).await;
        exchanged.map(Resolution::Authenticated)
    }

    async fn exchange(
        &self,
        oauth: &OAuth,
        grant: Grant<'_>,
        scopes: &[String],
        ask: &ResolveAsk<'_>,
        now: i64,
    ) -> Result<Authenticated, ResolveError> {
        let exchange = async {
            let metadata = self.0.providers.of(&oauth.provider).await?;
            let client = registered(oauth)?;
            let resource = resource_of(oauth, &metadata, None);
            request_token(
                self.0.providers.outbound(),
                &metadata.endpoints.token,
                &client,
                grant,
                scopes,
                resource,
                &oauth.token_parameters,
            )
            .await
        };
        let patience = self.0.settings.patience;
        let answer = match tokio::time::timeout(patience, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let server = ask.server.id.as_str();
                tracing::warn!(server, %error, request_id = ask.request_id, "no token was given");
                return Err(exchange_trouble(&error));
            }
            Err(_) => return Err(ResolveError::Upstream),
        };
        // RFC 8693, section 2.2.1: it is left out where it is what was asked for.
        let granted = answer.scopes.unwrap_or_else(|| scopes.to_vec());
        let mut required = ask.required_scopes.iter();
        if !required.all(|scope| granted.contains(scope)) {
            // The upstream would refuse it, and there is no user who could agree.
            return Err(ResolveError::AccessDenied);
        }
        let lifetime = answer.expires_in.filter(|seconds| *seconds > 0);
        let expires_at = lifetime.map(|seconds| now.saturating_add(seconds));
        Ok(Authenticated {
            method: AuthMethod::TokenExchange,
            headers: bearer(&answer.access_token),
            version: Version::fresh()?.to_string(),
            expires_at,
            scopes: granted,
            cache_seconds: cache_seconds(ask.server.cache_seconds, expires_at, now),
        })
    }

    /// Counts and records that a token was asked for.
    async fn note_fetch(&self, fetch: Fetch<'_>, now: i64) {
        let Fetch {
            grant,
            outcome,
            owner,
            source,
            request_id,
        } = fetch;
        telemetry::fetch(grant, outcome);
        let record = AuditRecord {
            at: now,
            actor: Actor::Service,
            action: Action::Fetch,
            outcome: outcome.to_owned(),
            owner: owner.clone(),
            target: source.target(),
            operation: None,
            request_id: request_id.to_owned(),
        };
        if let Err(error) = self.0.credentials.storage().record(&record).await {
            tracing::error!(%error, "an audit record could not be written");
        }
    }
}

/// A token that was asked for, and what became of it.
struct Fetch<'a> {
    grant: &'static str,
    outcome: &'static str,
    /// Whose it would be; the service's own is nobody's.
    owner: &'a Owner,
    source: &'a Source,
    request_id: &'a str,
}

fn outcome<T>(result: &Result<T, ResolveError>) -> &'static str {
    match result {
        Ok(_) => "obtained",
        Err(error) => error.code(),
    }
}

/// The scopes that an exchange asks for: those that are configured, and no
/// others; where none are, those that the call needs. What a call needs can be
/// the upstream's word, which is not to widen what the upstream is given.
fn scopes_to_exchange<'a>(
    configured: &'a [String],
    required: &'a [String],
) -> Result<&'a [String], ResolveError> {
    if configured.is_empty() {
        return Ok(required);
    }
    if required.iter().all(|scope| configured.contains(scope)) {
        return Ok(configured);
    }
    Err(ResolveError::AccessDenied)
}

fn shared(ask: &ResolveAsk<'_>, token: &SharedToken, now: i64) -> Resolution {
    Resolution::Authenticated(Authenticated {
        method: AuthMethod::Shared,
        headers: bearer(&token.token),
        version: token.version.clone(),
        expires_at: token.expires_at,
        scopes: token.scopes.clone(),
        cache_seconds: cache_seconds(ask.server.cache_seconds, token.expires_at, now),
    })
}

fn registered(oauth: &OAuth) -> Result<crate::oauth::OAuthClient, ProviderError> {
    super::clients::registered(&oauth.client).ok_or(ProviderError::Unsupported(
        "use for a client without a registration",
    ))
}

/// What trouble at the provider is for the call.
fn trouble(error: &ProviderError) -> ResolveError {
    match error {
        ProviderError::RateLimited { retry_after } => {
            let seconds = retry_after.unwrap_or(1).clamp(1, 300);
            ResolveError::RateLimited {
                retry_after: u32::try_from(seconds).unwrap_or(1),
            }
        }
        ProviderError::Credential(_) | ProviderError::NoRandomness => ResolveError::Unavailable,
        _ => ResolveError::Upstream,
    }
}

/// RFC 8693, section 2.2.2; what is about the user's token, and what about what
/// was asked for.
fn exchange_trouble(error: &ProviderError) -> ResolveError {
    match error {
        ProviderError::Refused(ErrorCode::InvalidGrant | ErrorCode::InvalidRequest) => {
            ResolveError::InvalidSubjectToken
        }
        ProviderError::Refused(
            ErrorCode::InvalidTarget
            | ErrorCode::InvalidScope
            | ErrorCode::AccessDenied
            | ErrorCode::InteractionRequired,
        ) => ResolveError::AccessDenied,
        other => trouble(other),
    }
}
