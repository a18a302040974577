//! The page of a link: `GET` shows it, `POST` begins with one source.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use url::Url;

use super::flow::{Flow, Link, SignedIn, host, is_same_person, redirect};
use super::forms;
use super::journey::{Journey, Trouble};
use super::problem::Problem;
use super::rows::{Callback, Row, Session};
use super::{below, sign_in};
use crate::app::App;
use crate::grants::{OverrideError, OverrideValue, scopes_to_ask};
use crate::http::RequestId;
use crate::oauth::Metadata;
use crate::owner::Target;
use crate::pages::{self, Message, Step, page};
use crate::secret::Secret;
use crate::servers::{Authentication, HeaderAuthentication, HeaderLevel, Source};
use crate::telemetry;

/// Shows what is to be connected. Changes nothing.
pub(super) async fn show(
    State(app): State<App>,
    Path(handle): Path<String>,
    id: RequestId,
    headers: HeaderMap,
) -> Response {
    let flow = Flow::new(&app, &headers, &id);
    let shown = async {
        let link = flow.link(&handle).await?;
        match flow.signed_in().await? {
            None => Ok(sign_in::page_for(&flow, &link)),
            Some(person) if !is_same_person(&person.person, &link.owner) => {
                refuse(&flow, &link, &person).await
            }
            Some(person) => connect_page(&flow, &link, &person, StatusCode::OK).await,
        }
    };
    shown
        .await
        .unwrap_or_else(|problem: Problem| problem.page(flow.request_id))
}

/// Begins with the source that the form names.
pub(super) async fn agree(
    State(app): State<App>,
    Path(handle): Path<String>,
    id: RequestId,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let flow = Flow::new(&app, &headers, &id);
    begin(&flow, &handle, body)
        .await
        .unwrap_or_else(|problem| problem.page(flow.request_id))
}

/// The end, where the link names no other.
pub(super) async fn connected() -> Response {
    let message = Message {
        title: "Connected".to_owned(),
        text: "Your application can go on now.".to_owned(),
        advice: Some("You can close this page."),
        ..Message::default()
    };
    page(StatusCode::OK, &message, &[])
}

async fn begin(flow: &Flow<'_>, handle: &str, body: Body) -> Result<Response, Problem> {
    let link = flow.link(handle).await?;
    let old_page = || Problem::OldPage(link.handle.expose().to_owned());
    if forms::is_foreign(flow.headers, flow.public_url()) {
        return Err(old_page());
    }
    let person = flow.signed_in().await?.ok_or_else(old_page)?;
    if !is_same_person(&person.person, &link.owner) {
        return refuse(flow, &link, &person).await;
    }
    let fields = forms::read(flow.headers, body).await?;
    if !forms::has_csrf(forms::one(&fields, "csrf"), &person.handle, &link.handle) {
        return Err(old_page());
    }
    let id = forms::one(&fields, "source").ok_or(Problem::BadForm)?;
    let source = link.server.sources.iter().find(|source| source.id == id);
    let source = Arc::clone(source.ok_or(Problem::BadForm)?);
    let pending = pending(flow, &link).await?;
    if !pending.iter().any(|pending| pending.id == source.id) {
        // Connected in the meantime, in another window: the page says so.
        return Ok(flow.to(&format!("connect/{}", link.handle.expose())));
    }
    match &source.authentication {
        Authentication::AuthorizationCode(_) => send(flow, link, &person, &source).await,
        Authentication::Header(header) if matches!(header.level, HeaderLevel::PerUser) => {
            let value = given(header, &fields).ok_or(Problem::BadForm)?;
            enter(flow, link, &person, &source, &value).await
        }
        _ => Err(Problem::BadForm),
    }
}

/// Sends the browser to the source's provider.
///
/// The provider is asked first, so that trouble there leaves the link usable;
/// the link goes last, so that a crash before it leaves a row that nobody has
/// the handle of.
async fn send(
    flow: &Flow<'_>,
    mut link: Link,
    person: &SignedIn,
    source: &Source,
) -> Result<Response, Problem> {
    let state = flow.fresh()?;
    let redirect_uri = below(flow.public_url(), "oauth/callback");
    let grants = &flow.app.grants;
    let further = further_scopes(flow, &link, source).await?;
    let gateway = link.journey.gateway_url.as_deref();
    let begun = grants.begin(
        source,
        &further,
        gateway,
        &redirect_uri,
        state.expose(),
        flow.now,
    );
    let begun = match flow.within(begun).await {
        Ok(begun) => begun,
        Err(error) => {
            let trouble = flow.provider_trouble(&source.id, &error)?;
            let outcome = trouble.outcome();
            flow.record(outcome, &link.owner, source.target()).await?;
            link.journey.trouble.insert(source.id.clone(), trouble);
            return connect_page(flow, &link, person, StatusCode::BAD_GATEWAY).await;
        }
    };
    let row = Callback {
        journey: link.journey,
        source: source.id.clone(),
        session: person.handle.hash().to_text(),
        pending: begun.pending,
    };
    let target = Target::server(link.server.id.clone());
    flow.keep_as(&state, &link.owner, target, &row).await?;
    let taken = flow.take::<Journey>(&link.handle).await?;
    taken.ok_or(Problem::LinkIsOver)?;
    // The person may need the whole time at the provider.
    let until = flow.now.saturating_add(Session::SECONDS);
    let storage = flow.app.credentials.storage();
    storage
        .prolong_consent(&person.handle.hash(), Session::STEP, until, flow.now)
        .await
        .map_err(|error| flow.trouble(&error.into()))?;
    flow.record("started", &link.owner, source.target()).await?;
    telemetry::consent_started();
    Ok(redirect(begun.url.as_str(), flow.request_id))
}

/// Keeps what the person entered. The link goes last, so that a crash
/// before it leaves a page that shows what was kept.
async fn enter(
    flow: &Flow<'_>,
    mut link: Link,
    person: &SignedIn,
    source: &Source,
    value: &OverrideValue,
) -> Result<Response, Problem> {
    let set = flow
        .app
        .grants
        .set_override(
            &link.owner,
            &link.server,
            Some(&source.id),
            value,
            flow.request_id,
            flow.now,
        )
        .await;
    match set {
        Ok(_) => {}
        Err(OverrideError::InvalidValue(_)) => {
            let trouble = Trouble::BadKey;
            link.journey.trouble.insert(source.id.clone(), trouble);
            return connect_page(flow, &link, person, StatusCode::BAD_REQUEST).await;
        }
        Err(OverrideError::InvalidTarget | OverrideError::Placeholders(_)) => {
            return Err(Problem::BadForm);
        }
        Err(OverrideError::Credential(error)) => return Err(flow.trouble(&error)),
    }
    telemetry::consent_started();
    telemetry::consent_completed();
    flow.record("finished", &link.owner, source.target())
        .await?;
    link.journey.trouble.remove(&source.id);
    let taken = flow.take::<Journey>(&link.handle).await?;
    taken.ok_or(Problem::LinkIsOver)?;
    flow.onward(&link.owner, &link.server, link.journey).await
}

/// The page for somebody else than the link's owner.
async fn refuse(flow: &Flow<'_>, link: &Link, person: &SignedIn) -> Result<Response, Problem> {
    let target = Target::server(link.server.id.clone());
    flow.record("mismatch", &link.owner, target).await?;
    let issuer = Url::parse(&person.person.issuer).ok();
    let own = Url::parse(&link.owner.issuer).ok();
    let shown = pages::WrongPerson {
        person: &person.person.subject,
        person_host: &issuer.as_ref().map(host).unwrap_or_default(),
        handle: link.handle.expose(),
    };
    let targets: Vec<&Url> = own.iter().collect();
    Ok(page(StatusCode::FORBIDDEN, &shown, &targets))
}

async fn further_scopes(
    flow: &Flow<'_>,
    link: &Link,
    source: &Source,
) -> Result<Vec<String>, Problem> {
    let grants = &flow.app.grants;
    let found = grants.further_scopes(&link.owner, source, &link.journey.needed);
    found.await.map_err(|error| flow.trouble(&error))
}

async fn pending(flow: &Flow<'_>, link: &Link) -> Result<Vec<Arc<Source>>, Problem> {
    let grants = &flow.app.grants;
    let pending = grants
        .pending_sources(&link.owner, &link.server, &link.journey.needed, flow.now)
        .await;
    pending.map_err(|error| flow.trouble(&error))
}

/// The page for the link's owner.
async fn connect_page(
    flow: &Flow<'_>,
    link: &Link,
    person: &SignedIn,
    status: StatusCode,
) -> Result<Response, Problem> {
    let pending = pending(flow, link).await?;
    if pending.is_empty() {
        return Ok(flow.end(&link.journey));
    }
    let is_pending = |source: &Source| pending.iter().any(|pending| pending.id == source.id);
    let metadata = metadata(flow, &pending).await;
    let found = |source: &Source| {
        let of = metadata.iter().find(|(id, _)| *id == source.id);
        of.map(|(_, metadata)| metadata)
    };
    let mut scopes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in &pending {
        if let Authentication::AuthorizationCode(oauth) = &source.authentication {
            let further = further_scopes(flow, link, source).await?;
            let found = found(source).map(Arc::as_ref);
            scopes.insert(&source.id, scopes_to_ask(oauth, found, &further));
        }
    }
    let sources: Vec<pages::Source<'_>> = link
        .server
        .sources
        .iter()
        .filter_map(|source| {
            let step = match &source.authentication {
                _ if !is_pending(source) && asks_person(source) => Step::Connected,
                _ if !is_pending(source) => return None,
                Authentication::AuthorizationCode(_) => {
                    let found = found(source);
                    let endpoint =
                        found.and_then(|metadata| metadata.endpoints.authorization.as_ref());
                    Step::Agree {
                        host: endpoint.map(host),
                        scopes: scopes.get(source.id.as_str()).map_or(&[], Vec::as_slice),
                    }
                }
                Authentication::Header(header) => Step::Enter {
                    fields: what_users_give(header),
                },
                _ => return None,
            };
            let trouble = link.journey.trouble.get(&source.id);
            Some(pages::Source {
                id: &source.id,
                name: &source.name,
                problem: trouble
                    .filter(|_| !matches!(step, Step::Connected))
                    .map(|trouble| trouble.words(&source.name)),
                step,
            })
        })
        .collect();
    let issuer = Url::parse(&person.person.issuer).ok();
    let returning = link.journey.redirect_url.as_deref();
    let returning_url = returning.and_then(|url| Url::parse(url).ok());
    let targets: Vec<&Url> = metadata
        .iter()
        .filter_map(|(_, metadata)| metadata.endpoints.authorization.as_ref())
        .chain(&issuer)
        .chain(&returning_url)
        .collect();
    let shown = pages::Connect {
        server: &link.server.name,
        person: &person.person.subject,
        person_host: &issuer.as_ref().map(host).unwrap_or_default(),
        handle: link.handle.expose(),
        csrf: &forms::csrf(&person.handle, &link.handle),
        sources,
        leave: returning,
    };
    Ok(page(status, &shown, &targets))
}

/// Whether a person can have something to do with the source.
const fn asks_person(source: &Source) -> bool {
    matches!(
        source.authentication,
        Authentication::AuthorizationCode(_)
            | Authentication::Header(HeaderAuthentication {
                level: HeaderLevel::PerUser,
                ..
            })
    )
}

/// The fields for what a user gives: the value of each placeholder, or that of
/// the whole header.
fn what_users_give(header: &HeaderAuthentication) -> Vec<pages::Field<'_>> {
    let whole = || header.headers.iter().map(|(name, _)| name.as_str()).take(1);
    let names = header.placeholders();
    let labels = match names.as_slice() {
        [] => whole().collect(),
        _ => names,
    };
    let is_only = labels.len() == 1;
    let field = |label| pages::Field {
        name: field_name(label, is_only),
        label,
    };
    labels.into_iter().map(field).collect()
}

/// What the form says of them. `None`: it is another form.
fn given(header: &HeaderAuthentication, form: &forms::Fields) -> Option<OverrideValue> {
    let names = header.placeholders();
    let value = |name: &str| {
        let value = forms::one(form, &field_name(name, names.len() <= 1))?;
        Some(Secret::new(value))
    };
    match names.as_slice() {
        [] => value("").map(OverrideValue::One),
        [only] => value(only).map(OverrideValue::One),
        _ => {
            let values = names.iter();
            let values = values.map(|name| Some(((*name).to_owned(), value(name)?)));
            values.collect::<Option<_>>().map(OverrideValue::Each)
        }
    }
}

/// The name of a field of the form. Where there is one value, its placeholder
/// does not matter.
fn field_name(placeholder: &str, is_only: bool) -> String {
    if is_only {
        "value".to_owned()
    } else {
        format!("value-{placeholder}")
    }
}

/// What is known of the sources' authorization servers, asked all at once and
/// not for long: the page can do without.
async fn metadata(flow: &Flow<'_>, sources: &[Arc<Source>]) -> Vec<(String, Arc<Metadata>)> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let patience = flow.left().min(PATIENCE);
    let mut asking = tokio::task::JoinSet::new();
    for source in sources {
        if let Authentication::AuthorizationCode(oauth) = &source.authentication {
            let providers = flow.app.grants.providers().clone();
            let (id, provider) = (source.id.clone(), oauth.provider.clone());
            asking.spawn(async move {
                let found = tokio::time::timeout(patience, providers.of(&provider)).await;
                found.ok()?.ok().map(|metadata| (id, metadata))
            });
        }
    }
    asking.join_all().await.into_iter().flatten().collect()
}
