//! Who calls: tokens of people and machines, and the filter's keys.

mod filter_keys;
mod keys;
mod token;

use core::fmt;
use std::sync::Arc;

pub use filter_keys::find_key;

use self::keys::{Keys, NoKey};
use self::token::Token;
use crate::config::Issuer;
use crate::outbound::Outbound;
use crate::owner::Owner;

/// Verifies tokens of the configured issuers. A clone shares their keys.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    issuers: Vec<(Issuer, Keys)>,
    outbound: Outbound,
}

/// Who calls one of the APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub owner: Owner,
    /// Whether it may act for others.
    pub is_manager: bool,
}

/// Whose token the filter shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Whose it is.
    pub owner: Owner,
    /// When the token ends, in seconds since 1970.
    pub expires_at: Option<i64>,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessError {
    /// It is not valid here; the text says which rule it breaks, and holds
    /// nothing of the token.
    Invalid(&'static str),
    /// The issuer's keys cannot be had at the moment.
    Unavailable,
}

impl Access {
    /// Accepts tokens of these issuers.
    pub fn new(issuers: Vec<Issuer>, outbound: Outbound) -> Self {
        let issuers = issuers
            .into_iter()
            .map(|issuer| {
                let keys = Keys::new(&issuer.issuer, issuer.jwks_url.clone());
                (issuer, keys)
            })
            .collect();
        Self(Arc::new(Inner { issuers, outbound }))
    }

    /// Whose access token for the service's own APIs this is.
    ///
    /// # Errors
    /// It is none.
    pub async fn caller(&self, token: &str, now: i64) -> Result<Caller, AccessError> {
        let token = Token::parse(token)?;
        let issuer = self.verify(&token, now).await?;
        token.check_access_token()?;
        token.check_claims(&issuer.audiences, now)?;
        Ok(Caller {
            owner: token.owner(issuer)?,
            is_manager: token.is_manager(issuer),
        })
    }

    /// Whose access token this is, if it is meant for one of the resources.
    ///
    /// # Errors
    /// It is none.
    pub async fn subject(
        &self,
        token: &str,
        resources: &[String],
        now: i64,
    ) -> Result<Subject, AccessError> {
        let token = Token::parse(token)?;
        let issuer = self.verify(&token, now).await?;
        token.check_access_token()?;
        token.check_claims(resources, now)?;
        Ok(Subject {
            owner: token.owner(issuer)?,
            expires_at: token.expires_at(),
        })
    }

    /// Who signed in: the ID token (OpenID Connect Core, section 3.1.3.7) that
    /// this issuer gave the service's own client for this nonce.
    ///
    /// # Errors
    /// It is none.
    pub async fn id_token(
        &self,
        issuer: &str,
        token: &str,
        nonce: &str,
        now: i64,
    ) -> Result<Owner, AccessError> {
        let token = Token::parse(token)?;
        let from = self.verify(&token, now).await?;
        if from.issuer != issuer {
            return Err(AccessError::Invalid("it is from another issuer"));
        }
        let sign_in = from
            .sign_in
            .as_ref()
            .ok_or(AccessError::Invalid("nobody can sign in at its issuer"))?;
        token.check_claims(std::slice::from_ref(&sign_in.client_id), now)?;
        let party = token.claims.get("azp").map(|party| party.as_str());
        if party.is_some_and(|party| party != Some(&sign_in.client_id)) {
            return Err(AccessError::Invalid("it was given to another client"));
        }
        if token.text("nonce") != Some(nonce) {
            return Err(AccessError::Invalid("it is for another sign-in"));
        }
        token.person(from)
    }

    /// The issuer of a token, if it signed it.
    async fn verify(&self, token: &Token<'_>, now: i64) -> Result<&Issuer, AccessError> {
        let Inner { issuers, outbound } = &*self.0;
        let (issuer, keys) = issuers
            .iter()
            .find(|(issuer, _)| token.text("iss") == Some(&issuer.issuer))
            .ok_or(AccessError::Invalid("its issuer is not trusted"))?;
        if !issuer.algorithms.contains(&token.algorithm) {
            return Err(AccessError::Invalid("its algorithm is not accepted"));
        }
        let key = keys
            .find(token.key_id.as_deref(), token.algorithm, outbound, now)
            .await
            .map_err(|problem| match problem {
                NoKey::Unknown => AccessError::Invalid("its issuer has no such key"),
                NoKey::Unavailable => AccessError::Unavailable,
            })?;
        if !token.is_signed_by(&key) {
            return Err(AccessError::Invalid("its signature is wrong"));
        }
        Ok(issuer)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.0.issuers.iter().map(|(issuer, _)| &issuer.issuer);
        f.debug_set().entries(issuers).finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => f.write_str(why),
            Self::Unavailable => f.write_str("the issuer's keys cannot be had at the moment"),
        }
    }
}

impl core::error::Error for AccessError {}
