//! What every step of the flow needs.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::cookies::Cookie;
use super::journey::{Journey, Trouble};
use super::problem::Problem;
use super::rows::{self, Kept, Row, Session};
use crate::app::App;
use crate::credentials::CredentialError;
use crate::http::RequestId;
use crate::oauth::{ErrorCode, ProviderError};
use crate::outbound::OutboundError;
use crate::owner::{Owner, Target};
use crate::servers::Server;
use crate::storage::{Action, Actor, AuditRecord, Handle};

/// One request of the flow.
pub(super) struct Flow<'a> {
    pub(super) app: &'a App,
    pub(super) headers: &'a HeaderMap,
    pub(super) request_id: &'a str,
    pub(super) now: i64,
    begun: Instant,
}

/// A link that still works.
pub(super) struct Link {
    pub(super) handle: Handle,
    pub(super) owner: Owner,
    pub(super) server: Arc<Server>,
    pub(super) journey: Journey,
}

/// A browser in which somebody is signed in.
pub(super) struct SignedIn {
    pub(super) handle: Handle,
    pub(super) person: Owner,
}

impl<'a> Flow<'a> {
    pub(super) fn new(app: &'a App, headers: &'a HeaderMap, id: &'a RequestId) -> Self {
        Self {
            app,
            headers,
            request_id: &id.0,
            now: app.clock.now(),
            begun: Instant::now(),
        }
    }

    pub(super) fn public_url(&self) -> &'a Url {
        &self.app.config.public_url
    }

    /// The link of a handle. It stays usable.
    pub(super) async fn link(&self, handle: &str) -> Result<Link, Problem> {
        let handle = Handle::presented(handle);
        if !handle.is_well_formed() {
            return Err(Problem::NoSuchLink);
        }
        let row = rows::look::<Journey>(&self.app.credentials, &handle, self.now)
            .await
            .map_err(|error| self.trouble(&error))?;
        let Kept {
            owner,
            target,
            data: journey,
        } = row.ok_or(Problem::LinkIsOver)?;
        let server = self.app.servers.get(&target.server);
        Ok(Link {
            handle,
            owner,
            server: Arc::clone(server.ok_or(Problem::NoSuchServer)?),
            journey,
        })
    }

    /// Who is signed in in this browser.
    pub(super) async fn signed_in(&self) -> Result<Option<SignedIn>, Problem> {
        let Some(handle) = Cookie::Session.read(self.headers, self.public_url()) else {
            return Ok(None);
        };
        let row = rows::look::<Session>(&self.app.credentials, &handle, self.now)
            .await
            .map_err(|error| self.trouble(&error))?;
        Ok(row.map(|row| SignedIn {
            handle,
            person: row.owner,
        }))
    }

    /// Keeps a row under a new handle.
    pub(super) async fn keep<T: Row>(
        &self,
        owner: &Owner,
        target: Target,
        data: &T,
    ) -> Result<Handle, Problem> {
        let handle = self.fresh()?;
        self.keep_as(&handle, owner, target, data).await?;
        Ok(handle)
    }

    /// Keeps a row under this handle, which is new.
    pub(super) async fn keep_as<T: Row>(
        &self,
        handle: &Handle,
        owner: &Owner,
        target: Target,
        data: &T,
    ) -> Result<(), Problem> {
        let row = Kept {
            owner: owner.clone(),
            target,
            data,
        };
        rows::keep(&self.app.credentials, handle, row, self.now)
            .await
            .map_err(|error| self.trouble(&error))
    }

    /// Takes the row of a handle: of many at the same time, one gets it.
    pub(super) async fn take<T: Row>(&self, handle: &Handle) -> Result<Option<Kept<T>>, Problem> {
        rows::take(&self.app.credentials, handle, self.now)
            .await
            .map_err(|error| self.trouble(&error))
    }

    pub(super) fn fresh(&self) -> Result<Handle, Problem> {
        Handle::fresh().map_err(|error| self.trouble(&error.into()))
    }

    /// Where the owner goes next: to the sources that are left, or, if there is
    /// none, to where the way ends. Asked of the credentials each time, so that
    /// what was connected elsewhere in the meantime counts too.
    pub(super) async fn onward(
        &self,
        owner: &Owner,
        server: &Server,
        mut journey: Journey,
    ) -> Result<Response, Problem> {
        let pending = self
            .app
            .grants
            .pending_sources(owner, server, &journey.needed, self.now)
            .await
            .map_err(|error| self.trouble(&error))?;
        if pending.is_empty() {
            return Ok(self.end(&journey));
        }
        journey
            .trouble
            .retain(|id, _| pending.iter().any(|source| source.id == *id));
        let target = Target::server(server.id.clone());
        let handle = self.keep(owner, target, &journey).await?;
        Ok(self.to(&format!("connect/{}", handle.expose())))
    }

    /// The end of the way.
    pub(super) fn end(&self, journey: &Journey) -> Response {
        match &journey.redirect_url {
            Some(url) => redirect(url, self.request_id),
            None => self.to("connected"),
        }
    }

    /// To another of our addresses.
    pub(super) fn to(&self, path: &str) -> Response {
        redirect(&super::below(self.public_url(), path), self.request_id)
    }

    /// Writes an audit record.
    pub(super) async fn record(
        &self,
        outcome: &str,
        owner: &Owner,
        target: Target,
    ) -> Result<(), Problem> {
        let record = AuditRecord {
            at: self.now,
            // Whose browser another one is, nobody knows.
            actor: match outcome {
                "mismatch" => Actor::Unknown,
                _ => Actor::Owner,
            },
            action: Action::Consent,
            outcome: outcome.to_owned(),
            owner: owner.clone(),
            target,
            operation: None,
            request_id: self.request_id.to_owned(),
        };
        let written = self.app.credentials.storage().record(&record).await;
        written.map_err(|error| self.trouble(&error.into()))
    }

    /// The answer of a provider, waited for as long as leaves time for the page
    /// that says that there is none: otherwise the end of the request's time
    /// would take the page, and what the link was good for, with it.
    ///
    /// # Errors
    /// There is none, or it is not there in time.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let answer = tokio::time::timeout(self.left(), answer).await;
        answer.unwrap_or(Err(ProviderError::Outbound(OutboundError::TimedOut)))
    }

    /// How long a provider is waited for yet.
    pub(super) fn left(&self) -> Duration {
        let whole = self.app.config.limits.provider_time();
        whole.saturating_sub(self.begun.elapsed())
    }

    /// What a person is told of an error at a provider. The operator's log has
    /// it in full.
    ///
    /// # Errors
    /// The trouble is not the provider's.
    pub(super) fn provider_trouble(
        &self,
        source: &str,
        error: &ProviderError,
    ) -> Result<Trouble, Problem> {
        tracing::warn!(request_id = self.request_id, source, %error, "consent");
        match error {
            ProviderError::Credential(error) => Err(self.trouble(error)),
            ProviderError::NoRandomness => Err(Problem::Unavailable),
            ProviderError::Refused(ErrorCode::AccessDenied) => Ok(Trouble::Denied),
            ProviderError::Refused(ErrorCode::TemporarilyUnavailable)
            | ProviderError::Unavailable
            | ProviderError::RateLimited { .. }
            | ProviderError::Outbound(
                OutboundError::Unreachable | OutboundError::Broken | OutboundError::TimedOut,
            ) => Ok(Trouble::Unreachable),
            ProviderError::Refused(code) => Ok(Trouble::Refused(code.as_str().to_owned())),
            ProviderError::Outbound(_)
            | ProviderError::Answer(_)
            | ProviderError::Metadata(_)
            | ProviderError::Issuer
            | ProviderError::Unsupported(_)
            | ProviderError::ClientForgotten => Ok(Trouble::Unusable),
        }
    }

    /// The operator's log gets the error, the person a page.
    pub(super) fn trouble(&self, error: &CredentialError) -> Problem {
        tracing::error!(request_id = self.request_id, %error, "consent");
        Problem::Unavailable
    }
}

/// Whether two owners are one person.
pub(super) fn is_same_person(one: &Owner, other: &Owner) -> bool {
    one.issuer == other.issuer && one.subject == other.subject
}

/// The host of an address, with its port if that is not the usual one.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Sends the browser on, with a GET.
pub(super) fn redirect(url: &str, request_id: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(location) => {
            let headers = [(header::LOCATION, location)];
            let mut response = (StatusCode::SEE_OTHER, headers).into_response();
            crate::pages::secure(&mut response, &[]);
            response
        }
        // A configured address that cannot stand in a header.
        Err(_) => Problem::Unavailable.page(request_id),
    }
}

/// Adds a cookie to an answer.
pub(super) fn with_cookies(
    mut response: Response,
    cookies: impl IntoIterator<Item = Option<HeaderValue>>,
) -> Response {
    for cookie in cookies.into_iter().flatten() {
        let name: HeaderName = header::SET_COOKIE;
        response.headers_mut().append(name, cookie);
    }
    response
}
