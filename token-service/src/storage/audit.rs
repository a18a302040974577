//! The audit records: what happened to whose credential, never a secret.

use sqlx::Row;

use super::{Storage, StorageError, owner, target};
use crate::owner::{Owner, SubjectType, Target};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: i64,
    /// What.
    pub action: Action,
    /// How it ended, in a fixed word.
    pub outcome: String,
    /// Who did it.
    pub actor: Actor,
    /// Whose credential. Where that is not known, nobody: empty texts.
    pub owner: Owner,
    /// What it is for.
    pub target: Target,
    /// What was called, where it is about a call.
    pub operation: Option<Operation>,
    /// The request that it happened in.
    pub request_id: String,
}

/// What was called, in a form that can be kept: what a peer says of any length
/// and with any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    method: String,
    name: Option<String>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The owner of the credential.
    Owner,
    /// The service by itself.
    Service,
    /// A filter, by the id of its key.
    Filter(String),
    /// Somebody else, such as a manager.
    Caller(Owner),
    /// It is not known who.
    Unknown,
}

/// Who does something, in which request.
#[derive(Clone, Debug)]
pub struct By<'a> {
    /// Who.
    pub actor: Actor,
    /// The request's id.
    pub request_id: &'a str,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The filter asked for it.
    Resolve,
    /// It was renewed.
    Refresh,
    /// A token was asked for without a consent: the service's own, or one for
    /// the user's.
    Fetch,
    /// The user was asked for it.
    Consent,
    /// Somebody set or removed one that goes before.
    Override,
    /// It was given back.
    Disconnect,
}

impl Storage {
    /// Writes a record.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn record(&self, record: &AuditRecord) -> Result<(), StorageError> {
        let query = "INSERT INTO audit (at, action, outcome, issuer, subject, subject_type, \
                server, source, request_id, actor, operation_method, operation_name) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let operation = record.operation.as_ref();
        sqlx::query(query)
            .bind(record.at)
            .bind(record.action.as_str())
            .bind(record.outcome.clone())
            .bind(record.owner.issuer.clone())
            .bind(record.owner.subject.clone())
            .bind(record.owner.subject_type.as_str())
            .bind(record.target.server.clone())
            .bind(record.target.source.clone())
            .bind(record.request_id.clone())
            .bind(record.actor.to_text())
            .bind(operation.map(|operation| operation.method.clone()))
            .bind(operation.and_then(|operation| operation.name.clone()))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The newest records, the newest first.
    ///
    /// # Errors
    /// The database has trouble.
    pub async fn records(&self, limit: u16) -> Result<Vec<AuditRecord>, StorageError> {
        let rows = sqlx::query("SELECT * FROM audit ORDER BY id DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let action: String = row.try_get("action")?;
                let actor: String = row.try_get("actor")?;
                let method: Option<String> = row.try_get("operation_method")?;
                let name: Option<String> = row.try_get("operation_name")?;
                Ok(AuditRecord {
                    at: row.try_get("at")?,
                    action: Action::from_name(&action).ok_or(StorageError::Corrupt("action"))?,
                    outcome: row.try_get("outcome")?,
                    actor: Actor::from_text(&actor).ok_or(StorageError::Corrupt("actor"))?,
                    owner: owner(row)?,
                    target: target(row)?,
                    operation: method.map(|method| Operation { method, name }),
                    request_id: row.try_get("request_id")?,
                })
            })
            .collect()
    }
}

// === impl Operation, Actor, By, Action ===

impl Operation {
    /// A longer method is none that anybody knows.
    const LONGEST_METHOD: usize = 64;
    /// Enough to tell one resource's URI from another.
    const LONGEST_NAME: usize = 256;

    /// What the caller says is called. It is cut off where it is too long, and
    /// has no control characters: PostgreSQL takes no text with a NUL.
    pub fn new(method: &str, name: Option<&str>) -> Self {
        Self {
            method: kept(method, Self::LONGEST_METHOD),
            name: name.map(|name| kept(name, Self::LONGEST_NAME)),
        }
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The tool, prompt or resource.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// So many characters of the text at most; of one that is cut off, the last is
/// '…'.
fn kept(text: &str, longest: usize) -> String {
    let mut characters = text.chars().map(|character| match character {
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    });
    let mut kept: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

impl Actor {
    /// The owner, or somebody who acts for them.
    pub fn of(caller: &Owner, owner: &Owner) -> Self {
        if caller == owner {
            Self::Owner
        } else {
            Self::Caller(caller.clone())
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Owner => "owner".to_owned(),
            Self::Service => "service".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Filter(id) => format!("filter:{id}"),
            // An issuer is a URL: there is no space in it.
            Self::Caller(caller) => format!(
                "caller:{} {} {}",
                caller.subject_type.as_str(),
                caller.issuer,
                caller.subject
            ),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "owner" => Self::Owner,
            "service" => Self::Service,
            "unknown" => Self::Unknown,
            _ => {
                if let Some(id) = text.strip_prefix("filter:") {
                    return Some(Self::Filter(id.to_owned()));
                }
                let mut parts = text.strip_prefix("caller:")?.splitn(3, ' ');
                Self::Caller(Owner {
                    subject_type: SubjectType::from_name(parts.next()?)?,
                    issuer: parts.next()?.to_owned(),
                    subject: parts.next()?.to_owned(),
                })
            }
        })
    }
}

/// The owner does it.
impl<'a> From<&'a str> for By<'a> {
    fn from(request_id: &'a str) -> Self {
        Self {
            actor: Actor::Owner,
            request_id,
        }
    }
}

impl Action {
    const ALL: [Self; 6] = [
        Self::Resolve,
        Self::Refresh,
        Self::Fetch,
        Self::Consent,
        Self::Override,
        Self::Disconnect,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Refresh => "refresh",
            Self::Fetch => "fetch",
            Self::Consent => "consent",
            Self::Override => "override",
            Self::Disconnect => "disconnect",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_called_no_more_is_kept_than_fits() {
        let name = "n".repeat(Operation::LONGEST_NAME);
        let fits = Operation::new("tools/call", Some(&name));
        assert_eq!((fits.method(), fits.name()), ("tools/call", Some(&*name)));
        let long = Operation::new(&"é".repeat(65), Some("a\r\nb\0"));
        assert_eq!(long.method(), format!("{}…", "é".repeat(63)));
        assert_eq!(long.name(), Some("a\u{fffd}\u{fffd}b\u{fffd}"));
        assert_eq!(Operation::new("ping", None).name(), None);
    }
}
