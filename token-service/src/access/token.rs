//! Tokens as they come: read, not yet believed (RFC 7515, RFC 7519).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::AccessError;
use crate::config::{Issuer, SubjectTypeRule};
use crate::owner::{Owner, SubjectType};

/// Longer tokens are not read.
const LONGEST: usize = 16_384;

/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 30;

/// A signed token, taken apart.
pub(super) struct Token<'a> {
    signed: &'a str,
    signature: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    kind: Option<String>,
    pub(super) claims: Map<String, Value>,
}

/// An object each of whose members is there once.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a duplicate member"));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, AccessError> {
        const MALFORMED: AccessError = AccessError::Invalid("it is not a signed JWT");
        if text.len() > LONGEST {
            return Err(MALFORMED);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Unique>(&bytes).ok()
        };
        let Unique(header) = object(header).ok_or(MALFORMED)?;
        let Unique(claims) = object(claims).ok_or(MALFORMED)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| name.parse().ok())
            .ok_or(AccessError::Invalid("its algorithm is not known"))?;
        // RFC 7515, section 4.1.11: nothing critical is understood here.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(AccessError::Invalid("it has critical header parameters"));
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(MALFORMED),
        };
        Ok(Self {
            signed,
            signature,
            algorithm,
            key_id: text("kid")?,
            kind: text("typ")?,
            claims,
        })
    }

    /// The text of a claim.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether this key made the signature.
    pub(super) fn is_signed_by(&self, key: &DecodingKey) -> bool {
        jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, self.algorithm)
            .unwrap_or(false)
    }

    /// Whether it can be an access token: an ID token of the same issuer is
    /// not one, nor is anything else that says what it is.
    pub(super) fn check_access_token(&self) -> Result<(), AccessError> {
        let kind = self.kind.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        match kind.strip_prefix("application/").unwrap_or(&kind) {
            "jwt" if self.claims.contains_key("nonce") => {
                Err(AccessError::Invalid("it is an ID token"))
            }
            "jwt" => Ok(()),
            // RFC 9068, section 2.2.
            "at+jwt" => {
                let complete = ["client_id", "iat", "jti"]
                    .iter()
                    .all(|claim| self.claims.contains_key(*claim));
                if complete {
                    Ok(())
                } else {
                    Err(AccessError::Invalid("client_id, iat or jti is missing"))
                }
            }
            _ => Err(AccessError::Invalid("it is not an access token")),
        }
    }

    /// Whether it is meant for one of the audiences, and good at this time.
    pub(super) fn check_claims(&self, audiences: &[String], now: i64) -> Result<(), AccessError> {
        let is_meant = |audience: &str| audiences.iter().any(|ours| ours == audience);
        let meant_for_us = match self.claims.get("aud") {
            Some(Value::String(audience)) => is_meant(audience),
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string)
                    && all.iter().filter_map(Value::as_str).any(is_meant)
            }
            _ => false,
        };
        if !meant_for_us {
            return Err(AccessError::Invalid("it is meant for another audience"));
        }
        let expires_at = self
            .time("exp")?
            .ok_or(AccessError::Invalid("it has no exp"))?;
        if now >= expires_at.saturating_add(LEEWAY) {
            return Err(AccessError::Invalid("it has expired"));
        }
        let early = |at: i64| now < at.saturating_sub(LEEWAY);
        if self.time("nbf")?.is_some_and(early) || self.time("iat")?.is_some_and(early) {
            return Err(AccessError::Invalid("it is not valid yet"));
        }
        Ok(())
    }

    /// When it ends.
    pub(super) fn expires_at(&self) -> Option<i64> {
        self.time("exp").ok().flatten()
    }

    /// Whose it is.
    pub(super) fn owner(&self, issuer: &Issuer) -> Result<Owner, AccessError> {
        self.subject_of(issuer, self.subject_type(&issuer.subject_type)?)
    }

    fn subject_of(&self, issuer: &Issuer, kind: SubjectType) -> Result<Owner, AccessError> {
        let subject = self
            .text("sub")
            .filter(|subject| !subject.is_empty())
            .ok_or(AccessError::Invalid("it has no sub"))?;
        Ok(Owner {
            issuer: issuer.issuer.clone(),
            subject: subject.to_owned(),
            subject_type: kind,
        })
    }

    /// Whose it is, if it is an ID token: these rarely have the claim that
    /// says what kind of subject it is, and people sign in.
    pub(super) fn person(&self, issuer: &Issuer) -> Result<Owner, AccessError> {
        let kind = self.subject_type(&issuer.subject_type);
        self.subject_of(issuer, kind.unwrap_or(SubjectType::User))
    }

    /// Whether its subject may act for others.
    pub(super) fn is_manager(&self, issuer: &Issuer) -> bool {
        let Some(rule) = &issuer.manager else {
            return false;
        };
        match rule.claim.find(&self.claims) {
            Some(Value::String(words)) => words
                .split_ascii_whitespace()
                .any(|word| word == rule.contains),
            Some(Value::Array(all)) => all
                .iter()
                .any(|value| value.as_str() == Some(&rule.contains)),
            _ => false,
        }
    }

    fn subject_type(&self, rule: &SubjectTypeRule) -> Result<SubjectType, AccessError> {
        match rule {
            SubjectTypeRule::Fixed(kind) => Ok(*kind),
            SubjectTypeRule::Claim { claim, values } => claim
                .find(&self.claims)
                .and_then(Value::as_str)
                .and_then(|value| values.get(value).copied())
                .ok_or(AccessError::Invalid("its subject is of no known type")),
        }
    }

    /// A time: a number, which may have a fraction (RFC 7519, section 2).
    fn time(&self, claim: &str) -> Result<Option<i64>, AccessError> {
        const LATEST: f64 = 1e15;
        let Some(value) = self.claims.get(claim) else {
            return Ok(None);
        };
        let time = value.as_i64().or_else(|| {
            let seconds = value.as_f64().filter(|seconds| seconds.abs() < LATEST)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "in range, and fractions of a second do not matter"
            )]
            Some(seconds as i64)
        });
        time.map(Some)
            .ok_or(AccessError::Invalid("a time in it is no time"))
    }
}
