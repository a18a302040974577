//! Obtaining a grant: the authorization code (OAuth 2.1, section 4.1).

use std::sync::Arc;

use super::Grants;
use super::kept::{KeptGrant, Origin};
use super::types::{Begun, ClientOrigin, KeptClient, KeptText, PendingAuthorization};
use super::write::{WRITES, pause};
use crate::credentials::CredentialError;
use crate::oauth::{
    AuthorizationRequest, ErrorCode, Grant, Metadata, OAuthClient, Pkce, ProviderError,
    check_issuer, introspect_expiry, request_token,
};
use crate::owner::Owner;
use crate::secret::Secret;
use crate::servers::{Authentication, OAuth, Source};
use crate::storage::{Action, Actor, AuditRecord, Method, Slot, Version};

impl Grants {
    /// Begins an authorization at the source's provider. `further`: see
    /// [`Grants::further_scopes`]; `gateway`: the base URL of the one that the
    /// user comes through.
    ///
    /// # Errors
    /// The provider cannot be used, or the source needs no consent.
    pub async fn begin(
        &self,
        source: &Source,
        further: &[String],
        gateway: Option<&str>,
        redirect_uri: &str,
        state: &str,
        now: i64,
    ) -> Result<Begun, ProviderError> {
        let oauth = oauth_of(source)?;
        let metadata = self.0.providers.of(&oauth.provider).await?;
        let endpoint = metadata.endpoints.authorization.as_ref();
        let endpoint = endpoint.ok_or(ProviderError::Unsupported("authorization endpoint"))?;
        let outbound = self.0.providers.outbound();
        outbound
            .check(endpoint)
            .map_err(|refusal| ProviderError::Outbound(refusal.into()))?;
        let scopes = scopes_to_ask(oauth, Some(&metadata), further);
        let (client, origin) = self
            .client_for(&oauth.client, &metadata, redirect_uri, &scopes, now)
            .await?;
        let resource = resource_of(oauth, &metadata, gateway);
        let pkce = Pkce::fresh()?;
        let url = AuthorizationRequest {
            endpoint,
            client_id: &client.id,
            redirect_uri,
            state,
            pkce: &pkce,
            scopes: &scopes,
            resource,
            parameters: &oauth.authorization_parameters,
        }
        .url();
        let text = ProviderError::Answer("a secret is not text");
        let (Some(client), Some(verifier)) = (
            KeptClient::of(&client, origin),
            KeptText::of(&pkce.verifier),
        ) else {
            return Err(text);
        };
        Ok(Begun {
            url,
            pending: PendingAuthorization {
                source: source.id.clone(),
                issuer: metadata.endpoints.issuer.clone(),
                promises_iss: metadata.promises_iss,
                provider: metadata.provider().to_owned(),
                token_endpoint: metadata.endpoints.token.clone(),
                client,
                redirect_uri: redirect_uri.to_owned(),
                verifier,
                scopes,
                resource: resource.map(str::to_owned),
            },
        })
    }

    /// Finishes an authorization: exchanges the code, keeps what it brought, and
    /// records what became of it. It goes on to its end if who waits for it goes
    /// away.
    ///
    /// # Errors
    /// Nothing was kept; or it was, and could not be recorded.
    #[expect(clippy::too_many_arguments, reason = "each is another thing")]
    pub async fn finish(
        &self,
        owner: &Owner,
        source: &Source,
        pending: &PendingAuthorization,
        code: &Secret,
        iss: Option<&str>,
        request_id: &str,
        now: i64,
    ) -> Result<Version, ProviderError> {
        let exchange = Exchange {
            grants: self.clone(),
            source: source.clone(),
            slot: Slot {
                owner: owner.clone(),
                target: source.target(),
                method: Method::OAuth,
            },
            pending: pending.clone(),
            code: code.clone(),
            iss: iss.map(str::to_owned),
            request_id: request_id.to_owned(),
            now,
        };
        let done = self.0.running.spawn(exchange.run());
        done.await.unwrap_or(Err(ProviderError::Unavailable))
    }
}

/// The scopes that a user is asked to agree to: those that are configured, and
/// no others. Where none are, those that the resource names (MCP, "Scope
/// selection strategy"), and the further ones.
pub(crate) fn scopes_to_ask(
    oauth: &OAuth,
    metadata: Option<&Metadata>,
    further: &[String],
) -> Vec<String> {
    if !oauth.scopes.is_empty() {
        return oauth.scopes.clone();
    }
    let mut scopes = metadata.map_or_else(Vec::new, |found| found.resource_scopes.clone());
    for scope in further {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}

/// The resource that a token is asked for: the one that is configured, else the
/// one that the provider was found by.
pub(super) fn resource_of<'a>(
    oauth: &'a OAuth,
    metadata: &'a Metadata,
    gateway: Option<&str>,
) -> Option<&'a str> {
    let configured = oauth.resource.as_ref();
    let configured = configured.map(|resource| resource.at(gateway));
    configured.or(metadata.resource.as_deref())
}

/// The source's authorization server, where users agree.
fn oauth_of(source: &Source) -> Result<&OAuth, ProviderError> {
    match &source.authentication {
        Authentication::AuthorizationCode(oauth) => Ok(oauth),
        _ => Err(ProviderError::Unsupported("consent for this server")),
    }
}

struct Exchange {
    grants: Grants,
    source: Source,
    slot: Slot,
    pending: PendingAuthorization,
    code: Secret,
    iss: Option<String>,
    request_id: String,
    now: i64,
}

/// What an exchange has brought and kept.
struct Obtained {
    version: Version,
    client: OAuthClient,
    access_token: Secret,
    /// Whether the answer says when it ends.
    is_dated: bool,
}

impl Exchange {
    async fn run(self) -> Result<Version, ProviderError> {
        let obtained = match self.obtain().await {
            Ok(obtained) => obtained,
            Err(error) => {
                let outcome = match error {
                    ProviderError::Refused(ErrorCode::AccessDenied) => "denied",
                    _ => "failed",
                };
                // Who waits is told of the first error in any case.
                let _ = self.record(outcome).await;
                return Err(error);
            }
        };
        // An override that the upstream has refused would still go before what
        // the user has just agreed to.
        let overridden = Slot {
            method: Method::Override,
            ..self.slot.clone()
        };
        let storage = self.grants.0.credentials.storage();
        let removed = storage.remove_unusable_credential(&overridden).await;
        removed.map_err(CredentialError::from)?;
        self.record("finished").await?;
        let version = obtained.version;
        // Nobody has to wait for that.
        if !obtained.is_dated {
            let running = &self.grants.clone().0.running;
            drop(running.spawn(self.date(obtained)));
        }
        Ok(version)
    }

    /// Exchanges the code, and keeps what it brings.
    async fn obtain(&self) -> Result<Obtained, ProviderError> {
        let Self {
            grants,
            source,
            slot,
            pending,
            code,
            iss,
            request_id,
            now,
        } = self;
        // Before the code goes anywhere.
        check_issuer(
            pending.issuer.as_deref(),
            pending.promises_iss,
            iss.as_deref(),
        )?;
        if pending.source != source.id {
            return Err(ProviderError::Answer("it is for another source"));
        }
        let oauth = oauth_of(source)?;
        let client = grants.client_of(&pending.client, &oauth.client);
        let client = client.ok_or(ProviderError::Unsupported("such client any more"))?;
        let answer = request_token(
            grants.0.providers.outbound(),
            &pending.token_endpoint,
            &client,
            Grant::Code {
                code,
                redirect_uri: &pending.redirect_uri,
                verifier: &pending.verifier.secret(),
            },
            &[],
            pending.resource.as_deref(),
            &oauth.token_parameters,
        )
        .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(ProviderError::Refused(ErrorCode::InvalidClient))
                if pending.client.origin == ClientOrigin::Dynamic =>
            {
                let id = &pending.client.id;
                grants.forget_client(&pending.provider, id).await;
                return Err(ProviderError::ClientForgotten);
            }
            Err(error) => return Err(error),
        };
        let origin = Origin {
            provider: pending.provider.clone(),
            client: pending.client.clone(),
            resource: pending.resource.clone(),
            scopes: pending.scopes.clone(),
            refresh_token: None,
            lifetime: None,
            asked_at: *now,
            after_rejection: false,
        };
        let made = KeptGrant::of(&answer, origin);
        let (_, credential) = made.ok_or(ProviderError::Answer("a token is not text"))?;
        let mut attempt = 0_u32;
        let version = loop {
            match grants.0.credentials.put(slot, &credential, *now).await {
                Ok(version) => break version,
                Err(error) => {
                    attempt = attempt.saturating_add(1);
                    if attempt >= WRITES {
                        tracing::error!(%error, request_id, "a grant could not be kept");
                        return Err(error.into());
                    }
                    tokio::time::sleep(pause(attempt)).await;
                }
            }
        };
        grants
            .client_taken(&pending.provider, &pending.client)
            .await;
        Ok(Obtained {
            version,
            client,
            access_token: answer.access_token,
            is_dated: credential.expires_at.is_some(),
        })
    }

    async fn record(&self, outcome: &'static str) -> Result<(), CredentialError> {
        let record = AuditRecord {
            at: self.now,
            actor: Actor::Owner,
            action: Action::Consent,
            outcome: outcome.to_owned(),
            owner: self.slot.owner.clone(),
            target: self.slot.target.clone(),
            operation: None,
            request_id: self.request_id.clone(),
        };
        let written = self.grants.0.credentials.storage().record(&record).await;
        written.map_err(|error| {
            let request_id = &self.request_id;
            tracing::error!(%error, request_id, "an audit record could not be written");
            CredentialError::from(error)
        })
    }

    /// Asks the provider when the token ends, and notes it.
    async fn date(self, obtained: Obtained) {
        let Ok(oauth) = oauth_of(&self.source) else {
            return;
        };
        let providers = &self.grants.0.providers;
        let metadata = providers.of(&oauth.provider).await;
        let metadata = metadata.map(Arc::unwrap_or_clone).ok();
        let Some(endpoint) = metadata.and_then(|it| it.endpoints.introspection) else {
            return;
        };
        let (client, token) = (&obtained.client, &obtained.access_token);
        let found = introspect_expiry(providers.outbound(), &endpoint, client, token);
        if let Ok(Some(at)) = found.await {
            let storage = self.grants.0.credentials.storage();
            let noted = storage.set_expiry(&self.slot, obtained.version, at);
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the end of a token could not be noted");
            }
        }
    }
}
