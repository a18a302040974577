//! A token's signature against the keys of its issuer.

use super::host_signatures::Verifiers;
use super::issuer::Algorithm;
use super::jws::Jws;
use super::key_store::{Freshness, KeyStore};
use super::keys::Candidates;
use super::signature::verify_signature;
use super::token_error::TokenError;

/// What the issuer's keys say of a signature.
pub(super) enum Signature {
    /// One of them made it.
    Right,
    /// None of them did.
    Wrong(TokenError),
    /// Other keys may know more: they are being fetched.
    Pending,
    /// Other keys may know more, and cannot be had.
    Unavailable,
}

/// Looks for the key and checks the signature. A key that is not there may
/// have come since the last fetch: that is found out, once per request.
pub(super) fn check_signature(
    verifiers: &Verifiers,
    store: &mut KeyStore,
    jws: &Jws<'_>,
    algorithm: Algorithm,
    arrived_ms: u64,
) -> Signature {
    let Some(keys) = store.keys() else {
        store.want(arrived_ms);
        return Signature::Pending;
    };
    match keys.candidates(jws.key_id(), algorithm) {
        Candidates::OtherAlgorithm => Signature::Wrong(TokenError::Algorithm),
        Candidates::TooMany => Signature::Wrong(TokenError::AmbiguousKey),
        Candidates::Named(key) => match verify_signature(verifiers, key.public(), algorithm, jws) {
            Ok(()) => Signature::Right,
            Err(error) => Signature::Wrong(error),
        },
        Candidates::Unnamed(keys) => {
            let right = keys
                .iter()
                .any(|key| verify_signature(verifiers, key.public(), algorithm, jws).is_ok());
            if right {
                return Signature::Right;
            }
            // Nothing says that a key is missing, so nobody waits; but if one
            // is, it will be there soon.
            if store.freshness(arrived_ms) == Freshness::Stale {
                store.want(arrived_ms);
            }
            Signature::Wrong(TokenError::BadSignature)
        }
        Candidates::Unknown => match store.freshness(arrived_ms) {
            Freshness::Current => Signature::Wrong(TokenError::UnknownKey),
            Freshness::Failed => Signature::Unavailable,
            Freshness::Stale => {
                store.want(arrived_ms);
                Signature::Pending
            }
        },
    }
}
