//! As which client the service asks.

use super::Grants;
use super::types::{ClientOrigin, KeptClient};
use crate::credentials::CredentialError;
use crate::oauth::{
    Authentication, Metadata, OAuthClient, ProviderError, client_document_url, register,
};
use crate::secret::Secret;
use crate::servers::{Client, ClientAuthentication};
use crate::storage::StoredClient;

/// A secret that ends within this time, in seconds, is not used for anything
/// that begins.
const SECRET_MARGIN: i64 = 900;

/// A client that is refused as long as this, in seconds, and never taken
/// meanwhile, is gone.
const GONE: i64 = 300;

impl Grants {
    /// The client for an authorization that begins.
    pub(super) async fn client_for(
        &self,
        client: &Client,
        metadata: &Metadata,
        redirect_uri: &str,
        scopes: &[String],
        now: i64,
    ) -> Result<(OAuthClient, ClientOrigin), ProviderError> {
        match client {
            Client::Registered { .. } => {
                let client = registered(client);
                let client = client.ok_or(ProviderError::Unsupported("such client"))?;
                Ok((client, ClientOrigin::Registered))
            }
            Client::MetadataDocument => {
                if metadata.takes_client_documents == Some(false) {
                    return Err(ProviderError::Unsupported(
                        "support for client id metadata documents",
                    ));
                }
                let client = OAuthClient {
                    id: client_document_url(&self.0.settings.public_url),
                    authentication: Authentication::None,
                };
                Ok((client, ClientOrigin::MetadataDocument))
            }
            Client::Dynamic => {
                let client = self.dynamic(metadata, redirect_uri, scopes, now).await?;
                Ok((client, ClientOrigin::Dynamic))
            }
        }
    }

    /// The client that is registered, or one that is registered now. Of several
    /// replicas that register at once, the one that writes first counts.
    async fn dynamic(
        &self,
        metadata: &Metadata,
        redirect_uri: &str,
        scopes: &[String],
        now: i64,
    ) -> Result<OAuthClient, ProviderError> {
        let credentials = &self.0.credentials;
        let provider = metadata.provider();
        if let Some(kept) = credentials.registration(provider, redirect_uri).await? {
            let ends = kept.expires_at.unwrap_or(i64::MAX);
            let client: Option<KeptClient> = serde_json::from_slice(kept.secret.expose()).ok();
            match client {
                Some(client) if ends.saturating_sub(now) > SECRET_MARGIN => {
                    return Ok(client.client());
                }
                _ => {
                    let storage = credentials.storage();
                    let removed = storage.remove_client(provider, redirect_uri, kept.version);
                    removed.await.map_err(CredentialError::from)?;
                }
            }
        }
        let public_url = &self.0.settings.public_url;
        let outbound = self.0.providers.outbound();
        let new = register(outbound, metadata, redirect_uri, public_url, scopes).await?;
        let secret = KeptClient::of(&new.client, ClientOrigin::Dynamic)
            .and_then(|client| serde_json::to_vec(&client).ok())
            .ok_or(ProviderError::Answer("client_secret is not text"))?;
        let secret = Secret::new(secret);
        let kept =
            credentials.add_registration(provider, redirect_uri, &secret, new.expires_at, now);
        if kept.await? {
            return Ok(new.client);
        }
        let winner = credentials.registration(provider, redirect_uri).await?;
        let winner =
            winner.and_then(|kept| serde_json::from_slice::<KeptClient>(kept.secret.expose()).ok());
        Ok(winner.map_or(new.client, |client| client.client()))
    }

    /// Forgets a client that its provider does not know any more.
    pub(super) async fn forget_client(&self, provider: &str, id: &str) {
        let forget = async {
            if let Some(client) = self.stored_client(provider, id).await? {
                self.remove_client(&client).await?;
            }
            Ok::<(), CredentialError>(())
        };
        if let Err(error) = forget.await {
            tracing::error!(%error, "a registered client could not be forgotten");
        }
    }

    /// Whether a client that its provider has just refused is gone there: it is
    /// refused for [`GONE`] without having been taken in between, or the service
    /// has another one by now. A client that is gone is forgotten. Before that
    /// it may be trouble that passes, and neither is the user asked again, nor
    /// the registration thrown away.
    pub(super) async fn is_client_gone(&self, provider: &str, id: &str, now: i64) -> bool {
        let find = async {
            let Some(client) = self.stored_client(provider, id).await? else {
                return Ok(true);
            };
            let storage = self.0.credentials.storage();
            let since = storage.client_refused(&client, now).await?;
            let is_gone = since.is_none_or(|since| now.saturating_sub(since) >= GONE);
            if is_gone {
                self.remove_client(&client).await?;
            }
            Ok::<bool, CredentialError>(is_gone)
        };
        find.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a refused client could not be looked up");
            false
        })
    }

    /// Notes that a provider has taken the service as its client.
    pub(super) async fn client_taken(&self, provider: &str, client: &KeptClient) {
        if client.origin != ClientOrigin::Dynamic {
            return;
        }
        if let Err(error) = self.0.credentials.storage().client_taken(provider).await {
            tracing::warn!(%error, "it could not be noted that a client works");
        }
    }

    /// The registration that brought the client of that id.
    async fn stored_client(
        &self,
        provider: &str,
        id: &str,
    ) -> Result<Option<StoredClient>, CredentialError> {
        let credentials = &self.0.credentials;
        for stored in credentials.storage().clients().await? {
            if stored.provider != provider {
                continue;
            }
            let kept = credentials.registration(provider, &stored.redirect_uri);
            let is_it = kept.await?.is_some_and(|kept| {
                serde_json::from_slice::<KeptClient>(kept.secret.expose())
                    .is_ok_and(|client| client.id == id)
            });
            if is_it {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    async fn remove_client(&self, client: &StoredClient) -> Result<(), CredentialError> {
        let StoredClient {
            provider,
            redirect_uri,
            version,
            ..
        } = client;
        let storage = self.0.credentials.storage();
        storage
            .remove_client(provider, redirect_uri, *version)
            .await?;
        Ok(())
    }

    /// The client that a grant came from. `None`: the configuration names
    /// another one now.
    pub(super) fn client_of(&self, kept: &KeptClient, configured: &Client) -> Option<OAuthClient> {
        match kept.origin {
            ClientOrigin::Registered => {
                registered(configured).filter(|client| client.id == kept.id)
            }
            ClientOrigin::Dynamic | ClientOrigin::MetadataDocument => Some(kept.client()),
        }
    }
}

/// A client that was registered by hand.
pub(super) fn registered(client: &Client) -> Option<OAuthClient> {
    let Client::Registered { id, authentication } = client else {
        return None;
    };
    Some(OAuthClient {
        id: id.clone(),
        authentication: match authentication {
            ClientAuthentication::None => Authentication::None,
            ClientAuthentication::Basic(secret) => Authentication::Basic(secret.clone()),
            ClientAuthentication::Post(secret) => Authentication::Post(secret.clone()),
        },
    })
}
