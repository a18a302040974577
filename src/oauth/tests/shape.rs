//! Header and encoding of a token.

use jwt_simple::prelude::Ed25519KeyPair;
use proptest::prelude::*;
use serde_json::json;

use super::support::*;
use crate::oauth::token_error::TokenError;

fn refusal_of_header(header: &str) -> Option<TokenError> {
    Gate::new(inline(&ed_jwks())).refusal(&sign(header, &claims()))
}

#[test]
fn the_type_is_at_jwt_in_any_case_with_or_without_application() {
    for token_type in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
    ] {
        let header = json!({"alg": "EdDSA", "typ": token_type, "kid": "ed"}).to_string();
        Gate::new(inline(&ed_jwks())).identity(&sign(&header, &claims()));
    }
}

#[test]
fn every_other_type_is_refused_unless_the_issuers_entry_names_it() {
    for token_type in [
        "JWT",
        "jwt",
        "id+jwt",
        "dpop+jwt",
        "logout+jwt",
        "oauth-id-jag+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "application/jwt",
        "x/at+jwt",
        "at+jwt ",
        "access_token",
        "",
    ] {
        let header = json!({"alg": "EdDSA", "typ": token_type, "kid": "ed"}).to_string();
        assert_eq!(
            refusal_of_header(&header),
            Some(TokenError::WrongType),
            "{token_type}"
        );
    }
    let without = r#"{"alg":"EdDSA","kid":"ed"}"#;
    assert_eq!(refusal_of_header(without), Some(TokenError::WrongType));

    // Also a type that jwt-simple would not take by itself.
    for (allowed, header) in [
        ("jwt", r#"{"alg":"EdDSA","kid":"ed","typ":"JWT"}"#),
        ("", without),
        (
            "access_token",
            r#"{"alg":"EdDSA","kid":"ed","typ":"access_token"}"#,
        ),
    ] {
        let mut issuer = inline(&ed_jwks());
        issuer.token_types = vec![allowed.to_owned()];
        let mut gate = Gate::new(issuer);
        gate.identity(&sign(header, &claims()));
        assert_eq!(gate.refusal(&good_token()), Some(TokenError::WrongType));
    }
}

#[test]
fn critical_extensions_and_unencoded_payloads_are_refused() {
    for member in [
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"x""#,
        r#""b64":false"#,
        r#""b64":true"#,
    ] {
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"ed",{member}}}"#);
        assert_eq!(
            refusal_of_header(&header),
            Some(TokenError::CriticalExtension),
            "{member}"
        );
    }
}

#[test]
fn a_nested_token_is_refused() {
    for content in ["JWT", "jwt", "application/jwt", "at+jwt"] {
        let header = json!({"alg":"EdDSA","typ":"at+jwt","kid":"ed","cty":content}).to_string();
        assert_eq!(refusal_of_header(&header), Some(TokenError::Nested));
    }
}

#[test]
fn header_members_of_the_wrong_type_and_duplicates_are_refused() {
    for header in [
        r#"{"typ":"at+jwt","kid":"ed"}"#,
        r#"{"alg":null,"typ":"at+jwt","kid":"ed"}"#,
        r#"{"alg":["EdDSA"],"typ":"at+jwt","kid":"ed"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":1}"#,
        r#"{"alg":"EdDSA","typ":1,"kid":"ed"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed","cty":1}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed","\u0061lg":"none"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed"}x"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"ed""#,
        r#"{"a":[[[[[[[[[[]]]]]]]]]],"alg":"EdDSA","typ":"at+jwt","kid":"ed"}"#,
    ] {
        assert_eq!(
            refusal_of_header(header),
            Some(TokenError::Malformed),
            "{header}"
        );
    }
}

#[test]
fn claims_that_are_no_strict_json_object_are_refused() {
    let good = claims().to_string();
    let inner = good.strip_prefix('{').unwrap();
    let mut gate = Gate::new(inline(&ed_jwks()));
    for claims in [
        format!(r#"{{"sub":"mallory",{inner}"#).into_bytes(),
        format!(r#"{{"s\u0075b":"mallory",{inner}"#).into_bytes(),
        format!(r#"{{"a":{{"b":1,"b":2}},{inner}"#).into_bytes(),
        format!(r#"{{"a":1e400,{inner}"#).into_bytes(),
        format!("[{good}]").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        [b"{\"a\":\"\xff\",", inner.as_bytes()].concat(),
        format!("{{\"a\":{}{},{inner}", "[".repeat(200), "]".repeat(200)).into_bytes(),
        b"null".to_vec(),
        b"\"\"".to_vec(),
        b"".to_vec(),
    ] {
        let token = sign_with(ed_key(), HEADER.as_bytes(), &claims);
        assert_eq!(gate.refusal(&token), Some(TokenError::Malformed));
    }
}

#[test]
fn only_unpadded_base64url_without_stray_bits_is_decoded() {
    let token = good_token();
    let mut gate = Gate::new(inline(&ed_jwks()));
    gate.identity(&token);
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    for part in 0..3 {
        for change in [
            |part: &str| format!("{part}="),
            |part: &str| format!("{part}=="),
            |part: &str| format!("{part} "),
            |part: &str| format!("{part}A"),
            |part: &str| format!("{part}+/"),
            |part: &str| format!("\n{part}"),
            |part: &str| format!("{part}%3D"),
        ] {
            let mut changed = parts.clone();
            changed[part] = change(&parts[part]);
            let refusal = gate.refusal(&changed.join("."));
            // One letter more can also be a valid encoding of other bytes.
            assert!(
                matches!(
                    refusal,
                    Some(TokenError::Malformed | TokenError::BadSignature)
                ),
                "{refusal:?} for {part}"
            );
        }
    }
    // 64 bytes leave four bits over in the last letter; they have to be zero.
    let (start, last) = token.split_at(token.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    assert_eq!(
        gate.refusal(&format!("{start}{next}")),
        Some(TokenError::Malformed)
    );
}

#[test]
fn anything_but_three_parts_is_refused() {
    let token = good_token();
    let parts: Vec<&str> = token.split('.').collect();
    let mut gate = Gate::new(inline(&ed_jwks()));
    for text in [
        "a".to_owned(),
        "...".to_owned(),
        "..".to_owned(),
        parts[0].to_owned(),
        parts[..2].join("."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}", parts[2]),
        format!("..{}", parts[2]),
        "opaque-token".to_owned(),
        r#"{"payload":"","signatures":[]}"#.to_owned(),
    ] {
        assert_eq!(gate.refusal(&text), Some(TokenError::Malformed), "{text}");
    }
    let encrypted = format!("{}.a.b.c.d", encode(r#"{"alg":"dir","enc":"A256GCM"}"#));
    assert_eq!(gate.refusal(&encrypted), Some(TokenError::Encrypted));
}

#[test]
fn a_token_over_the_limit_is_refused_before_anything_else() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    let huge = sign(HEADER, &claims_with(&json!({"x": "x".repeat(20_000)})));
    assert_eq!(gate.refusal(&huge), Some(TokenError::TooLarge));
    assert_eq!(
        gate.refusal(&"a".repeat(10_000_000)),
        Some(TokenError::TooLarge)
    );
    gate.identity(&sign(HEADER, &claims_with(&json!({"x": "x".repeat(9000)}))));
}

#[test]
fn a_large_header_is_no_obstacle_within_the_limit() {
    let header = json!({"alg":"EdDSA","typ":"at+jwt","kid":"ed","x":"x".repeat(8500)}).to_string();
    Gate::new(inline(&ed_jwks())).identity(&sign(&header, &claims()));
}

proptest! {
    #[test]
    fn no_text_passes_and_none_panics(text in "[A-Za-z0-9_.=-]{0,200}") {
        prop_assert!(Gate::new(inline(&ed_jwks())).refusal(&text).is_some());
    }

    #[test]
    fn no_header_and_claims_of_a_stranger_pass(header: Vec<u8>, claims: Vec<u8>) {
        let token = sign_with(&Ed25519KeyPair::generate(), &header, &claims);
        prop_assert!(Gate::new(inline(&ed_jwks())).refusal(&token).is_some());
    }

    #[test]
    fn a_token_with_one_letter_changed_never_passes(at: prop::sample::Index, letter in "[A-Za-z0-9_-]") {
        let token = good_token();
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &letter);
        prop_assume!(changed != token);
        prop_assert!(Gate::new(inline(&ed_jwks())).refusal(&changed).is_some());
    }
}
