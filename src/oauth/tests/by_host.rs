//! Signatures that the host verifies: the verdict is that of jwt-simple.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1, EcdsaKeyPair,
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};

use super::algorithms::signed_with_each;
use super::support::*;
use crate::oauth::host_signatures::{HostSignatures, Verifiers};
use crate::oauth::issuer::Algorithm;
use crate::oauth::token_error::TokenError;
use crate::oauth::{jws, known_answers, signature};

/// What Envoy does, in the code of ring, which has BoringSSL's for a parent:
/// RSA with the padding of PKCS #1 v1.5, and ECDSA.
struct LikeEnvoy;

impl HostSignatures for LikeEnvoy {
    fn verify(&self, hash: &'static str, info: &[u8], signed: &[u8], text: &[u8]) -> Option<bool> {
        Some(match (hash, info.len()) {
            ("sha256", 91) => is_right(&ECDSA_P256_SHA256_ASN1, &info[26..], signed, text),
            ("sha384", 120) => is_right(&ECDSA_P384_SHA384_ASN1, &info[23..], signed, text),
            ("sha256", 294) => is_right(&RSA_PKCS1_2048_8192_SHA256, &info[24..], signed, text),
            ("sha384", 294) => is_right(&RSA_PKCS1_2048_8192_SHA384, &info[24..], signed, text),
            ("sha512", 294) => is_right(&RSA_PKCS1_2048_8192_SHA512, &info[24..], signed, text),
            _ => false,
        })
    }
}

fn is_right(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    signature: &[u8],
    text: &[u8],
) -> bool {
    let key = UnparsedPublicKey::new(algorithm, key);
    key.verify(text, signature).is_ok()
}

fn gate(set: &str, verifiers: Verifiers) -> Gate {
    let mut gate = Gate::new(inline(set));
    gate.authenticator.set_verifiers(verifiers);
    gate
}

thread_local! {
    // Slow to make, so there is one of each for a test.
    static TRIED: Verifiers = Verifiers::tried(&LikeEnvoy);
    static SIGNED: Vec<(Algorithm, String, String)> = signed_with_each();
}

/// Why the token is refused, `None` if it passes: the same whoever verifies.
fn verdict(set: &str, token: &str) -> Option<TokenError> {
    let here = gate(set, Verifiers::default()).refusal(token);
    let by_host = gate(set, TRIED.with(|tried| *tried)).refusal(token);
    assert_eq!(by_host, here, "{token}");
    here
}

// === what the host is trusted with ===

#[test]
fn the_known_answers_are_right() {
    for answer in &known_answers::ALL {
        let jws::Shape::Jws(parts) = jws::shape(answer.token) else {
            panic!("{:?}", answer.algorithm);
        };
        let parsed = jws::Jws::parse(&parts).unwrap();
        let key = answer.public_key().unwrap();
        let verify = |algorithm| {
            signature::verify_signature(&Verifiers::default(), &key, algorithm, &parsed)
        };
        assert_eq!(verify(answer.algorithm), Ok(()), "{:?}", answer.algorithm);
        assert!(answer.token.starts_with(&encode(format!(
            r#"{{"alg": "{}"}}"#,
            answer.algorithm.as_str()
        ))));
    }
    let algorithms = known_answers::ALL.each_ref().map(|answer| answer.algorithm);
    assert_eq!(algorithms, Algorithm::ALL);
}

#[test]
fn the_host_is_trusted_with_the_algorithms_that_it_knows() {
    let verifiers = Verifiers::tried(&LikeEnvoy);
    assert_eq!(
        verifiers.to_string(),
        "verified by the host: RS256, RS384, RS512, ES256, ES384; \
         by the module: PS256, PS384, PS512, EdDSA"
    );
    assert_eq!(
        Verifiers::default().to_string(),
        "verified by the host: none; by the module: \
         RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    );
}

#[test]
fn a_host_that_is_wrong_is_not_trusted() {
    struct Always(Option<bool>);
    impl HostSignatures for Always {
        fn verify(&self, _: &'static str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
            self.0
        }
    }
    /// Knows no padding from the other, and takes the text for granted
    /// where the curve is P-256.
    struct Lax;
    impl HostSignatures for Lax {
        fn verify(
            &self,
            hash: &'static str,
            key: &[u8],
            signature: &[u8],
            text: &[u8],
        ) -> Option<bool> {
            match (hash, key.len()) {
                ("sha256", 294)
                    if is_right(&RSA_PSS_2048_8192_SHA256, &key[24..], signature, text) =>
                {
                    Some(true)
                }
                ("sha256", 91) => Some(true),
                ("sha384", 294) => None,
                _ => LikeEnvoy.verify(hash, key, signature, text),
            }
        }
    }
    static ALWAYS: [Always; 3] = [Always(None), Always(Some(false)), Always(Some(true))];
    for host in &ALWAYS {
        let verifiers = Verifiers::tried(host);
        for algorithm in Algorithm::ALL {
            assert!(!verifiers.is_by_host(algorithm), "{algorithm:?}");
        }
    }
    let verifiers = Verifiers::tried(&Lax).to_string();
    assert!(verifiers.starts_with("verified by the host: RS512, ES384; "));
}

// === the same verdict ===

#[test]
fn a_good_token_of_each_algorithm_passes() {
    for (_, token, set) in signed_with_each() {
        assert_eq!(verdict(&set, &token), None);
    }
}

#[test]
fn a_changed_token_of_each_algorithm_is_refused() {
    for (algorithm, token, set) in signed_with_each() {
        let parts: Vec<&str> = token.split('.').collect();
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let length = signature.len();
        let mut flipped = signature.clone();
        flipped[length / 2] ^= 1;
        let changed = [
            flipped,
            signature[1..].to_vec(),
            signature[..length - 1].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            Vec::new(),
            vec![0; length],
            vec![0xff; length],
            [&vec![0; length / 2], &signature[length / 2..]].concat(),
            [&signature[..length / 2], &vec![0; length / 2]].concat(),
            [&vec![0xff; length / 2], &signature[length / 2..]].concat(),
            [&signature[..length / 2], &vec![0xff; length / 2]].concat(),
        ];
        for signature in changed {
            let token = format!("{}.{}.{}", parts[0], parts[1], encode(signature));
            let refusal = verdict(&set, &token);
            assert_eq!(refusal, Some(TokenError::BadSignature), "{algorithm:?}");
        }
        let claims = encode(claims_with(&json!({"sub": "mallory"})).to_string());
        let token = format!("{}.{claims}.{}", parts[0], parts[2]);
        assert_eq!(verdict(&set, &token), Some(TokenError::BadSignature));
    }
}

#[test]
fn a_signature_of_one_algorithm_is_none_of_another() {
    let signed = signed_with_each();
    for (named, token, set) in &signed {
        // Without `alg` in its entry, an RSA key is for all of its algorithms.
        let set = set.replace(&format!(r#""alg":"{}","#, named.as_str()), "");
        for (by, other, _) in signed.iter().filter(|(by, ..)| by != named) {
            let (input, _) = token.rsplit_once('.').unwrap();
            let (_, signature) = other.rsplit_once('.').unwrap();
            let mixed = format!("{input}.{signature}");
            let refusal = verdict(&set, &mixed);
            assert_eq!(refusal, Some(TokenError::BadSignature), "{named:?} {by:?}");
        }
    }
}

#[test]
fn a_token_of_another_key_is_refused() {
    for ((_, token, _), (algorithm, _, set)) in signed_with_each().iter().zip(signed_with_each()) {
        // There is one RSA key for all tests.
        if matches!(
            algorithm,
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA
        ) {
            assert_eq!(verdict(&set, token), Some(TokenError::BadSignature));
        }
    }
}

// === P-256, signed by hand ===

/// The order of the group of P-256 (SEC 2, section 2.4.2).
const ORDER: [u8; 32] = *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";

/// A key that signs any text.
struct Signer(EcdsaKeyPair, SystemRandom);

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap();
        Self(key, random)
    }

    fn jwks(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y});
        jwks(&[key.to_string()])
    }

    fn sign(&self, header: &Value, claims: &Value) -> (String, Vec<u8>) {
        let input = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.0.sign(&self.1, input.as_bytes()).unwrap();
        (input, signature.as_ref().to_vec())
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let (input, signature) = self.sign(header, claims);
        format!("{input}.{}", encode(signature))
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "k"})
}

/// `left - right`, of 32 bytes each, which is not negative.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrow = 0_i16;
    let mut bytes: Vec<u8> = left
        .iter()
        .zip(right)
        .rev()
        .map(|(left, right)| {
            let digit = i16::from(*left) - i16::from(*right) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).unwrap()
        })
        .collect();
    bytes.reverse();
    bytes
}

#[test]
fn numbers_of_an_ecdsa_signature_lie_between_zero_and_the_order() {
    let signer = Signer::new();
    let set = signer.jwks();
    let (input, signature) = signer.sign(&header(), &claims());
    let (r, s) = signature.split_at(32);
    let token = |r: &[u8], s: &[u8]| format!("{input}.{}", encode([r, s].concat()));
    // Both solutions for s are signatures, as everywhere but in Bitcoin.
    assert_eq!(verdict(&set, &token(r, s)), None);
    assert_eq!(verdict(&set, &token(r, &difference(&ORDER, s))), None);
    let one = [&[0; 31][..], &[1]].concat();
    for (r, s) in [
        (&ORDER[..], s),
        (r, &ORDER[..]),
        (&ORDER, &ORDER),
        (&[0; 32], s),
        (r, &[0; 32]),
        (&one, &one),
        (r, &one),
        (s, r),
    ] {
        assert_eq!(verdict(&set, &token(r, s)), Some(TokenError::BadSignature));
    }
}

#[test]
fn an_ecdsa_signature_as_der_is_refused() {
    let signer = Signer::new();
    let (input, signature) = signer.sign(&header(), &claims());
    let der = crate::oauth::der::ecdsa_signature(&signature).unwrap();
    let token = format!("{input}.{}", encode(der));
    assert_eq!(
        verdict(&signer.jwks(), &token),
        Some(TokenError::BadSignature)
    );
}

#[test]
fn members_of_odd_types_are_refused_or_passed_as_by_jwt_simple() {
    let signer = Signer::new();
    let set = signer.jwks();
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(-0.5),
        json!("x"),
        json!("%%%"),
        json!(""),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!(["x", null]),
        json!({}),
    ];
    let mut refused = 0;
    let mut passed = 0;
    let mut count = |verdict: Option<TokenError>| match verdict {
        Some(_) => refused += 1,
        None => passed += 1,
    };
    for value in &odd {
        for name in [
            "cty", "kid", "typ", "jku", "jwk", "x5u", "x5t", "x5t#S256", "x5c", "salt", "crit",
            "other",
        ] {
            let mut header = header();
            header[name] = value.clone();
            count(verdict(&set, &signer.token(&header, &claims())));
        }
        for name in [
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "nonce",
            "client_id",
            "scope",
            "other",
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            count(verdict(&set, &signer.token(&header(), &claims)));
        }
    }
    assert!(refused > 100 && passed > 50, "{refused} {passed}");
    // A type of its own, where an issuer's entry names it.
    let mut issuer = inline(&set);
    issuer.token_types = vec!["token".to_owned()];
    let mut gate = Gate::new(issuer);
    gate.authenticator
        .set_verifiers(Verifiers::tried(&LikeEnvoy));
    let odd_jti = claims_with(&json!({"jti": 5}));
    let own_type = json!({"alg": "ES256", "typ": "token", "kid": "k"});
    gate.identity(&signer.token(&own_type, &claims()));
    let refusal = gate.refusal(&signer.token(&own_type, &odd_jti));
    assert_eq!(refusal, Some(TokenError::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_token_with_one_bit_changed_gets_the_same_verdict(
        at: prop::sample::Index,
        bit in 0_u8..6,
        which: prop::sample::Index,
    ) {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (token, set) = SIGNED.with(|signed| {
            let (_, token, set) = which.get(signed);
            (token.clone(), set.clone())
        });
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        let Some(letter) = LETTERS.iter().position(|letter| *letter == bytes[at]) else {
            return Ok(());
        };
        bytes[at] = LETTERS[letter ^ (1 << bit)];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(verdict(&set, &changed).is_some());
    }
}

// === who is asked ===

#[test]
fn the_host_is_asked_once_and_not_about_a_token_that_jwt_simple_may_not_read() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    struct Counting;
    impl HostSignatures for Counting {
        fn verify(&self, hash: &'static str, key: &[u8], s: &[u8], text: &[u8]) -> Option<bool> {
            ASKED.fetch_add(1, Relaxed);
            LikeEnvoy.verify(hash, key, s, text)
        }
    }
    let signer = Signer::new();
    let mut gate = gate(&signer.jwks(), Verifiers::tried(&Counting));
    let mut asked_about = |header: &Value, claims: &Value| {
        let before = ASKED.load(Relaxed);
        gate.ask(&signer.token(header, claims));
        ASKED.load(Relaxed) - before
    };
    assert_eq!(asked_about(&header(), &claims()), 1);
    let many = claims_with(&json!({"aud": [RESOURCE, "other"], "nonce": "n", "nbf": 1.5}));
    assert_eq!(asked_about(&header(), &many), 1);
    let mut with_certificates = header();
    with_certificates["x5c"] = json!(["AA"]);
    with_certificates["x5t#S256"] = json!("AA");
    assert_eq!(asked_about(&with_certificates, &claims()), 1);

    let odd = claims_with(&json!({"nonce": 1}));
    assert_eq!(asked_about(&header(), &odd), 0);
    let mut odd = header();
    odd["jwk"] = json!({"kty": "oct"});
    assert_eq!(asked_about(&odd, &claims()), 0);
}

#[test]
fn where_the_host_cannot_say_jwt_simple_decides() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    struct Breaking;
    impl HostSignatures for Breaking {
        fn verify(&self, hash: &'static str, key: &[u8], s: &[u8], text: &[u8]) -> Option<bool> {
            if BROKEN.load(Relaxed) {
                return None;
            }
            LikeEnvoy.verify(hash, key, s, text)
        }
    }
    let signer = Signer::new();
    let mut gate = gate(&signer.jwks(), Verifiers::tried(&Breaking));
    BROKEN.store(true, Relaxed);
    gate.identity(&signer.token(&header(), &claims()));
    let (input, mut signature) = signer.sign(&header(), &claims());
    signature[40] ^= 1;
    let refusal = gate.refusal(&format!("{input}.{}", encode(signature)));
    assert_eq!(refusal, Some(TokenError::BadSignature));
}

#[test]
fn what_the_host_has_verified_is_remembered_and_what_it_refused_is_not() {
    let signer = Signer::new();
    let mut gate = gate(&signer.jwks(), Verifiers::tried(&LikeEnvoy));
    let token = signer.token(&header(), &claims());
    let first = gate.identity(&token);
    assert!(std::rc::Rc::ptr_eq(&first, &gate.identity(&token)));
    assert_eq!(first.subject(), "alice");
}
