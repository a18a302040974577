//! Whom a request is about.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::app::App;
use crate::http::Problem;
use crate::owner::{Owner, SubjectType};

/// The kind of principal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub(super) enum SubjectKind {
    /// A person.
    #[serde(rename = "user")]
    User,
    /// A machine account.
    #[serde(rename = "virtualaccount")]
    VirtualAccount,
    /// A person of another identity system.
    #[serde(rename = "external-identity")]
    ExternalIdentity,
}

/// Whom a request names.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) id: &'a str,
    pub(super) kind: SubjectType,
    /// Without it, the issuer of the caller's token.
    pub(super) issuer: Option<&'a str>,
}

const LONGEST: usize = 1024;

impl From<SubjectType> for SubjectKind {
    fn from(kind: SubjectType) -> Self {
        match kind {
            SubjectType::User => Self::User,
            SubjectType::VirtualAccount => Self::VirtualAccount,
            SubjectType::ExternalIdentity => Self::ExternalIdentity,
        }
    }
}

impl From<SubjectKind> for SubjectType {
    fn from(kind: SubjectKind) -> Self {
        match kind {
            SubjectKind::User => Self::User,
            SubjectKind::VirtualAccount => Self::VirtualAccount,
            SubjectKind::ExternalIdentity => Self::ExternalIdentity,
        }
    }
}

impl Named<'_> {
    /// The owner that is meant, if the caller may ask about it: everybody
    /// about themselves, managers about everybody.
    pub(super) fn owner(self, app: &App, caller: &Caller) -> Result<Owner, Problem> {
        let is_subject = |text: &str| {
            !text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control)
        };
        if !is_subject(self.id) {
            return Err(Problem::invalid_request("subjectId: not a subject"));
        }
        let issuer = self.issuer.unwrap_or(&caller.owner.issuer);
        let owner = Owner {
            issuer: issuer.to_owned(),
            subject: self.id.to_owned(),
            subject_type: self.kind,
        };
        if owner == caller.owner {
            return Ok(owner);
        }
        if !caller.is_manager {
            return Err(Problem::access_denied(
                "only managers may ask about another subject",
            ));
        }
        if !app
            .config
            .issuers
            .iter()
            .any(|known| known.issuer == issuer)
        {
            return Err(Problem::invalid_request(
                "subjectIssuer: not one of the configured issuers",
            ));
        }
        Ok(owner)
    }
}
