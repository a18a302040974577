//! Each user's own credential for the upstream: what the token service is
//! asked, what it answers, and what a worker remembers of that.
//!
//! Two wire profiles: the project's own resolve call, and token exchange
//! (RFC 8693) at any authorization server. Whatever is answered that is not
//! understood counts as no answer: nothing goes on without a credential that
//! was checked.

mod answer;
mod call;
mod exchange;
mod headers;
mod key;
mod known;
mod patience;
mod resolve;
mod service;
mod store;

#[cfg(test)]
mod tests;

pub use headers::{HeaderProblem, InjectedHeaders, may_be_injected};
pub use key::CredentialKey;
pub use known::{
    AnswerProblem, AuthType, ConsentNeeded, Credential, CredentialEvent, CredentialFailure, Known,
    Rejection, SettledCredential,
};
pub use patience::Patience;
pub use service::{ConsentAnswer, CredentialSource, PlacedBy, Profile, TokenService};
pub use store::{Ask, CredentialStore, Wanted};
