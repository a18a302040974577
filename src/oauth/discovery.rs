//! The issuer's metadata: where its keys are (RFC 8414; OpenID Connect
//! Discovery 1.0).

use url::Url;

use super::fetch::FetchFailure;
use crate::callout::Endpoint;
use crate::json::{self, Json};

const MAX_DEPTH: usize = 16;

/// Where the metadata of an issuer may be, in the order in which to ask: RFC
/// 8414, section 3.1 (the well-known name before the issuer's path), OpenID
/// Connect Discovery, section 4.1 (after it), and RFC 8414, section 5 (the
/// name of the latter in the place of the former). `None` if the issuer
/// identifier is no URL that could have metadata.
pub fn metadata_endpoints(issuer: &str, cluster: &str) -> Option<Vec<Endpoint>> {
    let url = web_url(issuer)?;
    if url.query().is_some() {
        return None;
    }
    let path = url.path().trim_end_matches('/');
    let mut paths = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ];
    if !path.is_empty() {
        paths.push(format!("/.well-known/openid-configuration{path}"));
    }
    paths
        .into_iter()
        .map(|path| {
            let mut endpoint = endpoint(&url, cluster)?;
            endpoint.path = path;
            Some(endpoint)
        })
        .collect()
}

/// The address of the key set in the metadata of `issuer`. The metadata's own
/// `issuer` has to be identical (RFC 8414, section 3.3), and an issuer under
/// https has its keys under https.
pub(super) fn key_set_endpoint(
    metadata: &[u8],
    issuer: &str,
    cluster: &str,
) -> Result<Endpoint, FetchFailure> {
    let metadata = json::parse(metadata, MAX_DEPTH).map_err(|_| FetchFailure::Malformed)?;
    let metadata = metadata.as_object().ok_or(FetchFailure::Malformed)?;
    if metadata.get("issuer").and_then(Json::as_str) != Some(issuer) {
        return Err(FetchFailure::WrongIssuer);
    }
    let url = metadata
        .get("jwks_uri")
        .and_then(Json::as_str)
        .and_then(web_url)
        .ok_or(FetchFailure::KeySetAddress)?;
    let issuer_is_https = web_url(issuer).is_none_or(|issuer| issuer.scheme() == "https");
    if issuer_is_https && url.scheme() != "https" {
        return Err(FetchFailure::KeySetAddress);
    }
    endpoint(&url, cluster).ok_or(FetchFailure::KeySetAddress)
}

/// An absolute http or https URL without user information and fragment.
fn web_url(text: &str) -> Option<Url> {
    const MAX_BYTES: usize = 2048;
    if text.len() > MAX_BYTES {
        return None;
    }
    Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

fn endpoint(url: &Url, cluster: &str) -> Option<Endpoint> {
    let host = url.host_str()?;
    Some(Endpoint {
        cluster: cluster.to_owned(),
        scheme: url.scheme().to_owned(),
        authority: match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        },
        path: match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        },
    })
}
