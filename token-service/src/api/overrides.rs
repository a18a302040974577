//! Credentials that somebody sets, and giving credentials back.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Authenticated;
use super::parameters::{self, Query};
use super::subject::{Named, SubjectKind};
use super::{server, trouble};
use crate::access::Caller;
use crate::app::App;
use crate::grants::{Disconnected, OverrideError, OverrideValue};
use crate::http::{ErrorBody, Problem, RequestId};
use crate::owner::{Owner, SubjectType};
use crate::secret::Secret;
use crate::servers::Server;
use crate::storage::{Actor, By, Holder, Method};
use crate::strict::Members;

/// Where a credential comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) enum AuthSource {
    /// A consent.
    #[serde(rename = "oauth")]
    OAuth,
    /// Somebody set it.
    #[serde(rename = "auth-override")]
    Override,
}

/// What to set, for whom.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SetOverride {
    /// The subject. Default: the caller.
    #[schema(min_length = 1, max_length = 1024)]
    subject_id: Option<String>,
    /// The kind of subject; it comes with `subjectId`.
    subject_type: Option<SubjectKind>,
    /// The subject's issuer. Default: that of the caller's token.
    subject_issuer: Option<String>,
    /// Of a virtual server, which of its sources.
    source: Option<String>,
    /// What to set.
    auth_override: AuthOverride,
}

/// What to set.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuthOverride {
    /// How it is sent.
    #[serde(rename = "type")]
    kind: OverrideKind,
    /// The value of the placeholder where the server's headers have one, else
    /// the whole value of the header. It can never be read again.
    #[schema(min_length = 1, max_length = 8192, format = Password)]
    header_value: Option<String>,
    /// Instead of `headerValue`: the value of each placeholder of the server's
    /// headers, by its name. None of them can ever be read again.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"USER": "…", "KEY": "…"}))]
    values: Option<Members<String>>,
}

/// How an override is sent.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OverrideKind {
    /// In a header.
    Header,
}

/// What to give back.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Disconnect {
    /// Which kind of credential. Default: every kind.
    auth_source: Option<AuthSource>,
    /// The subject. Default: the caller.
    #[schema(min_length = 1, max_length = 1024)]
    subject_id: Option<String>,
    /// The kind of subject; it comes with `subjectId`.
    subject_type: Option<SubjectKind>,
    /// The subject's issuer. Default: that of the caller's token.
    subject_issuer: Option<String>,
    /// Of a virtual server, which of its sources. Default: all.
    source: Option<String>,
}

/// Who has a credential, never which.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Holding {
    /// The subject.
    subject_id: String,
    /// Its kind.
    subject_type: SubjectKind,
    /// Its issuer.
    subject_issuer: String,
    /// Where the credential comes from.
    auth_source: AuthSource,
    /// What it is for: the server itself, or a source of a virtual one.
    source: String,
    /// Since when it is there, in seconds since 1970.
    created_at: i64,
    /// When it was last written, in seconds since 1970.
    updated_at: i64,
}

/// Who has credentials for a server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holdings {
    /// One for each.
    data: Vec<Holding>,
}

/// What a disconnect did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisconnectAnswer {
    /// Credentials that were removed.
    removed: usize,
    /// Of these, those that the provider did not take back: it has no
    /// revocation, or did not answer, or not yet. They are removed here all the
    /// same.
    not_revoked: usize,
    /// Of those that are not revoked, the ones about which the provider has not
    /// answered yet: the service goes on, and the audit record will say what
    /// became of it.
    pending: usize,
}

/// Sets a credential that goes before the server's own way to authenticate,
/// and replaces one that is there. Everybody may set their own, managers
/// everybody's.
#[utoipa::path(
    put,
    path = "/api/svc/v1/mcp/{mcpServerId}/auth",
    operation_id = "setAuthOverride",
    tag = "Overrides and disconnect",
    params(("mcpServerId" = String, Path, description = "The server's id.")),
    request_body = SetOverride,
    responses(
        (status = 204, description = "It is set."),
        (status = 400, description = "The body is wrong, or the server takes no such value.",
            body = ErrorBody),
        (status = 401, description = "No valid access token.", body = ErrorBody),
        (status = 403, description = "The caller is no manager and names another subject.",
            body = ErrorBody),
        (status = 404, description = "No such server.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        (status = 415, description = "The body is not JSON.", body = ErrorBody),
        (status = 503, description = "The service has trouble.", body = ErrorBody),
    ),
    security(("jwt" = []))
)]
pub(super) async fn set(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    Authenticated(caller): Authenticated,
    parameters::ServerId(id): parameters::ServerId,
    body: parameters::Json<SetOverride>,
) -> Result<axum::http::StatusCode, Problem> {
    let server = server(&app, &id)?;
    let body = body.required()?;
    let subject = (&body.subject_id, body.subject_type, &body.subject_issuer);
    let owner = owner(&app, &caller, subject)?;
    let (place, value) = body.auth_override.value()?;
    let source = body.source.as_deref();
    let now = app.clock.now();
    let by = By {
        actor: Actor::of(&caller.owner, &owner),
        request_id: &request_id,
    };
    app.grants
        .set_override(&owner, server, source, &value, by, now)
        .await
        .map_err(|error| match error {
            OverrideError::InvalidTarget => Problem::invalid_request(
                "source: of a virtual server one of its sources, of another one none",
            ),
            OverrideError::InvalidValue(rule) => {
                Problem::invalid_request(format!("authOverride.{place}: {rule}"))
            }
            OverrideError::Placeholders(_) => {
                Problem::invalid_request(format!("authOverride.values: {error}"))
            }
            OverrideError::Credential(problem) => trouble(&problem),
        })?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Who has a credential for the server: for managers everybody, for others
/// themselves. Never what it is.
#[utoipa::path(
    get,
    path = "/api/svc/v1/mcp/{mcpServerId}/auth",
    operation_id = "listAuth",
    tag = "Overrides and disconnect",
    params(
        ("mcpServerId" = String, Path, description = "The server's id."),
        ("authSource" = Option<AuthSource>, Query,
            description = "Which kind of credential. Default: auth-override."),
    ),
    responses(
        (status = 200, description = "Who has one.", body = Holdings),
        (status = 400, description = "A parameter is wrong.", body = ErrorBody),
        (status = 401, description = "No valid access token.", body = ErrorBody),
        (status = 404, description = "No such server.", body = ErrorBody),
        (status = 503, description = "The service has trouble.", body = ErrorBody),
    ),
    security(("jwt" = []))
)]
pub(super) async fn list(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    parameters::ServerId(id): parameters::ServerId,
    query: Query,
) -> Result<Json<Holdings>, Problem> {
    let server = server(&app, &id)?;
    let method = match query.one("authSource")? {
        None => Method::Override,
        Some(name) => Method::from_name(name)
            .ok_or_else(|| Problem::invalid_request("authSource: not oauth or auth-override"))?,
    };
    let of = (!caller.is_manager).then_some(&caller.owner);
    let mut data = Vec::new();
    for source in &server.sources {
        let holders = app
            .credentials
            .storage()
            .holders(&source.target(), method, of)
            .await
            .map_err(|problem| trouble(&problem.into()))?;
        data.extend(holders.into_iter().map(Holding::from));
    }
    Ok(Json(Holdings { data }))
}

/// Gives credentials back: what came from a consent is revoked at the
/// provider, as far as it can, and removed here in any case. A provider that
/// takes its time is not waited for. Without anything said, all that the caller
/// has for the server. What to give back can be said in the body or in the
/// query.
#[utoipa::path(
    delete,
    path = "/api/svc/v1/mcp/{mcpServerId}/auth",
    operation_id = "disconnect",
    tag = "Overrides and disconnect",
    params(
        ("mcpServerId" = String, Path, description = "The server's id."),
        ("authSource" = Option<AuthSource>, Query, description = "As in the body."),
        ("subjectId" = Option<String>, Query, description = "As in the body."),
        ("subjectType" = Option<SubjectKind>, Query, description = "As in the body."),
        ("subjectIssuer" = Option<String>, Query, description = "As in the body."),
        ("source" = Option<String>, Query, description = "As in the body."),
    ),
    request_body(content = Option<Disconnect>),
    responses(
        (status = 200, description = "It is removed.", body = DisconnectAnswer),
        (status = 400, description = "The body or a parameter is wrong.", body = ErrorBody),
        (status = 401, description = "No valid access token.", body = ErrorBody),
        (status = 403, description = "The caller is no manager and names another subject.",
            body = ErrorBody),
        (status = 404, description = "No such server.", body = ErrorBody),
        (status = 413, description = "The body is too large.", body = ErrorBody),
        (status = 415, description = "The body is not JSON.", body = ErrorBody),
        (status = 503, description = "The service has trouble.", body = ErrorBody),
    ),
    security(("jwt" = []))
)]
pub(super) async fn disconnect(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    Authenticated(caller): Authenticated,
    parameters::ServerId(id): parameters::ServerId,
    query: Query,
    body: parameters::Json<Disconnect>,
) -> Result<Json<DisconnectAnswer>, Problem> {
    let server = server(&app, &id)?;
    let asked = Disconnect::from_query(&query)?;
    let asked = match (&asked, &body.0) {
        (None, None) => &Disconnect::default(),
        (Some(asked), None) => asked,
        (None, Some(asked)) => asked,
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_request(
                "what to give back is in the body and in the query",
            ));
        }
    };
    let subject = (&asked.subject_id, asked.subject_type, &asked.subject_issuer);
    let owner = owner(&app, &caller, subject)?;
    let source = asked.source.as_deref();
    check_source(server, source)?;
    let methods: &[Method] = match asked.auth_source {
        None => &[Method::OAuth, Method::Override],
        Some(AuthSource::OAuth) => &[Method::OAuth],
        Some(AuthSource::Override) => &[Method::Override],
    };
    let by = By {
        actor: Actor::of(&caller.owner, &owner),
        request_id: &request_id,
    };
    let Disconnected {
        removed,
        not_revoked,
        pending,
    } = app
        .grants
        .disconnect(&owner, server, source, methods, by, app.clock.now())
        .await
        .map_err(|problem| trouble(&problem))?;
    Ok(Json(DisconnectAnswer {
        removed,
        not_revoked,
        pending,
    }))
}

/// The subject that is named, or the caller.
fn owner(
    app: &App,
    caller: &Caller,
    named: (&Option<String>, Option<SubjectKind>, &Option<String>),
) -> Result<Owner, Problem> {
    match named {
        (None, None, None) => Ok(caller.owner.clone()),
        (Some(id), Some(kind), issuer) => Named {
            id,
            kind: SubjectType::from(kind),
            issuer: issuer.as_deref(),
        }
        .owner(app, caller),
        _ => Err(Problem::invalid_request(
            "subjectId and subjectType: one is there without the other",
        )),
    }
}

fn check_source(server: &Server, source: Option<&str>) -> Result<(), Problem> {
    let is_known = |id: &str| server.sources.iter().any(|source| source.id == id);
    if source.is_none_or(is_known) {
        return Ok(());
    }
    Err(Problem::invalid_request(
        "source: not one of the server's sources",
    ))
}

impl AuthOverride {
    /// What is set, and where it stands in the body.
    fn value(&self) -> Result<(&'static str, OverrideValue), Problem> {
        let Self {
            kind: OverrideKind::Header,
            header_value,
            values,
        } = self;
        match (header_value, values) {
            (Some(value), None) => {
                let value = Secret::new(value.as_bytes());
                Ok(("headerValue", OverrideValue::One(value)))
            }
            (None, Some(values)) => {
                let values = values
                    .iter()
                    .map(|(name, value)| (name.clone(), Secret::new(value.as_bytes())));
                Ok(("values", OverrideValue::Each(values.collect())))
            }
            _ => Err(Problem::invalid_request(
                "authOverride: headerValue or values, and not both",
            )),
        }
    }
}

impl Disconnect {
    /// `None`: the query says nothing of it.
    fn from_query(query: &Query) -> Result<Option<Self>, Problem> {
        let text = |name: &str| query.one(name).map(|value| value.map(str::to_owned));
        let wrong = |name: &'static str| {
            move || Problem::invalid_request(format!("{name}: not one of its values"))
        };
        let asked = Self {
            auth_source: query
                .one("authSource")?
                .map(|name| {
                    Method::from_name(name)
                        .map(AuthSource::from)
                        .ok_or_else(wrong("authSource"))
                })
                .transpose()?,
            subject_id: text("subjectId")?,
            subject_type: query
                .one("subjectType")?
                .map(|name| {
                    SubjectType::from_name(name)
                        .map(SubjectKind::from)
                        .ok_or_else(wrong("subjectType"))
                })
                .transpose()?,
            subject_issuer: text("subjectIssuer")?,
            source: text("source")?,
        };
        let says_something = asked.auth_source.is_some()
            || asked.subject_id.is_some()
            || asked.subject_type.is_some()
            || asked.subject_issuer.is_some()
            || asked.source.is_some();
        Ok(says_something.then_some(asked))
    }
}

impl From<Method> for AuthSource {
    fn from(method: Method) -> Self {
        match method {
            Method::OAuth => Self::OAuth,
            Method::Override => Self::Override,
        }
    }
}

impl From<Holder> for Holding {
    fn from(holder: Holder) -> Self {
        let Holder {
            slot,
            created_at,
            updated_at,
        } = holder;
        Self {
            subject_id: slot.owner.subject,
            subject_type: slot.owner.subject_type.into(),
            subject_issuer: slot.owner.issuer,
            auth_source: slot.method.into(),
            source: slot.target.source,
            created_at,
            updated_at,
        }
    }
}
