//! Metrics and logs: the names, and what is counted.
//!
//! Labels have few values, none of which comes from a peer.

use core::time::Duration;
use std::sync::OnceLock;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "token_service_http_requests_total";
const REQUEST_SECONDS: &str = "token_service_http_request_seconds";
const RESOLVES: &str = "token_service_resolves_total";
const REFRESHES: &str = "token_service_refreshes_total";
const REFRESH_SECONDS: &str = "token_service_refresh_seconds";
const FETCHES: &str = "token_service_fetches_total";
const LEASE_CONTENTION: &str = "token_service_lease_contention_total";
const COOLDOWNS: &str = "token_service_cooldowns_total";
const CONSENTS_STARTED: &str = "token_service_consents_started_total";
const CONSENTS_COMPLETED: &str = "token_service_consents_completed_total";
const DISCONNECTS: &str = "token_service_disconnects_total";
const DECRYPT_FAILURES: &str = "token_service_decrypt_failures_total";

const COUNTERS: [(&str, &str); 10] = [
    (
        REQUESTS,
        "HTTP requests by listener, method, route and status",
    ),
    (RESOLVES, "answers to resolve by status or error code"),
    (REFRESHES, "refreshes by outcome"),
    (
        FETCHES,
        "tokens asked for without a consent, by grant and outcome",
    ),
    (
        LEASE_CONTENTION,
        "refreshes that another replica or task was at already",
    ),
    (
        COOLDOWNS,
        "refreshes that were not tried so soon after a failure",
    ),
    (CONSENTS_STARTED, "consents that began"),
    (CONSENTS_COMPLETED, "consents that brought a credential"),
    (
        DISCONNECTS,
        "disconnects by whether the provider took the tokens back",
    ),
    (DECRYPT_FAILURES, "stored secrets that did not open"),
];

const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Begins to count. Before this, everything below does nothing.
///
/// # Errors
/// Something else in the process counts already.
pub fn start_metrics() -> Result<(), String> {
    static STARTED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .map_err(|problem| format!("metrics: {problem}"))?;
            for (name, what) in COUNTERS {
                describe_counter!(name, what);
            }
            describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "time of HTTP requests");
            describe_histogram!(REFRESH_SECONDS, Unit::Seconds, "time of refreshes");
            // There from the beginning, so that a rate can be built.
            for name in [
                LEASE_CONTENTION,
                COOLDOWNS,
                CONSENTS_STARTED,
                CONSENTS_COMPLETED,
                DECRYPT_FAILURES,
            ] {
                counter!(name).absolute(0);
            }
            let _ = HANDLE.set(handle.clone());
            Ok(handle)
        })
        .as_ref()
        .map(drop)
        .map_err(Clone::clone)
}

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    HANDLE.get().map_or_else(String::new, |handle| {
        handle.run_upkeep();
        handle.render()
    })
}

/// An HTTP request was answered.
pub(crate) fn request(
    listener: &'static str,
    method: &'static str,
    route: &str,
    status: u16,
    time: Duration,
) {
    let route = route.to_owned();
    counter!(REQUESTS, "listener" => listener, "method" => method, "route" => route.clone(),
        "status" => status.to_string())
    .increment(1);
    histogram!(REQUEST_SECONDS, "listener" => listener, "route" => route)
        .record(time.as_secs_f64());
}

/// A resolve was answered with this status or error code.
pub(crate) fn resolve(status: &'static str) {
    counter!(RESOLVES, "status" => status).increment(1);
}

/// A refresh ended so, after this time.
pub fn refresh(outcome: &'static str, time: Duration) {
    counter!(REFRESHES, "outcome" => outcome).increment(1);
    histogram!(REFRESH_SECONDS).record(time.as_secs_f64());
}

/// A token was asked for without a consent, by this grant, and it ended so.
pub(crate) fn fetch(grant: &'static str, outcome: &'static str) {
    counter!(FETCHES, "grant" => grant, "outcome" => outcome).increment(1);
}

/// Somebody else was at the refresh already.
pub fn lease_contention() {
    counter!(LEASE_CONTENTION).increment(1);
}

/// A refresh was not tried: too soon after a failure.
pub fn cooldown() {
    counter!(COOLDOWNS).increment(1);
}

/// A consent began.
pub fn consent_started() {
    counter!(CONSENTS_STARTED).increment(1);
}

/// A consent brought a credential.
pub fn consent_completed() {
    counter!(CONSENTS_COMPLETED).increment(1);
}

/// A credential was removed: `revoked`, or `removed_here_only`.
pub fn disconnect(outcome: &'static str) {
    counter!(DISCONNECTS, "outcome" => outcome).increment(1);
}

/// A stored secret did not open.
pub fn decrypt_failure() {
    counter!(DECRYPT_FAILURES).increment(1);
}

/// Begins to write logs: a JSON object a line on standard error. The level is
/// taken from `MCP_TOKEN_SERVICE_LOG` (`info` without it), in the form of the
/// crate `tracing-subscriber`.
///
/// # Errors
/// The level is none, or there are logs already.
pub fn start_logs() -> Result<(), String> {
    use tracing_subscriber::filter::EnvFilter;

    const VARIABLE: &str = "MCP_TOKEN_SERVICE_LOG";
    let level = std::env::var(VARIABLE).unwrap_or_else(|_| "info".to_owned());
    // Whatever the level: these write what they send and receive.
    let filter = [
        "hyper=warn",
        "reqwest=warn",
        "sqlx=warn",
        "rustls=warn",
        "h2=warn",
    ]
    .into_iter()
    .try_fold(
        EnvFilter::try_new(&level).map_err(|problem| format!("{VARIABLE}: {problem}"))?,
        |filter, directive| {
            directive
                .parse()
                .map(|directive| filter.add_directive(directive))
                .map_err(|problem| format!("{VARIABLE}: {problem}"))
        },
    )?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init()
        .map_err(|problem| format!("logs: {problem}"))
}
