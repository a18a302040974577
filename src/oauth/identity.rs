//! Who is calling: the proof that a token was verified.

use core::fmt;
use std::cell::OnceCell;
use std::rc::Rc;

use super::Scopes;
use crate::digest;
use crate::json::Object;

/// A verified caller. Only the token and introspection checks of this module
/// make one; holding it means that issuer, audience, expiry and signature (or
/// the issuer's own word) were checked for one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub(super) issuer_id: Rc<str>,
    pub(super) issuer: Rc<str>,
    pub(super) subject: String,
    pub(super) subject_type: SubjectType,
    pub(super) client: Option<String>,
    pub(super) scopes: Scopes,
    pub(super) claims: Object<'static>,
    pub(super) expires_at: u64,
    pub(super) caller: CallerHash,
}

/// What tells callers apart, worked out when it is first needed: few servers
/// have anything that depends on it.
#[derive(Clone, Default)]
pub(super) struct CallerHash(OnceCell<[u8; 32]>);

/// What kind of principal the subject is (seed 001).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubjectType {
    /// A person.
    #[default]
    User,
    /// A machine account.
    VirtualAccount,
    /// A person of another identity system.
    ExternalIdentity,
}

impl Identity {
    /// The `id` of the issuer's entry in the configuration.
    pub fn issuer_id(&self) -> &str {
        &self.issuer_id
    }

    /// The issuer identifier (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject; unique only together with the issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The kind of subject.
    pub const fn subject_type(&self) -> SubjectType {
        self.subject_type
    }

    /// The OAuth client that the token was issued to, where the token says.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The scopes that the token grants.
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// All claims of the token, or all members of the introspection answer.
    pub const fn claims(&self) -> &Object<'static> {
        &self.claims
    }

    /// When the token ends, in seconds since 1970 (`exp`), without leeway.
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The SHA-256 of issuer, subject and kind of subject.
    pub fn caller_hash(&self) -> &[u8; 32] {
        self.caller.0.get_or_init(|| {
            digest::of_parts([
                self.issuer.as_bytes(),
                self.subject.as_bytes(),
                self.subject_type.as_str().as_bytes(),
            ])
        })
    }

    /// An identity for tests of other modules, which have no token at hand.
    #[cfg(test)]
    pub(crate) fn for_test(subject: &str, scopes: &str, claims: &str) -> Self {
        let claims = crate::json::parse(claims.as_bytes(), 16).unwrap();
        Self {
            issuer_id: "demo".into(),
            issuer: "https://issuer.example".into(),
            subject: subject.to_owned(),
            subject_type: SubjectType::User,
            client: Some("client-1".to_owned()),
            scopes: Scopes::parse(scopes).unwrap(),
            claims: claims.as_object().unwrap().clone(),
            expires_at: 2_000_000_000,
            caller: CallerHash::default(),
        }
    }

    /// The same of another issuer and type, with another end.
    #[cfg(test)]
    pub(crate) fn of_test(self, issuer: &str, subject_type: SubjectType, expires_at: u64) -> Self {
        Self {
            issuer: issuer.into(),
            subject_type,
            expires_at,
            caller: CallerHash::default(),
            ..self
        }
    }
}

/// It follows from the rest of the identity.
impl PartialEq for CallerHash {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for CallerHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerHash(…)")
    }
}

impl SubjectType {
    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::User, Self::VirtualAccount, Self::ExternalIdentity]
            .into_iter()
            .find(|subject_type| subject_type.as_str() == name)
    }

    /// The name that seed 001 gives it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::VirtualAccount => "virtualaccount",
            Self::ExternalIdentity => "external-identity",
        }
    }
}

impl fmt::Display for SubjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
