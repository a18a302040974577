//! From a denial to a response.

use super::credential::{
    SUBJECT_TOKEN, credential, credential_rejected, missing_consent, upstream_unauthorized,
    with_status,
};
use super::json_rpc::{self, Error, oauth_error, tool_error};
use super::{ConsentForm, Denial, Reply, SessionFault};
use crate::config::AnswerStyle;
use crate::credential::CredentialFailure;
use crate::http::origin::Origin;
use crate::json::Json;
use crate::mcp::agreement::{AgreementError, TASKS_EXTENSION};
use crate::mcp::envelope::{EnvelopeError, RequestId};
use crate::mcp::{Call, Era, Target};
use crate::oauth::challenge::ChallengeError;
use crate::policy::Denied;
use crate::response::Unreadable;
use crate::site::Site;
use crate::text::Text;

/// To whom a refusal goes.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// The server that was asked, if it is known.
    pub site: Option<&'a Site>,
    /// Where the request comes from.
    pub origin: &'a Origin,
    /// What of the request is known.
    pub subject: Subject<'a>,
}

/// What of a request is known when it is refused.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// Its message was not read, or is none.
    Unread,
    /// A notification, a response, a GET or a DELETE: nothing that a JSON-RPC
    /// answer could refer to.
    Unanswerable,
    /// A request.
    Request {
        /// Its id.
        id: &'a RequestId,
        /// Its method.
        method: &'a str,
        /// The era of its revision.
        era: Era,
        /// The call, if it could be read.
        call: Option<&'a Call<'a>>,
    },
}

impl<'a> Addressee<'a> {
    /// The id of the request, if it is one.
    pub(super) const fn id(&self) -> Option<&'a RequestId> {
        match self.subject {
            Subject::Request { id, .. } => Some(id),
            Subject::Unanswerable | Subject::Unread => None,
        }
    }
}

/// How many headers a refusal may have: those of CORS, a challenge, and three
/// more.
const MOST_HEADERS: usize = 7;
const RETRY_AFTER_SECONDS: &str = "5";

/// The response to a request that is refused.
pub fn refuse(denial: &Denial, to: Addressee<'_>) -> Reply {
    let (status, body) = status_and_body(denial, to);
    let mut headers = Vec::with_capacity(MOST_HEADERS);
    headers.push(("cache-control", "no-store".into()));
    if body.is_some() {
        headers.push(("content-type", "application/json".into()));
    }
    match denial {
        Denial::MethodNotAllowed { allow } => headers.push(("allow", (*allow).into())),
        Denial::KeysUnavailable
        | Denial::TooManyWaiting
        | Denial::Credential(
            CredentialFailure::ServiceRefusesUs | CredentialFailure::Unavailable,
        ) => headers.push(("retry-after", RETRY_AFTER_SECONDS.into())),
        Denial::Credential(CredentialFailure::Busy { retry_after_s }) => {
            headers.push(("retry-after", retry_after_s.to_string().into()));
        }
        // The next call gets a fresh credential at once.
        Denial::CredentialRejected if status == 503 => headers.push(("retry-after", "0".into())),
        _ => {}
    }
    if let Some(challenge) = to.site.and_then(|site| challenge(denial, site)) {
        headers.push(("www-authenticate", challenge));
    }
    Reply {
        status,
        headers,
        body: body.unwrap_or_default(),
    }
    .for_origin(to.origin)
}

/// The response to a batch of which at least one element is refused; `None` if
/// none is. An element is the id of a request, and the reply if it is refused.
/// None of the batch goes on, so every request in it gets an error, also one
/// that would have been allowed.
pub fn combine(elements: &[(Option<&RequestId>, Option<Reply>)], origin: &Origin) -> Option<Reply> {
    let first = elements.iter().find_map(|(_, reply)| reply.as_ref())?;
    if first.status != 200 {
        return Some(first.clone());
    }
    let withheld = Error::new(
        json_rpc::REFUSED,
        "Not sent: another message of the batch was refused",
    );
    let answers: Vec<String> = elements
        .iter()
        .filter_map(|(id, reply)| match reply {
            Some(reply) => id.map(|_| reply.body.to_string()),
            None => id.map(|id| withheld.answer(Some(id)).to_string()),
        })
        .collect();
    Some(
        Reply {
            status: 200,
            headers: vec![
                ("cache-control", "no-store".into()),
                ("content-type", "application/json".into()),
            ],
            body: format!("[{}]", answers.join(",")).into(),
        }
        .for_origin(origin),
    )
}

/// The challenge of RFC 6750, section 3, with the metadata of RFC 9728.
fn challenge(denial: &Denial, site: &Site) -> Option<Text> {
    let base = &site.server.scopes;
    let (error, description, scopes) = match denial {
        Denial::NoToken => return Some((&site.challenge).into()),
        Denial::MalformedCredentials => {
            (ChallengeError::InvalidRequest, MALFORMED_CREDENTIALS, base)
        }
        Denial::InvalidToken(error) => (ChallengeError::InvalidToken, error.description(), base),
        Denial::Policy(Denied::MissingScopes { scopes, .. })
        | Denial::Task(Denied::MissingScopes { scopes, .. }) => {
            (ChallengeError::InsufficientScope, MISSING_SCOPES, scopes)
        }
        Denial::Credential(CredentialFailure::InvalidSubjectToken) => {
            (ChallengeError::InvalidToken, SUBJECT_TOKEN, base)
        }
        Denial::Consent(consent) if consent.form == ConsentForm::Challenge => {
            (ChallengeError::InvalidToken, NOT_CONNECTED, base)
        }
        _ => return None,
    };
    Some(site.challenge_with(error, description, scopes).into())
}

const MALFORMED_CREDENTIALS: &str = "Send exactly one bearer token, in the Authorization header";
const NO_TOKEN: &str = r#"{"message":"An access token is needed"}"#;
const NOT_CONNECTED: &str = "The server is used with an account that is not connected yet";
const MISSING_SCOPES: &str = "The token lacks scopes that this operation needs";

fn status_and_body(denial: &Denial, to: Addressee<'_>) -> (u16, Option<Text>) {
    let oauth = |error: &str, description: &str| Some(oauth_error(error, description));
    match denial {
        Denial::NoServer => (404, oauth("not_found", "No MCP server at this address")),
        Denial::MethodNotAllowed { .. } => (405, None),
        // No error code for who has sent no credentials (RFC 6750, section 3.1).
        Denial::NoToken => (401, Some(NO_TOKEN.into())),
        Denial::InvalidToken(error) => (401, oauth("invalid_token", error.description())),
        Denial::MalformedCredentials => (400, oauth("invalid_request", MALFORMED_CREDENTIALS)),
        Denial::KeysUnavailable => (
            503,
            oauth(
                "temporarily_unavailable",
                "The access token cannot be verified at the moment",
            ),
        ),
        Denial::TooManyWaiting => (
            503,
            oauth("temporarily_unavailable", "Too many requests are waiting"),
        ),
        Denial::ForeignOrigin => plain(
            403,
            json_rpc::REFUSED,
            "Requests from this origin are not accepted",
        ),
        Denial::UnsupportedMediaType(what) => plain(415, json_rpc::INVALID_REQUEST, *what),
        Denial::BodyTooLarge => plain(413, json_rpc::INVALID_REQUEST, "The message is too large"),
        Denial::UnexpectedBody => plain(
            400,
            json_rpc::INVALID_REQUEST,
            "A body is not expected here",
        ),
        Denial::Envelope(EnvelopeError::Json(error)) => {
            plain(400, json_rpc::PARSE_ERROR, format!("Parse error: {error}"))
        }
        Denial::Envelope(error) => plain(
            400,
            json_rpc::INVALID_REQUEST,
            format!("Invalid request: {error}"),
        ),
        Denial::ResponseInModernEra => plain(
            403,
            json_rpc::INVALID_REQUEST,
            "Invalid request: clients send no responses in this protocol version",
        ),
        Denial::InitializeInBatch => answer(
            to,
            400,
            &Error::new(
                json_rpc::INVALID_REQUEST,
                "Invalid request: initialize cannot be part of a batch",
            ),
        ),
        // MCP wants 404 for a session that is not there: the client begins anew.
        Denial::Session(SessionFault::Unknown) => {
            plain(404, json_rpc::INVALID_REQUEST, "Session not found")
        }
        Denial::Session(SessionFault::Malformed) => plain(
            400,
            json_rpc::INVALID_REQUEST,
            "Send one Mcp-Session-Id at most",
        ),
        Denial::ForgedState => answer(
            to,
            200,
            &Error::new(
                json_rpc::INVALID_PARAMS,
                "Invalid params: \"requestState\" was not given for this call",
            ),
        ),
        Denial::UnknownTask => answer(to, 200, &unknown_task()),
        Denial::UndeclaredTask => answer(to, 400, &undeclared_task()),
        Denial::UpstreamSession => plain(
            502,
            json_rpc::REFUSED,
            "The server has sent a session id that cannot be used",
        ),
        Denial::Unreadable(unreadable) => with_status(
            to,
            502,
            json_rpc::BAD_GATEWAY,
            match unreadable {
                Unreadable::Encoded => {
                    "The server has sent a compressed answer, which cannot be checked"
                }
                Unreadable::ContentType => {
                    "The server has sent an answer that is neither JSON nor an event stream"
                }
                Unreadable::Redirect => "The server has sent the client elsewhere",
            },
        ),
        Denial::EarlyResponse => plain(
            502,
            json_rpc::REFUSED,
            "The server answered before the request was complete",
        ),
        Denial::Agreement(error) => agreement(error, to),
        Denial::UnknownMethod => unknown_method(to),
        Denial::Params(error) => answer(
            to,
            200,
            &Error::new(
                json_rpc::INVALID_PARAMS,
                format!("Invalid params: {}", error.0),
            ),
        ),
        Denial::Policy(denied) => policy(denied, to, hidden),
        Denial::Task(denied) => policy(denied, to, |to| answer(to, 200, &unknown_task())),
        Denial::Consent(missing) => missing_consent(missing, to),
        Denial::Credential(failure) => credential(*failure, to),
        Denial::CredentialRejected => credential_rejected(to),
        Denial::UpstreamUnauthorized => upstream_unauthorized(to),
    }
}

fn plain(status: u16, code: i32, message: impl Into<Text>) -> (u16, Option<Text>) {
    (status, Some(Error::new(code, message).answer(None)))
}

/// An error for a request; what is no request gets 403 and no id.
fn answer(to: Addressee<'_>, status: u16, error: &Error<'_>) -> (u16, Option<Text>) {
    match to.subject {
        Subject::Request { id, .. } => (status, Some(error.answer(Some(id)))),
        Subject::Unanswerable | Subject::Unread => (403, Some(error.answer(None))),
    }
}

/// MCP 2026-07-28 wants HTTP 400 for all of these, with the request's id
/// where there is one.
fn agreement(error: &AgreementError, to: Addressee<'_>) -> (u16, Option<Text>) {
    let error = match error {
        AgreementError::UnsupportedVersion { requested, form } => {
            let spoken = to
                .site
                .map(|site| site.server.protocol_versions.as_slice())
                .unwrap_or_default();
            // A request of the modern form cannot be repeated in a legacy revision,
            // and `server/discover` does not list those either.
            let modern = *form == Era::Modern && spoken.iter().any(|each| each.era() == *form);
            let supported = spoken
                .iter()
                .filter(|each| !modern || each.era() == *form)
                .map(|each| each.as_str().into())
                .collect();
            Error {
                data: Some(Json::object([
                    ("supported", Json::Array(supported)),
                    ("requested", requested.as_str().into()),
                ])),
                ..Error::new(
                    json_rpc::UNSUPPORTED_PROTOCOL_VERSION,
                    "Unsupported protocol version",
                )
            }
        }
        AgreementError::Mismatch(header) => Error::new(
            json_rpc::HEADER_MISMATCH,
            format!("Header mismatch: {header} is missing, repeated, or differs from the body"),
        ),
        AgreementError::MissingMeta(member) => Error::new(
            json_rpc::INVALID_PARAMS,
            format!("Invalid params: _meta needs \"{member}\""),
        ),
        AgreementError::Batch => Error::new(
            json_rpc::INVALID_REQUEST,
            "Invalid request: this protocol version has no batches",
        ),
    };
    (400, Some(error.answer(to.id())))
}

fn unknown_method(to: Addressee<'_>) -> (u16, Option<Text>) {
    let status = match to.subject {
        Subject::Request {
            era: Era::Modern, ..
        } => 404,
        _ => 200,
    };
    answer(
        to,
        status,
        &Error::new(json_rpc::METHOD_NOT_FOUND, "Method not found"),
    )
}

/// `hidden` are the words of what does not exist.
fn policy(
    denied: &Denied,
    to: Addressee<'_>,
    hidden: impl Fn(Addressee<'_>) -> (u16, Option<Text>),
) -> (u16, Option<Text>) {
    let answers = to.site.map(|site| site.server.answers).unwrap_or_default();
    let (style, text): (_, Text) = match denied {
        Denied::MissingScopes { scopes, .. } => {
            let error = Error::new(json_rpc::REFUSED, format!("{MISSING_SCOPES}: {scopes}"));
            return answer(to, 403, &error);
        }
        Denied::Unknown { .. } => (answers.unknown, "Not allowed".into()),
        Denied::Argument { rule, expectation } => (
            answers.arguments,
            format!("Denied by rule \"{rule}\": {expectation}").into(),
        ),
        Denied::Rule { rule } => (answers.denied, format!("Denied by rule \"{rule}\"").into()),
    };
    match (style, to.subject) {
        (AnswerStyle::Hidden, _) => hidden(to),
        (
            AnswerStyle::ToolResult,
            Subject::Request {
                id,
                method: "tools/call",
                era,
                ..
            },
        ) => (200, Some(tool_error(id, era, &text))),
        (AnswerStyle::ToolResult | AnswerStyle::JsonRpcError, _) => {
            answer(to, 200, &Error::new(json_rpc::REFUSED, text))
        }
        (AnswerStyle::Http403, _) => answer(to, 403, &Error::new(json_rpc::REFUSED, text)),
    }
}

/// The words of a target that does not exist, whatever the reason is.
fn hidden(to: Addressee<'_>) -> (u16, Option<Text>) {
    let Subject::Request {
        era,
        call: Some(call),
        ..
    } = to.subject
    else {
        return answer(to, 403, &Error::new(json_rpc::REFUSED, "Not allowed"));
    };
    let error = match &call.target {
        Target::Tool(name) => Error::new(json_rpc::INVALID_PARAMS, format!("Unknown tool: {name}")),
        Target::Prompt(name) => {
            Error::new(json_rpc::INVALID_PARAMS, format!("Unknown prompt: {name}"))
        }
        Target::Resource(uri) => resource_not_found(era, Some(uri)),
        Target::Subscriptions(uris) if !uris.is_empty() => resource_not_found(era, None),
        Target::Subscriptions(_) | Target::Method => return unknown_method(to),
    };
    answer(to, 200, &error)
}

/// The words of MCP 2025-11-25 and of the tasks extension for a task that
/// does not exist.
fn unknown_task() -> Error<'static> {
    Error::new(
        json_rpc::INVALID_PARAMS,
        "Failed to retrieve task: Task not found",
    )
}

/// Tasks extension (SEP-2663), "Required Capabilities".
fn undeclared_task() -> Error<'static> {
    Error {
        data: Some(within(
            "requiredCapabilities",
            within(
                "extensions",
                within(TASKS_EXTENSION, Json::object::<&str>([])),
            ),
        )),
        ..Error::new(
            json_rpc::MISSING_CLIENT_CAPABILITY,
            "The client has not declared that it can have tasks",
        )
    }
}

/// An object of one member.
fn within<'a>(name: &'static str, value: Json<'a>) -> Json<'a> {
    Json::object([(name, value)])
}

fn resource_not_found(era: Era, uri: Option<&str>) -> Error<'_> {
    let code = match era {
        Era::Legacy => json_rpc::RESOURCE_NOT_FOUND,
        Era::Modern => json_rpc::INVALID_PARAMS,
    };
    Error {
        data: uri.map(|uri| within("uri", uri.into())),
        ..Error::new(code, "Resource not found")
    }
}
