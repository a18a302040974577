//! The running service: from its configuration to its end.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::time::MissedTickBehavior;

use crate::access::Access;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::grants::{GrantSettings, Grants};
use crate::http::{self, Listener, ServeError, Stopping};
use crate::oauth::Providers;
use crate::outbound::{NoClient, Outbound};
use crate::storage::{Storage, StorageError};
use crate::telemetry;
use crate::vault::Vault;

/// The service, while it runs.
#[derive(Debug)]
pub struct Service {
    app: App,
    public: Listener,
    filter: Listener,
    stopping: Stopping,
}

/// Why the service does not start, or has ended by itself.
#[derive(Debug)]
pub enum ServiceError {
    /// The database cannot be used.
    Storage(StorageError),
    /// Secrets in the database do not open with the keys of the configuration.
    Keys(Vec<String>),
    /// The HTTP client cannot be set up.
    Client(NoClient),
    /// A listener cannot be set up.
    Serve(ServeError),
    /// A listener has ended by itself.
    Ended(io::Error),
    /// Metrics or logs cannot be had.
    Telemetry(String),
}

/// How often is tidied up.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// The longest that a call waits for a refresh.
const PATIENCE: Duration = Duration::from_secs(4);

/// Closing the database takes at most this.
const CLOSING: Duration = Duration::from_secs(2);

/// Tidying up takes at most this.
const TIDYING: Duration = Duration::from_secs(30);

const DAY: i64 = 86_400;

impl Service {
    /// Opens the database and begins to answer.
    ///
    /// # Errors
    /// What of the configuration cannot be used after all.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, ServiceError> {
        // An error says that there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        telemetry::start_metrics().map_err(ServiceError::Telemetry)?;
        let storage = Storage::open(&config.database).await?;
        let vault = Vault::new(config.keyring.clone());
        let credentials = Arc::new(Credentials::new(storage, vault));
        let closed = credentials.unopened().await?;
        if !closed.is_empty() {
            return Err(ServiceError::Keys(closed));
        }
        let outbound = Outbound::new(config.outbound.clone()).map_err(ServiceError::Client)?;
        let issuers_outbound =
            Outbound::new(config.issuers_outbound.clone()).map_err(ServiceError::Client)?;
        let settings = GrantSettings {
            public_url: config.public_url.clone(),
            margin_seconds: config.refresh.margin,
            cooldown_seconds: config.refresh.cooldown,
            lease_seconds: config.refresh.lease,
            // The filter waits 5 s for an answer.
            patience: config.limits.request_time.mul_f64(0.8).min(PATIENCE),
        };
        let app = App {
            servers: Arc::new(config.servers.clone()),
            grants: Arc::new(Grants::new(Arc::clone(&credentials), outbound, settings)),
            credentials,
            access: Access::new(config.issuers.clone(), issuers_outbound.clone()),
            issuers: Providers::new(issuers_outbound),
            clock,
            config: Arc::new(config),
        };
        let stopping = Stopping::default();
        let Config { listeners, tls, .. } = &*app.config;
        let filter = http::filter_router(app.clone(), stopping.clone());
        let filter = Listener::start(listeners.filter, tls.filter.as_ref(), filter)?;
        let public = http::public_router(app.clone(), stopping.clone());
        let public = Listener::start(listeners.public, tls.public.as_ref(), public)?;
        tracing::info!(
            filter = %filter.address,
            public = %public.address,
            public_url = %app.config.public_url,
            "listening"
        );
        Ok(Self {
            app,
            public,
            filter,
            stopping,
        })
    }

    /// What requests are answered with.
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Where browsers and users of the APIs call.
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// Where the filter calls.
    pub const fn filter_address(&self) -> SocketAddr {
        self.filter.address
    }

    /// Answers until it is told to stop; then lets what is under way end, for
    /// as long as the configuration says.
    ///
    /// # Errors
    /// A listener has ended by itself.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let mut ticks = tokio::time::interval(HOUSEKEEPING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                ended = self.public.ended() => return Err(ended_by_itself(ended)),
                ended = self.filter.ended() => return Err(ended_by_itself(ended)),
                _ = ticks.tick() => {
                    self.public.renew_certificate();
                    self.filter.renew_certificate();
                    let tidying = tokio::time::timeout(TIDYING, tidy_up(&self.app));
                    tokio::select! {
                        () = &mut stop => break,
                        ended = self.public.ended() => return Err(ended_by_itself(ended)),
                        ended = self.filter.ended() => return Err(ended_by_itself(ended)),
                        done = tidying => if done.is_err() {
                            tracing::warn!("what is over cannot be removed: no answer in time");
                        },
                    }
                }
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn stop(mut self) {
        let time = self.app.config.limits.shutdown_time;
        tracing::info!(seconds = time.as_secs(), "stopping");
        self.stopping.begin();
        self.public.begin_stop(time);
        self.filter.begin_stop(time);
        for listener in [&mut self.public, &mut self.filter] {
            if let Err(problem) = listener.ended().await {
                tracing::warn!(%problem, "a listener did not end well");
            }
        }
        // What a provider has given by now is written before the end.
        if tokio::time::timeout(time, self.app.grants.drain())
            .await
            .is_err()
        {
            tracing::warn!("a refresh, a consent or a disconnect was cut off");
        }
        // A connection on which the database does not answer ends with the process.
        let closing = self.app.credentials.storage().close();
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("the database was not closed in time");
        }
        tracing::info!("stopped");
    }
}

/// Removes what is over.
async fn tidy_up(app: &App) {
    let storage = app.credentials.storage();
    let now = app.clock.now();
    let days = i64::from(app.config.audit_days);
    let before = now.saturating_sub(days.saturating_mul(DAY));
    let consents = storage.purge_consents(now).await;
    let records = storage.purge_records(before).await;
    match (consents, records) {
        (Ok(consents), Ok(records)) => {
            if consents > 0 || records > 0 {
                tracing::info!(consents, records, "removed what is over");
            }
        }
        (Err(problem), _) | (_, Err(problem)) => {
            tracing::warn!(%problem, "what is over cannot be removed");
        }
    }
}

fn ended_by_itself(ended: io::Result<()>) -> ServiceError {
    let problem = ended.err();
    ServiceError::Ended(problem.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
}

// === impl ServiceError ===

impl From<StorageError> for ServiceError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<ServeError> for ServiceError {
    fn from(error: ServeError) -> Self {
        Self::Serve(error)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Keys(closed) => write!(
                f,
                "secrets in the database do not open with the keys in encryption.keys; \
                 put back the keys that they were sealed with\n{}",
                closed.join("\n")
            ),
            Self::Client(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
            Self::Ended(error) => write!(f, "a listener has ended: {error}"),
            Self::Telemetry(error) => f.write_str(error),
        }
    }
}

impl core::error::Error for ServiceError {}
