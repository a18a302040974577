//! Session ids of the legacy era (MCP 2025-11-25, Streamable HTTP, "Session
//! Management"), bound to whoever opened the session.
//!
//! A bound id is base64url of: version, flags, length of the key's id, the
//! key's id, the upstream's id, tag. The MAC is over version, flags, the
//! upstream's id and the owner.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{Purpose, StateKeys, TAG_BYTES};
use super::owner::Owner;

const VERSION: u8 = 1;
const ELICITATION_BY_URL: u8 = 1;

/// The longest id of an upstream's that is bound.
const UPSTREAM_ID_BYTES: usize = 1024;
/// The longest bound id that is looked at; none of ours is longer.
const BOUND_ID_CHARACTERS: usize = 1752;

/// What a client said once, when it opened the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFlags {
    /// Whether it declared elicitation by URL.
    pub elicitation_by_url: bool,
}

/// A session of the caller's.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The id that the upstream knows.
    pub upstream_id: String,
    /// The id that the client knows.
    pub bound_id: String,
    /// What the client said when it opened the session.
    pub flags: SessionFlags,
}

/// Who holds an id may not be told: ids are secrets.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// The id for the client. `None` without a key, or if the upstream's id is
/// none (MCP allows visible ASCII) or too long.
pub fn bind(
    keys: &StateKeys,
    owner: &Owner<'_>,
    upstream_id: &str,
    flags: SessionFlags,
) -> Option<String> {
    if !is_session_id(upstream_id) {
        return None;
    }
    let head = [VERSION, flags.to_byte()];
    let (key_id, tag) = keys.sign(Purpose::Session, &fields(&head, upstream_id, owner))?;
    let mut bytes = head.to_vec();
    bytes.push(u8::try_from(key_id.len()).ok()?);
    bytes.extend(key_id.bytes());
    bytes.extend(upstream_id.bytes());
    bytes.extend(tag);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The session of an id that a client presents; `None` if it was not given to
/// this owner, or by nobody here at all.
pub fn open(keys: &StateKeys, owner: &Owner<'_>, bound_id: &str) -> Option<Session> {
    if bound_id.len() > BOUND_ID_CHARACTERS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(bound_id).ok()?;
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let (key_id_length, rest) = rest.split_first()?;
    let (key_id, rest) = rest.split_at_checked(usize::from(*key_id_length))?;
    let (upstream_id, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    let upstream_id = core::str::from_utf8(upstream_id).ok()?;
    let [VERSION, flags] = *head else {
        return None;
    };
    let fields = fields(head, upstream_id, owner);
    if !keys.verify(key_id, Purpose::Session, &fields, tag) {
        return None;
    }
    Some(Session {
        upstream_id: upstream_id.to_owned(),
        bound_id: bound_id.to_owned(),
        flags: SessionFlags::from_byte(flags)?,
    })
}

fn fields<'a>(head: &'a [u8; 2], upstream_id: &'a str, owner: &Owner<'a>) -> Vec<&'a [u8]> {
    let mut fields: Vec<&[u8]> = vec![head, upstream_id.as_bytes()];
    fields.extend(owner.fields());
    fields
}

fn is_session_id(id: &str) -> bool {
    (1..=UPSTREAM_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| matches!(byte, 0x21..=0x7e))
}

impl SessionFlags {
    const fn to_byte(self) -> u8 {
        if self.elicitation_by_url {
            ELICITATION_BY_URL
        } else {
            0
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self {
                elicitation_by_url: false,
            }),
            ELICITATION_BY_URL => Some(Self {
                elicitation_by_url: true,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::owner::{ALICE, others};
    use super::*;

    const URL: SessionFlags = SessionFlags {
        elicitation_by_url: true,
    };

    fn keys() -> StateKeys {
        StateKeys::new([("2026-11", &[7; 32][..])])
    }

    #[test]
    fn a_session_opens_for_its_owner_only() {
        for flags in [SessionFlags::default(), URL] {
            let bound = bind(&keys(), &ALICE, "session-1", flags).unwrap();
            assert!(bound.bytes().all(|byte| matches!(byte, 0x21..=0x7e)));
            let session = open(&keys(), &ALICE, &bound).unwrap();
            assert_eq!(session.upstream_id, "session-1");
            assert_eq!(session.bound_id, bound);
            assert_eq!(session.flags, flags);
            for other in others() {
                assert_eq!(open(&keys(), &other, &bound), None, "{other:?}");
            }
        }
    }

    #[test]
    fn no_changed_character_is_let_pass() {
        let bound = bind(&keys(), &ALICE, "session-1", URL).unwrap();
        for index in 0..bound.len() {
            for replacement in ["A", "B", "-", "=", ""] {
                let mut changed = bound.clone();
                changed.replace_range(index..=index, replacement);
                assert!(
                    changed == bound || open(&keys(), &ALICE, &changed).is_none(),
                    "{changed}"
                );
            }
        }
        for other in ["", "session-1", &format!("{bound}A"), &"A".repeat(9000)] {
            assert_eq!(open(&keys(), &ALICE, other), None, "{other}");
        }
    }

    #[test]
    fn only_an_id_that_mcp_allows_is_bound() {
        for id in ["", "a b", "é", "a\r\nx: y", &"a".repeat(1025)] {
            assert_eq!(bind(&keys(), &ALICE, id, URL), None, "{id:?}");
        }
        assert_eq!(bind(&StateKeys::default(), &ALICE, "a", URL), None);
        let long_key = "k".repeat(256);
        let keys = StateKeys::new([(long_key.as_str(), &[7; 32][..])]);
        assert_eq!(bind(&keys, &ALICE, "a", URL), None);
    }

    #[test]
    fn the_longest_id_with_the_longest_key_id_still_opens() {
        let key_id = "k".repeat(255);
        let keys = StateKeys::new([(key_id.as_str(), &[7; 32][..])]);
        let bound = bind(&keys, &ALICE, &"a".repeat(UPSTREAM_ID_BYTES), URL).unwrap();
        assert_eq!(bound.len(), BOUND_ID_CHARACTERS);
        assert!(open(&keys, &ALICE, &bound).is_some());
    }

    proptest::proptest! {
        #[test]
        fn what_is_bound_opens_again(id in "[!-~]{1,200}", url: bool) {
            let flags = SessionFlags { elicitation_by_url: url };
            let bound = bind(&keys(), &ALICE, &id, flags).unwrap();
            let session = open(&keys(), &ALICE, &bound).unwrap();
            proptest::prop_assert_eq!((session.upstream_id, session.flags), (id, flags));
        }

        #[test]
        fn what_nobody_here_has_made_does_not_open(text: String) {
            proptest::prop_assert_eq!(open(&keys(), &ALICE, &text), None);
        }
    }
}
