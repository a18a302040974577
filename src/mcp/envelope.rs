//! JSON-RPC 2.0 as MCP uses it: requests, notifications, responses, batches.

use core::fmt;
use std::borrow::Cow;

use crate::json::letters::is_lookalike_of_any;
use crate::json::{self, Json, JsonError, Object};
use crate::names::repeat;

/// The body of a POST.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// One message.
    Single(Message<'a>),
    /// A batch (MCP 2025-03-26 only); not empty.
    Batch(Vec<Message<'a>>),
}

/// One JSON-RPC message of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// What the answer refers to.
        id: RequestId,
        /// The method.
        method: Cow<'a, str>,
        /// Its parameters; empty where the message has none.
        params: Object<'a>,
    },
    /// Wants none.
    Notification {
        /// The method.
        method: Cow<'a, str>,
        /// Its parameters; empty where the message has none.
        params: Object<'a>,
    },
    /// Answers a request of the server.
    Response {
        /// The request of the server.
        id: RequestId,
    },
}

/// A JSON-RPC id: MCP allows strings and integers, and no null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestId {
    /// A string.
    String(String),
    /// An integer.
    Integer(i64),
}

/// Why a body is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Not strict JSON.
    Json(JsonError),
    /// JSON, but no JSON-RPC message; says what is wrong.
    Invalid(&'static str),
    /// More elements in a batch than allowed.
    BatchTooLong,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Invalid(what) => f.write_str(what),
            Self::BatchTooLong => f.write_str("the batch has too many elements"),
        }
    }
}

/// Bounds on a body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// How many arrays and objects may stand inside each other.
    pub depth: usize,
    /// How many messages a batch may have.
    pub batch_elements: usize,
}

/// Parses the body of a POST. Of the arguments of a call, those are read that
/// are asked for; others may be left [`Json::Unread`].
///
/// # Errors
/// [`EnvelopeError`] for anything that two JSON-RPC implementations could
/// read in two ways.
pub fn parse<'a>(
    bytes: &'a [u8],
    limits: BodyLimits,
    asked: &[String],
) -> Result<Body<'a>, EnvelopeError> {
    match json::message(bytes, limits.depth, asked).map_err(EnvelopeError::Json)? {
        Json::Array(elements) if elements.is_empty() => {
            Err(EnvelopeError::Invalid("the batch is empty"))
        }
        Json::Array(elements) if elements.len() > limits.batch_elements => {
            Err(EnvelopeError::BatchTooLong)
        }
        Json::Array(elements) => {
            let messages: Vec<Message<'_>> = elements
                .into_iter()
                .map(message)
                .collect::<Result<_, _>>()?;
            if has_repeated_id(&messages) {
                return Err(EnvelopeError::Invalid(
                    "two requests of the batch have the same \"id\"",
                ));
            }
            Ok(Body::Batch(messages))
        }
        value => message(value).map(Body::Single),
    }
}

/// The members of a message that mean something.
const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

fn message(value: Json<'_>) -> Result<Message<'_>, EnvelopeError> {
    use EnvelopeError::Invalid;
    let Json::Object(members) = value else {
        return Err(Invalid("a message must be an object"));
    };
    let [
        mut version,
        mut id,
        mut method,
        mut params,
        mut result,
        mut error,
    ] = [const { None }; MEMBERS.len()];
    for (name, value) in members {
        let member = match name.as_ref() {
            "jsonrpc" => &mut version,
            "id" => &mut id,
            "method" => &mut method,
            "params" => &mut params,
            "result" => &mut result,
            "error" => &mut error,
            // Go's encoding/json, for one, takes `Method` for `method`, and the
            // last of both wins; what such an upstream would read must not
            // differ from what was authorized.
            name if is_lookalike_of_any(name, &MEMBERS) => {
                return Err(Invalid(
                    "a member name differs from the protocol's only in letter case",
                ));
            }
            _ => continue,
        };
        *member = Some(value);
    }
    if version.as_ref().and_then(Json::as_str) != Some("2.0") {
        return Err(Invalid("\"jsonrpc\" must be \"2.0\""));
    }
    let id = id.map(RequestId::from_json).transpose()?;
    let Some(method) = method else {
        if result.is_some() == error.is_some() {
            return Err(Invalid(
                "a message needs \"method\", or else one of \"result\" and \"error\"",
            ));
        }
        let id = id.ok_or(Invalid("a response needs \"id\""))?;
        return Ok(Message::Response { id });
    };
    if result.is_some() || error.is_some() {
        return Err(Invalid(
            "a message has either \"method\" or one of \"result\" and \"error\"",
        ));
    }
    let Json::String(method) = method else {
        return Err(Invalid("\"method\" must be a string"));
    };
    let params = match params {
        None => Object::default(),
        Some(Json::Object(params)) => params,
        Some(_) => return Err(Invalid("\"params\" must be an object")),
    };
    Ok(match id {
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    })
}

/// Whether the answer to one request of a batch could be taken for that to
/// another. Some implementations take `"1"` for `1`.
fn has_repeated_id(messages: &[Message<'_>]) -> bool {
    let ids: Vec<String> = messages
        .iter()
        .filter_map(Message::id)
        .map(|id| match id {
            RequestId::String(text) => text.clone(),
            RequestId::Integer(number) => number.to_string(),
        })
        .collect();
    repeat(ids.iter().map(String::as_str).collect())
}

// === impl Message ===

impl Message<'_> {
    /// The id that an answer to this message has, if it wants one.
    pub const fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Request { id, .. } => Some(id),
            Self::Notification { .. } | Self::Response { .. } => None,
        }
    }
}

// === impl RequestId ===

impl RequestId {
    fn from_json(value: Json<'_>) -> Result<Self, EnvelopeError> {
        match value {
            Json::String(text) => Ok(Self::String(text.into_owned())),
            Json::Number(number) => {
                number
                    .as_i64()
                    .map(Self::Integer)
                    .ok_or(EnvelopeError::Invalid(
                        "\"id\" must be a string or an integer",
                    ))
            }
            _ => Err(EnvelopeError::Invalid(
                "\"id\" must be a string or an integer",
            )),
        }
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        depth: 8,
        batch_elements: 3,
    };

    fn parsed(text: &str) -> Result<Body<'_>, EnvelopeError> {
        parse(text.as_bytes(), LIMITS, &[])
    }

    #[test]
    fn requests_notifications_and_responses_are_told_apart() {
        assert!(matches!(
            parsed(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#),
            Ok(Body::Single(Message::Request { id: RequestId::String(id), .. })) if id == "a"
        ));
        assert!(matches!(
            parsed(r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}"#),
            Ok(Body::Single(Message::Notification { .. }))
        ));
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1}}"#,
        ] {
            assert_eq!(
                parsed(text),
                Ok(Body::Single(Message::Response {
                    id: RequestId::Integer(7)
                }))
            );
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
            r#""ping""#,
            "[]",
            "[1]",
        ] {
            assert!(
                matches!(parsed(text), Err(EnvelopeError::Invalid(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_batch_says_which_answer_belongs_to_which_request() {
        let ping = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let notification = r#"{"jsonrpc":"2.0","method":"x"}"#;
        for (left, right) in [("1", "1"), ("\"a\"", "\"\\u0061\""), ("1", "\"1\"")] {
            let batch = format!("[{},{}]", ping(left), ping(right));
            assert!(
                matches!(parsed(&batch), Err(EnvelopeError::Invalid(_))),
                "{batch}"
            );
        }
        let batch = format!("[{},{notification},{notification}]", ping("1"));
        assert!(parsed(&batch).is_ok());
    }

    #[test]
    fn a_batch_is_bounded() {
        let ping = r#"{"jsonrpc":"2.0","method":"ping"}"#;
        assert!(
            matches!(parsed(&format!("[{ping},{ping},{ping}]")), Ok(Body::Batch(batch)) if batch.len() == 3)
        );
        assert_eq!(
            parsed(&format!("[{ping},{ping},{ping},{ping}]")),
            Err(EnvelopeError::BatchTooLong)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_body_or_an_error(bytes: Vec<u8>) {
            let _ = parse(&bytes, LIMITS, &[]);
        }
    }
}
