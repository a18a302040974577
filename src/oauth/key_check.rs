//! A token's signature against the keys of its issuer.

use super::host_signatures::Verifiers;
use super::issuer::Algorithm;
use super::jws::Jws;
use super::key_store::{Freshness, KeyStore, Wait};
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
    wait: Wait,
) -> Signature {
    let Some(keys) = store.keys() else {
        store.want(wait);
        return Signature::Pending;
    };
    let (error, names_a_key) = match keys.candidates(jws.key_id(), algorithm) {
        Candidates::OtherAlgorithm => return Signature::Wrong(TokenError::Algorithm),
        Candidates::TooMany => return Signature::Wrong(TokenError::AmbiguousKey),
        Candidates::Named(key) => {
            return match verify_signature(verifiers, key.public(), algorithm, jws) {
                Ok(()) => Signature::Right,
                Err(error) => Signature::Wrong(error),
            };
        }
        Candidates::Unnamed(keys) => {
            let right = keys
                .iter()
                .any(|key| verify_signature(verifiers, key.public(), algorithm, jws).is_ok());
            if right {
                return Signature::Right;
            }
            (TokenError::BadSignature, jws.key_id().is_some())
        }
        Candidates::Unknown => (TokenError::UnknownKey, true),
    };
    match store.freshness(wait) {
        Freshness::Current => Signature::Wrong(error),
        Freshness::Failed if names_a_key => Signature::Unavailable,
        Freshness::Stale if names_a_key => {
            store.want(wait);
            Signature::Pending
        }
        // Nothing says that a key is missing, or it would come too late, so
        // nobody waits; but if one is, it will be there soon.
        Freshness::Failed | Freshness::Stale | Freshness::Late => {
            store.want(wait);
            Signature::Wrong(error)
        }
    }
}
