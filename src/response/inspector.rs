//! The messages of one response: each is told what it is, and what becomes of
//! it.

use super::expected::{AskedKind, AskedRequest, Expected};
use super::handles::Binder;
use super::lists::filter;
use super::plain::PlainAnswer;
use super::splice::Splice;
use super::withheld::Withheld;
use super::{Inspect, Ruling, asks};
use crate::continuity::{Owner, StateKeys};
use crate::json::letters::same_letters;
use crate::json::raw::{self, RawObject};
use crate::mcp::Era;
use crate::mcp::envelope::RequestId;
use crate::oauth::Identity;
use crate::policy::Entry;
use crate::reply;
use crate::site::Site;

/// MCP 2026-07-28, Subscriptions.
const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Whose response it is.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The server.
    pub site: &'a Site,
    /// The caller.
    pub identity: &'a Identity,
    /// What handles are bound with.
    pub keys: &'a StateKeys,
}

/// What was changed in a response so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries of lists that the caller could not use.
    pub hidden: u32,
    /// Messages that were kept back or replaced.
    pub withheld: u32,
    /// Why the first of them was.
    pub first: Option<Withheld>,
}

impl Tally {
    /// One more message was kept back or replaced.
    pub fn count(&mut self, why: Withheld) {
        self.withheld = self.withheld.saturating_add(1);
        self.first.get_or_insert(why);
    }
}

/// Looks at the messages of one response.
#[derive(Debug)]
pub struct Inspector<'a> {
    /// Whose response it is.
    pub ground: Ground<'a>,
    /// What was asked for.
    pub expected: &'a Expected,
    /// Whether the upstream may know requests besides these by their ids, and
    /// mistake one for the other.
    pub in_session: bool,
    /// Whether other messages may come besides the answers: on an event
    /// stream.
    pub is_stream: bool,
    /// What has been changed.
    pub tally: &'a mut Tally,
}

/// A message that was taken apart.
struct Message<'a> {
    members: RawObject<'a>,
    /// Those of its result, if that is an object that can be taken apart.
    of_result: Option<RawObject<'a>>,
}

/// A message that goes on, perhaps changed, or does not.
type Judged = Result<Ruling, Refused>;

/// A message that does not go on.
struct Refused {
    why: Withheld,
    /// What the client gets instead.
    instead: Instead,
}

enum Instead {
    /// An error, as the answer to this request where it is known.
    Error(Option<RequestId>),
    /// Nothing: the client has not asked for it.
    Nothing,
}

impl Inspect for Inspector<'_> {
    fn may_flow(&self) -> bool {
        !self.expects_list() && !self.expects_tasks()
    }

    fn passes(&self, text: &[u8]) -> bool {
        // Lists are long, and read to be filtered.
        if self.expects_list() {
            return false;
        }
        PlainAnswer::of(text).is_some_and(|answer| {
            let asked = answer.id.and_then(|id| self.answered_by(id));
            !matches!(
                asked.map(|request| &request.kind),
                Some(AskedKind::List(_) | AskedKind::Task(_) | AskedKind::Tasks)
            )
        })
    }

    fn message(&mut self, text: &[u8]) -> Option<Ruling> {
        match text.trim_ascii_start().first() {
            Some(b'[') => self.batch(text),
            _ => Some(self.settle(text, Message::read(text)?)),
        }
    }

    fn unread(&mut self, why: Withheld) -> Ruling {
        // What was too large to be read, or was cut off, was most likely the
        // one answer; what could not be understood may be anything.
        let id = match why {
            Withheld::NotUnderstood => self.only_answer(),
            _ => self.only_request(),
        };
        self.refuse(Refused {
            why,
            instead: Instead::Error(id),
        })
    }
}

impl<'a> Inspector<'a> {
    fn batch(&mut self, text: &[u8]) -> Option<Ruling> {
        // No server sends more than this, and each could become an error.
        const ELEMENTS: usize = 1000;
        let elements = match raw::array(text) {
            Ok(elements)
                if elements.len() <= ELEMENTS
                    && elements.iter().all(|element| element.starts_with('{')) =>
            {
                elements
            }
            _ => return None,
        };
        let rulings: Vec<Ruling> = elements
            .iter()
            .map(|element| match Message::read(element.as_bytes()) {
                Some(message) => self.settle(element.as_bytes(), message),
                None => self.unread(Withheld::NotUnderstood),
            })
            .collect();
        if rulings.iter().all(|ruling| *ruling == Ruling::Pass) {
            return Some(Ruling::Pass);
        }
        let kept: Vec<&[u8]> = elements
            .iter()
            .zip(&rulings)
            .filter_map(|(element, ruling)| match ruling {
                Ruling::Pass => Some(element.as_bytes()),
                Ruling::Instead(text) => Some(text.as_slice()),
                Ruling::Drop => None,
            })
            .collect();
        if kept.is_empty() {
            return Some(Ruling::Drop);
        }
        let kept = [b"[", kept.join(&b","[..]).as_slice(), b"]"].concat();
        Some(Ruling::Instead(kept))
    }

    fn settle(&mut self, text: &[u8], message: Message<'_>) -> Ruling {
        match self.judge(text, message) {
            Ok(ruling) => ruling,
            Err(refused) => self.refuse(refused),
        }
    }

    fn refuse(&mut self, refused: Refused) -> Ruling {
        self.tally.count(refused.why);
        match refused.instead {
            Instead::Error(id) => {
                Ruling::Instead(reply::withheld(refused.why, id.as_ref()).into_bytes())
            }
            Instead::Nothing => Ruling::Drop,
        }
    }

    /// One message, which has to be strict JSON-RPC: what a client would read
    /// in anything else is not certain.
    fn judge(&mut self, text: &[u8], message: Message<'_>) -> Judged {
        let not_understood = |id: Option<RequestId>| Refused {
            why: Withheld::NotUnderstood,
            instead: Instead::Error(id),
        };
        let Message {
            members: message,
            of_result,
        } = message;
        let id = message.get("id").and_then(request_id);
        if has_lookalike(&message) {
            return Err(not_understood(id.or_else(|| self.only_answer())));
        }
        // Some libraries write the one that is not there as null.
        let error = present(message.get("error"));
        let result = match error {
            Some(_) => present(message.get("result")),
            None => message.get("result"),
        };
        match (message.get("method"), result, error) {
            (Some(method), None, None) => {
                let method = raw::string(method).ok_or_else(|| not_understood(None))?;
                let params = present(message.get("params"));
                if message.get("id").is_some() {
                    self.request(text, &method, params)
                } else {
                    self.notification(text, &method, params)
                }
                .map_err(|why| Refused {
                    why,
                    instead: Instead::Nothing,
                })
            }
            (None, Some(result), None) => self
                .result(text, id.as_ref(), result, of_result)
                .map_err(|why| Refused {
                    why,
                    instead: Instead::Error(id.or_else(|| self.only_answer())),
                }),
            (None, None, Some(error)) => {
                self.error(error)
                    .map(|()| Ruling::Pass)
                    .map_err(|why| Refused {
                        why,
                        instead: Instead::Error(id.or_else(|| self.only_answer())),
                    })
            }
            // JSON, but no JSON-RPC: the text of an HTTP error, say.
            (None, None, None) => Ok(Ruling::Pass),
            _ => Err(not_understood(id.or_else(|| self.only_answer()))),
        }
    }

    /// Something that the server asks of the client.
    fn request(&self, text: &[u8], method: &str, params: Option<&str>) -> Result<Ruling, Withheld> {
        asks::judge(&self.ground.site.server.client_features, method, params)?;
        let Some(params) = params else {
            return Ok(Ruling::Pass);
        };
        let params = object(params)?;
        let mut splice = Splice::new(text);
        self.binder()
            .params(method, &params, self.request_of_stream(), &mut splice)?;
        applied(splice)
    }

    fn notification(
        &mut self,
        text: &[u8],
        method: &str,
        params: Option<&str>,
    ) -> Result<Ruling, Withheld> {
        let Some(params) = params else {
            return Ok(Ruling::Pass);
        };
        let params = object(params)?;
        refuse_lookalikes(&params, &["_meta", "inputRequests", "taskId", "uri"])?;
        self.check_subscription(method, &params)?;
        if let Some(requests) = present(params.get("inputRequests")) {
            asks::judge_input_requests(&self.ground.site.server.client_features, requests)?;
        }
        let mut splice = Splice::new(text);
        let hidden = filter(
            &params,
            None,
            self.ground.identity,
            self.ground.site,
            &mut splice,
        )?;
        self.binder()
            .params(method, &params, self.request_of_stream(), &mut splice)?;
        self.tally.hidden = self.tally.hidden.saturating_add(hidden);
        applied(splice)
    }

    /// Nothing of somebody else's subscription, and nothing about a resource
    /// that the caller may not read.
    fn check_subscription(&self, method: &str, params: &RawObject<'_>) -> Result<(), Withheld> {
        if let Some(meta) = present(params.get("_meta"))
            && let Some(subscription) = object(meta)?.get(META_SUBSCRIPTION)
        {
            let own = self.request_of_stream().filter(|request| {
                matches!(request.kind, AskedKind::Listen(_))
                    && request_id(subscription).as_ref() == Some(&request.id)
            });
            if own.is_none() {
                return Err(Withheld::Subscription);
            }
        }
        if method == "notifications/resources/updated" {
            let uri = params.get("uri").and_then(raw::string);
            let uri = uri.ok_or(Withheld::NotUnderstood)?;
            let policy = &self.ground.site.server.policy;
            if !policy.shows(self.ground.identity, Entry::Resource(&uri), false) {
                return Err(Withheld::Subscription);
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        text: &[u8],
        id: Option<&RequestId>,
        result: &str,
        members: Option<RawObject<'_>>,
    ) -> Result<Ruling, Withheld> {
        let asked = id.and_then(|id| self.expected.request(id));
        let kind = asked.map(|request| &request.kind);
        let Some(members) = members else {
            // No result of MCP, so no list of MCP either.
            let is_list = self.expects_list() || result.starts_with('{');
            return if is_list {
                Err(Withheld::NotUnderstood)
            } else {
                Ok(Ruling::Pass)
            };
        };
        refuse_lookalikes(&members, &READ_IN_RESULTS)?;
        let features = &self.ground.site.server.client_features;
        if let Some(requests) = present(members.get("inputRequests")) {
            asks::judge_input_requests(features, requests)?;
        }
        // The error of a task that has failed.
        if let (Some(AskedKind::Task(_)), Some(error)) = (kind, members.get("error")) {
            self.error(error)?;
        }
        let mut splice = Splice::new(text);
        let list = match kind {
            Some(AskedKind::List(list)) => Some(Some(*list)),
            // Whose answer it is, is not known, or no list belongs there: what
            // looks like a list is one.
            Some(AskedKind::Other) | None => Some(None),
            // Of two requests with one id, an upstream may send the answer to
            // the one on the stream of the other.
            Some(AskedKind::Call(_)) if self.is_odd(asked, &members) => Some(None),
            Some(_) => None,
        };
        let mut hidden = 0;
        if let Some(list) = list {
            let Ground { site, identity, .. } = self.ground;
            hidden = filter(&members, list, identity, site, &mut splice)?;
        }
        self.binder().result(&members, asked, &mut splice)?;
        self.tally.hidden = self.tally.hidden.saturating_add(hidden);
        applied(splice)
    }

    /// Whether the answer to a call of a session has nothing that answers to
    /// calls have.
    fn is_odd(&self, asked: Option<&AskedRequest>, result: &RawObject<'_>) -> bool {
        const ANSWERS: [&str; 7] = [
            "content",
            "structuredContent",
            "toolResult",
            "messages",
            "contents",
            "completion",
            "task",
        ];
        let is_legacy = asked.is_some_and(|request| request.era == Era::Legacy);
        self.in_session && is_legacy && ANSWERS.iter().all(|name| result.get(name).is_none())
    }

    fn error(&self, error: &str) -> Result<(), Withheld> {
        // Not JSON-RPC's: OAuth's errors, for one, are strings.
        if !error.starts_with('{') {
            return Ok(());
        }
        let error = object(error)?;
        asks::judge_error(&self.ground.site.server.client_features, &error)
    }

    /// The request that a message answers, whose `id` is written so.
    fn answered_by(&self, id: &str) -> Option<&'a AskedRequest> {
        let Expected::Answers(requests) = self.expected else {
            return None;
        };
        let is_so = |request: &&AskedRequest| match &request.id {
            RequestId::Integer(own) => id.parse() == Ok(*own),
            RequestId::String(own) => raw::string(id).is_some_and(|id| id == *own),
        };
        requests.iter().find(is_so)
    }

    fn binder(&self) -> Binder<'a> {
        let Ground {
            site,
            identity,
            keys,
        } = self.ground;
        Binder {
            owner: Owner::of(identity, site),
            keys,
        }
    }

    fn expects_list(&self) -> bool {
        self.expects(|kind| matches!(kind, AskedKind::List(_)))
    }

    /// Whether an answer names tasks: one in `_meta`, behind a long result, too.
    fn expects_tasks(&self) -> bool {
        self.expects(|kind| matches!(kind, AskedKind::Task(_) | AskedKind::Tasks))
    }

    fn expects(&self, wanted: impl Fn(&AskedKind) -> bool) -> bool {
        match self.expected {
            Expected::Answers(requests) => requests.iter().any(|request| wanted(&request.kind)),
            Expected::Anything => false,
        }
    }

    /// The request on whose stream this is, if it is one alone.
    fn request_of_stream(&self) -> Option<&'a AskedRequest> {
        match self.expected {
            Expected::Answers(requests) => match requests.as_slice() {
                [request] => Some(request),
                _ => None,
            },
            Expected::Anything => None,
        }
    }

    fn only_request(&self) -> Option<RequestId> {
        self.request_of_stream().map(|request| request.id.clone())
    }

    /// The request that a message answers which does not say so: where
    /// nothing else may come, or where the answer would be a list, which must
    /// not be waited for in vain.
    fn only_answer(&self) -> Option<RequestId> {
        if self.is_stream && !self.expects_list() {
            return None;
        }
        self.only_request()
    }
}

/// What is looked for in a result, besides lists.
pub(super) const READ_IN_RESULTS: [&str; 6] = [
    "_meta",
    "inputRequests",
    "requestState",
    "resultType",
    "task",
    "taskId",
];

impl<'a> Message<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (members, of_result) = raw::object_with(text, "result").ok()?;
        Some(Self { members, of_result })
    }
}

fn present(member: Option<&str>) -> Option<&str> {
    member.filter(|value| *value != "null")
}

/// A part of a message that was taken apart.
fn object(text: &str) -> Result<RawObject<'_>, Withheld> {
    raw::object_within(text).map_err(|_| Withheld::NotUnderstood)
}

fn applied(splice: Splice<'_>) -> Result<Ruling, Withheld> {
    if splice.is_empty() {
        return Ok(Ruling::Pass);
    }
    let text = splice.apply().ok_or(Withheld::NotUnderstood)?;
    Ok(Ruling::Instead(text))
}

/// Whether a member is spelled like one of JSON-RPC's but for letter case: a
/// client that does not mind would read it.
fn has_lookalike(message: &RawObject<'_>) -> bool {
    const NAMES: [&str; 5] = ["id", "method", "params", "result", "error"];
    refuse_lookalikes(message, &NAMES).is_err()
}

fn refuse_lookalikes(members: &RawObject<'_>, names: &[&str]) -> Result<(), Withheld> {
    let is_lookalike = |member: &str| {
        names
            .iter()
            .any(|name| *name != member && same_letters(name, member))
    };
    if members.iter().any(|(member, _)| is_lookalike(member)) {
        return Err(Withheld::NotUnderstood);
    }
    Ok(())
}

/// An id as MCP allows it; nothing else refers to a request.
fn request_id(text: &str) -> Option<RequestId> {
    if text.starts_with('"') {
        let id = raw::string(text)?;
        return Some(RequestId::String(id.into_owned()));
    }
    text.parse().ok().map(RequestId::Integer)
}
