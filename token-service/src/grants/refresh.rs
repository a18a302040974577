//! Renewing a grant: once, across calls and replicas.
//!
//! In the process, whoever comes joins the work that is under way; across
//! replicas, one holds a lease in the row. The work belongs to no call. The row
//! says that a refresh has begun before the provider is asked, and has the new
//! tokens before anybody gets them.
//!
//! A process that is killed between the provider's answer and the write loses
//! a rotated refresh token; nothing can bring it back, unless the provider
//! accepts the old one for a while. The row then still says that a refresh has
//! begun: when the lease has run out, the next one tries the old refresh token,
//! and if the provider refuses it, the reason is `refresh_failed`, not
//! `invalid_grant`, and the user is asked again.

use core::time::Duration;
use std::sync::Arc;

use tokio::time::Instant;

use super::Grants;
use super::kept::{KeptGrant, Origin};
use super::types::{ClientOrigin, Reason};
use super::write::{Clock, Write, Written};
use crate::credentials::{CredentialError, KeptCredential};
use crate::oauth::{
    ErrorCode, Grant, Metadata, OAuthClient, ProviderError, TokenAnswer, TokenKind,
    introspect_expiry, request_token, revoke,
};
use crate::random;
use crate::secret::Secret;
use crate::servers::{OAuth, Source};
use crate::storage::{Action, Actor, AuditRecord, LeaseEnd, Slot, Status, Version};
use crate::telemetry;

/// What a refresh is for.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) slot: Slot,
    pub(super) source: Arc<Source>,
    pub(super) oauth: OAuth,
    pub(super) version: Version,
    /// The upstream has refused this version.
    pub(super) rejected: bool,
    pub(super) request_id: String,
    pub(super) now: i64,
}

/// How a refresh ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The row has another version now.
    Renewed,
    /// The user has to agree again.
    Consent(Reason),
    /// The provider gave nothing.
    Failed,
    /// The provider wants a pause, in seconds.
    RateLimited(i64),
    /// Another replica is at it.
    Busy,
    /// The service itself has trouble.
    Broken,
}

/// Between two looks at the row while another replica is at it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A provider's wish for a pause is heeded up to this, in seconds.
const LONGEST_PAUSE: i64 = 300;

/// Words for `last_error` that decide what is answered during the cool-down.
const RATE_LIMITED: &str = "rate_limited";
const PROVIDER_CHANGED: &str = "provider_changed";
const CLIENT_GONE: &str = "client_gone";

/// What is needed to ask the provider.
struct Ready {
    refresh_token: Secret,
    metadata: Arc<Metadata>,
    client: OAuthClient,
}

/// What an attempt at the provider brought.
enum Attempt {
    Tokens(Box<TokenAnswer>, Arc<Metadata>, OAuthClient),
    Nothing(ProviderError),
    /// The configuration names another provider or client than the one that the
    /// grant came from.
    Changed,
}

impl Grants {
    /// Renews that version, or waits for who is at it. `None`: it is not done
    /// within the patience.
    pub(super) async fn refresh(&self, task: Task, patience: Duration) -> Option<Outcome> {
        let grants = self.clone();
        let key = (task.slot.clone(), task.version);
        let work = async move {
            let began = Instant::now();
            match grants.renew(&task).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::error!(%error, "a credential cannot be renewed");
                    let clock = Clock {
                        now: task.now,
                        began,
                    };
                    grants.ended(&task, Outcome::Broken, began, &clock).await
                }
            }
        };
        self.0.refreshes.join(key, patience, work).await
    }

    async fn renew(&self, task: &Task) -> Result<Outcome, CredentialError> {
        let clock = Clock {
            now: task.now,
            began: Instant::now(),
        };
        let Task { slot, version, .. } = task;
        let credentials = &self.0.credentials;
        let settings = &self.0.settings;
        let holder = holder()?;
        let mut waited = false;
        let mut ready = None;
        let (kept, ready) = loop {
            let now = clock.now();
            let Some(kept) = credentials.get(slot).await? else {
                return Ok(Outcome::Consent(Reason::ConsentMissing));
            };
            if kept.version != *version {
                return Ok(Outcome::Renewed);
            }
            if let Some(reason) = Reason::of(kept.status) {
                return Ok(Outcome::Consent(reason));
            }
            if let Some(at) = kept.retry_at.filter(|at| *at > now) {
                telemetry::cooldown();
                return Ok(cooling(kept.last_error.as_deref(), at.saturating_sub(now)));
            }
            // Before the lease: it lasts for one call to the provider, and
            // finding the provider may take several.
            let Some(found) = ready.take() else {
                ready = Some(self.prepare(task, &kept).await);
                continue;
            };
            let (storage, seconds) = (credentials.storage(), settings.lease_seconds);
            let taken = storage.take_lease(slot, *version, &holder, now, seconds);
            if taken.await? {
                break (kept, found);
            }
            ready = Some(found);
            if clock.began.elapsed() >= settings.patience {
                return Ok(Outcome::Busy);
            }
            if !waited {
                telemetry::lease_contention();
                waited = true;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        let Some((grant, ready)) = ready else {
            return self.give_up(task, &holder, &kept, &clock).await;
        };
        let asked = Instant::now();
        let asked_at = clock.now();
        let attempt = match ready {
            Ok(ready) => self.ask(task, &grant, ready).await,
            Err(attempt) => attempt,
        };
        let outcome = match attempt {
            Attempt::Tokens(answer, metadata, client) => {
                let origin = Origin {
                    provider: grant.provider.clone(),
                    client: grant.client.clone(),
                    resource: grant.resource.clone(),
                    scopes: kept.credential.scopes.clone(),
                    refresh_token: grant.refresh_token.clone(),
                    lifetime: grant.lifetime,
                    asked_at,
                    after_rejection: task.rejected,
                };
                let rotated = answer.refresh_token.is_some();
                let Some((new, credential)) = KeptGrant::of(&answer, origin) else {
                    return self.give_up(task, &holder, &kept, &clock).await;
                };
                let write = Write {
                    grants: self.clone(),
                    task: task.clone(),
                    credential,
                    rotated,
                };
                let outcome = write.run(&clock).await;
                match outcome {
                    Written::Yes(version) => {
                        self.client_taken(&grant.provider, &grant.client).await;
                        let unknown = write.credential.expires_at.is_none();
                        if unknown {
                            self.date(task, version, &metadata, &client, &answer).await;
                        }
                        Outcome::Renewed
                    }
                    Written::Superseded => Outcome::Renewed,
                    Written::Removed => {
                        self.give_back(&new, &metadata, &client).await;
                        Outcome::Consent(Reason::ConsentMissing)
                    }
                    Written::No => Outcome::Broken,
                }
            }
            Attempt::Changed => {
                let end = self.failed(&kept, &clock, PROVIDER_CHANGED, None, false);
                self.end(task, &holder, end, &clock).await?;
                Outcome::Consent(Reason::RefreshFailed)
            }
            Attempt::Nothing(error) => {
                self.nothing(task, &holder, &kept, &grant, &error, &clock)
                    .await?
            }
        };
        Ok(self.ended(task, outcome, asked, &clock).await)
    }

    /// Counts a refresh that has ended, and records it.
    async fn ended(&self, task: &Task, outcome: Outcome, began: Instant, clock: &Clock) -> Outcome {
        let word = word(outcome);
        telemetry::refresh(word, began.elapsed());
        self.record(task, word, clock.now()).await;
        outcome
    }

    /// What is needed to ask. `None`: the row has what this program never
    /// writes.
    async fn prepare(
        &self,
        task: &Task,
        kept: &KeptCredential,
    ) -> Option<(KeptGrant, Result<Ready, Attempt>)> {
        let grant = KeptGrant::read(&kept.credential.secret).ok()?;
        let ready = self.ready(task, &grant).await;
        Some((grant, ready))
    }

    /// The provider that the grant came from, and the client that it came from.
    async fn ready(&self, task: &Task, grant: &KeptGrant) -> Result<Ready, Attempt> {
        let refresh_token = grant.refresh_token.as_ref().ok_or(Attempt::Changed)?;
        let metadata = self.0.providers.of(&task.oauth.provider).await;
        // Nothing was sent yet.
        let metadata = metadata.map_err(|error| Attempt::Nothing(before(error)))?;
        if metadata.provider() != grant.provider {
            return Err(Attempt::Changed);
        }
        let client = self.client_of(&grant.client, &task.oauth.client);
        Ok(Ready {
            refresh_token: refresh_token.secret(),
            metadata,
            client: client.ok_or(Attempt::Changed)?,
        })
    }

    async fn ask(&self, task: &Task, grant: &KeptGrant, ready: Ready) -> Attempt {
        let answer = request_token(
            self.0.providers.outbound(),
            &ready.metadata.endpoints.token,
            &ready.client,
            Grant::Refresh(&ready.refresh_token),
            &[],
            grant.resource.as_deref(),
            &task.oauth.token_parameters,
        );
        match answer.await {
            Ok(answer) => Attempt::Tokens(Box::new(answer), ready.metadata, ready.client),
            Err(error) => Attempt::Nothing(error),
        }
    }

    /// What it means that the provider gave nothing.
    async fn nothing(
        &self,
        task: &Task,
        holder: &str,
        kept: &KeptCredential,
        grant: &KeptGrant,
        error: &ProviderError,
        clock: &Clock,
    ) -> Result<Outcome, CredentialError> {
        let server = task.source.id.as_str();
        tracing::warn!(server, %error, request_id = task.request_id, "a refresh failed");
        let (end, outcome) = match error {
            ProviderError::Refused(ErrorCode::InvalidGrant) => {
                // An earlier refresh may have used the token up unseen.
                let (status, reason) = match kept.refresh_begun_at {
                    Some(_) => (Status::RefreshFailed, Reason::RefreshFailed),
                    None => (Status::InvalidGrant, Reason::InvalidGrant),
                };
                let end = LeaseEnd {
                    status,
                    retry_at: None,
                    last_error: Some(reason.as_str()),
                    refresh_begun_at: None,
                };
                (end, Outcome::Consent(reason))
            }
            ProviderError::Refused(ErrorCode::InvalidClient)
                if grant.client.origin == ClientOrigin::Dynamic
                    && self
                        .is_client_gone(&grant.provider, &grant.client.id, clock.now())
                        .await =>
            {
                // Only a new client can get anything, and a new consent
                // registers one.
                let end = self.failed(kept, clock, CLIENT_GONE, None, false);
                (end, Outcome::Consent(Reason::RefreshFailed))
            }
            ProviderError::Refused(code) => {
                tracing::error!(
                    server,
                    code = code.as_str(),
                    "the provider refuses this service: check the server's configuration"
                );
                let end = self.failed(kept, clock, code.as_str(), None, false);
                (end, Outcome::Failed)
            }
            ProviderError::RateLimited { retry_after } => {
                let pause = retry_after.map(|seconds| seconds.min(LONGEST_PAUSE));
                let end = self.failed(kept, clock, RATE_LIMITED, pause, false);
                let left = end.retry_at.map_or(0, |at| at.saturating_sub(clock.now()));
                (end, Outcome::RateLimited(left))
            }
            ProviderError::Outbound(error) => {
                let unsure = error.may_have_arrived();
                let end = self.failed(kept, clock, "network_error", None, unsure);
                (end, Outcome::Failed)
            }
            ProviderError::Unavailable | ProviderError::Answer(_) => {
                let end = self.failed(kept, clock, "upstream_error", None, true);
                (end, Outcome::Failed)
            }
            _ => {
                let end = self.failed(kept, clock, "upstream_error", None, false);
                (end, Outcome::Failed)
            }
        };
        if self.end(task, holder, end, clock).await? {
            return Ok(outcome);
        }
        // Somebody else has the lease, or has written: that is what counts.
        let kept = self.0.credentials.get(&task.slot).await?;
        Ok(match kept {
            Some(kept) if kept.version == task.version => Outcome::Busy,
            Some(_) => Outcome::Renewed,
            None => Outcome::Consent(Reason::ConsentMissing),
        })
    }

    /// The credential is kept, and nothing is tried for a while. `unsure`: the
    /// provider may have used up the refresh token.
    fn failed(
        &self,
        kept: &KeptCredential,
        clock: &Clock,
        error: &'static str,
        pause: Option<i64>,
        unsure: bool,
    ) -> LeaseEnd {
        let now = clock.now();
        let pause = pause.unwrap_or(0).max(self.0.settings.cooldown_seconds);
        LeaseEnd {
            status: Status::Usable,
            retry_at: Some(now.saturating_add(pause)),
            last_error: Some(error),
            refresh_begun_at: kept.refresh_begun_at.or(unsure.then_some(now)),
        }
    }

    /// False: the lease was not the holder's any more.
    async fn end(
        &self,
        task: &Task,
        holder: &str,
        end: LeaseEnd,
        clock: &Clock,
    ) -> Result<bool, CredentialError> {
        let storage = self.0.credentials.storage();
        let ended = storage.end_lease(&task.slot, holder, end, clock.now());
        Ok(ended.await?)
    }

    /// The row has what this program never writes.
    async fn give_up(
        &self,
        task: &Task,
        holder: &str,
        kept: &KeptCredential,
        clock: &Clock,
    ) -> Result<Outcome, CredentialError> {
        tracing::error!(server = task.source.id, "a credential has an unknown form");
        let end = self.failed(kept, clock, "unreadable", None, false);
        self.end(task, holder, end, clock).await?;
        let began = clock.began;
        Ok(self.ended(task, Outcome::Broken, began, clock).await)
    }

    /// Asks when the token ends, and notes it. That is after the write, so that
    /// nothing stands between the provider's answer and the database.
    async fn date(
        &self,
        task: &Task,
        version: Version,
        metadata: &Metadata,
        client: &OAuthClient,
        answer: &TokenAnswer,
    ) {
        let Some(endpoint) = &metadata.endpoints.introspection else {
            return;
        };
        let outbound = self.0.providers.outbound();
        let found = introspect_expiry(outbound, endpoint, client, &answer.access_token);
        if let Ok(Some(at)) = found.await {
            let storage = self.0.credentials.storage();
            if let Err(error) = storage.set_expiry(&task.slot, version, at).await {
                tracing::warn!(%error, "the end of a token could not be noted");
            }
        }
    }

    /// Gives tokens back, the refresh token first; the access token whatever
    /// becomes of that, and also if it takes long. Whether the provider took all
    /// of them.
    pub(super) async fn give_back(
        &self,
        grant: &KeptGrant,
        metadata: &Metadata,
        client: &OAuthClient,
    ) -> bool {
        /// So long the first one is waited for before the second.
        const HEAD_START: Duration = Duration::from_secs(2);
        let Some(endpoint) = &metadata.endpoints.revocation else {
            return false;
        };
        let give = async |token: Secret, kind| {
            let outbound = self.0.providers.outbound();
            let given = revoke(outbound, endpoint, client, &token, kind).await;
            let given = given.inspect_err(|error| {
                tracing::warn!(%error, ?kind, "a token was not taken back");
            });
            given.is_ok()
        };
        let access = give(grant.access_token.secret(), TokenKind::Access);
        let Some(refresh) = &grant.refresh_token else {
            return access.await;
        };
        let refresh = give(refresh.secret(), TokenKind::Refresh);
        tokio::pin!(refresh);
        let (refresh, access) = match tokio::time::timeout(HEAD_START, &mut refresh).await {
            Ok(refresh) => (refresh, access.await),
            Err(_) => tokio::join!(refresh, access),
        };
        refresh && access
    }

    async fn record(&self, task: &Task, outcome: &'static str, at: i64) {
        let record = AuditRecord {
            at,
            actor: Actor::Service,
            action: Action::Refresh,
            outcome: outcome.to_owned(),
            owner: task.slot.owner.clone(),
            target: task.slot.target.clone(),
            operation: None,
            request_id: task.request_id.clone(),
        };
        if let Err(error) = self.0.credentials.storage().record(&record).await {
            tracing::error!(%error, "an audit record could not be written");
        }
    }
}

/// A name for this refresh that no other has.
fn holder() -> Result<String, CredentialError> {
    let bytes = random::bytes::<16>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Trouble before the refresh token was sent leaves it as it is.
fn before(error: ProviderError) -> ProviderError {
    use crate::outbound::OutboundError;
    match error {
        ProviderError::Outbound(_) | ProviderError::Unavailable | ProviderError::Answer(_) => {
            ProviderError::Outbound(OutboundError::Unreachable)
        }
        other => other,
    }
}

/// What is answered while nothing is tried.
fn cooling(last_error: Option<&str>, left: i64) -> Outcome {
    match last_error {
        Some(RATE_LIMITED) => Outcome::RateLimited(left),
        error if needs_consent(error) => Outcome::Consent(Reason::RefreshFailed),
        _ => Outcome::Failed,
    }
}

/// Whether after a refresh with that end only a new consent brings a token,
/// unless the provider or the configuration is put right: the credential is
/// kept for that.
pub(super) fn needs_consent(last_error: Option<&str>) -> bool {
    matches!(last_error, Some(PROVIDER_CHANGED | CLIENT_GONE))
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Renewed => "renewed",
        Outcome::Consent(reason) => reason.as_str(),
        Outcome::Failed => "upstream_error",
        Outcome::RateLimited(_) => RATE_LIMITED,
        Outcome::Busy => "refresh_in_progress",
        Outcome::Broken => "unavailable",
    }
}
