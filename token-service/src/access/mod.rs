//! Who calls: tokens of people and machines, and the filter's keys.

use core::fmt;
use std::sync::Arc;

use crate::config::Issuer;
use crate::owner::Owner;

/// Verifies tokens of the configured issuers.
#[derive(Clone, Debug)]
pub struct Access {
    issuers: Arc<Vec<Issuer>>,
}

/// Who calls one of the APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub owner: Owner,
    /// Whether it may act for others.
    pub is_manager: bool,
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessError {
    /// It is not valid here; the text says which rule it breaks, and holds
    /// nothing of the token.
    Invalid(&'static str),
    /// The issuer's keys cannot be had at the moment.
    Unavailable,
}

impl Access {
    /// The configured issuers.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Whose access token for the service's own APIs this is.
    ///
    /// # Errors
    /// It is none.
    pub async fn caller(&self, _token: &str, _now: i64) -> Result<Caller, AccessError> {
        Err(AccessError::Unavailable)
    }

    /// Whose access token this is, if it is meant for one of the resources.
    ///
    /// # Errors
    /// It is none.
    pub async fn subject(
        &self,
        _token: &str,
        _resources: &[String],
        _now: i64,
    ) -> Result<Owner, AccessError> {
        Err(AccessError::Unavailable)
    }

    /// Who signed in: the ID token (OpenID Connect Core, section 3.1.3.7) that
    /// this issuer gave the service's own client for this nonce.
    ///
    /// # Errors
    /// It is none.
    pub async fn id_token(
        &self,
        _issuer: &str,
        _token: &str,
        _nonce: &str,
        _now: i64,
    ) -> Result<Owner, AccessError> {
        Err(AccessError::Unavailable)
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
