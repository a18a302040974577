//! A key set of arbitrary bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_auth_filter::json::parse;
use mcp_auth_filter::oauth::KeySet;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = parse(bytes, 16) {
        let _ = KeySet::from_jwks(&set);
    }
});
