//! The OAuth 2.1 resource server: from a bearer token to an [`Identity`].

pub mod authentication;
pub mod authenticator;
pub mod bearer;
pub mod challenge;
pub mod claims;
mod der;
pub mod discovery;
pub mod fetch;
pub mod host_signatures;
pub mod identity;
mod introspection;
mod introspector;
pub mod issuer;
mod jws;
mod key_check;
mod key_store;
pub mod keys;
mod known_answers;
pub mod metadata;
mod refresh;
pub mod scopes;
mod signature;
pub mod signature_call;
mod token_cache;
pub mod token_error;
mod token_hash;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

pub use authentication::{
    Audience, Authentication, Awaited, InlineKeyError, KeyEvent, KeyEventKind, Settled, TokenLimits,
};
pub use authenticator::Authenticator;
pub use bearer::{
    BearerError, BearerToken, bearer_token, bearer_token_of, presented_token,
    query_has_access_token, query_without_access_token,
};
pub use challenge::{Challenge, ChallengeError};
pub use claims::ClaimPath;
pub use fetch::FetchFailure;
pub use host_signatures::{HostSignatures, Verifiers};
pub use identity::{Identity, SubjectType};
pub use issuer::Issuer;
pub use keys::{KeySet, KeySetError};
pub use scopes::Scopes;
pub use token_error::TokenError;
pub use token_hash::{TokenHash, TokenHashKey};
