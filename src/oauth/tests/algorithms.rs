//! Signatures: each algorithm for real, and what is no signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

use super::support::*;
use crate::oauth::authentication::Authentication;
use crate::oauth::issuer::Algorithm;
use crate::oauth::token_error::TokenError;

/// The claims of a good token, in jwt-simple's types.
fn good_claims() -> JWTClaims<Value> {
    serde_json::from_value(claims()).unwrap()
}

fn options() -> HeaderOptions {
    HeaderOptions {
        signature_type: Some("at+jwt".to_owned()),
        ..HeaderOptions::default()
    }
}

/// A token and the key set for it, for each algorithm.
pub(super) fn signed_with_each() -> Vec<(Algorithm, String, String)> {
    let rsa = rsa_key().to_der().unwrap();
    let claims = good_claims();
    let mut signed = Vec::new();
    macro_rules! sign {
        ($algorithm:expr, $key:expr) => {{
            let key = $key.with_key_id("k");
            let token = key.sign_with_options(claims.clone(), &options()).unwrap();
            signed.push(($algorithm, token, jwks(&[key.public_key().to_jwk()])));
        }};
    }
    sign!(Algorithm::RS256, RS256KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::RS384, RS384KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::RS512, RS512KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::PS256, PS256KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::PS384, PS384KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::PS512, PS512KeyPair::from_der(&rsa).unwrap());
    sign!(Algorithm::ES256, ES256KeyPair::generate());
    sign!(Algorithm::ES384, ES384KeyPair::generate());
    sign!(Algorithm::EdDSA, Ed25519KeyPair::generate());
    signed
}

#[test]
fn a_token_of_each_algorithm_passes_if_the_issuer_allows_it_and_not_otherwise() {
    for (algorithm, token, set) in signed_with_each() {
        let identity = Gate::new(inline(&set)).identity(&token);
        assert_eq!(identity.subject(), "alice", "{algorithm:?}");

        let mut issuer = inline(&set);
        issuer.algorithms.retain(|allowed| *allowed != algorithm);
        let refusal = Gate::new(issuer).refusal(&token);
        assert_eq!(refusal, Some(TokenError::Algorithm), "{algorithm:?}");
    }
}

#[test]
fn a_changed_token_of_each_algorithm_is_refused() {
    for (algorithm, token, set) in signed_with_each() {
        let parts: Vec<&str> = token.split('.').collect();
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let other_claims = encode(claims_with(&json!({"sub": "mallory"})).to_string());
        let mut flipped = signature.clone();
        flipped[0] ^= 1;
        let mut last = signature.clone();
        *last.last_mut().unwrap() ^= 0x80;
        let with =
            |claims: &str, signature: &[u8]| format!("{}.{claims}.{}", parts[0], encode(signature));
        let longer = [&signature[..], &[0]].concat();
        let padded = [&[0], &signature[..]].concat();
        for changed in [
            with(&other_claims, &signature),
            with(parts[1], &flipped),
            with(parts[1], &last),
            with(parts[1], &signature[1..]),
            with(parts[1], &signature[..signature.len() - 1]),
            with(parts[1], &longer),
            with(parts[1], &padded),
            with(parts[1], &[]),
            with(parts[1], &vec![0; signature.len()]),
            with(parts[1], &vec![0xff; signature.len()]),
            with(parts[1], &[0xff; 8000]),
        ] {
            let refusal = Gate::new(inline(&set)).refusal(&changed);
            assert_eq!(refusal, Some(TokenError::BadSignature), "{algorithm:?}");
        }
    }
}

#[test]
fn an_ecdsa_signature_as_der_is_refused() {
    let key = ES256KeyPair::generate().with_key_id("k");
    let token = key.sign_with_options(good_claims(), &options()).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let integer = |bytes: &[u8]| {
        let mut der = vec![2, 33, 0];
        der.extend_from_slice(bytes);
        der
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat();
    let mut gate = Gate::new(inline(&jwks(&[key.public_key().to_jwk()])));
    gate.identity(&token);
    let token = format!("{input}.{}", encode(der));
    assert_eq!(gate.refusal(&token), Some(TokenError::BadSignature));
}

#[test]
fn no_signature_and_shared_secrets_are_refused() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    for algorithm in [
        "none", "None", "NONE", "", "HS256", "HS384", "HS512", "eddsa", "ES512", "ES256K",
        "Ed25519",
    ] {
        let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": "ed"}).to_string();
        let token = sign(&header, &claims());
        assert_eq!(
            gate.refusal(&token),
            Some(TokenError::Algorithm),
            "{algorithm}"
        );
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        let token = format!("{unsigned}.");
        assert_eq!(
            gate.refusal(&token),
            Some(TokenError::Algorithm),
            "{algorithm}"
        );
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let public = rsa_key().public_key();
    let mut gate = Gate::new(inline(&jwks(&[public.to_jwk()])));
    for secret in [
        public.to_pem().unwrap().into_bytes(),
        public.to_der().unwrap(),
        public.to_jwk().into_bytes(),
    ] {
        let key = HS256Key::from_bytes(&secret).with_key_id("rsa");
        let token = key
            .authenticate_with_options(good_claims(), &options())
            .unwrap();
        assert_eq!(gate.refusal(&token), Some(TokenError::Algorithm));
        // The same bytes under the name of an algorithm that is allowed.
        let mut parts: Vec<&str> = token.split('.').collect();
        let header = encode(r#"{"alg":"RS256","typ":"at+jwt","kid":"rsa"}"#);
        parts[0] = &header;
        assert_eq!(
            gate.refusal(&parts.join(".")),
            Some(TokenError::BadSignature)
        );
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let mallory = Ed25519KeyPair::generate();
    let jwk: Value = serde_json::from_str(&mallory.public_key().to_jwk()).unwrap();
    let mut gate = Gate::new(inline(&ed_jwks()));
    for member in [
        json!({"jwk": jwk}),
        json!({"jwk": jwk.to_string()}),
        json!({"jku": "https://mallory.example/jwks"}),
        json!({"x5u": "https://mallory.example/cert"}),
        json!({"x5c": ["AAAA"]}),
    ] {
        let mut header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"});
        let members = header.as_object_mut().unwrap();
        members.extend(member.as_object().unwrap().clone());
        let token = sign_with(
            &mallory,
            header.to_string().as_bytes(),
            claims().to_string().as_bytes(),
        );
        assert!(matches!(
            gate.refusal(&token),
            Some(TokenError::BadSignature | TokenError::Malformed)
        ));
    }
    // The address of a key does no harm to a token of the issuer's.
    let token = sign(
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed","jku":"https://as.example/jwks","x5c":["AA"]}"#,
        &claims(),
    );
    assert!(matches!(gate.ask(&token), Authentication::Verified(_)));
}

#[test]
fn a_key_is_used_with_its_own_kind_of_algorithm_only() {
    let mut gate = Gate::new(inline(&jwks(&[
        ed_key().public_key().to_jwk(),
        rsa_key().public_key().to_jwk(),
    ])));
    let token = sign(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"rsa"}"#, &claims());
    assert_eq!(gate.refusal(&token), Some(TokenError::Algorithm));
    // The set pins the key to RS256.
    let token = sign(r#"{"alg":"PS256","typ":"at+jwt","kid":"rsa"}"#, &claims());
    assert_eq!(gate.refusal(&token), Some(TokenError::Algorithm));
}

#[test]
fn rsa_keys_of_odd_sizes_and_signatures_of_every_length_are_refused_without_a_panic() {
    for bits in [2048, 2049, 2050, 2055, 2056, 3072, 4089, 4095, 4096_usize] {
        let bytes = bits.div_ceil(8);
        let mut modulus = vec![0xc5; bytes];
        modulus[0] = 1 << ((bits - 1) % 8);
        let key = json!({"kty": "RSA", "n": encode(&modulus), "e": "AQAB", "kid": "k"});
        let mut gate = Gate::new(inline(&jwks(&[key.to_string()])));
        for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": "k"}).to_string();
            let token = sign(&header, &claims());
            let (input, _) = token.rsplit_once('.').unwrap();
            let mut below = modulus.clone();
            below[bytes - 1] -= 1;
            let mut small = vec![0; bytes];
            small[bytes - 1] = 1;
            for signature in [
                below,
                small,
                modulus.clone(),
                vec![0; bytes],
                vec![0xff; bytes],
                vec![0x11; bytes - 1],
                vec![0x11; bytes + 1],
            ] {
                let token = format!("{input}.{}", encode(signature));
                let refusal = gate.refusal(&token);
                assert_eq!(
                    refusal,
                    Some(TokenError::BadSignature),
                    "{bits} {algorithm}"
                );
            }
        }
    }
}
