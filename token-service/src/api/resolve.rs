//! What the filter asks: the credential of one call.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::caller::Filter;
use super::status::not_started;
use super::subject::SubjectKind;
use super::{parameters, server};
use crate::access::{AccessError, Subject};
use crate::app::App;
use crate::config::FilterKey;
use crate::consent;
use crate::grants::{
    Authenticated, ConsentKind, Needed, Reason, Rejected, Resolution, ResolveAsk, ResolveError,
};
use crate::http::{ErrorBody, Problem, RequestId};
use crate::owner::{Owner, SubjectType, Target};
use crate::secret::Secret;
use crate::servers::Server;
use crate::storage::{self, Action, Actor, AuditRecord};
use crate::telemetry;

/// The question. Fields that are not known are refused: one of a newer filter
/// may be meant to narrow what is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResolveRequest {
    /// The server.
    server_id: String,
    /// Of a virtual server, which of its sources.
    source: Option<String>,
    /// Who calls.
    subject: ResolveSubject,
    /// Their access token, which the service verifies by itself. It can only be
    /// left out for a `virtualaccount`, with a key that is trusted without.
    subject_token: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token` or `…:jwt` (RFC 8693).
    subject_token_type: Option<String>,
    /// The resource that was called (RFC 8707): one of the server's. It also
    /// says at which of the gateways the user is.
    resource: Option<String>,
    /// Scopes that the call needs.
    #[serde(default)]
    required_scopes: Vec<String>,
    /// What is called, for the audit record and the log.
    operation: Option<Operation>,
    /// The credential that the upstream has refused.
    rejected: Option<RejectedCredential>,
    /// Where the browser goes after a consent: one of those configured.
    redirect_url: Option<String>,
    /// The call's id, for the answer, the log and the audit record. Without it,
    /// that of the header `x-request-id`.
    request_id: Option<String>,
}

/// Who calls.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResolveSubject {
    /// The kind of subject.
    #[serde(rename = "type")]
    kind: SubjectKind,
    /// The issuer.
    iss: String,
    /// The subject.
    id: String,
}

/// What is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    /// The method, such as `tools/call`.
    method: String,
    /// The tool, prompt or resource.
    name: Option<String>,
}

/// A credential that the upstream has refused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectedCredential {
    /// Its `credential_version`.
    credential_version: String,
    /// The status of the upstream's answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The `error` of its challenge (RFC 6750).
    error: Option<String>,
}

/// The answer, with the status 200.
#[derive(Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum ResolveAnswer {
    /// The call goes on with these headers.
    Authenticated {
        /// Where the credential comes from: `oauth`, `auth-override`, `shared`
        /// or `token-exchange`.
        method: &'static str,
        /// The headers.
        headers: Vec<Header>,
        /// The name of this very credential.
        credential_version: String,
        /// When it ends, in seconds since 1970. Absent: not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<i64>,
        /// What it is good for.
        scopes: Vec<String>,
        /// How long it may be kept, in seconds.
        cache_ttl_s: u32,
    },
    /// The call goes on without a credential.
    AuthenticationNotRequired {
        /// Why.
        reason: String,
        /// How long this may be kept, in seconds.
        cache_ttl_s: u32,
    },
}

/// A header to set.
#[derive(Serialize, ToSchema)]
pub(super) struct Header {
    /// Its name, in lower case.
    name: String,
    /// Its value.
    value: String,
}

/// The answer where a consent is missing, with the status 403: a caller that
/// looks at the status alone goes on with nothing.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentAnswer {
    /// Always `authentication_required`.
    status: &'static str,
    /// `consent_missing`, `invalid_grant`, `refresh_failed`,
    /// `insufficient_scope` or `revoked`.
    reason: &'static str,
    /// The link for the user's browser.
    authorization_endpoint: String,
    /// The same in the words of seed 003.
    detail: ConsentDetail,
    /// The name of this link, for URL elicitation (MCP 2025-11-25).
    elicitation_id: String,
    /// How long the link works, in seconds.
    expires_in: i64,
    /// Always 0.
    cache_ttl_s: u32,
}

/// What the user has to do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsentDetail {
    /// Always `authentication_required`.
    code: &'static str,
    /// `oauth` or `api_key`.
    auth_type: &'static str,
    /// The link.
    authorize_url: String,
    /// With `api_key`: for what a key is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_uuid: Option<String>,
}

/// What a question ends with.
enum Outcome {
    Answer(ResolveAnswer),
    Consent(Box<ConsentAnswer>),
}

/// The credential of one call.
#[utoipa::path(
    post,
    path = "/v1/credentials/resolve",
    operation_id = "resolve",
    tag = "Credentials",
    request_body = ResolveRequest,
    responses(
        (status = 200, description = "The call can go on.", body = ResolveAnswer),
        (status = 400, description = "invalid_request, invalid_target or invalid_subject_token.",
            body = ErrorBody),
        (status = 401, description = "invalid_client: not the key of a filter.", body = ErrorBody),
        (status = 403, description = "A consent is missing, or access_denied: nothing mends it.",
            body = ConsentOrError),
        (status = 404, description = "unknown_server.", body = ErrorBody),
        (status = 409, description = "refresh_in_progress.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        (status = 415, description = "The body is not JSON.", body = ErrorBody),
        (status = 429, description = "rate_limited.", body = ErrorBody),
        (status = 502, description = "upstream_error: the authorization server has trouble.",
            body = ErrorBody),
        (status = 503, description = "unavailable.", body = ErrorBody),
    ),
    security(("filter_key" = []))
)]
pub(super) async fn resolve(
    State(app): State<App>,
    request_id: RequestId,
    Filter(key): Filter,
    body: Result<parameters::Json<ResolveRequest>, Problem>,
) -> Response {
    let mut question = body.and_then(parameters::Json::required);
    let mut request_id = request_id;
    if let Ok(Some(id)) = question.as_ref().map(|question| &question.request_id) {
        match RequestId::parse(id) {
            Some(id) => request_id = id,
            None => question = Err(Problem::invalid_request("/request_id: it cannot be one")),
        }
    }
    let question = question.as_deref().map_err(Problem::clone);
    let mut response = match answer(&app, &key, question, &request_id).await {
        Ok(Outcome::Answer(answer)) => Json(answer).into_response(),
        Ok(Outcome::Consent(answer)) => (StatusCode::FORBIDDEN, Json(answer)).into_response(),
        Err(problem) => problem.into_response(),
    };
    // The answer has the id that the question had.
    response.extensions_mut().insert(request_id);
    response
}

/// The answers with the status 403.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum ConsentOrError {
    Consent(ConsentAnswer),
    Error(ErrorBody),
}

async fn answer(
    app: &App,
    key: &FilterKey,
    question: Result<&ResolveRequest, Problem>,
    RequestId(request_id): &RequestId,
) -> Result<Outcome, Problem> {
    let now = app.clock.now();
    let question = question.and_then(|request| check_form(request).map(|()| request));
    let answered = match &question {
        Ok(request) => checked(app, key, request, request_id, now).await,
        Err(problem) => Err(problem.clone()),
    };
    // What breaks the rules is recorded without what it says.
    let request = question.ok();
    let server = request.map(|request| printable(&request.server_id));
    let server = server.unwrap_or_default();
    let outcome = match &answered {
        Ok(Outcome::Answer(ResolveAnswer::Authenticated { .. })) => "authenticated",
        Ok(Outcome::Answer(ResolveAnswer::AuthenticationNotRequired { .. })) => {
            "authentication_not_required"
        }
        Ok(Outcome::Consent(consent)) => consent.reason,
        Err(problem) => problem.code(),
    };
    telemetry::resolve(match &answered {
        Ok(Outcome::Consent(_)) => "authentication_required",
        _ => outcome,
    });
    let record = AuditRecord {
        at: now,
        actor: Actor::Filter(key.id.clone()),
        action: Action::Resolve,
        outcome: outcome.to_owned(),
        owner: request.map_or_else(Owner::nobody, |request| request.subject.owner()),
        target: Target {
            source: request
                .and_then(|request| request.source.clone())
                .unwrap_or_else(|| server.clone()),
            server: server.clone(),
        },
        operation: request
            .and_then(|request| request.operation.as_ref())
            .map(|called| storage::Operation::new(&called.method, called.name.as_deref())),
        request_id: request_id.clone(),
    };
    let operation = record.operation.as_ref();
    tracing::info!(
        call = request_id,
        key = key.id,
        server,
        outcome,
        method = operation.map(storage::Operation::method),
        name = operation.and_then(storage::Operation::name),
        "resolve"
    );
    if let Err(problem) = app.credentials.storage().record(&record).await {
        // What cannot be recorded is not given.
        tracing::error!(%problem, "an audit record cannot be written");
        return Err(Problem::unavailable("the service has trouble"));
    }
    answered
}

async fn checked(
    app: &App,
    key: &FilterKey,
    request: &ResolveRequest,
    request_id: &str,
    now: i64,
) -> Result<Outcome, Problem> {
    let server = server(app, &request.server_id)?;
    if !key.servers.contains(&server.id) {
        return Err(Problem::access_denied("the key is for other servers"));
    }
    if let Some(resource) = &request.resource
        && !server.resources.contains(resource)
    {
        return Err(invalid_target("resource: not one of the server's"));
    }
    super::status::check_redirect(app, request.redirect_url.as_deref())
        .map_err(|_| Problem::invalid_request("redirect_url: not one of those configured"))?;
    let subject = subject(app, key, server, request, now).await?;
    let token = request.subject_token.as_deref().map(Secret::new);
    let ask = ResolveAsk {
        owner: &subject.owner,
        server,
        source: request.source.as_deref(),
        subject_token: token.as_ref(),
        required_scopes: &request.required_scopes,
        rejected: request.rejected.as_ref().map(|rejected| Rejected {
            version: &rejected.credential_version,
            status: rejected.status,
            error: rejected.error.as_deref(),
        }),
        request_id,
    };
    match app.grants.resolve(&ask, now).await {
        Ok(Resolution::Authenticated(authenticated)) => {
            with_headers(authenticated, &subject, now).map(Outcome::Answer)
        }
        Ok(Resolution::NotRequired { reason }) => {
            Ok(Outcome::Answer(ResolveAnswer::AuthenticationNotRequired {
                reason: reason.to_owned(),
                cache_ttl_s: server.cache_seconds,
            }))
        }
        Ok(Resolution::ConsentRequired { reason, kind }) => {
            let redirect = request.redirect_url.as_deref();
            let gateway = gateway(&app.config.gateway_urls, request.resource.as_deref());
            let gateway = gateway.map(Url::as_str);
            let needed = needed(server, request, reason);
            let owner = &subject.owner;
            let started = consent::start(app, owner, server, redirect, gateway, needed, now)
                .await
                .map_err(not_started)?;
            consent_answer(server, request, reason, kind, started).map(Outcome::Consent)
        }
        Err(error) => Err(refused(error)),
    }
}

/// The gateway at which the resource is, which one of the server's own is.
fn gateway<'a>(gateways: &'a [Url], resource: Option<&str>) -> Option<&'a Url> {
    let resource = resource?;
    let is_there = |gateway: &&Url| {
        let rest = resource.strip_prefix(gateway.as_str().trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let there = gateways.iter().filter(is_there);
    there.max_by_key(|gateway| gateway.as_str().len())
}

/// What the link has to bring where the credential is good, but not for this
/// call.
fn needed(server: &Server, request: &ResolveRequest, reason: Reason) -> Vec<Needed> {
    let named = request.source.as_deref();
    let mut sources = server.sources.iter();
    match sources.find(|source| named.is_none_or(|id| id == source.id)) {
        Some(source) if reason == Reason::InsufficientScope => vec![Needed {
            source: source.id.clone(),
            scopes: request.required_scopes.clone(),
            instead_of: request
                .rejected
                .as_ref()
                .map(|rejected| rejected.credential_version.clone()),
        }],
        _ => vec![],
    }
}

/// Whether the texts are of a form that can be believed, logged and kept.
fn check_form(request: &ResolveRequest) -> Result<(), Problem> {
    const LONGEST: usize = 1024;
    const MOST_SCOPES: usize = 64;
    let is_name =
        |text: &str| !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control);
    let names = [
        ("/subject/iss", Some(&request.subject.iss)),
        ("/subject/id", Some(&request.subject.id)),
        ("/source", request.source.as_ref()),
    ];
    for (place, text) in names {
        if text.is_some_and(|text| !is_name(text)) {
            return Err(Problem::invalid_request(format!("{place}: not a name")));
        }
    }
    let is_scope = |scope: &String| {
        !scope.is_empty()
            && scope.len() <= LONGEST
            && scope
                .bytes()
                .all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
    };
    if request.required_scopes.len() > MOST_SCOPES || !request.required_scopes.iter().all(is_scope)
    {
        return Err(Problem::invalid_request("/required_scopes: not scopes"));
    }
    if let Some(rejected) = &request.rejected
        && !(400..=599).contains(&rejected.status)
    {
        return Err(Problem::invalid_request(
            "/rejected/status: not the status of an error",
        ));
    }
    let kinds = [
        "urn:ietf:params:oauth:token-type:access_token",
        "urn:ietf:params:oauth:token-type:jwt",
    ];
    if let Some(kind) = &request.subject_token_type
        && !kinds.contains(&kind.as_str())
    {
        return Err(Problem::invalid_request(
            "/subject_token_type: not one that is known",
        ));
    }
    Ok(())
}

/// Who calls: proved by their token, or a machine account that a key asserts
/// which may.
///
/// The gate has authenticated such an account by other means than a token that
/// could be shown here. For people there is no such way: whoever steals a
/// filter's key would have everybody's credentials with it.
async fn subject(
    app: &App,
    key: &FilterKey,
    server: &Server,
    request: &ResolveRequest,
    now: i64,
) -> Result<Subject, Problem> {
    let asserted = Subject {
        owner: request.subject.owner(),
        expires_at: None,
    };
    let is_machine = asserted.owner.subject_type == SubjectType::VirtualAccount;
    let trusted = key.trust_asserted_subject && is_machine;
    let Some(token) = &request.subject_token else {
        if trusted {
            return Ok(asserted);
        }
        return Err(invalid_subject_token("subject_token: it is missing"));
    };
    if server.resources.is_empty() {
        if trusted || !server.needs_credentials() {
            return Ok(asserted);
        }
        return Err(invalid_target(
            "the server has no resource to verify a token for",
        ));
    }
    let verified = app.access.subject(token, &server.resources, now).await;
    match verified {
        Ok(verified) if verified.owner == asserted.owner => Ok(verified),
        Ok(_) => Err(invalid_subject_token(
            "subject_token: it is another subject's",
        )),
        Err(AccessError::Invalid(why)) => {
            Err(invalid_subject_token(format!("subject_token: {why}")))
        }
        Err(problem @ AccessError::Unavailable) => Err(Problem::unavailable(problem.to_string())),
    }
}

fn with_headers(
    authenticated: Authenticated,
    subject: &Subject,
    now: i64,
) -> Result<ResolveAnswer, Problem> {
    let Authenticated {
        method,
        headers,
        version,
        expires_at,
        scopes,
        cache_seconds,
    } = authenticated;
    let headers = headers
        .into_iter()
        .map(|(name, value)| {
            let value = value.expose_text()?.to_owned();
            Some(Header { name, value })
        })
        .collect::<Option<Vec<Header>>>()
        .ok_or_else(|| Problem::unavailable("the credential cannot stand in a header"))?;
    // Neither longer than the credential nor than the token that asked for it.
    let left = [expires_at, subject.expires_at]
        .into_iter()
        .flatten()
        .map(|end| u32::try_from(end.saturating_sub(now)).unwrap_or(0))
        .fold(cache_seconds, u32::min);
    Ok(ResolveAnswer::Authenticated {
        method: method.as_str(),
        headers,
        credential_version: version,
        expires_at,
        scopes,
        cache_ttl_s: left,
    })
}

fn consent_answer(
    server: &Server,
    request: &ResolveRequest,
    reason: Reason,
    kind: ConsentKind,
    started: consent::Started,
) -> Result<Box<ConsentAnswer>, Problem> {
    const REQUIRED: &str = "authentication_required";
    let id = crate::random::bytes::<16>()
        .map_err(|problem| Problem::unavailable(problem.to_string()))?;
    let app = request.source.as_ref().unwrap_or(&server.id);
    Ok(Box::new(ConsentAnswer {
        status: REQUIRED,
        reason: reason.as_str(),
        authorization_endpoint: started.url.clone(),
        detail: ConsentDetail {
            code: REQUIRED,
            auth_type: match kind {
                ConsentKind::OAuth => "oauth",
                ConsentKind::ApiKey => "api_key",
            },
            authorize_url: started.url,
            app_uuid: matches!(kind, ConsentKind::ApiKey).then(|| app.clone()),
        },
        elicitation_id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
        expires_in: started.expires_in,
        cache_ttl_s: 0,
    }))
}

/// Contract 6.2, "Others".
fn refused(error: ResolveError) -> Problem {
    let status = match error {
        ResolveError::RefreshInProgress { .. } => StatusCode::CONFLICT,
        ResolveError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ResolveError::Upstream => StatusCode::BAD_GATEWAY,
        ResolveError::InvalidTarget | ResolveError::InvalidSubjectToken => StatusCode::BAD_REQUEST,
        ResolveError::AccessDenied => StatusCode::FORBIDDEN,
        ResolveError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let problem = Problem::new(status, error.code(), error.to_string());
    match error {
        ResolveError::RefreshInProgress { retry_after }
        | ResolveError::RateLimited { retry_after } => problem.retry_after(retry_after),
        _ => problem,
    }
}

fn invalid_target(message: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_target", message)
}

fn invalid_subject_token(message: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_subject_token", message)
}

/// What a peer named, as far as it may stand in a log.
fn printable(text: &str) -> String {
    const LONGEST: usize = 64;
    text.chars()
        .take(LONGEST)
        .filter(|character| character.is_ascii_graphic())
        .collect()
}

impl ResolveSubject {
    fn owner(&self) -> Owner {
        Owner {
            issuer: self.iss.clone(),
            subject: self.id.clone(),
            subject_type: SubjectType::from(self.kind),
        }
    }
}
