//! A token of arbitrary bytes: nobody can sign for the keys of RFC 8037,
//! appendix A.1, and RFC 7515, appendix A.3, in a fuzzer's lifetime by chance.
#![no_main]

mod issuer;

use libfuzzer_sys::fuzz_target;
use mcp_auth_filter::json::parse;
use mcp_auth_filter::oauth::{Authentication, bearer_token};

const KEYS: &[u8] = br#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"EC","crv":"P-256","kid":"ec","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
     "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fuzz_target!(|bytes: &[u8]| {
    let mut value = b"Bearer ".to_vec();
    value.extend_from_slice(bytes);
    let Ok(Some(token)) = bearer_token(&[&value]) else {
        return;
    };
    let keys = parse(KEYS, 16).expect("valid JSON");
    let mut authenticator = issuer::authenticator(Some(keys));
    let answer = issuer::authenticate(&mut authenticator, &token);
    assert!(matches!(answer, Authentication::Refused(_)));
});
