//! What a request brings back from an earlier answer (`requestState`,
//! `inputResponses`; MCP 2026-07-28, multi round-trip requests), and whose
//! answer that was.

use super::blank::blank;
use super::mac::StateKeys;
use super::owner::Owner;
use super::request_state::{Presented, present};
use crate::json::{Json, Object};
use crate::mcp::{Call, Era};

/// The key of the gate's own input request, and so of the response to it.
pub const CONSENT_KEY: &str = "mcp-auth.consent";

const STATE: &str = "requestState";
const RESPONSES: &str = "inputResponses";

/// What the user did with the gate's input request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentAction {
    /// Agreed to open the URL, which does not mean that anything was finished
    /// there.
    Accept,
    /// Said no.
    Decline,
    /// Did not decide.
    Cancel,
}

/// What a request brings back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    /// Whether some of it belongs to the upstream.
    pub has_foreign_state: bool,
    /// Whether it follows an answer of the gate's to this same call, not too
    /// long ago.
    pub follows_ours: bool,
    /// The response to the gate's input request.
    pub consent: Option<ConsentAction>,
    cut_state: bool,
    cut_responses: Cut,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cut {
    #[default]
    Nothing,
    /// The response to the gate's request, but not those to others.
    Ours,
    /// There are no others.
    All,
}

/// A state that claims to be the gate's and is not this caller's for this
/// call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgedState;

impl Retry {
    /// Nothing was brought back.
    pub const NONE: Self = Self {
        has_foreign_state: false,
        follows_ours: false,
        consent: None,
        cut_state: false,
        cut_responses: Cut::Nothing,
    };

    /// Reads it from a call's parameters. Without keys, and in the legacy
    /// era, the gate gives out no state, and nothing is its own.
    ///
    /// # Errors
    /// [`ForgedState`].
    pub fn read(
        keys: &StateKeys,
        owner: &Owner<'_>,
        era: Era,
        call: &Call<'_>,
        params: &Object,
        now_s: u64,
    ) -> Result<Self, ForgedState> {
        let (state, responses) = (params.get(STATE), params.get(RESPONSES));
        if state.is_none() && responses.is_none() {
            return Ok(Self::NONE);
        }
        if keys.is_empty() || era == Era::Legacy {
            return Ok(Self {
                has_foreign_state: state.is_some() || responses.is_some(),
                ..Self::default()
            });
        }
        let presented = state.map(|state| match state {
            Json::String(state) => present(keys, owner, call, state, now_s),
            _ => Presented::Foreign,
        });
        if presented == Some(Presented::Forged) {
            return Err(ForgedState);
        }
        // Beside the state of somebody else's answer, the response is to that
        // answer too: to a gate's behind this one, say.
        if presented == Some(Presented::Foreign) {
            return Ok(Self {
                has_foreign_state: true,
                ..Self::default()
            });
        }
        let ours = responses.and_then(|responses| responses.as_object()?.get(CONSENT_KEY));
        let others = responses.is_some_and(|responses| {
            responses
                .as_object()
                .is_none_or(|responses| responses.iter().any(|(key, _)| key != CONSENT_KEY))
        });
        Ok(Self {
            has_foreign_state: others,
            follows_ours: presented == Some(Presented::Valid),
            consent: ours.and_then(ConsentAction::of),
            cut_state: matches!(presented, Some(Presented::Valid | Presented::Expired)),
            cut_responses: match (ours, others) {
                (None, _) => Cut::Nothing,
                (Some(_), true) => Cut::Ours,
                (Some(_), false) => Cut::All,
            },
        })
    }

    /// Whether the gate may ask for input by itself: its own state would take
    /// the place of the upstream's, and who has said no is not asked again.
    pub const fn may_be_asked(&self) -> bool {
        let has_declined = matches!(
            self.consent,
            Some(ConsentAction::Decline | ConsentAction::Cancel)
        );
        !self.has_foreign_state && !has_declined
    }

    /// The message for the upstream, of the same length, without what is the
    /// gate's; `None` if it can go on as it is.
    ///
    /// # Errors
    /// [`ForgedState`] if this is not the message that was read.
    pub fn rewritten(&self, message: &[u8]) -> Result<Option<Vec<u8>>, ForgedState> {
        let paths: [&[&str]; 2] = [
            if self.cut_state {
                &["params", STATE]
            } else {
                &[]
            },
            match self.cut_responses {
                Cut::Nothing => &[],
                Cut::Ours => &["params", RESPONSES, CONSENT_KEY],
                Cut::All => &["params", RESPONSES],
            },
        ];
        let mut rewritten = None;
        for path in paths.into_iter().filter(|path| !path.is_empty()) {
            let message = rewritten.get_or_insert_with(|| message.to_vec());
            blank(message, path).ok_or(ForgedState)?;
        }
        Ok(rewritten)
    }
}

impl ConsentAction {
    /// From an `ElicitResult`.
    fn of(response: &Json) -> Option<Self> {
        match response.as_object()?.get("action")?.as_str()? {
            "accept" => Some(Self::Accept),
            "decline" => Some(Self::Decline),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::owner::ALICE;
    use super::super::request_state::{CallDigest, STATE_SECONDS, issue};
    use super::*;
    use crate::json::parse;

    const NOW: u64 = 1_800_000_000;

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    /// A call with more parameters, as it is read, and as it goes on.
    fn retried(keys: &StateKeys, era: Era, more: &Value) -> Result<(Retry, Value), ForgedState> {
        let mut params = json!({"name": "add", "arguments": {"requestState": "mine"}});
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let text = message.to_string();
        let parsed = parse(params.to_string().as_bytes(), 16).unwrap();
        let parsed = parsed.as_object().unwrap();
        let call = Call::of("tools/call", parsed).unwrap();
        let retry = Retry::read(keys, &ALICE, era, &call, parsed, NOW)?;
        let rewritten = retry.rewritten(text.as_bytes())?;
        let forwarded = match &rewritten {
            Some(rewritten) => {
                assert_eq!(rewritten.len(), text.len());
                serde_json::from_slice(rewritten).unwrap()
            }
            None => message,
        };
        Ok((retry, forwarded["params"].clone()))
    }

    fn state(issued_at: u64) -> String {
        let params = parse(br#"{"name":"add","arguments":{"requestState":"mine"}}"#, 16).unwrap();
        let call = Call::of("tools/call", params.as_object().unwrap()).unwrap();
        issue(&keys(), &ALICE, &CallDigest::of(&call), issued_at).unwrap()
    }

    #[test]
    fn what_is_ours_does_not_go_on_and_what_is_not_goes_on_untouched() {
        let plain = json!({"name": "add", "arguments": {"requestState": "mine"}});
        let accept = json!({"action": "accept"});
        for (more, foreign, left) in [
            (json!({}), false, json!({})),
            (json!({"requestState": state(NOW)}), false, json!({})),
            (
                json!({"requestState": state(NOW), "inputResponses": {CONSENT_KEY: accept}}),
                false,
                json!({}),
            ),
            (
                json!({"requestState": state(NOW), "inputResponses": {"x": 1, CONSENT_KEY: accept, "y": 2}}),
                true,
                json!({"inputResponses": {"x": 1, "y": 2}}),
            ),
            (
                json!({"requestState": "theirs", "inputResponses": {CONSENT_KEY: accept}}),
                true,
                json!({"requestState": "theirs", "inputResponses": {CONSENT_KEY: accept}}),
            ),
            (
                json!({"requestState": "theirs", "inputResponses": {"x": accept}}),
                true,
                json!({"requestState": "theirs", "inputResponses": {"x": accept}}),
            ),
            (
                json!({"requestState": 1, "inputResponses": [1]}),
                true,
                json!({"requestState": 1, "inputResponses": [1]}),
            ),
        ] {
            let (retry, forwarded) = retried(&keys(), Era::Modern, &more).unwrap();
            let mut expected = plain.clone();
            for (name, value) in left.as_object().unwrap() {
                expected[name] = value.clone();
            }
            assert_eq!(forwarded, expected, "{more}");
            assert_eq!(retry.has_foreign_state, foreign, "{more}");
        }
    }

    #[test]
    fn a_retry_says_what_the_user_did() {
        for (action, expected) in [
            ("accept", Some(ConsentAction::Accept)),
            ("decline", Some(ConsentAction::Decline)),
            ("cancel", Some(ConsentAction::Cancel)),
            ("other", None),
        ] {
            let more = json!({"requestState": state(NOW), "inputResponses": {CONSENT_KEY: {"action": action}}});
            let (retry, _) = retried(&keys(), Era::Modern, &more).unwrap();
            assert!(retry.follows_ours);
            assert_eq!(retry.consent, expected);
        }
    }

    #[test]
    fn an_old_state_makes_a_new_call_and_a_forged_one_none() {
        let old = json!({"requestState": state(NOW - STATE_SECONDS)});
        let (retry, forwarded) = retried(&keys(), Era::Modern, &old).unwrap();
        assert!(!retry.follows_ours && !retry.has_foreign_state);
        assert_eq!(forwarded.get("requestState"), None);
        let mut forged = state(NOW);
        forged.replace_range(forged.len() - 8.., "AAAAAAAA");
        let forged = json!({"requestState": forged});
        assert_eq!(retried(&keys(), Era::Modern, &forged), Err(ForgedState));
    }

    #[test]
    fn without_keys_and_in_the_legacy_era_nothing_is_ours() {
        let more = json!({"requestState": state(NOW), "inputResponses": {CONSENT_KEY: {}}});
        for (keys, era) in [(StateKeys::default(), Era::Modern), (keys(), Era::Legacy)] {
            let (retry, forwarded) = retried(&keys, era, &more).unwrap();
            assert!(retry.has_foreign_state);
            assert_eq!(forwarded["requestState"], more["requestState"]);
            assert_eq!(forwarded["inputResponses"], more["inputResponses"]);
        }
    }
}
