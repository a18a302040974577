//! Contents that a client carries and cannot change: base64url of version,
//! length of the key's id, the key's id, the contents, tag. The MAC is over
//! version, contents, and what they are bound to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{Purpose, StateKeys, TAG_BYTES};

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 255;

/// The longest that contents of so many bytes become.
pub(super) const fn characters(contents: usize) -> usize {
    contents
        .saturating_add(2 + KEY_ID_BYTES + TAG_BYTES)
        .saturating_mul(4)
        .div_ceil(3)
}

/// Contents for a client, as visible ASCII that is longer than they are.
/// `None` without a key.
pub(super) fn seal(
    keys: &StateKeys,
    purpose: Purpose,
    contents: &[u8],
    bound_to: &[&[u8]],
) -> Option<String> {
    let (key_id, tag) = keys.sign(purpose, &fields(contents, bound_to))?;
    let mut bytes = vec![VERSION, u8::try_from(key_id.len()).ok()?];
    bytes.extend(key_id.bytes());
    bytes.extend(contents);
    bytes.extend(tag);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// The contents, if they were sealed here for this purpose, and bound to the
/// same. `longest` is how many bytes of them are looked at.
pub(super) fn unseal(
    keys: &StateKeys,
    purpose: Purpose,
    sealed: &str,
    longest: usize,
    bound_to: &[&[u8]],
) -> Option<Vec<u8>> {
    if sealed.len() > characters(longest) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let [VERSION, key_id_length, rest @ ..] = bytes.as_slice() else {
        return None;
    };
    let (key_id, rest) = rest.split_at_checked(usize::from(*key_id_length))?;
    let (contents, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    keys.verify(key_id, purpose, &fields(contents, bound_to), tag)
        .then(|| contents.to_vec())
}

fn fields<'a>(contents: &'a [u8], bound_to: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut fields: Vec<&[u8]> = vec![&[VERSION], contents];
    fields.extend(bound_to);
    fields
}
