//! Message authentication with keys that can be rotated.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Length of a tag, in bytes (HMAC-SHA256, RFC 2104).
pub const TAG_BYTES: usize = 32;

/// The gate's state keys: the first one signs, all of them verify.
#[derive(Clone, Default)]
pub struct StateKeys(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: String,
    keyed: Hmac<Sha256>,
}

/// What a tag is for. A tag for one purpose is none for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Session,
    RequestState,
    UpstreamState,
    Task,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Session => b"mcp-auth session 1",
            Self::RequestState => b"mcp-auth request state 1",
            Self::UpstreamState => b"mcp-auth upstream state 1",
            Self::Task => b"mcp-auth task 1",
        }
    }
}

impl StateKeys {
    /// From ids and secrets, the one that signs first. An id that is longer
    /// than 255 bytes signs nothing.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(
            keys.into_iter()
                .filter_map(|(id, secret)| {
                    Some(Key {
                        id: id.to_owned(),
                        // HMAC takes secrets of any length.
                        keyed: Hmac::new_from_slice(secret).ok()?,
                    })
                })
                .collect(),
        )
    }

    /// Whether there is no key: then nothing is bound to anybody.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Id and tag of the key that signs.
    pub(super) fn sign(
        &self,
        purpose: Purpose,
        fields: &[&[u8]],
    ) -> Option<(&str, [u8; TAG_BYTES])> {
        let key = self.0.first()?;
        Some((
            &key.id,
            key.over(purpose, fields).finalize().into_bytes().into(),
        ))
    }

    /// Whether there is a key of that id.
    pub(super) fn knows(&self, key_id: &[u8]) -> bool {
        self.0.iter().any(|key| key.id.as_bytes() == key_id)
    }

    /// Whether a tag was made with the key of that id; in constant time for a
    /// known key.
    pub(super) fn verify(
        &self,
        key_id: &[u8],
        purpose: Purpose,
        fields: &[&[u8]],
        tag: &[u8],
    ) -> bool {
        self.0
            .iter()
            .filter(|key| key.id.as_bytes() == key_id)
            .any(|key| key.over(purpose, fields).verify_slice(tag).is_ok())
    }
}

/// Never shows a key.
impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

impl Key {
    /// Each field with its length before it, so that no two lists of fields
    /// have the same bytes.
    fn over(&self, purpose: Purpose, fields: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for field in [purpose.label()].iter().chain(fields) {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: (&str, &[u8]) = ("old", &[1; 32]);
    const NEW: (&str, &[u8]) = ("new", &[2; 32]);

    #[test]
    fn the_first_key_signs_and_all_verify_until_they_are_removed() {
        let (id, tag) = StateKeys::new([OLD])
            .sign(Purpose::Session, &[b"a"])
            .map(|(id, tag)| (id.to_owned(), tag))
            .unwrap();
        assert_eq!(id, "old");
        let rotated = StateKeys::new([NEW, OLD]);
        assert_eq!(rotated.sign(Purpose::Session, &[b"a"]).unwrap().0, "new");
        assert!(rotated.verify(b"old", Purpose::Session, &[b"a"], &tag));
        assert!(!rotated.verify(b"new", Purpose::Session, &[b"a"], &tag));
        let removed = StateKeys::new([NEW]);
        assert!(!removed.verify(b"old", Purpose::Session, &[b"a"], &tag));
        assert!(StateKeys::default().sign(Purpose::Session, &[]).is_none());
    }

    #[test]
    fn a_tag_holds_for_its_purpose_and_its_very_fields() {
        let keys = StateKeys::new([OLD]);
        let (_, tag) = keys.sign(Purpose::Session, &[b"ab", b"c"]).unwrap();
        assert!(keys.verify(b"old", Purpose::Session, &[b"ab", b"c"], &tag));
        assert!(!keys.verify(b"old", Purpose::Session, &[b"a", b"bc"], &tag));
        assert!(!keys.verify(b"old", Purpose::Session, &[b"ab", b"c", b""], &tag));
        assert!(!keys.verify(b"old", Purpose::RequestState, &[b"ab", b"c"], &tag));
        for length in 0..TAG_BYTES {
            assert!(!keys.verify(b"old", Purpose::Session, &[b"ab", b"c"], &tag[..length]));
        }
    }

    #[test]
    fn debug_shows_ids_only() {
        assert_eq!(
            format!("{:?}", StateKeys::new([OLD, NEW])),
            r#"["old", "new"]"#
        );
    }
}
