//! The little of DER (X.690) that others want keys and signatures in, which
//! JOSE writes in forms of its own.

/// `SEQUENCE { id-ecPublicKey, secp256r1 }` and the start of the bit string
/// for an uncompressed point (RFC 5480, section 2).
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// The same with `secp384r1`.
const P384: &[u8] = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
/// `SEQUENCE { id-Ed25519 }` and the start of the bit string (RFC 8410,
/// section 4).
const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// `SEQUENCE { rsaEncryption, NULL }` (RFC 3279, section 2.3.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The SubjectPublicKeyInfo (RFC 5280, section 4.1) of an RSA key, from
/// modulus and exponent, most significant byte first.
pub(super) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = element(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    element(SEQUENCE, &[RSA, &element(BIT_STRING, &[&[0], &numbers])])
}

/// That of a point on P-256, uncompressed (SEC 1, section 2.3.3): 65 bytes.
pub(super) fn p256_public_key(point: &[u8]) -> Vec<u8> {
    [P256, point].concat()
}

/// That of a point on P-384, uncompressed: 97 bytes.
pub(super) fn p384_public_key(point: &[u8]) -> Vec<u8> {
    [P384, point].concat()
}

/// That of a point on edwards25519: 32 bytes.
pub(super) fn ed25519_public_key(point: &[u8]) -> Vec<u8> {
    [ED25519, point].concat()
}

/// An ECDSA signature as `ECDSA-Sig-Value` (RFC 3279, section 2.2.3), from the
/// two numbers one behind the other (RFC 7518, section 3.4). `None` if that is
/// not what the bytes are: an odd length, or a number that is zero.
pub(super) fn ecdsa_signature(numbers: &[u8]) -> Option<Vec<u8>> {
    let half = numbers.len().checked_div(2)?;
    let (r, s) = numbers.split_at_checked(half)?;
    let is_number = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0);
    (r.len() == s.len() && is_number(r) && is_number(s))
        .then(|| element(SEQUENCE, &[&integer(r), &integer(s)]))
}

/// The bytes of a number, without the zeros in front.
pub(super) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A number that is not negative, in as few bytes as hold it: a zero byte in
/// front only where the first bit would be taken for a sign.
fn integer(number: &[u8]) -> Vec<u8> {
    let number = significant(number);
    match number.first() {
        Some(first) if *first < 0x80 => element(INTEGER, &[number]),
        _ => element(INTEGER, &[&[0], number]),
    }
}

/// Tag, length and contents. Nothing here is as long as three bytes of length
/// can say.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length = contents
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let [.., high, low] = length.to_be_bytes();
    let mut bytes = Vec::with_capacity(length.saturating_add(4));
    match length {
        0..0x80 => bytes.extend([tag, low]),
        0x80..0x100 => bytes.extend([tag, 0x81, low]),
        _ => bytes.extend([tag, 0x82, high, low]),
    }
    for part in contents {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::{
        ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256KeyPair, ES384KeyPair,
        Ed25519KeyPair, RS256PublicKey,
    };
    use proptest::prelude::*;

    use super::*;

    /// The numbers of an `ECDSA-Sig-Value`, read as strictly as DER is.
    fn numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
        fn element(tag: u8, bytes: &[u8]) -> (&[u8], &[u8]) {
            assert_eq!(bytes[0], tag);
            assert!(bytes[1] < 0x80);
            bytes[2..].split_at(bytes[1].into())
        }
        fn number(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
            let (number, rest) = element(INTEGER, bytes);
            assert!(number[0] < 0x80, "it is not negative");
            assert!(number.len() == 1 || number[0] != 0 || number[1] >= 0x80);
            (significant(number).to_vec(), rest)
        }
        let (inside, rest) = element(SEQUENCE, der);
        assert!(rest.is_empty());
        let (r, rest) = number(inside);
        let (s, rest) = number(rest);
        assert!(rest.is_empty());
        (r, s)
    }

    #[test]
    fn keys_are_written_as_jwt_simple_writes_them() {
        let modulus = |first: u8, bytes: usize| {
            let mut modulus = vec![0xc5; bytes];
            modulus[0] = first;
            modulus
        };
        for modulus in [
            modulus(0x80, 256),
            modulus(0x01, 257),
            modulus(0xff, 384),
            modulus(0x7f, 512),
            modulus(0xff, 512),
            [vec![0], modulus(0xff, 512)].concat(),
        ] {
            let key = RS256PublicKey::from_components(&modulus, &[1, 0, 1]).unwrap();
            let der = rsa_public_key(&modulus, &[0, 1, 0, 1]);
            assert_eq!(der, key.to_der().unwrap());
        }
        let key = ES256KeyPair::generate().public_key();
        let point = key.public_key().to_bytes_uncompressed();
        assert_eq!(p256_public_key(&point), key.to_der().unwrap());
        let key = ES384KeyPair::generate().public_key();
        let point = key.public_key().to_bytes_uncompressed();
        assert_eq!(p384_public_key(&point), key.to_der().unwrap());
        let key = Ed25519KeyPair::generate().public_key();
        assert_eq!(ed25519_public_key(&key.to_bytes()), key.to_der());
    }

    #[test]
    fn what_is_not_two_numbers_of_one_length_has_no_der() {
        for numbers in [&[][..], &[1], &[1, 2, 3], &[0, 1], &[1, 0], &[0; 64]] {
            assert_eq!(ecdsa_signature(numbers), None, "{numbers:?}");
        }
    }

    proptest! {
        #[test]
        fn a_signature_in_der_has_the_same_two_numbers_in_as_few_bytes_as_hold_them(
            r_zeros in 0_usize..48,
            s_zeros in 0_usize..48,
            bytes in prop::collection::vec(any::<u8>(), 96),
        ) {
            let (mut r, mut s) = (bytes[..48].to_vec(), bytes[48..].to_vec());
            r[..r_zeros].fill(0);
            s[..s_zeros].fill(0);
            let der = ecdsa_signature(&[&r[..], &s].concat());
            let is_zero = |number: &[u8]| number.iter().all(|byte| *byte == 0);
            if is_zero(&r) || is_zero(&s) {
                prop_assert_eq!(der, None);
            } else {
                let expected = (significant(&r).to_vec(), significant(&s).to_vec());
                prop_assert_eq!(numbers(&der.unwrap()), expected);
            }
        }
    }
}
