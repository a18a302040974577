//! What is counted, and under which names. No label has the name of a person
//! or of a server that is not in the configuration.
//!
//! | name | labels | counts |
//! |---|---|---|
//! | `token_service_resolve_total` | `status` | answers to questions for a credential |
//! | `token_service_refresh_total` | `outcome` | refreshes, by how they ended |
//! | `token_service_refresh_seconds` | | how long the provider took for one |
//! | `token_service_lease_contention_total` | | waits for another replica's refresh |
//! | `token_service_cooldown_total` | | questions that came while nothing is tried |
//! | `token_service_decrypt_failures_total` | | secrets that did not open |
//! | `token_service_disconnect_total` | `outcome` | credentials removed |
//! | `token_service_override_total` | `outcome` | overrides set and removed |

use core::time::Duration;

use crate::credentials::CredentialError;

pub(super) fn resolved(status: &'static str) {
    metrics::counter!("token_service_resolve_total", "status" => status).increment(1);
}

pub(super) fn refreshed(outcome: &'static str, took: Duration) {
    metrics::counter!("token_service_refresh_total", "outcome" => outcome).increment(1);
    metrics::histogram!("token_service_refresh_seconds").record(took.as_secs_f64());
}

pub(super) fn contended() {
    metrics::counter!("token_service_lease_contention_total").increment(1);
}

pub(super) fn cooling() {
    metrics::counter!("token_service_cooldown_total").increment(1);
}

pub(super) fn unreadable(error: &CredentialError) {
    if matches!(error, CredentialError::Vault(_)) {
        metrics::counter!("token_service_decrypt_failures_total").increment(1);
    }
}

pub(super) fn disconnected(outcome: &'static str) {
    metrics::counter!("token_service_disconnect_total", "outcome" => outcome).increment(1);
}

pub(super) fn overridden(outcome: &'static str) {
    metrics::counter!("token_service_override_total", "outcome" => outcome).increment(1);
}
