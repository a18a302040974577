//! What is known of a request when it is answered after its message is gone.

use std::borrow::Cow;

use super::Subject;
use crate::continuity::{CallDigest, Owner, StateKeys, request_state};
use crate::mcp::elicitation::{UrlElicitation, url_elicitation};
use crate::mcp::envelope::{Message, RequestId};
use crate::mcp::revision::known;
use crate::mcp::{Call, Era, Revision};

/// Who gets an answer of the gate's own, as far as answers differ by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asker {
    /// A notification, a response, a batch, a GET or a DELETE: no one request
    /// that a JSON-RPC answer could refer to.
    #[default]
    Unanswerable,
    /// A request.
    Request {
        /// Its id.
        id: RequestId,
        /// Its method.
        method: Cow<'static, str>,
        /// The era of its revision.
        era: Era,
        /// How it can be answered with a URL to open, if at all.
        elicits: Option<UrlElicitation>,
        /// The call, as a request state knows it; where it can be answered
        /// with one.
        call: Option<CallDigest>,
    },
}

impl Asker {
    /// The sender of this message, where there is nothing to ask of it.
    pub fn of(message: &Message<'_>, revision: Revision) -> Self {
        match message {
            Message::Request { id, method, .. } => Self::Request {
                id: id.clone(),
                method: known(method)
                    .map_or_else(|| Cow::Owned(method.as_ref().to_owned()), Cow::Borrowed),
                era: revision.era(),
                elicits: None,
                call: None,
            },
            Message::Notification { .. } | Message::Response { .. } => Self::Unanswerable,
        }
    }

    /// The sender of this message, who may be asked for consent.
    /// `declared_in_session` says whether it declared elicitation by URL when
    /// it opened its session. Costs a digest of the call's arguments.
    pub fn who_may_be_asked(
        message: &Message<'_>,
        call: &Call<'_>,
        revision: Revision,
        declared_in_session: bool,
    ) -> Self {
        let mut asker = Self::of(message, revision);
        if let Self::Request {
            elicits,
            call: digest,
            ..
        } = &mut asker
            && let Message::Request { method, params, .. } = message
        {
            *elicits = url_elicitation(method, params, revision, declared_in_session);
            *digest =
                (*elicits == Some(UrlElicitation::InputRequired)).then(|| CallDigest::of(call));
        }
        asker
    }

    /// The state for an answer that asks for input; `None` without a key, or
    /// where no such answer can be given.
    pub fn request_state(&self, keys: &StateKeys, owner: &Owner<'_>, now_s: u64) -> Option<String> {
        match self {
            Self::Request {
                call: Some(call), ..
            } => request_state(keys, owner, call, now_s),
            Self::Request { call: None, .. } | Self::Unanswerable => None,
        }
    }

    /// The same, as a refusal wants it.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Unanswerable => Subject::Unanswerable,
            Self::Request {
                id, method, era, ..
            } => Subject::Request {
                id,
                method,
                era: *era,
                call: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn asked(method: &str, revision: Revision, declared: bool) -> (Asker, Asker) {
        let params = parse(
            br#"{"name":"add","uri":"x:y","_meta":{"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}}"#,
            16,
        )
        .unwrap();
        let params = params.as_object().unwrap().clone();
        let message = Message::Request {
            id: RequestId::String("1".to_owned()),
            method: method.into(),
            params: params.clone(),
        };
        let call = Call::of(method, &params).unwrap();
        (
            Asker::of(&message, revision),
            Asker::who_may_be_asked(&message, &call, revision, declared),
        )
    }

    fn has_digest(asker: &Asker) -> bool {
        matches!(asker, Asker::Request { call: Some(_), .. })
    }

    #[test]
    fn a_call_has_a_digest_only_where_an_answer_may_need_one() {
        for (method, revision, expected) in [
            ("tools/call", Revision::V2026_07_28, true),
            ("resources/read", Revision::V2026_07_28, true),
            ("tools/list", Revision::V2026_07_28, false),
            ("tools/call", Revision::V2025_11_25, false),
        ] {
            let (never_asked, asked) = asked(method, revision, true);
            assert!(!has_digest(&never_asked), "{method}");
            assert_eq!(has_digest(&asked), expected, "{method}");
        }
    }
}
