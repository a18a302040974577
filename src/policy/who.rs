//! The part of a rule that says whom it is about.

use std::rc::Rc;

use super::Pattern;
use super::condition::{Truth, contains, equals, is_in, matches};
use crate::json::Json;
use crate::oauth::{ClaimPath, Identity, Scopes, SubjectType};

/// Whom a rule is about. Everything in it has to hold; a list holds with any
/// of its members, and `None` with everyone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    pub(crate) scopes: Scopes,
    pub(crate) subjects: Option<Vec<Pattern>>,
    pub(crate) subject_types: Option<Vec<SubjectType>>,
    pub(crate) clients: Option<Vec<Pattern>>,
    pub(crate) issuers: Option<Vec<Rc<str>>>,
    pub(crate) claims: Vec<ClaimCondition>,
}

/// A condition on a claim of the caller.
#[derive(Clone, Debug)]
pub(crate) struct ClaimCondition {
    pub(crate) claim: ClaimPath,
    pub(crate) operator: ClaimOperator,
}

#[derive(Clone, Debug)]
pub(crate) enum ClaimOperator {
    Contains(Json<'static>),
    Equals(Json<'static>),
    In(Vec<Json<'static>>),
    Matches(Vec<Pattern>),
    Present(bool),
}

impl Who {
    /// Whether it is about everyone.
    pub(crate) fn is_everyone(&self) -> bool {
        self.scopes.is_empty()
            && self.subjects.is_none()
            && self.subject_types.is_none()
            && self.clients.is_none()
            && self.issuers.is_none()
            && self.claims.is_empty()
    }

    /// All of it.
    pub(crate) fn holds(&self, identity: &Identity) -> Truth {
        Truth::from(identity.scopes().contains_all(&self.scopes))
            .and(self.holds_apart_from_scopes(identity))
    }

    /// Without the scopes, which a caller may obtain. A token that does not
    /// name its client leaves a condition on clients unknown.
    pub(crate) fn holds_apart_from_scopes(&self, identity: &Identity) -> Truth {
        let Self {
            scopes: _,
            subjects,
            subject_types,
            clients,
            issuers,
            claims,
        } = self;
        let subject = any(subjects.as_deref(), |pattern| {
            pattern.matches(identity.subject())
        });
        let subject_type = any(subject_types.as_deref(), |wanted| {
            *wanted == identity.subject_type()
        });
        let issuer = any(issuers.as_deref(), |id| **id == *identity.issuer_id());
        let client = match (clients, identity.client()) {
            (Some(_), None) => Truth::Unknown,
            (Some(patterns), Some(client)) => patterns
                .iter()
                .any(|pattern| pattern.matches(client))
                .into(),
            (None, _) => Truth::Holds,
        };
        let claims = claims.iter().map(|condition| condition.holds(identity));
        Truth::all([subject, subject_type, issuer, client]).and(Truth::all(claims))
    }
}

impl ClaimCondition {
    /// An absent claim is a definite no: the caller does not have the role. A
    /// claim of a type that cannot be compared is unknown.
    fn holds(&self, identity: &Identity) -> Truth {
        let value = self.claim.find(identity.claims());
        if let ClaimOperator::Present(wanted) = self.operator {
            return (value.is_some() == wanted).into();
        }
        let Some(value) = value else {
            return Truth::Fails;
        };
        self.operator.holds(value)
    }
}

impl ClaimOperator {
    /// For a claim that is there.
    fn holds(&self, value: &Json) -> Truth {
        match self {
            Self::Contains(wanted) => contains(value, wanted),
            Self::Equals(wanted) => equals(value, wanted),
            Self::In(wanted) => is_in(value, wanted),
            Self::Matches(patterns) => matches(value, patterns),
            Self::Present(wanted) => (*wanted).into(),
        }
    }

    /// Whether the value is right.
    pub(crate) fn accepts(&self, value: &Json) -> bool {
        self.holds(value) == Truth::Holds
    }
}

fn any<T>(list: Option<&[T]>, holds: impl Fn(&T) -> bool) -> Truth {
    list.is_none_or(|members| members.iter().any(holds)).into()
}
