//! The headers of every page.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use url::Url;

const FIXED: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // For what does not know `frame-ancestors`.
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Handles, codes and states stand in addresses.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
];

/// Sets the security headers of a page or a redirect between pages.
pub fn secure(response: &mut Response, form_targets: &[&Url]) {
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, value);
    }
    if let Ok(policy) = HeaderValue::from_str(&content_security_policy(form_targets)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// Nothing is loaded but the style and an empty icon.
///
/// Chromium applies `form-action` to every redirect that follows a form, and an
/// authorization server may pass the browser on to further ones, as with a
/// federated sign-in, which nobody here can know. So any https address is
/// permitted where a form leads out of the service, and of http ones those that
/// are named.
fn content_security_policy(form_targets: &[&Url]) -> String {
    static STYLE_HASH: LazyLock<String> =
        LazyLock::new(|| STANDARD.encode(Sha256::digest(super::STYLE)));
    let mut targets: BTreeSet<String> = form_targets
        .iter()
        .filter(|target| target.scheme() == "http")
        .map(|target| target.origin().ascii_serialization())
        .collect();
    if !form_targets.is_empty() {
        targets.insert("https:".to_owned());
    }
    let mut policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'",
        *STYLE_HASH
    );
    for target in targets {
        policy.push(' ');
        policy.push_str(&target);
    }
    policy
}
