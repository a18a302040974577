//! JWK Sets: which keys are used, and for which token.

use jwt_simple::prelude::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::*;
use crate::json::parse;
use crate::oauth::keys::{KeySet, KeySetError};
use crate::oauth::token_error::TokenError;

fn load(set: &Value) -> Result<KeySet, KeySetError> {
    KeySet::from_jwks(&json(&set.to_string()))
}

fn usable(key: &Value) -> bool {
    match load(&json!({"keys": [key]})) {
        Ok(set) => {
            assert_eq!((set.usable(), set.skipped()), (1, 0));
            true
        }
        Err(error) => {
            assert_eq!(error, KeySetError::NoUsableKey { skipped: 1 });
            false
        }
    }
}

fn jwk_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn with(key: &Value, changes: Value) -> Value {
    let mut key = key.clone();
    let members = key.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    key
}

fn rsa() -> Value {
    jwk_of(&rsa_key().public_key().to_jwk())
}

fn ed() -> Value {
    jwk_of(&ed_key().public_key().to_jwk())
}

#[test]
fn keys_of_every_supported_kind_are_used() {
    let p256 = jwk_of(&ES256KeyPair::generate().public_key().to_jwk());
    let p384 = jwk_of(&ES384KeyPair::generate().public_key().to_jwk());
    for key in [rsa(), ed(), p256, p384] {
        assert!(usable(&key));
        let plain = with(&key, json!({"alg": null, "use": null, "kid": null}));
        assert!(usable(&plain));
        assert!(usable(&with(&plain, json!({"key_ops": ["verify"]}))));
        assert!(usable(&with(&plain, json!({"x5c": ["x"], "unknown": {}}))));
    }
}

#[test]
fn keys_that_are_not_for_verifying_are_skipped() {
    for change in [
        json!({"use": "enc"}),
        json!({"use": "SIG"}),
        json!({"use": 1}),
        json!({"key_ops": []}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": "verify"}),
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "RSA-OAEP"}),
        json!({"alg": 1}),
        json!({"kid": 1}),
        json!({"kty": "oct"}),
        json!({"kty": "rsa"}),
        json!({"kty": 1}),
        json!({"kty": null}),
    ] {
        assert!(!usable(&with(&rsa(), change.clone())), "{change}");
        assert!(!usable(&with(&ed(), change.clone())), "{change}");
    }
    assert!(!usable(&with(&rsa(), json!({"alg": "ES256"}))));
    assert!(!usable(&with(&ed(), json!({"alg": "RS256"}))));
    assert!(!usable(&with(&ed(), json!({"crv": "X25519"}))));
    assert!(!usable(&with(&ed(), json!({"crv": "Ed448"}))));
}

#[test]
fn published_private_and_shared_keys_are_skipped() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(!usable(&with(&rsa(), json!({member: "AQAB"}))), "{member}");
        assert!(!usable(&with(&ed(), json!({member: "AQAB"}))), "{member}");
    }
    assert!(!usable(&json!({"kty": "oct", "k": "c2VjcmV0"})));
    assert!(!usable(&jwk_of(&rsa_key().to_jwk())));
    assert!(!usable(&jwk_of(&ed_key().to_jwk())));
}

#[test]
fn weak_and_odd_rsa_keys_are_skipped() {
    let bytes = |length: usize, last: u8| {
        let mut bytes = vec![0xc5; length];
        bytes[length - 1] = last;
        encode(bytes)
    };
    for n in [
        encode([]),
        encode([0]),
        encode([0; 256]),
        encode([1]),
        bytes(128, 1),
        bytes(255, 1),
        bytes(256, 2),
        bytes(513, 1),
        bytes(1024, 1),
        bytes(1_000_000, 1),
        "!".to_owned(),
        format!("{}=", bytes(256, 1)),
    ] {
        assert!(!usable(&with(&rsa(), json!({"n": n}))));
    }
    assert!(usable(&with(&rsa(), json!({"n": bytes(256, 1)}))));
    assert!(usable(&with(&rsa(), json!({"n": bytes(512, 1)}))));
    for e in [
        encode([]),
        encode([0]),
        encode([1]),
        encode([2]),
        encode([3]),
        encode([1, 0, 0]),
        encode([0xff; 8]),
        encode([0xff; 256]),
        encode([0xff; 100_000]),
    ] {
        assert!(!usable(&with(&rsa(), json!({"e": e}))), "{e}");
    }
    for name in ["n", "e"] {
        assert!(!usable(&with(&rsa(), json!({name: null}))));
        assert!(!usable(&with(&rsa(), json!({name: 65537}))));
    }
}

#[test]
fn points_that_are_not_on_the_curve_are_skipped() {
    let key = jwk_of(&ES256KeyPair::generate().public_key().to_jwk());
    let other = jwk_of(&ES256KeyPair::generate().public_key().to_jwk());
    for change in [
        json!({"y": other["y"]}),
        json!({"x": encode([0; 32]), "y": encode([0; 32])}),
        json!({"x": encode([0xff; 32])}),
        json!({"x": encode([1; 31])}),
        json!({"x": encode([1; 33])}),
        json!({"x": encode([])}),
        json!({"x": null}),
        json!({"y": null}),
        json!({"crv": "P-384"}),
        json!({"crv": "P-521"}),
        json!({"crv": "secp256k1"}),
        json!({"crv": null}),
    ] {
        assert!(!usable(&with(&key, change.clone())), "{change}");
    }
    let zero_point = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        encode(bytes)
    };
    for x in [
        zero_point,
        encode([0; 32]),
        encode([0xff; 32]),
        encode([1; 31]),
    ] {
        assert!(!usable(&with(&ed(), json!({"x": x}))), "{x}");
    }
}

#[test]
fn a_set_without_a_usable_key_is_an_error_that_counts_them() {
    assert_eq!(load(&json!({})).unwrap_err(), KeySetError::Shape);
    assert_eq!(load(&json!({"keys": {}})).unwrap_err(), KeySetError::Shape);
    assert_eq!(load(&json!([])).unwrap_err(), KeySetError::Shape);
    assert_eq!(
        load(&json!({"keys": []})).unwrap_err(),
        KeySetError::NoUsableKey { skipped: 0 }
    );
    assert_eq!(
        load(&json!({"keys": [1, null, {}]})).unwrap_err(),
        KeySetError::NoUsableKey { skipped: 3 }
    );
    let set = load(&json!({"keys": [1, ed(), {}]})).unwrap();
    assert_eq!((set.usable(), set.skipped()), (1, 2));
    let many = vec![json!(1); KeySet::MAX_KEYS + 1];
    assert_eq!(
        load(&json!({"keys": many})).unwrap_err(),
        KeySetError::TooMany
    );
}

#[test]
fn a_second_key_of_the_same_name_counts_only_for_another_algorithm() {
    let mallory = Ed25519KeyPair::generate().with_key_id("ed");
    let second = jwk_of(&mallory.public_key().to_jwk());
    let set = json!({"keys": [ed(), second]});
    assert_eq!(load(&set).unwrap().usable(), 1);
    let mut gate = Gate::new(inline(&set.to_string()));
    gate.identity(&good_token());
    let token = sign_with(&mallory, HEADER.as_bytes(), claims().to_string().as_bytes());
    assert_eq!(gate.refusal(&token), Some(TokenError::BadSignature));

    let set = json!({"keys": [with(&rsa(), json!({"kid": "ed"})), ed()]});
    assert_eq!(load(&set).unwrap().usable(), 2);
    Gate::new(inline(&set.to_string())).identity(&good_token());
}

#[test]
fn a_kid_is_a_name_and_nothing_more() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    for kid in [
        "",
        "ED",
        "ed ",
        "../../dev/null",
        "ed' OR '1'='1",
        "ed\u{0}",
        "https://mallory.example/jwks",
    ] {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}).to_string();
        assert_eq!(
            gate.refusal(&sign(&header, &claims())),
            Some(TokenError::UnknownKey),
            "{kid}"
        );
    }
}

#[test]
fn without_a_kid_the_keys_for_the_algorithm_are_tried_up_to_a_bound() {
    let header = r#"{"alg":"EdDSA","typ":"at+jwt"}"#;
    let token = sign(header, &claims());
    let others: Vec<Value> = (0..4)
        .map(|n| {
            let key = Ed25519KeyPair::generate().with_key_id(&n.to_string());
            jwk_of(&key.public_key().to_jwk())
        })
        .collect();
    let ask =
        |keys: Vec<Value>| Gate::new(inline(&json!({"keys": keys}).to_string())).refusal(&token);
    assert_eq!(ask(vec![rsa(), ed()]), None);
    assert_eq!(ask([&others[..3], &[ed()]].concat()), None);
    assert_eq!(ask(others.clone()), Some(TokenError::BadSignature));
    assert_eq!(
        ask([&others[..], &[ed()]].concat()),
        Some(TokenError::AmbiguousKey)
    );
    assert_eq!(ask(vec![rsa()]), Some(TokenError::UnknownKey));
}

#[test]
fn a_key_without_a_kid_stands_in_for_one_that_is_not_there() {
    let unnamed = with(&ed(), json!({"kid": null}));
    let ask = |keys: Vec<Value>| {
        Gate::new(inline(&json!({"keys": keys}).to_string())).refusal(&good_token())
    };
    assert_eq!(ask(vec![unnamed.clone()]), None);
    let other = Ed25519KeyPair::generate().with_key_id("ed");
    let named = jwk_of(&other.public_key().to_jwk());
    assert_eq!(ask(vec![unnamed, named]), Some(TokenError::BadSignature));
}

proptest! {
    #[test]
    fn any_key_set_loads_or_fails_without_a_panic(
        kty in "RSA|EC|OKP",
        crv in "P-256|P-384|Ed25519|x",
        n: Vec<u8>, e: Vec<u8>, x in prop::collection::vec(any::<u8>(), 30..50), y: [u8; 32],
    ) {
        let key = json!({"kty": kty, "crv": crv, "n": encode(n), "e": encode(e), "x": encode(x), "y": encode(y)});
        let _ = load(&json!({"keys": [key]}));
    }

    #[test]
    fn any_text_loads_or_fails_without_a_panic(text: Vec<u8>) {
        if let Ok(set) = parse(&text, 16) {
            let _ = KeySet::from_jwks(&set);
        }
    }
}
