//! An introspection answer of arbitrary bytes.
#![no_main]

mod issuer;

use libfuzzer_sys::fuzz_target;
use mcp_auth_filter::callout::{FetchAnswer, FetchIds};
use mcp_auth_filter::oauth::{Authentication, bearer_token};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(token)) = bearer_token(&[b"Bearer opaque"]) else {
        return;
    };
    let mut authenticator = issuer::authenticator(None);
    issuer::authenticate(&mut authenticator, &token);
    for call in authenticator.due(issuer::NOW_MS, &mut FetchIds::default()) {
        let answer = FetchAnswer::new(200, bytes);
        authenticator.answered(call.id, Some(answer), issuer::NOW_MS);
    }
    match issuer::authenticate(&mut authenticator, &token) {
        Authentication::Verified(identity) => {
            assert!(!identity.subject().is_empty());
            assert_eq!(identity.issuer(), "https://as.example/realm");
        }
        Authentication::Refused(_) | Authentication::Unavailable => {}
        Authentication::Pending(_) => panic!("the answer was lost"),
    }
});
