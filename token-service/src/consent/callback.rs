//! The way back from a provider.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::answer::Answer;
use super::cookies::Cookie;
use super::flow::{Flow, is_same_person};
use super::journey::Trouble;
use super::problem::Problem;
use super::rows::{self, Callback, Kept};
use crate::app::App;
use crate::http::RequestId;
use crate::telemetry;

/// Takes the answer of the provider, keeps what the code is good for, and sends
/// the browser on.
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
    let credentials = &flow.app.credentials;
    let row = rows::look::<Callback>(credentials, &answer.state, flow.now)
        .await
        .map_err(|error| flow.trouble(&error))?
        .ok_or(Problem::LinkIsOver)?;
    // Before the state is used up: whoever makes another browser come here with
    // it must not be able to end the flow, still less to finish it there.
    if !is_this_browser(flow, &row).await? {
        flow.record("mismatch", &row.owner, row.target).await?;
        return Err(Problem::OtherBrowser);
    }
    let Kept {
        owner,
        target,
        data,
    } = flow
        .take::<Callback>(&answer.state)
        .await?
        .ok_or(Problem::LinkIsOver)?;
    let Callback {
        mut journey,
        source,
        pending,
        ..
    } = data;
    let server = flow.app.servers.get(&target.server);
    let server = server.ok_or(Problem::NoSuchServer)?;
    let source = server.sources.iter().find(|it| it.id == source);
    let source = source.ok_or(Problem::NoSuchServer)?;
    let finished = match answer.result {
        Err(code) => {
            let trouble = Trouble::of_code(&code);
            flow.record(trouble.outcome(), &owner, source.target())
                .await?;
            Err(trouble)
        }
        // It is recorded there, for this request may be over before.
        Ok(code) => {
            let finished = flow.app.grants.finish(
                &owner,
                source,
                &pending,
                &code,
                answer.iss.as_deref(),
                flow.request_id,
                flow.now,
            );
            match flow.within(finished).await {
                Ok(_) => Ok(()),
                Err(error) => Err(flow.provider_trouble(&source.id, &error)?),
            }
        }
    };
    match finished {
        Ok(()) => {
            journey.trouble.remove(&source.id);
            let grants = &flow.app.grants;
            let pending = grants
                .pending_sources(&owner, server, &journey.needed, flow.now)
                .await
                .map_err(|error| flow.trouble(&error))?;
            if pending.iter().any(|pending| pending.id == source.id) {
                journey
                    .trouble
                    .insert(source.id.clone(), Trouble::NotEnough);
            }
            telemetry::consent_completed();
        }
        Err(trouble) => {
            journey.trouble.insert(source.id.clone(), trouble);
        }
    }
    flow.onward(&owner, server, journey).await
}

/// Whether the browser is the one that began, with the same person in it.
async fn is_this_browser(flow: &Flow<'_>, row: &Kept<Callback>) -> Result<bool, Problem> {
    let Some(session) = Cookie::Session.read(flow.headers, flow.public_url()) else {
        return Ok(false);
    };
    let hash = session.hash().to_text();
    if !bool::from(hash.as_bytes().ct_eq(row.data.session.as_bytes())) {
        return Ok(false);
    }
    let signed_in = flow.signed_in().await?;
    Ok(signed_in.is_some_and(|signed_in| is_same_person(&signed_in.person, &row.owner)))
}
