//! Why a token was refused.

/// Why a token is no proof of who calls. Nothing of the token itself is in
/// it: the texts go to the client and to the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Longer than the limit.
    TooLarge,
    /// Neither a compact JWS nor a token that an issuer could be asked about.
    Malformed,
    /// A JWE (five parts).
    Encrypted,
    /// A JWT inside a JWT (`cty`).
    Nested,
    /// `alg` is not one that the issuer may use, `none` and HMAC included.
    Algorithm,
    /// `crit` or `b64`: an extension that has to be understood and is not.
    CriticalExtension,
    /// `typ` is none of an access token of this issuer.
    WrongType,
    /// `iss` is no issuer that the server trusts, or is not there.
    UnknownIssuer,
    /// `aud` does not name the server.
    WrongAudience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// A claim that has to be there is not.
    MissingClaim,
    /// A claim has the wrong type or a value that cannot be.
    InvalidClaim,
    /// Bound to a key of the client's (`cnf`): no bearer token.
    SenderConstrained,
    /// The issuer has no such key.
    UnknownKey,
    /// Without `kid`, too many keys could have signed it.
    AmbiguousKey,
    /// No key of the issuer made the signature.
    BadSignature,
    /// The issuer says that it is not active.
    Inactive,
}

impl TokenError {
    /// Every variant, for tables and metric names.
    pub const ALL: [Self; 18] = [
        Self::TooLarge,
        Self::Malformed,
        Self::Encrypted,
        Self::Nested,
        Self::Algorithm,
        Self::CriticalExtension,
        Self::WrongType,
        Self::UnknownIssuer,
        Self::WrongAudience,
        Self::Expired,
        Self::NotYetValid,
        Self::MissingClaim,
        Self::InvalidClaim,
        Self::SenderConstrained,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::BadSignature,
        Self::Inactive,
    ];

    /// A sentence for `error_description`, in its character set (RFC 6750,
    /// section 3: no `"`, no `\`).
    pub const fn description(self) -> &'static str {
        match self {
            Self::TooLarge => "The access token is too large",
            Self::Malformed => "The access token is malformed",
            Self::Encrypted => "Encrypted access tokens are not supported",
            Self::Nested => "Nested tokens are not supported",
            Self::Algorithm => "The signature algorithm of the access token is not allowed",
            Self::CriticalExtension => {
                "The access token uses a critical extension that is not supported"
            }
            Self::WrongType => "The token is not an access token",
            Self::UnknownIssuer => "The issuer of the access token is not trusted here",
            Self::WrongAudience => "The access token was not issued for this resource",
            Self::Expired => "The access token expired",
            Self::NotYetValid => "The access token is not valid yet",
            Self::MissingClaim => "The access token lacks a required claim",
            Self::InvalidClaim => "A claim of the access token is invalid",
            Self::SenderConstrained => {
                "The access token is bound to a key and cannot be used as a bearer token"
            }
            Self::UnknownKey => "The access token was signed with an unknown key",
            Self::AmbiguousKey => "The access token does not say which key signed it",
            Self::BadSignature => "The signature of the access token is invalid",
            Self::Inactive => "The access token is not active",
        }
    }

    /// A short name for the audit log and for metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "malformed_token",
            Self::Encrypted => "encrypted_token",
            Self::Nested => "nested_token",
            Self::Algorithm => "algorithm_not_allowed",
            Self::CriticalExtension => "critical_extension",
            Self::WrongType => "wrong_token_type",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::MissingClaim => "missing_claim",
            Self::InvalidClaim => "invalid_claim",
            Self::SenderConstrained => "sender_constrained",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::BadSignature => "bad_signature",
            Self::Inactive => "inactive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_is_legal_in_a_challenge_and_every_code_is_unique() {
        let mut codes = Vec::new();
        for error in TokenError::ALL {
            assert!(
                error
                    .description()
                    .bytes()
                    .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "{error:?}"
            );
            codes.push(error.code());
        }
        codes.sort_unstable();
        let before = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), before);
    }
}
