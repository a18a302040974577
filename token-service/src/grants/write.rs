//! New tokens on their way into the row, when the database has trouble, too.

use core::time::Duration;

use tokio::time::Instant;

use super::Grants;
use super::refresh::Task;
use crate::credentials::{Credential, CredentialError};
use crate::storage::{Status, Version};

/// Writes of new tokens are tried so often before the calls that wait get an
/// answer.
pub(super) const WRITES: u32 = 3;

/// The time, which goes on while the work does.
pub(super) struct Clock {
    pub(super) now: i64,
    pub(super) began: Instant,
}

impl Clock {
    pub(super) fn now(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(0);
        self.now.saturating_add(passed)
    }
}

/// New tokens on their way into the row.
#[derive(Clone)]
pub(super) struct Write {
    pub(super) grants: Grants,
    pub(super) task: Task,
    pub(super) credential: Credential,
    /// The provider gave another refresh token: the old one is used up.
    pub(super) rotated: bool,
}

/// What became of a write.
pub(super) enum Written {
    /// They are there.
    Yes(Version),
    /// A new consent was there first.
    Superseded,
    /// The user has disconnected meanwhile.
    Removed,
    /// Not yet, or never.
    No,
}

impl Write {
    /// Tries to write. If that fails, and the provider has rotated the refresh
    /// token, it goes on trying as long as the lease lasts, and marks the
    /// credential if even that did not help.
    pub(super) async fn run(&self, clock: &Clock) -> Written {
        for attempt in 0..WRITES {
            if attempt > 0 {
                tokio::time::sleep(pause(attempt)).await;
            }
            match self.once(clock.now()).await {
                Ok(written) => return written,
                Err(error) => tracing::error!(%error, "new tokens could not be written"),
            }
        }
        if self.rotated {
            let (write, now) = (self.clone(), clock.now());
            let key = (self.task.slot.clone(), self.task.version);
            self.grants.0.rescues.start(key, write.rescue(now));
        }
        Written::No
    }

    async fn once(&self, now: i64) -> Result<Written, CredentialError> {
        let Task { slot, version, .. } = &self.task;
        let credentials = &self.grants.0.credentials;
        let written = credentials.refresh(slot, *version, &self.credential, now);
        if let Some(version) = written.await? {
            return Ok(Written::Yes(version));
        }
        // A write whose answer was lost has changed the version, too.
        Ok(match credentials.get(slot).await? {
            Some(kept) if kept.credential == self.credential => Written::Yes(kept.version),
            Some(_) => Written::Superseded,
            None => Written::Removed,
        })
    }

    async fn rescue(self, now: i64) {
        let clock = Clock {
            now,
            began: Instant::now(),
        };
        let until = now.saturating_add(self.grants.0.settings.lease_seconds);
        while clock.now() < until {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if self.once(clock.now()).await.is_ok() {
                return;
            }
        }
        let Task { slot, version, .. } = &self.task;
        let storage = self.grants.0.credentials.storage();
        let marked = storage.mark_credential(slot, *version, Status::RefreshFailed, clock.now());
        // Where not even this is written, the row still says that a refresh
        // has begun.
        if let Err(error) = marked.await {
            tracing::error!(%error, "new tokens are lost; the user will be asked again");
        }
    }
}

/// Before another attempt to write: 200 ms, 800 ms.
pub(super) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(50).saturating_mul(4_u32.saturating_pow(attempt))
}
