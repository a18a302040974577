//! The messages of Envoy's foreign function `verify_signature`, in protobuf
//! (Envoy, `source/extensions/common/wasm/ext/verify_signature.proto`).

/// The name of the function.
pub const NAME: &str = "verify_signature";

/// Field numbers of `VerifySignatureArguments`, all of them of the wire type
/// that has a length in front.
mod arguments {
    pub(super) const HASH_FUNCTION: u8 = 1;
    pub(super) const PUBLIC_KEY: u8 = 2;
    pub(super) const SIGNATURE: u8 = 3;
    pub(super) const TEXT: u8 = 4;
}

/// The field `result` of `VerifySignatureResult`, a boolean.
const RESULT: u64 = 1;

/// Wire types (Protocol Buffers, "Encoding").
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// What the function is asked: whether the text was signed with this key, a
/// SubjectPublicKeyInfo in DER. An ECDSA signature is in DER too.
pub fn question(hash: &str, public_key: &[u8], signature: &[u8], text: &[u8]) -> Vec<u8> {
    let fields = [
        (arguments::HASH_FUNCTION, hash.as_bytes()),
        (arguments::PUBLIC_KEY, public_key),
        (arguments::SIGNATURE, signature),
        (arguments::TEXT, text),
    ];
    /// A byte for field and wire type, and at most five for a length that
    /// fits into the memory of a module.
    const PREFIX: usize = 6;
    let size = fields.iter().fold(0_usize, |sum, (_, value)| {
        sum.saturating_add(PREFIX).saturating_add(value.len())
    });
    let mut message = Vec::with_capacity(size);
    for (field, value) in fields {
        message.push(field << 3 | LENGTH_DELIMITED as u8);
        push_varint(&mut message, value.len());
        message.extend_from_slice(value);
    }
    message
}

/// What the function says of the signature; `None` if the message is none of
/// its answers. Other fields are passed over. Without `result` it is false, as
/// protobuf has it.
pub fn answer(mut message: &[u8]) -> Option<bool> {
    let mut result = false;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (RESULT, VARINT) => result = varint(&mut message)? != 0,
            // It is the answer, or the message is something else.
            (RESULT, _) => return None,
            (_, VARINT) => drop(varint(&mut message)?),
            (_, FIXED_64) => message = message.get(8..)?,
            (_, LENGTH_DELIMITED) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, FIXED_32) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(result)
}

fn push_varint(message: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Takes a varint off the front: at most ten bytes, and no bit over 64.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << shift;
        if shifted >> shift != bits {
            return None;
        }
        value |= shifted;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fields of a message in which all have a length.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut fields = Vec::new();
        while !message.is_empty() {
            let tag = varint(&mut message).unwrap();
            assert_eq!(tag & 7, LENGTH_DELIMITED);
            let length = varint(&mut message).unwrap();
            let (value, rest) = message.split_at(usize::try_from(length).unwrap());
            fields.push((tag >> 3, value.to_vec()));
            message = rest;
        }
        fields
    }

    #[test]
    fn answers_of_envoy_are_read() {
        assert_eq!(answer(b"\x08\x01"), Some(true));
        assert_eq!(answer(b""), Some(false));
        assert_eq!(answer(b"\x12\x05wrong"), Some(false));
        assert_eq!(answer(b"\x08\x00\x12\x00"), Some(false));
    }

    #[test]
    fn fields_of_another_version_are_passed_over() {
        for more in [
            &b"\x18\x07"[..],
            b"\x22\x03abc",
            b"\x29\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\x35\x01\x02\x03\x04",
            b"\x80\x80\x01\x7f",
        ] {
            assert_eq!(answer(&[more, b"\x08\x01"].concat()), Some(true));
            assert_eq!(answer(&[b"\x08\x01", more].concat()), Some(true));
            assert_eq!(answer(more), Some(false));
        }
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        for message in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x08\x81\x82",
            b"\x0a\x01\x01",
            b"\x0d\x01\x00\x00\x00",
            b"\x00\x01",
            b"\x12\x05four",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x13\x14",
            b"\x16",
            b"\x29\x01",
            b"\x35\x01",
            b"\x08\x01\x08",
        ] {
            assert_eq!(answer(message), None, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn a_question_holds_the_four_fields_in_one_allocation(
            hash in "[a-z0-9]{0,8}",
            public_key: Vec<u8>,
            signature: Vec<u8>,
            text in prop::collection::vec(any::<u8>(), 0..20_000),
        ) {
            let message = question(&hash, &public_key, &signature, &text);
            prop_assert!(message.capacity().abs_diff(message.len()) <= 20);
            let expected = vec![
                (1, hash.into_bytes()),
                (2, public_key),
                (3, signature),
                (4, text),
            ];
            prop_assert_eq!(fields(&message), expected);
        }

        #[test]
        fn any_bytes_are_an_answer_or_none_without_a_panic(bytes: Vec<u8>) {
            let _ = answer(&bytes);
        }

        #[test]
        fn only_a_result_that_is_there_is_true(bytes: Vec<u8>) {
            if answer(&bytes) == Some(true) {
                prop_assert!(bytes.contains(&0x08) || bytes.contains(&0x88));
            }
        }
    }
}
