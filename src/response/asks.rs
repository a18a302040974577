//! What an upstream asks of a client: sampling, elicitation, roots, and URLs
//! for the user to open.

use super::withheld::Withheld;
use crate::config::ClientFeatures;
use crate::json::raw::RawObject;

/// Judges one request of the server, or one entry of `inputRequests` (MCP
/// 2026-07-28, multi round-trip requests): its method and its parameters.
///
/// # Errors
/// [`Withheld::ClientFeature`], [`Withheld::ElicitationUrl`],
/// [`Withheld::NotUnderstood`]
pub(super) fn judge(
    _features: &ClientFeatures,
    _method: &str,
    _params: Option<&str>,
) -> Result<(), Withheld> {
    Err(Withheld::ClientFeature)
}

/// Judges every entry of `inputRequests`, wherever it stands in a result or
/// in a task.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_input_requests(
    _features: &ClientFeatures,
    _input_requests: &str,
) -> Result<(), Withheld> {
    Err(Withheld::ClientFeature)
}

/// Judges a JSON-RPC error: the URLs of -32042 (MCP 2025-11-25).
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_error(
    _features: &ClientFeatures,
    _error: &RawObject<'_>,
) -> Result<(), Withheld> {
    Err(Withheld::ElicitationUrl)
}
