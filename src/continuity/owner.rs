//! Whom something was given to.

use crate::oauth::Identity;
use crate::site::Site;

/// The caller, and the resource that the token was verified for.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The issuer identifier (`iss`).
    pub issuer: &'a str,
    /// The subject.
    pub subject: &'a str,
    /// The kind of subject.
    pub subject_type: &'a str,
    /// The OAuth client, where the token names one.
    pub client: Option<&'a str>,
    /// The resource identifier of the server.
    pub resource: &'a str,
}

impl<'a> Owner<'a> {
    /// A caller of a server.
    pub fn of(identity: &'a Identity, site: &'a Site) -> Self {
        Self {
            issuer: identity.issuer(),
            subject: identity.subject(),
            subject_type: identity.subject_type().as_str(),
            client: identity.client(),
            resource: &site.server.resource.url,
        }
    }

    /// For a MAC. No client, and a client with an empty name, differ.
    pub(super) const fn fields(&self) -> [&'a [u8]; 6] {
        let (has_client, client): (&[u8], &str) = match self.client {
            Some(client) => (b"1", client),
            None => (b"0", ""),
        };
        [
            self.issuer.as_bytes(),
            self.subject.as_bytes(),
            self.subject_type.as_bytes(),
            has_client,
            client.as_bytes(),
            self.resource.as_bytes(),
        ]
    }
}

#[cfg(test)]
pub(super) const ALICE: Owner<'_> = Owner {
    issuer: "https://issuer.example",
    subject: "alice",
    subject_type: "user",
    client: Some("client-1"),
    resource: "https://gate.example/mcp",
};

/// Everybody who is not quite Alice.
#[cfg(test)]
pub(super) fn others() -> [Owner<'static>; 7] {
    [
        Owner {
            issuer: "https://other.example",
            ..ALICE
        },
        Owner {
            subject: "bob",
            ..ALICE
        },
        Owner {
            subject_type: "virtualaccount",
            ..ALICE
        },
        Owner {
            client: Some("client-2"),
            ..ALICE
        },
        Owner {
            client: Some(""),
            ..ALICE
        },
        Owner {
            client: None,
            ..ALICE
        },
        Owner {
            resource: "https://gate.example/other",
            ..ALICE
        },
    ]
}
