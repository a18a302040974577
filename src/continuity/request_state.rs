//! The gate's own `requestState` (MCP 2026-07-28, multi round-trip requests):
//! the proof that a retry follows an answer of the gate's to this caller's
//! same call.
//!
//! It is a prefix and base64url of: version, expiry (seconds since 1970, eight
//! bytes, big endian), length of the key's id, the key's id, tag. The MAC is
//! over version, expiry, the owner, and what the call asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::mac::{Purpose, StateKeys, TAG_BYTES};
use super::owner::Owner;
use crate::json::{self, Json, Object};
use crate::mcp::{Call, Target};

/// How long a request state holds, in seconds.
pub const STATE_SECONDS: u64 = 900;

const PREFIX: &str = "mcp-auth.state.";
const VERSION: u8 = 1;
/// Version and expiry.
const HEAD_BYTES: usize = 9;
/// The longest that is looked at; none of ours is longer.
const CHARACTERS: usize = PREFIX.len() + (HEAD_BYTES + 1 + 255 + TAG_BYTES).div_ceil(3) * 4;

/// What a `requestState` turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// Not the gate's own, or well-formed and under none of its keys.
    Foreign,
    /// The gate's, for this caller and this call.
    Valid,
    /// As [`Presented::Valid`], but too old.
    Expired,
    /// It begins as a gate's and is none, or it names one of the gate's keys
    /// and was not given to this caller for this call.
    Forged,
}

/// What tells a call from others: SHA-256 over its method, target and
/// arguments. It is the same for every spelling of the same values: a client
/// may write its call anew for the retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallDigest([u8; 32]);

impl CallDigest {
    /// Of this call.
    pub fn of(call: &Call<'_>) -> Self {
        let mut hash = Sha256::new();
        text(&mut hash, b'c', call.method);
        match &call.target {
            Target::Tool(name) => text(&mut hash, b't', name),
            Target::Prompt(name) => text(&mut hash, b'p', name),
            Target::Resource(uri) => text(&mut hash, b'r', uri),
            Target::Subscriptions(uris) => {
                length(&mut hash, b's', uris.len());
                for uri in uris {
                    text(&mut hash, b'r', uri);
                }
            }
            Target::Method => length(&mut hash, b'm', 0),
        }
        for task in &call.tasks {
            text(&mut hash, b'k', task);
        }
        match &call.arguments {
            Some(arguments) => object(&mut hash, arguments),
            None => length(&mut hash, b'{', 0),
        }
        Self(hash.finalize().into())
    }
}

/// The state for an answer to this call; `None` without a key.
pub fn issue(keys: &StateKeys, owner: &Owner<'_>, call: &CallDigest, now_s: u64) -> Option<String> {
    let mut bytes = vec![VERSION];
    bytes.extend(now_s.saturating_add(STATE_SECONDS).to_be_bytes());
    let (key_id, tag) = keys.sign(Purpose::RequestState, &fields(&bytes, owner, call))?;
    bytes.push(u8::try_from(key_id.len()).ok()?);
    bytes.extend(key_id.bytes());
    bytes.extend(tag);
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Looks at a `requestState` that came with this call.
pub fn present(
    keys: &StateKeys,
    owner: &Owner<'_>,
    call: &Call<'_>,
    state: &str,
    now_s: u64,
) -> Presented {
    let Some(encoded) = state.strip_prefix(PREFIX) else {
        return Presented::Foreign;
    };
    let Some(claimed) = Claimed::read(encoded) else {
        return Presented::Forged;
    };
    if !keys.knows(&claimed.key_id) {
        return Presented::Foreign;
    }
    let Claimed { head, key_id, tag } = &claimed;
    let call = CallDigest::of(call);
    if !keys.verify(
        key_id,
        Purpose::RequestState,
        &fields(head, owner, &call),
        tag,
    ) {
        return Presented::Forged;
    }
    match claimed.expiry() {
        Some(expiry) if now_s < expiry => Presented::Valid,
        Some(_) => Presented::Expired,
        None => Presented::Forged,
    }
}

/// What a state says of itself, before anything of it is believed.
struct Claimed {
    head: [u8; HEAD_BYTES],
    key_id: Vec<u8>,
    tag: Vec<u8>,
}

impl Claimed {
    /// `None` if it does not have the form of a gate's.
    fn read(encoded: &str) -> Option<Self> {
        if encoded.len() > CHARACTERS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (key_id_length, rest) = rest.split_first()?;
        let (key_id, tag) = rest.split_at_checked(usize::from(*key_id_length))?;
        (*head.first()? == VERSION).then(|| Self {
            head: *head,
            key_id: key_id.to_vec(),
            tag: tag.to_vec(),
        })
    }

    fn expiry(&self) -> Option<u64> {
        let (_, expiry) = self.head.split_first()?;
        Some(u64::from_be_bytes(expiry.try_into().ok()?))
    }
}

fn fields<'a>(head: &'a [u8], owner: &Owner<'a>, call: &'a CallDigest) -> Vec<&'a [u8]> {
    let mut fields: Vec<&[u8]> = vec![head];
    fields.extend(owner.fields());
    fields.push(&call.0);
    fields
}

fn value(hash: &mut Sha256, json: &Json) {
    match json {
        Json::Null => length(hash, b'n', 0),
        Json::Bool(value) => length(hash, b'b', usize::from(*value)),
        Json::Number(number) => match (json::integer(number), number.as_f64()) {
            (Some(integer), _) => text(hash, b'i', &integer.to_string()),
            // Not as text: the code that writes floats would be here for this alone.
            (None, float) => {
                hash.update([b'f']);
                hash.update(float.unwrap_or(f64::NAN).to_be_bytes());
            }
        },
        Json::String(string) => text(hash, b'"', string),
        Json::Array(elements) => {
            length(hash, b'[', elements.len());
            for element in elements {
                value(hash, element);
            }
        }
        Json::Object(members) => object(hash, members),
        // It was strict JSON when it was left unread.
        Json::Unread(written) => match json::borrowed(written.as_bytes(), usize::MAX) {
            Ok(json) => value(hash, &json),
            Err(_) => text(hash, b'u', written),
        },
    }
}

/// The order of members has no meaning.
fn object(hash: &mut Sha256, members: &Object) {
    let mut sorted: Vec<(&str, &Json)> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    length(hash, b'{', sorted.len());
    for (name, member) in sorted {
        text(hash, b'"', name);
        value(hash, member);
    }
}

fn text(hash: &mut Sha256, kind: u8, text: &str) {
    length(hash, kind, text.len());
    hash.update(text.as_bytes());
}

fn length(hash: &mut Sha256, kind: u8, length: usize) {
    hash.update([kind]);
    hash.update((length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::owner::{ALICE, others};
    use super::*;
    use crate::json::parse;

    const NOW: u64 = 1_800_000_000;

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    fn with_call<T>(method: &str, params: &str, then: impl FnOnce(&Call<'_>) -> T) -> T {
        let params = parse(params.as_bytes(), 16).unwrap();
        then(&Call::of(method, params.as_object().unwrap()).unwrap())
    }

    const CALL: &str = r#"{"name":"add","arguments":{"a":1,"b":[1.5,{"c":null,"d":"x"}]}}"#;

    fn issued() -> String {
        with_call("tools/call", CALL, |call| {
            issue(&keys(), &ALICE, &CallDigest::of(call), NOW).unwrap()
        })
    }

    #[test]
    fn it_holds_for_a_quarter_of_an_hour() {
        let state = issued();
        with_call("tools/call", CALL, |call| {
            let at = |now| present(&keys(), &ALICE, call, &state, now);
            assert_eq!(at(NOW), Presented::Valid);
            assert_eq!(at(NOW + STATE_SECONDS - 1), Presented::Valid);
            assert_eq!(at(NOW + STATE_SECONDS), Presented::Expired);
        });
    }

    #[test]
    fn it_is_of_no_use_to_anybody_else() {
        let state = issued();
        with_call("tools/call", CALL, |call| {
            for other in others() {
                assert_eq!(
                    present(&keys(), &other, call, &state, NOW),
                    Presented::Forged
                );
            }
        });
    }

    #[test]
    fn it_holds_for_every_spelling_of_the_call_and_for_no_other_call() {
        let state = issued();
        for (method, params, expected) in [
            (
                "tools/call",
                r#"{"arguments":{"b":[15e-1,{"d":"\u0078","c":null}],"a":1.0},"name":"add","_meta":{"x":1}}"#,
                Presented::Valid,
            ),
            (
                "tools/call",
                r#"{"name":"add","arguments":{"a":2,"b":[1.5,{"c":null,"d":"x"}]}}"#,
                Presented::Forged,
            ),
            (
                "tools/call",
                r#"{"name":"add","arguments":{"a":"1","b":[1.5,{"c":null,"d":"x"}]}}"#,
                Presented::Forged,
            ),
            (
                "tools/call",
                r#"{"name":"add","arguments":{"a":1,"b":[1.5,{"c":null,"d":"x"}],"e":0}}"#,
                Presented::Forged,
            ),
            ("tools/call", r#"{"name":"add"}"#, Presented::Forged),
            (
                "tools/call",
                r#"{"name":"sub","arguments":{"a":1,"b":[1.5,{"c":null,"d":"x"}]}}"#,
                Presented::Forged,
            ),
            (
                "prompts/get",
                r#"{"name":"add","arguments":{"a":1,"b":[1.5,{"c":null,"d":"x"}]}}"#,
                Presented::Forged,
            ),
        ] {
            with_call(method, params, |call| {
                assert_eq!(
                    present(&keys(), &ALICE, call, &state, NOW),
                    expected,
                    "{method} {params}"
                );
            });
        }
    }

    #[test]
    fn what_begins_otherwise_is_foreign_and_what_is_changed_never_holds() {
        let state = issued();
        with_call("tools/call", CALL, |call| {
            let of = |text: &str| present(&keys(), &ALICE, call, text, NOW);
            for foreign in ["", "abc", "mcp-auth", "MCP-AUTH.STATE.AA"] {
                assert_eq!(of(foreign), Presented::Foreign, "{foreign}");
            }
            let long = format!("{PREFIX}{}", "A".repeat(9000));
            for malformed in [PREFIX, "mcp-auth.state.AA", &long] {
                assert_eq!(of(malformed), Presented::Forged, "{malformed}");
            }
            let (head, tag) = state.split_at(state.len() - 10);
            let changed = format!("{head}{}", "A".repeat(tag.len()));
            let (cut, _) = state.split_at(state.len() - 1);
            for forged in [head, &changed, cut] {
                assert_eq!(of(forged), Presented::Forged, "{forged}");
            }
            for index in PREFIX.len()..state.len() {
                for replacement in ["A", "B", "_", ""] {
                    let mut changed = state.clone();
                    changed.replace_range(index..=index, replacement);
                    if changed != state {
                        let found = of(&changed);
                        assert!(
                            matches!(found, Presented::Foreign | Presented::Forged),
                            "{changed}"
                        );
                    }
                }
            }
        });
    }

    #[test]
    fn one_gates_state_is_another_gates_state_with_the_same_keys_only() {
        let state = issued();
        with_call("tools/call", CALL, |call| {
            let same = StateKeys::new([("new", &[1; 32][..]), ("2026-11", &[7; 32])]);
            let other = StateKeys::new([("2026-11", &[8; 32][..])]);
            let inner = StateKeys::new([("inner", &[7; 32][..])]);
            assert_eq!(
                present(&inner, &ALICE, call, &state, NOW),
                Presented::Foreign
            );
            assert_eq!(present(&same, &ALICE, call, &state, NOW), Presented::Valid);
            assert_eq!(
                present(&other, &ALICE, call, &state, NOW),
                Presented::Forged
            );
            assert_eq!(
                issue(&StateKeys::default(), &ALICE, &CallDigest::of(call), NOW),
                None
            );
        });
    }

    proptest::proptest! {
        #[test]
        fn what_nobody_here_has_made_never_holds(text: String, prefixed: bool) {
            let text = if prefixed { format!("{PREFIX}{text}") } else { text };
            let found = with_call("tools/call", CALL, |call| present(&keys(), &ALICE, call, &text, NOW));
            proptest::prop_assert!(matches!(found, Presented::Foreign | Presented::Forged));
        }
    }
}
