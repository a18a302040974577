//! Whether a subject can use a server, and the link to change that.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use super::caller::Authenticated;
use super::parameters::{Query, ServerId};
use super::subject::{Named, SubjectKind};
use super::{server, trouble};
use crate::app::App;
use crate::consent::{self, StartError};
use crate::grants::{AuthMethod, AuthStatus, ConsentKind, Reason};
use crate::http::{ErrorBody, Problem};
use crate::owner::SubjectType;

/// Where a credential comes from, as far as it is the subject's own.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) enum OwnMethod {
    /// A consent.
    #[serde(rename = "oauth")]
    OAuth,
    /// It was set for the subject.
    #[serde(rename = "auth-override")]
    Override,
}

/// Whether a subject can use a server (seed 001).
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum StatusAnswer {
    /// It can.
    Authenticated {
        /// What satisfied this.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<OwnMethod>,
    },
    /// Something is missing.
    AuthenticationRequired {
        /// What would satisfy it.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<OwnMethod>,
        /// Why.
        reason: String,
    },
    /// Nothing is needed of the subject.
    AuthenticationNotRequired {
        /// Why.
        reason: String,
    },
}

/// The same, with the link where one is needed (seed 000).
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum AuthorizeAnswer {
    /// The caller can use the server.
    Authenticated {
        /// What satisfied this.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<OwnMethod>,
    },
    /// The caller has to open the link.
    AuthenticationRequired {
        /// What would satisfy it.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<OwnMethod>,
        /// Why.
        reason: String,
        /// The link: for the caller's browser, once, for ten minutes.
        authorization_endpoint: String,
    },
    /// Nothing is needed of the caller.
    AuthenticationNotRequired {
        /// Why.
        reason: String,
    },
}

/// Whether the caller can use a server, and if not, the link with which they
/// can change that. Of a virtual server, it leads through every source that
/// still needs it.
#[utoipa::path(
    get,
    path = "/api/svc/v1/mcp/{mcpServerId}/authorize",
    operation_id = "authorize",
    tag = "Status and consent",
    params(
        ("mcpServerId" = String, Path, description = "The server's id."),
        ("gatewayBaseURL" = Option<String>, Query,
            description = "The gateway's base URL: one of those configured, of which the first \
                is the default. Where the server's resource indicator names the gateway, \
                tokens are asked for with this one."),
        ("redirectURL" = Option<String>, Query,
            description = "Where the browser goes in the end: one of those configured. \
                Default: the service's own page."),
    ),
    responses(
        (status = 200, description = "The caller's status.", body = AuthorizeAnswer),
        (status = 400, description = "gatewayBaseURL or redirectURL is not one of those \
            configured.", body = ErrorBody),
        (status = 401, description = "No valid access token.", body = ErrorBody),
        (status = 404, description = "No such server.", body = ErrorBody),
        (status = 503, description = "The service has trouble.", body = ErrorBody),
    ),
    security(("jwt" = []))
)]
pub(super) async fn authorize(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ServerId(id): ServerId,
    query: Query,
) -> Result<Json<AuthorizeAnswer>, Problem> {
    let server = server(&app, &id)?;
    let gateway = query.one("gatewayBaseURL")?;
    let redirect = query.one("redirectURL")?;
    // Wrong parameters are wrong whatever the status is.
    check_gateway(&app, gateway)?;
    check_redirect(&app, redirect)?;
    let now = app.clock.now();
    let status = app
        .grants
        .status(&caller.owner, server, now)
        .await
        .map_err(|problem| trouble(&problem))?;
    Ok(Json(match status {
        AuthStatus::Authenticated { method } => AuthorizeAnswer::Authenticated {
            method: OwnMethod::of(method),
        },
        AuthStatus::NotRequired { reason } => AuthorizeAnswer::AuthenticationNotRequired {
            reason: reason.to_owned(),
        },
        AuthStatus::Required {
            method,
            reason,
            kind,
        } => {
            let started =
                consent::start(&app, &caller.owner, server, redirect, gateway, vec![], now)
                    .await
                    .map_err(not_started)?;
            AuthorizeAnswer::AuthenticationRequired {
                method: OwnMethod::of(method),
                reason: in_words(reason, kind).to_owned(),
                authorization_endpoint: started.url,
            }
        }
    }))
}

/// Whether a subject can use a server. Everybody may ask about themselves,
/// managers about everybody.
#[utoipa::path(
    get,
    path = "/api/svc/v1/mcp/{mcpServerId}/auth/status",
    operation_id = "getAuthStatus",
    tag = "Status and consent",
    params(
        ("mcpServerId" = String, Path, description = "The server's id."),
        ("subjectId" = String, Query, description = "The subject (`sub`)."),
        ("subjectType" = SubjectKind, Query, description = "The kind of subject."),
        ("subjectIssuer" = Option<String>, Query,
            description = "The subject's issuer (`iss`). Default: that of the caller's token."),
    ),
    responses(
        (status = 200, description = "The subject's status.", body = StatusAnswer),
        (status = 400, description = "A parameter is missing or wrong.", body = ErrorBody),
        (status = 401, description = "No valid access token.", body = ErrorBody),
        (status = 403, description = "The caller is no manager and asks about another subject.",
            body = ErrorBody),
        (status = 404, description = "No such server.", body = ErrorBody),
        (status = 503, description = "The service has trouble.", body = ErrorBody),
    ),
    security(("jwt" = []))
)]
pub(super) async fn auth_status(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    ServerId(id): ServerId,
    query: Query,
) -> Result<Json<StatusAnswer>, Problem> {
    let server = server(&app, &id)?;
    let subject = query
        .one("subjectId")?
        .ok_or_else(|| Problem::invalid_request("subjectId: it is missing"))?;
    let kind = query
        .one("subjectType")?
        .ok_or_else(|| Problem::invalid_request("subjectType: it is missing"))?;
    let kind = SubjectType::from_name(kind).ok_or_else(|| {
        Problem::invalid_request("subjectType: not user, virtualaccount or external-identity")
    })?;
    let named = Named {
        id: subject,
        kind,
        issuer: query.one("subjectIssuer")?,
    };
    let owner = named.owner(&app, &caller)?;
    let status = app
        .grants
        .status(&owner, server, app.clock.now())
        .await
        .map_err(|problem| trouble(&problem))?;
    Ok(Json(match status {
        AuthStatus::Authenticated { method } => StatusAnswer::Authenticated {
            method: OwnMethod::of(method),
        },
        AuthStatus::Required {
            method,
            reason,
            kind,
        } => StatusAnswer::AuthenticationRequired {
            method: OwnMethod::of(method),
            reason: in_words(reason, kind).to_owned(),
        },
        AuthStatus::NotRequired { reason } => StatusAnswer::AuthenticationNotRequired {
            reason: reason.to_owned(),
        },
    }))
}

impl OwnMethod {
    const fn of(method: AuthMethod) -> Option<Self> {
        match method {
            AuthMethod::OAuth => Some(Self::OAuth),
            AuthMethod::Override => Some(Self::Override),
            AuthMethod::Shared | AuthMethod::TokenExchange => None,
        }
    }
}

/// The seeds' words where they have some, else the name on the wire.
const fn in_words(reason: Reason, kind: ConsentKind) -> &'static str {
    match (reason, kind) {
        (Reason::ConsentMissing, ConsentKind::OAuth) => {
            "User needs to complete the OAuth2 authorization flow."
        }
        (Reason::ConsentMissing, ConsentKind::ApiKey) => "User needs to provide an API key.",
        _ => reason.as_str(),
    }
}

pub(super) fn check_redirect(app: &App, url: Option<&str>) -> Result<(), Problem> {
    match url {
        Some(url) if !app.config.redirect_urls.iter().any(|known| known == url) => Err(
            Problem::invalid_request("redirectURL: not one of those configured"),
        ),
        _ => Ok(()),
    }
}

fn check_gateway(app: &App, url: Option<&str>) -> Result<(), Problem> {
    let Some(text) = url else { return Ok(()) };
    let url = Url::parse(text)
        .map_err(|_| Problem::invalid_request("gatewayBaseURL: it is not a URL"))?;
    let same =
        |known: &Url| known.as_str().trim_end_matches('/') == url.as_str().trim_end_matches('/');
    if app.config.gateway_urls.iter().any(same) {
        Ok(())
    } else {
        Err(Problem::invalid_request(
            "gatewayBaseURL: not one of those configured",
        ))
    }
}

pub(super) fn not_started(error: StartError) -> Problem {
    match error {
        StartError::RedirectUrl => {
            Problem::invalid_request("redirectURL: not one of those configured")
        }
        StartError::GatewayUrl => {
            Problem::invalid_request("gatewayBaseURL: not one of those configured")
        }
        StartError::Credential(problem) => trouble(&problem),
    }
}
