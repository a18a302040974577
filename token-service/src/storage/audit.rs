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
    /// The request that it happened in.
    pub request_id: String,
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
                server, source, request_id, actor) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
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
                Ok(AuditRecord {
                    at: row.try_get("at")?,
                    action: Action::from_name(&action).ok_or(StorageError::Corrupt("action"))?,
                    outcome: row.try_get("outcome")?,
                    actor: Actor::from_text(&actor).ok_or(StorageError::Corrupt("actor"))?,
                    owner: owner(row)?,
                    target: target(row)?,
                    request_id: row.try_get("request_id")?,
                })
            })
            .collect()
    }
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
    const ALL: [Self; 5] = [
        Self::Resolve,
        Self::Refresh,
        Self::Consent,
        Self::Override,
        Self::Disconnect,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Refresh => "refresh",
            Self::Consent => "consent",
            Self::Override => "override",
            Self::Disconnect => "disconnect",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}
