//! Obtaining a grant: the authorization code (OAuth 2.1, section 4.1).

use std::sync::Arc;

use super::Grants;
use super::kept::{KeptGrant, Origin};
use super::types::{Begun, ClientOrigin, KeptClient, KeptText, PendingAuthorization};
use super::write::{WRITES, pause};
use crate::credentials::CredentialError;
use crate::oauth::{
    AuthorizationRequest, ErrorCode, Grant, Metadata, Pkce, ProviderError, check_issuer,
    introspect_expiry, request_token,
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

    /// Finishes an authorization: exchanges the code, and keeps what it
    /// brought. It goes on to its end if who waits for it goes away.
    ///
    /// # Errors
    /// Nothing was kept.
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
        // Before the code goes anywhere.
        check_issuer(pending.issuer.as_deref(), pending.promises_iss, iss)?;
        if pending.source != source.id {
            return Err(ProviderError::Answer("it is for another source"));
        }
        let exchange = Exchange {
            grants: self.clone(),
            oauth: oauth_of(source)?.clone(),
            slot: Slot {
                owner: owner.clone(),
                target: source.target(),
                method: Method::OAuth,
            },
            pending: pending.clone(),
            code: code.clone(),
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
    oauth: OAuth,
    slot: Slot,
    pending: PendingAuthorization,
    code: Secret,
    request_id: String,
    now: i64,
}

impl Exchange {
    async fn run(self) -> Result<Version, ProviderError> {
        let Self {
            grants,
            oauth,
            slot,
            pending,
            code,
            request_id,
            now,
        } = self;
        let client = grants.client_of(&pending.client, &oauth.client);
        let client = client.ok_or(ProviderError::Unsupported("such client any more"))?;
        let verifier = pending.verifier.secret();
        let outbound = grants.0.providers.outbound();
        let answer = request_token(
            outbound,
            &pending.token_endpoint,
            &client,
            Grant::Code {
                code: &code,
                redirect_uri: &pending.redirect_uri,
                verifier: &verifier,
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
            provider: pending.provider,
            client: pending.client,
            resource: pending.resource,
            scopes: pending.scopes,
            refresh_token: None,
            lifetime: None,
            asked_at: now,
            after_rejection: false,
        };
        let made = KeptGrant::of(&answer, origin);
        let (_, credential) = made.ok_or(ProviderError::Answer("a token is not text"))?;
        let mut attempt = 0_u32;
        let version = loop {
            match grants.0.credentials.put(&slot, &credential, now).await {
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
        // An override that the upstream has refused would still go before what
        // the user has just agreed to.
        let overridden = Slot {
            method: Method::Override,
            ..slot.clone()
        };
        let storage = grants.0.credentials.storage();
        let removed = storage.remove_unusable_credential(&overridden).await;
        removed.map_err(CredentialError::from)?;
        let record = AuditRecord {
            at: now,
            actor: Actor::Owner,
            action: Action::Consent,
            outcome: "finished".to_owned(),
            owner: slot.owner.clone(),
            target: slot.target.clone(),
            operation: None,
            request_id: request_id.clone(),
        };
        let written = grants.0.credentials.storage().record(&record).await;
        written.map_err(|error| {
            tracing::error!(%error, request_id, "an audit record could not be written");
            CredentialError::from(error)
        })?;
        if credential.expires_at.is_none() {
            let metadata = grants
                .0
                .providers
                .of(&oauth.provider)
                .await
                .map(Arc::unwrap_or_clone);
            let endpoint = metadata.ok().and_then(|it| it.endpoints.introspection);
            if let Some(endpoint) = endpoint {
                let found = introspect_expiry(outbound, &endpoint, &client, &answer.access_token);
                if let Ok(Some(at)) = found.await {
                    let storage = grants.0.credentials.storage();
                    if let Err(error) = storage.set_expiry(&slot, version, at).await {
                        tracing::warn!(%error, "the end of a token could not be noted");
                    }
                }
            }
        }
        Ok(version)
    }
}
