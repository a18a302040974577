//! Whose a credential is, and for which server.

use core::fmt;

/// The kind of principal (seed 001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubjectType {
    /// A person.
    User,
    /// A machine account.
    VirtualAccount,
    /// A person of another identity system.
    ExternalIdentity,
}

/// Whose a credential is. A subject is unique only together with its issuer
/// and its type; an email address alone never names an owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The issuer of the tokens that name the subject (`iss`).
    pub issuer: String,
    /// The subject (`sub`).
    pub subject: String,
    /// Its kind.
    pub subject_type: SubjectType,
}

/// What a credential is for: a server and, of a virtual server, one of its
/// sources. A server that is not virtual is its own only source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The server's id.
    pub server: String,
    /// The source's id.
    pub source: String,
}

impl SubjectType {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::User, Self::VirtualAccount, Self::ExternalIdentity];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::VirtualAccount => "virtualaccount",
            Self::ExternalIdentity => "external-identity",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for SubjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Owner {
    /// Nobody: of what cannot be read, or is the service's own.
    pub const fn nobody() -> Self {
        Self {
            issuer: String::new(),
            subject: String::new(),
            subject_type: SubjectType::User,
        }
    }
}

impl Target {
    /// A server that is not virtual.
    pub fn server(id: impl Into<String>) -> Self {
        let server = id.into();
        Self {
            source: server.clone(),
            server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_type_is_found_by_its_name() {
        for kind in SubjectType::ALL {
            assert_eq!(SubjectType::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(SubjectType::from_name("User"), None);
        assert_eq!(SubjectType::from_name(""), None);
    }
}
