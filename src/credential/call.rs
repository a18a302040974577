//! From a question to a call, and from its answer to what it says, in either
//! wire profile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::form_urlencoded::byte_serialize;

use super::answer::Answer;
use super::headers::{HeaderProblem, SubjectToken};
use super::known::{AnswerProblem, CredentialFailure};
use super::service::{Profile, TokenService};
use super::store::{Ask, Rejected};
use super::{exchange, resolve};
use crate::callout::{Endpoint, Fetch, FetchAnswer, FetchId};

/// A question that is open.
pub(super) struct Question {
    /// Index of the token service.
    pub(super) service: usize,
    pub(super) server_id: String,
    /// The headers that a credential may consist of.
    listed: Vec<String>,
    /// When the user's token ends, in milliseconds since 1970.
    pub(super) subject_expires_ms: u64,
    /// Whether its call is made for the second time, after somebody else's
    /// refresh.
    pub(super) is_repeated: bool,
    /// Whether its last call was made when a rejection was known.
    pub(super) knows_rejection: bool,
    /// What the credential must not be.
    subject_token: SubjectToken,
    request_id: Option<String>,
    content: Content,
}

enum Content {
    Resolve(Map<String, Value>),
    Exchange(String),
}

impl Question {
    pub(super) fn of(ask: &Ask<'_>, service: &TokenService) -> Self {
        let ask = &Ask {
            request_id: ask.request_id.filter(|id| is_request_id(id)),
            operation: ask
                .operation
                .filter(|(method, _)| is_short(method))
                .map(|(method, name)| (method, name.filter(|name| is_short(name)))),
            ..*ask
        };
        Self {
            service: ask.wanted.source.service,
            server_id: ask.wanted.source.server_id.clone(),
            listed: ask.wanted.source.headers.clone(),
            subject_expires_ms: ask.wanted.identity.expires_at().saturating_mul(1000),
            subject_token: SubjectToken::of(ask.token),
            is_repeated: false,
            knows_rejection: false,
            request_id: ask.request_id.map(str::to_owned),
            content: match service.profile {
                Profile::Resolve { .. } => Content::Resolve(resolve::question(ask)),
                Profile::Exchange { .. } => Content::Exchange(exchange::question(ask)),
            },
        }
    }
}

/// The call that asks it.
pub(super) fn call(
    id: FetchId,
    service: &TokenService,
    question: &Question,
    rejected: Option<&Rejected>,
) -> Fetch {
    let (endpoint, authorization) = match &service.profile {
        Profile::Resolve { endpoint, key } => (endpoint, format!("Bearer {}", key.expose())),
        Profile::Exchange {
            endpoint,
            client_id,
            client_secret,
        } => {
            // RFC 6749, section 2.3.1: form-urlencoded first, then Basic.
            let pair = format!("{}:{}", form(client_id), form(client_secret.expose()));
            (endpoint, format!("Basic {}", STANDARD.encode(pair)))
        }
    };
    let (content_type, body) = match &question.content {
        Content::Resolve(content) => {
            let rejected = rejected.and_then(|known| {
                Some(resolve::Rejected {
                    version: known.credential.version()?,
                    status: known.rejection.status,
                    error: known.rejection.error.as_deref(),
                    scopes: &known.rejection.scopes,
                })
            });
            ("application/json", resolve::body(content, rejected))
        }
        Content::Exchange(content) => (
            "application/x-www-form-urlencoded",
            content.clone().into_bytes(),
        ),
    };
    let mut headers = post(endpoint, content_type, authorization);
    if let Some(id) = &question.request_id {
        headers.push(("x-request-id".to_owned(), id.clone()));
    }
    Fetch {
        id,
        cluster: endpoint.cluster.clone(),
        headers,
        body,
        timeout_ms: service.timeout_ms,
    }
}

/// What its answer says.
pub(super) fn read_answer(
    answer: Option<FetchAnswer<'_>>,
    service: &TokenService,
    question: &Question,
    now_ms: u64,
) -> Answer {
    let answer = match service.profile {
        Profile::Resolve { .. } => resolve::read_answer(answer, &question.listed, now_ms),
        Profile::Exchange { .. } => exchange::read_answer(answer, now_ms),
    };
    match answer {
        Answer::Ready(issued) if issued.headers.hand_on(question.subject_token) => Answer::Failed(
            CredentialFailure::Configuration,
            AnswerProblem::Header(HeaderProblem::SubjectToken),
        ),
        answer => answer,
    }
}

fn post(endpoint: &Endpoint, content_type: &str, authorization: String) -> Vec<(String, String)> {
    [
        (":method", "POST"),
        (":scheme", &endpoint.scheme),
        (":authority", &endpoint.authority),
        (":path", &endpoint.path),
        ("content-type", content_type),
        ("accept", "application/json"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .chain([("authorization".to_owned(), authorization)])
    .collect()
}

/// What any token service takes as the id of a request. The client may choose
/// its own, and others wait for the answer to the same question.
fn is_request_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A URI may be as long as a message, and a question may not.
fn is_short(name: &str) -> bool {
    name.len() <= 1024
}

fn form(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
