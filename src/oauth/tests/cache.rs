//! The memory of tokens.

use serde_json::json;

use super::support::*;
use crate::oauth::TokenHashKey;
use crate::oauth::authentication::{Audience, Authentication};
use crate::oauth::token_cache::{CacheKey, TokenCache};
use crate::oauth::token_error::TokenError;

fn key(n: usize) -> CacheKey {
    CacheKey {
        owner: 0,
        token: TokenHashKey::new([7; 16]).hash(n.to_string().as_bytes()),
    }
}

#[test]
fn the_memory_has_a_bound_and_keeps_what_is_used() {
    for capacity in [0, 1, 2, 3, 100] {
        let mut cache = TokenCache::new(capacity);
        for n in 0..2000 {
            cache.insert(key(n), n);
            assert!(cache.len() <= capacity, "{capacity}");
            if capacity >= 2 {
                assert_eq!(cache.find(&key(n)), Some(n));
            }
        }
        assert_eq!(cache.find(&key(0)), None);
    }
    let mut cache = TokenCache::new(100);
    cache.insert(key(0), 0);
    for n in 1..2000 {
        cache.insert(key(n), n);
        assert_eq!(cache.find(&key(0)), Some(0));
        assert!(cache.len() <= 100);
    }
}

#[test]
fn an_entry_is_replaced_in_both_generations_and_can_be_forgotten() {
    let mut cache = TokenCache::new(4);
    for n in 0..3 {
        cache.insert(key(n), n);
    }
    cache.insert(key(0), 100);
    assert_eq!(cache.find(&key(0)), Some(100));
    cache.remove(&key(0));
    assert_eq!(cache.find(&key(0)), None);
    let other_server = CacheKey { owner: 1, ..key(2) };
    cache.insert(key(2), 2);
    assert_eq!(cache.find(&other_server), None);
}

#[test]
fn a_remembered_token_ends_when_it_expires() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    let token = sign(HEADER, &claims_with(&json!({"exp": NOW + 60})));
    gate.identity(&token);
    gate.now_ms = (NOW + 60 + 30) * 1000 - 1;
    gate.identity(&token);
    gate.now_ms += 1;
    assert_eq!(gate.refusal(&token), Some(TokenError::Expired));
    assert_eq!(gate.refusal(&token), Some(TokenError::Expired));
}

#[test]
fn a_token_verified_for_one_server_is_not_verified_for_another() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    let text = good_token();
    gate.identity(&text);
    let audience = Audience {
        server: 1,
        issuers: &[0],
        audiences: &["https://gate.example/other".to_owned()],
    };
    assert_eq!(
        ask(&mut gate.authenticator, &audience, &text, NOW_MS, NOW_MS),
        Authentication::Refused(TokenError::WrongAudience)
    );
}

#[test]
fn the_second_time_a_token_is_not_verified_again() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    let first = gate.identity(&good_token());
    let second = gate.identity(&good_token());
    assert!(std::rc::Rc::ptr_eq(&first, &second));
}

#[test]
fn a_token_that_differs_in_one_letter_is_another_token() {
    let mut gate = Gate::new(inline(&ed_jwks()));
    let token = good_token();
    gate.identity(&token);
    let (start, last) = token.split_at(token.len() - 10);
    let changed = format!("{start}{}", last.replace(char::is_alphanumeric, "A"));
    assert!(gate.refusal(&changed).is_some());
}
