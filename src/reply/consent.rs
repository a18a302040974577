//! How a client is told that its user has to connect an account first.

use sha2::{Digest as _, Sha256};

use super::asker::Asker;
use super::json_rpc::{self, Error, result, tool_error};
use crate::continuity::CONSENT_KEY;
use crate::credential::{ConsentAnswer, ConsentNeeded};
use crate::json::Json;
use crate::mcp::Era;
use crate::mcp::elicitation::UrlElicitation;
use crate::mcp::envelope::RequestId;
use crate::text::Text;

/// A missing consent, and the form of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingConsent {
    /// What is missing, and where it can be given.
    pub needed: ConsentNeeded,
    /// How the client is told.
    pub form: ConsentForm,
}

/// The form of the answer to a missing consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsentForm {
    /// Error -32042 (MCP 2025-11-25, "URL Elicitation Required Error").
    ElicitationError,
    /// A result that asks for input (MCP 2026-07-28, multi round-trip
    /// requests), with the state that comes back with the next request.
    InputRequired {
        /// `requestState`: authenticated, since it passes through the client.
        request_state: String,
    },
    /// A tool result with `isError` whose text has the link.
    ToolResult,
    /// HTTP 403 with a JSON-RPC error whose `data` says what is missing.
    Http403,
    /// HTTP 401 with a challenge.
    Challenge,
}

impl ConsentForm {
    /// The form that is wanted, if this client can take it for this request;
    /// otherwise the next best. `request_state` makes the state for a modern
    /// elicitation, where there are keys to do so.
    pub fn choose(
        wanted: ConsentAnswer,
        needed: &ConsentNeeded,
        asker: &Asker,
        request_state: impl FnOnce() -> Option<String>,
    ) -> Self {
        let Asker::Request {
            method, elicits, ..
        } = asker
        else {
            return match wanted {
                ConsentAnswer::Challenge => Self::Challenge,
                _ => Self::Http403,
            };
        };
        let tool_result_or_403 = || match method.as_ref() {
            "tools/call" => Self::ToolResult,
            _ => Self::Http403,
        };
        match (wanted, elicits) {
            (ConsentAnswer::Challenge, _) => Self::Challenge,
            (ConsentAnswer::Http403, _) => Self::Http403,
            (ConsentAnswer::ToolResult, _) => tool_result_or_403(),
            (ConsentAnswer::Auto | ConsentAnswer::Elicit, _) if needed.url.is_none() => {
                tool_result_or_403()
            }
            (ConsentAnswer::Auto | ConsentAnswer::Elicit, None) => tool_result_or_403(),
            (ConsentAnswer::Auto | ConsentAnswer::Elicit, Some(UrlElicitation::Error)) => {
                Self::ElicitationError
            }
            (ConsentAnswer::Auto | ConsentAnswer::Elicit, Some(UrlElicitation::InputRequired)) => {
                request_state().map_or_else(tool_result_or_403, |request_state| {
                    Self::InputRequired { request_state }
                })
            }
        }
    }
}

/// Status and body of the answer; `server` is the name that the user knows.
/// A form that does not fit what is answered becomes the one that always does.
pub(super) fn answer(
    consent: &MissingConsent,
    server: &str,
    id: Option<&RequestId>,
    era: Era,
) -> (u16, Text) {
    let MissingConsent { needed, form } = consent;
    match (form, id, needed.url.as_deref()) {
        (ConsentForm::ElicitationError, Some(id), Some(url)) => (
            200,
            Error {
                data: Some(Json::object([(
                    "elicitations",
                    Json::Array(vec![Json::object([
                        ("mode", "url".into()),
                        ("elicitationId", elicitation_id(needed, url).into()),
                        ("url", url.into()),
                        ("message", request(server).into()),
                    ])]),
                )])),
                ..Error::new(json_rpc::URL_ELICITATION_REQUIRED, request(server))
            }
            .answer(Some(id)),
        ),
        (ConsentForm::InputRequired { request_state }, Some(id), Some(url)) => {
            let asked = Json::object([
                ("method", "elicitation/create".into()),
                (
                    "params",
                    Json::object([
                        ("mode", "url".into()),
                        ("url", url.into()),
                        ("message", request(server).into()),
                    ]),
                ),
            ]);
            let input = Json::object([
                ("resultType", "input_required".into()),
                ("inputRequests", Json::object([(CONSENT_KEY, asked)])),
                ("requestState", request_state.as_str().into()),
            ]);
            (200, result(id, &input))
        }
        (ConsentForm::ToolResult, Some(id), url) => {
            (200, tool_error(id, era, &instruction(server, url)))
        }
        (ConsentForm::Challenge, id, url) => {
            let error = Error {
                data: Some(detail(needed)),
                ..Error::new(json_rpc::UNAUTHORIZED, instruction(server, url))
            };
            (401, error.answer(id))
        }
        (_, id, url) => {
            let error = Error {
                data: Some(detail(needed)),
                ..Error::new(json_rpc::REFUSED, instruction(server, url))
            };
            (403, error.answer(id))
        }
    }
}

fn request(server: &str) -> String {
    format!("Connect your account to use {server}.")
}

/// For the model or the developer, who pass it on to the user.
fn instruction(server: &str, url: Option<&str>) -> String {
    match url {
        Some(url) => format!(
            "Authorization needed: {server} is used with your own account, which is not \
             connected yet. Open this link in a browser to connect it, then repeat the \
             request: {url}"
        ),
        None => format!(
            "Authorization needed: {server} is used with a credential of your own, and there \
             is none yet. Ask an administrator to set it up, then repeat the request."
        ),
    }
}

/// `code`, `authType`, and `authorizeUrl` or `appUuid`, as clients of the
/// token service's own API know them.
fn detail<'a>(needed: &'a ConsentNeeded) -> Json<'a> {
    let members = [
        ("code", Some("authentication_required")),
        ("authType", Some(needed.auth_type.as_str())),
        ("authorizeUrl", needed.url.as_deref()),
        ("appUuid", needed.app_uuid.as_deref()),
    ];
    let told = |(name, text): (&'static str, Option<&'a str>)| Some((name, text?.into()));
    Json::object(members.into_iter().filter_map(told))
}

/// The service's own, or one that is the same for the same URL: clients tell
/// elicitations apart by it.
fn elicitation_id(needed: &ConsentNeeded, url: &str) -> String {
    needed.elicitation_id.clone().unwrap_or_else(|| {
        Sha256::digest(url.as_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    })
}
