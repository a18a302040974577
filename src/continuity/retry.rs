//! What a request brings back from an earlier answer (`requestState`,
//! `inputResponses`; MCP 2026-07-28, multi round-trip requests), and whose
//! answer that was.

use core::fmt;

use super::mac::StateKeys;
use super::owner::Owner;
use super::request_state::{Presented, present};
use super::upstream_state;
use crate::json::overwrite::Overwrite;
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
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Retry {
    /// Whether some of it belongs to the upstream.
    pub has_foreign_state: bool,
    /// Whether it follows an answer of the gate's to this same call, not too
    /// long ago.
    pub follows_ours: bool,
    /// The response to the gate's input request.
    pub consent: Option<ConsentAction>,
    state: StateUse,
    cut_responses: Cut,
}

#[derive(Clone, Default, PartialEq, Eq)]
enum StateUse {
    /// There is none, or it is none of the gate's business.
    #[default]
    Untouched,
    /// It is the gate's.
    Cut,
    /// The upstream's own, as it is written in a JSON string.
    Opened(String),
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

/// Without the state, which is the upstream's.
impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("has_foreign_state", &self.has_foreign_state)
            .field("follows_ours", &self.follows_ours)
            .field("consent", &self.consent)
            .finish_non_exhaustive()
    }
}

/// A state that was not given to this caller for this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgedState;

impl Retry {
    /// Nothing was brought back.
    pub const NONE: Self = Self {
        has_foreign_state: false,
        follows_ours: false,
        consent: None,
        state: StateUse::Untouched,
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
        let presented = match state {
            None => None,
            Some(Json::String(state)) => match present(keys, owner, call, state, now_s) {
                Presented::Forged => return Err(ForgedState),
                // Beside the state of somebody else's answer, the response is
                // to that answer too: to a gate's behind this one, say.
                Presented::Foreign => {
                    let aim = (call.method, call.target_name());
                    let opened = upstream_state::open(keys, owner, aim, state);
                    return Ok(Self {
                        has_foreign_state: true,
                        state: StateUse::Opened(opened.ok_or(ForgedState)?),
                        ..Self::default()
                    });
                }
                presented => Some(presented),
            },
            Some(_) => return Err(ForgedState),
        };
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
            state: match presented {
                Some(_) => StateUse::Cut,
                None => StateUse::Untouched,
            },
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

    /// Makes of the message what the upstream gets: without what is the
    /// gate's, and with its own state.
    ///
    /// # Errors
    /// [`ForgedState`] if this is not the message that was read.
    pub fn rewrite(&self, message: &mut Overwrite<'_>) -> Result<(), ForgedState> {
        const STATE_PATH: [&str; 2] = ["params", STATE];
        match &self.state {
            StateUse::Untouched => Some(()),
            StateUse::Cut => message.blank(&STATE_PATH),
            StateUse::Opened(state) => message
                .string(&STATE_PATH)
                .and_then(|bound| message.write(&bound, state)),
        }
        .ok_or(ForgedState)?;
        match self.cut_responses {
            Cut::Nothing => Some(()),
            Cut::Ours => message.blank(&["params", RESPONSES, CONSENT_KEY]),
            Cut::All => message.blank(&["params", RESPONSES]),
        }
        .ok_or(ForgedState)
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
        let mut overwrite = Overwrite::new(text.as_bytes());
        retry.rewrite(&mut overwrite)?;
        let rewritten = overwrite.finish();
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
    fn what_is_ours_does_not_go_on_and_what_is_the_upstreams_is_opened() {
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
                json!({"requestState": bound("theirs"), "inputResponses": {CONSENT_KEY: accept}}),
                true,
                json!({"requestState": "theirs", "inputResponses": {CONSENT_KEY: accept}}),
            ),
            (
                json!({"requestState": bound(r"th\u0065irs\n"), "inputResponses": {"x": accept}}),
                true,
                json!({"requestState": "theirs\n", "inputResponses": {"x": accept}}),
            ),
            (
                json!({"inputResponses": [1]}),
                true,
                json!({"inputResponses": [1]}),
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

    fn bound(state: &str) -> String {
        upstream_state::bind(&keys(), &ALICE, ("tools/call", "add"), state).unwrap()
    }

    #[test]
    fn a_state_that_was_not_given_for_this_call_is_refused() {
        let sub = upstream_state::bind(&keys(), &ALICE, ("tools/call", "sub"), "theirs").unwrap();
        let rotated = StateKeys::new([("old", &[1; 32][..])]);
        let old = upstream_state::bind(&rotated, &ALICE, ("tools/call", "add"), "theirs").unwrap();
        for state in [
            json!("theirs"),
            json!(""),
            json!(sub),
            json!(old),
            json!(1),
            json!(null),
            json!({"a": bound("theirs")}),
        ] {
            let more = json!({"requestState": state, "inputResponses": {}});
            assert_eq!(
                retried(&keys(), Era::Modern, &more),
                Err(ForgedState),
                "{more}"
            );
        }
    }

    #[test]
    fn printed_it_does_not_say_what_the_state_is() {
        let more = json!({"requestState": bound("theirs")});
        let (retry, _) = retried(&keys(), Era::Modern, &more).unwrap();
        assert!(!format!("{retry:?}").contains("theirs"));
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
