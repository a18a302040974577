//! What goes into the authenticator and what comes out.

use std::rc::Rc;

use super::Identity;
use super::fetch::FetchFailure;
use super::keys::KeySetError;
use super::token_error::TokenError;
use super::token_hash::TokenHash;

/// Bounds on what tokens may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLimits {
    /// The longest token, in bytes.
    pub token_bytes: usize,
    /// How many verified tokens are remembered.
    pub cache_entries: usize,
    /// How long a request waits for keys, in milliseconds.
    pub key_wait_ms: u64,
}

/// Whom a token has to be meant for.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// Which server this is: verified tokens are remembered per server.
    pub server: usize,
    /// The issuers that the server trusts, as indices into the list that
    /// [`Authenticator::new`](super::Authenticator::new) got.
    pub issuers: &'a [usize],
    /// The values of `aud` of which a token needs one.
    pub audiences: &'a [String],
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq)]
pub enum Authentication {
    /// Verified.
    Verified(Rc<Identity>),
    /// Not acceptable: 401 `invalid_token`.
    Refused(TokenError),
    /// Not known yet: ask again when this is settled. The caller bounds the
    /// wait.
    Pending(Awaited),
    /// Whom to ask is out of reach: 503 with Retry-After.
    Unavailable,
}

/// What a token waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The key set of the issuer with this index: the first one, or a newer
    /// one where the token names a key that the present one lacks.
    Keys(usize),
    /// The issuer's answer about the token with this hash.
    Introspection(TokenHash),
}

/// What an answer to a call has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// For the log.
    pub events: Vec<KeyEvent>,
    /// What nobody needs to wait for any longer.
    pub awaited: Option<Awaited>,
}

/// A key set in the configuration that has no usable key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineKeyError {
    /// The index of the issuer.
    pub issuer: usize,
    /// What is wrong.
    pub error: KeySetError,
}

/// Something for the log; no secrets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// The `id` of the issuer's entry.
    pub issuer_id: Rc<str>,
    /// What happened.
    pub kind: KeyEventKind,
}

/// What happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEventKind {
    /// A key set was loaded.
    Loaded {
        /// How many keys can be used.
        usable: usize,
        /// How many cannot.
        skipped: usize,
    },
    /// Keys could not be fetched; the earlier ones stay.
    KeysFailed(FetchFailure),
    /// The issuer could not be asked about a token.
    IntrospectionFailed(FetchFailure),
}
