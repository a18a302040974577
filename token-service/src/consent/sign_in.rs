//! The sign-in of the person who opens a link (OpenID Connect Core, section
//! 3.1), at the issuer of its owner's tokens.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use subtle::ConstantTimeEq;
use url::Url;

use super::answer::Answer;
use super::below;
use super::cookies::Cookie;
use super::flow::{Flow, Link, host, redirect, with_cookies};
use super::forms;
use super::journey::Trouble;
use super::problem::Problem;
use super::rows::{self, Session, SignIn};
use crate::access::AccessError;
use crate::app::App;
use crate::config;
use crate::http::RequestId;
use crate::oauth::{
    Authentication, AuthorizationRequest, Grant, OAuthClient, Pkce, ProviderError, check_issuer,
    request_token,
};
use crate::owner::{Owner, Target};
use crate::pages::{self, page};
use crate::secret::Secret;

/// The page for somebody who is not signed in.
pub(super) fn page_for(flow: &Flow<'_>, link: &Link) -> Response {
    let Ok(issuer) = Url::parse(&link.owner.issuer) else {
        return Problem::NoSignIn.page(flow.request_id);
    };
    let shown = pages::SignIn {
        server: &link.server.name,
        issuer_host: &host(&issuer),
        handle: link.handle.expose(),
    };
    page(StatusCode::OK, &shown, &[&issuer])
}

/// Sends the browser to the sign-in.
///
/// There is no proof that the form is ours but what the browser says of its
/// origin: with a forged one, a person can only be made to sign in as
/// themselves.
pub(super) async fn begin(
    State(app): State<App>,
    Path(handle): Path<String>,
    id: RequestId,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let flow = Flow::new(&app, &headers, &id);
    send(&flow, &handle, body)
        .await
        .unwrap_or_else(|problem| problem.page(flow.request_id))
}

async fn send(flow: &Flow<'_>, handle: &str, body: Body) -> Result<Response, Problem> {
    let link = flow.link(handle).await?;
    let back = link.handle.expose().to_owned();
    if forms::is_foreign(flow.headers, flow.public_url()) {
        return Err(Problem::OldPage(back));
    }
    // Whether somebody else than the one who is signed in wants to sign in.
    let fields = forms::read(flow.headers, body).await?;
    let again = forms::one(&fields, "again").is_some();
    let client = client(flow, &link.owner)?;
    let metadata = flow
        .within(flow.app.issuers.issuer(&link.owner.issuer))
        .await
        .map_err(|error| provider_problem(flow, &back, &error))?;
    let endpoint = metadata.endpoints.authorization.as_ref();
    let endpoint = endpoint.ok_or_else(|| Problem::UnusableSignIn(back.clone()))?;
    let pkce = Pkce::fresh().map_err(|error| flow.trouble(&error.into()))?;
    let (state, browser, nonce) = (flow.fresh()?, flow.fresh()?, flow.fresh()?);
    let mut parameters = BTreeMap::from([("nonce".to_owned(), nonce.expose().to_owned())]);
    if again {
        parameters.insert("prompt".to_owned(), "login".to_owned());
    }
    let url = AuthorizationRequest {
        endpoint,
        client_id: &client.client_id,
        redirect_uri: &redirect_uri(flow),
        state: state.expose(),
        pkce: &pkce,
        scopes: &["openid".to_owned()],
        resource: None,
        parameters: &parameters,
    }
    .url();
    let row = SignIn {
        connect: back,
        browser: browser.hash().to_text(),
        nonce: nonce.expose().to_owned(),
        verifier: pkce.verifier.expose_text().unwrap_or_default().to_owned(),
    };
    let target = Target::server(link.server.id.clone());
    flow.keep_as(&state, &link.owner, target, &row).await?;
    let cookie = Cookie::SignIn.set(&browser, flow.public_url());
    Ok(with_cookies(
        redirect(url.as_str(), flow.request_id),
        [cookie],
    ))
}

/// Takes the answer of the sign-in: from now on this browser has a session.
pub(super) async fn finish(
    State(app): State<App>,
    id: RequestId,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let flow = Flow::new(&app, &headers, &id);
    take_answer(&flow, query.as_deref().unwrap_or_default())
        .await
        .unwrap_or_else(|problem| problem.page(flow.request_id))
}

async fn take_answer(flow: &Flow<'_>, query: &str) -> Result<Response, Problem> {
    let answer = Answer::parse(query)?;
    let row = rows::look::<SignIn>(&flow.app.credentials, &answer.state, flow.now)
        .await
        .map_err(|error| flow.trouble(&error))?
        .ok_or(Problem::LinkIsOver)?;
    // Otherwise somebody could sign a person in as himself.
    let browser = Cookie::SignIn.read(flow.headers, flow.public_url());
    let is_this_browser = browser.is_some_and(|browser| {
        let hash = browser.hash().to_text();
        hash.as_bytes().ct_eq(row.data.browser.as_bytes()).into()
    });
    if !is_this_browser {
        return Err(Problem::OtherBrowser);
    }
    let row = flow.take::<SignIn>(&answer.state).await?;
    let row = row.ok_or(Problem::LinkIsOver)?;
    let back = row.data.connect.clone();
    let code = answer.result.map_err(|error| match error.as_str() {
        "access_denied" => Problem::NotSignedIn(back.clone()),
        _ => Problem::UnusableSignIn(back.clone()),
    })?;
    let person = person(flow, &row.owner, &row.data, &code, answer.iss.as_deref()).await?;
    // A new session each time: what was in the cookie before proves nothing.
    if let Some(old) = Cookie::Session.read(flow.headers, flow.public_url()) {
        flow.take::<Session>(&old).await?;
    }
    let nothing = Target::server("");
    let session = flow.keep(&person, nothing, &Session {}).await?;
    let public_url = flow.public_url();
    Ok(with_cookies(
        flow.to(&format!("connect/{back}")),
        [
            Cookie::Session.set(&session, public_url),
            Cookie::SignIn.remove(public_url),
        ],
    ))
}

/// Who signed in.
async fn person(
    flow: &Flow<'_>,
    owner: &Owner,
    row: &SignIn,
    code: &Secret,
    iss: Option<&str>,
) -> Result<Owner, Problem> {
    let problem = |error| provider_problem(flow, &row.connect, &error);
    let unusable = || Problem::UnusableSignIn(row.connect.clone());
    let client = client(flow, owner)?;
    let providers = &flow.app.issuers;
    let metadata = flow.within(providers.issuer(&owner.issuer)).await;
    let metadata = metadata.map_err(problem)?;
    check_issuer(Some(&owner.issuer), metadata.promises_iss, iss).map_err(problem)?;
    let client = OAuthClient {
        id: client.client_id.clone(),
        authentication: match &client.client_secret {
            Some(secret) => Authentication::Basic(secret.clone()),
            None => Authentication::None,
        },
    };
    let grant = Grant::Code {
        code,
        redirect_uri: &redirect_uri(flow),
        verifier: &Secret::new(row.verifier.as_bytes()),
    };
    let nothing_else = BTreeMap::new();
    let answer = flow.within(request_token(
        providers.outbound(),
        &metadata.endpoints.token,
        &client,
        grant,
        &[],
        None,
        &nothing_else,
    ));
    let answer = answer.await.map_err(problem)?;
    let token = answer.id_token.ok_or_else(unusable)?;
    let token = token.expose_text().ok_or_else(unusable)?;
    let person = flow
        .app
        .access
        .id_token(&owner.issuer, token, &row.nonce, flow.now);
    let person = tokio::time::timeout(flow.left(), person).await;
    person
        .unwrap_or(Err(AccessError::Unavailable))
        .map_err(|error| {
            tracing::warn!(request_id = flow.request_id, %error, "sign-in");
            match error {
                AccessError::Unavailable => Problem::SignInUnreachable(row.connect.clone()),
                AccessError::Invalid(_) => unusable(),
            }
        })
}

/// The service as a client of the issuer of the owner's tokens.
fn client<'a>(flow: &'a Flow<'_>, owner: &Owner) -> Result<&'a config::SignIn, Problem> {
    let issuers = &flow.app.config.issuers;
    issuers
        .iter()
        .find(|issuer| issuer.issuer == owner.issuer)
        .and_then(|issuer| issuer.sign_in.as_ref())
        .ok_or(Problem::NoSignIn)
}

fn redirect_uri(flow: &Flow<'_>) -> String {
    below(flow.public_url(), "sign-in/callback")
}

fn provider_problem(flow: &Flow<'_>, back: &str, error: &ProviderError) -> Problem {
    match flow.provider_trouble("sign-in", error) {
        Ok(Trouble::Unreachable) => Problem::SignInUnreachable(back.to_owned()),
        Ok(_) => Problem::UnusableSignIn(back.to_owned()),
        Err(problem) => problem,
    }
}
