//! The addresses by which the service is known, those that it sends browsers
//! to, and those that it calls.

use core::time::Duration;
use std::path::PathBuf;

use url::{Host, Url};

use super::document;
use super::error::ConfigError;
use super::{Listeners, whole};
use crate::outbound::OutboundSettings;

/// Certificate and key of each listener that has TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Of the listener for browsers and users of the APIs.
    pub public: Option<TlsFiles>,
    /// Of the listener for the filter.
    pub filter: Option<TlsFiles>,
}

/// Where a certificate and its key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

const ORIGIN: &str = "an origin such as https://tokens.example: https, or http on loopback, \
    without path, query and user";

/// The service's own address: what was configured, or the listener's.
pub(super) fn public_url(
    configured: Option<&str>,
    listeners: Option<&Listeners>,
    tls: &document::Tls,
) -> Result<Url, ConfigError> {
    let error = |found: &str| ConfigError::new("/public_url", ORIGIN, found);
    let url = match (configured, listeners) {
        (Some(text), _) => Url::parse(text).map_err(|_| error("something else"))?,
        (None, Some(listeners)) => {
            let scheme = if tls.public.is_some() {
                "https"
            } else {
                "http"
            };
            Url::parse(&format!("{scheme}://{}", listeners.public)).map_err(|_| error("nothing"))?
        }
        (None, None) => return Err(error("nothing")),
    };
    let is_origin = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !is_origin {
        return Err(error("more than an origin"));
    }
    if !is_safe(&url) {
        return Err(error("something that travels in the clear"));
    }
    Ok(url)
}

/// Whether what is sent there cannot be read on the way.
pub(super) fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

/// An http or https URL without user and fragment.
pub(super) fn web_url(pointer: &str, text: &str) -> Result<Url, ConfigError> {
    let error = |found: &str| {
        ConfigError::new(
            pointer,
            "an https or http URL without user and fragment",
            found,
        )
    };
    let url = Url::parse(text).map_err(|_| error("something else"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(error("another kind of URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("a URL with a user"));
    }
    if url.fragment().is_some() {
        return Err(error("a URL with a fragment"));
    }
    Ok(url)
}

/// Base URLs: what is put behind them begins with a slash.
pub(super) fn gateway_urls(texts: &[String]) -> Result<Vec<Url>, ConfigError> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let pointer = format!("/gateway_urls/{index}");
            let url = web_url(&pointer, text)?;
            if url.query().is_some() {
                return Err(ConfigError::new(
                    pointer,
                    "a URL without a query",
                    "one with a query",
                ));
            }
            Ok(url)
        })
        .collect()
}

/// Where browsers may be sent after a consent. They are compared as text, so
/// they stay as they were written.
pub(super) fn redirect_urls(texts: &[String]) -> Result<Vec<String>, ConfigError> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let pointer = format!("/redirect_urls/{index}");
            let url = web_url(&pointer, text)?;
            if !is_safe(&url) {
                return Err(ConfigError::new(
                    pointer,
                    "an https URL, or http on loopback",
                    "something that travels in the clear",
                ));
            }
            Ok(text.clone())
        })
        .collect()
}

pub(super) fn tls(tls: &document::Tls) -> Result<Tls, ConfigError> {
    let files = |name: &str, files: Option<&document::TlsFiles>| {
        files
            .map(|files| {
                for (field, path) in [("certificate", &files.certificate), ("key", &files.key)] {
                    if path.is_empty() {
                        return Err(ConfigError::new(
                            format!("/tls/{name}/{field}"),
                            "the path of a PEM file",
                            "an empty string",
                        ));
                    }
                }
                Ok(TlsFiles {
                    certificate: files.certificate.clone().into(),
                    key: files.key.clone().into(),
                })
            })
            .transpose()
    };
    Ok(Tls {
        public: files("public", tls.public.as_deref())?,
        filter: files("filter", tls.filter.as_deref())?,
    })
}

pub(super) fn outbound(outbound: &document::Outbound) -> Result<OutboundSettings, ConfigError> {
    let allow = outbound
        .allow
        .iter()
        .enumerate()
        .map(|(index, text)| {
            text.parse().map_err(|_| {
                ConfigError::new(
                    format!("/outbound/allow/{index}"),
                    "a host and a port, or a network, as in 127.0.0.1:9001 or 10.1.0.0/16",
                    format_args!("{text:?}"),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(OutboundSettings {
        allow,
        timeout: whole(
            "/outbound/timeout_seconds",
            outbound.timeout_seconds,
            1..=60,
        )
        .map(Duration::from_secs)?,
        response_bytes: whole(
            "/outbound/response_bytes",
            outbound.response_bytes,
            1024..=16_777_216,
        )?,
    })
}
