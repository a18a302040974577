//! What was decided: one record for each exchange, as an audit line, as
//! filter state and as metrics. Tokens and keys never reach a record;
//! argument values do only where the server's entry names them.

mod audit;
mod hasher;
pub mod metrics;
mod state;

use std::borrow::Cow;
use std::rc::Rc;

pub use audit::audit_line;
pub use hasher::WordHasher;
pub use state::{StateEntries, StateEntry, audit_state, filter_state, identity_state};

use crate::json::Json;
use crate::mcp::revision::known;
use crate::mcp::{Call, Revision, Target};
use crate::oauth::Identity;

/// The decision on one exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The `id` of the server's entry.
    pub server: Option<Rc<str>>,
    /// Who asked, once the token was verified.
    pub identity: Option<Rc<Identity>>,
    /// The `x-request-id` of Envoy.
    pub request_id: Option<String>,
    /// The HTTP method.
    pub http_method: Cow<'static, str>,
    /// The protocol revision, once it is known.
    pub revision: Option<Revision>,
    /// What was asked for: one call, or those of a batch. Empty where the
    /// exchange ended before a message was read.
    pub calls: Vec<CallRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, as a short name of a fixed set.
    pub reason: &'static str,
    /// The HTTP status of the gate's own answer; 0 where the request went on.
    pub status: u16,
    /// From the arrival of the headers to the decision, in milliseconds.
    pub elapsed_ms: u64,
    /// The length of the request body, in bytes.
    pub body_bytes: usize,
    /// What became of the upstream credential, where one was asked for.
    pub credential: Option<CredentialUse>,
    /// What was changed in the response.
    pub response: ResponseChanges,
}

/// What was changed in a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseChanges {
    /// How many entries of lists the caller was not shown.
    pub hidden: u32,
    /// How many messages were kept back, or replaced by an error.
    pub withheld: u32,
    /// Why the first of these was, as a short name of a fixed set.
    pub reason: Option<&'static str>,
}

/// What became of a request's upstream credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialUse {
    /// The worker had it.
    Cached,
    /// The token service was asked.
    Fetched,
    /// The upstream wants none.
    NotNeeded,
    /// The user has to give consent first.
    Consent,
    /// There was none to be had.
    Failed,
    /// The upstream did not take it.
    Rejected,
}

impl CredentialUse {
    /// The name in audit lines and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Fetched => "fetched",
            Self::NotNeeded => "not_needed",
            Self::Consent => "consent",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream gets it.
    Allowed,
    /// The client was refused.
    #[default]
    Denied,
    /// The client was sent to sign in, for more scopes, or to connect an
    /// account.
    Challenged,
    /// Nothing was decided on: a metadata document, a preflight.
    Answered,
    /// The client or the host ended it before a decision.
    Aborted,
}

/// The decision on one call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The method: borrowed if it is one of the protocol's or a pseudo-method,
    /// owned if it is the client's own.
    pub method: Cow<'static, str>,
    /// What kind of target it has: `tool`, `prompt`, `resource`, or empty.
    pub kind: &'static str,
    /// The target; several are separated by spaces.
    pub target: String,
    /// The rule that decided, if one did.
    pub rule: Option<Rc<str>>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Why.
    pub reason: &'static str,
    /// What an audit-only rule or server would have refused, and why.
    pub unenforced: Option<&'static str>,
    /// The values of the arguments that the server's entry names.
    pub arguments: Vec<(String, Json<'static>)>,
}

impl Outcome {
    /// The name in audit lines and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Challenged => "challenged",
            Self::Answered => "answered",
            Self::Aborted => "aborted",
        }
    }
}

impl CallRecord {
    /// What is asked for, before anything is decided; `audited` are the names
    /// of arguments whose values may be recorded.
    pub fn of(call: &Call<'_>, audited: &[String]) -> Self {
        let (kind, target) = match &call.target {
            Target::Tool(name) => ("tool", shortened(name).to_owned()),
            Target::Prompt(name) => ("prompt", shortened(name).to_owned()),
            Target::Resource(uri) => ("resource", shortened(uri).to_owned()),
            Target::Subscriptions(uris) if !uris.is_empty() => {
                ("resource", shortened(&uris.join(" ")).to_owned())
            }
            Target::Subscriptions(_) | Target::Method => ("", String::new()),
        };
        let arguments = match call.arguments.as_deref() {
            Some(arguments) if !audited.is_empty() => arguments
                .iter()
                .filter(|(name, _)| audited.iter().any(|audited| audited == name))
                .map(|(name, value)| (name.to_owned(), audited_value(value)))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            method: method(call.method),
            kind,
            target,
            rule: None,
            allowed: false,
            reason: "",
            unenforced: None,
            arguments,
        }
    }
}

impl CallRecord {
    /// It is about a task of this tool's.
    pub fn name_tool(&mut self, tool: &str) {
        if self.kind.is_empty() {
            self.kind = "tool";
            self.target = shortened(tool).to_owned();
        }
    }
}

/// An argument's value, or that it is too long for a line.
fn audited_value(value: &Json) -> Json<'static> {
    const LONGEST: usize = 1024;
    let length = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if length > LONGEST {
        return Json::String(format!("({length} bytes)").into());
    }
    value.clone().into_owned()
}

fn method(name: &str) -> Cow<'static, str> {
    let pseudo = || [Call::GET, Call::DELETE, Call::RESPONSE].into_iter();
    known(name)
        .or_else(|| pseudo().find(|pseudo| *pseudo == name))
        .map_or_else(|| Cow::Owned(shortened(name).to_owned()), Cow::Borrowed)
}

/// Names come from clients: the record keeps the beginning of long ones.
fn shortened(text: &str) -> &str {
    const CHARACTERS: usize = 256;
    // There are no more characters than bytes.
    if text.len() <= CHARACTERS {
        return text;
    }
    let end = text.char_indices().nth(CHARACTERS);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
