//! The link that a flow begins with.

use core::fmt;

use url::Url;

use super::below;
use super::journey::Journey;
use super::rows::{self, Kept, Row};
use crate::app::App;
use crate::credentials::CredentialError;
use crate::grants::Needed;
use crate::owner::{Owner, Target};
use crate::servers::Server;
use crate::storage::Handle;

/// A flow that can begin.
#[derive(Clone, PartialEq, Eq)]
pub struct Started {
    /// The link for the owner's browser. It works once, and for them only.
    pub url: String,
    /// How long it works, in seconds.
    pub expires_in: i64,
}

/// Why no flow can begin.
#[derive(Debug)]
pub enum StartError {
    /// The address to return to is not in `redirect_urls`.
    RedirectUrl,
    /// The gateway's address is not in `gateway_urls`.
    GatewayUrl,
    /// The link could not be kept.
    Credential(CredentialError),
}

/// Makes the link with which this owner can connect this server.
/// `redirect_url` is where the browser goes in the end, and `gateway_url` the
/// gateway that the owner comes through; both have to be configured. `needed`
/// is what the call that the link is for needs beside a usable credential.
///
/// # Errors
/// One of them is not, or the database has trouble.
pub async fn start(
    app: &App,
    owner: &Owner,
    server: &Server,
    redirect_url: Option<&str>,
    gateway_url: Option<&str>,
    needed: Vec<Needed>,
    now: i64,
) -> Result<Started, StartError> {
    let journey = Journey {
        needed,
        ..journey(
            &app.config.redirect_urls,
            &app.config.gateway_urls,
            redirect_url,
            gateway_url,
        )?
    };
    let handle = Handle::fresh().map_err(CredentialError::from)?;
    let row = Kept {
        owner: owner.clone(),
        target: Target::server(server.id.clone()),
        data: &journey,
    };
    rows::keep(&app.credentials, &handle, row, now).await?;
    Ok(Started {
        url: below(
            &app.config.public_url,
            &format!("connect/{}", handle.expose()),
        ),
        expires_in: Journey::SECONDS,
    })
}

fn journey(
    redirect_urls: &[String],
    gateway_urls: &[Url],
    redirect_url: Option<&str>,
    gateway_url: Option<&str>,
) -> Result<Journey, StartError> {
    // Compared to the character: two that a parser takes for the same may not
    // be the same to a browser.
    if let Some(url) = redirect_url
        && !redirect_urls.iter().any(|allowed| allowed == url)
    {
        return Err(StartError::RedirectUrl);
    }
    let gateway_url = match gateway_url {
        None => gateway_urls.first(),
        Some(text) => Some(
            Url::parse(text)
                .ok()
                .and_then(|url| gateway_urls.iter().find(|allowed| same_base(allowed, &url)))
                .ok_or(StartError::GatewayUrl)?,
        ),
    };
    Ok(Journey {
        redirect_url: redirect_url.map(str::to_owned),
        gateway_url: gateway_url.map(Url::to_string),
        ..Journey::default()
    })
}

/// With or without a slash at the end, a base URL is the same.
fn same_base(one: &Url, other: &Url) -> bool {
    one.as_str().trim_end_matches('/') == other.as_str().trim_end_matches('/')
}

// === impl Started, StartError ===

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The link holds the handle.
        f.debug_struct("Started")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

impl From<CredentialError> for StartError {
    fn from(error: CredentialError) -> Self {
        Self::Credential(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RedirectUrl => f.write_str("redirectURL: not one of the allowed addresses"),
            Self::GatewayUrl => f.write_str("gatewayBaseURL: not one of the gateway's addresses"),
            Self::Credential(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "https://portal.example/done";

    fn with(redirect: Option<&str>, gateway: Option<&str>) -> Result<Journey, StartError> {
        let gateways = ["https://gate.example/", "https://second.example/base"];
        let gateways = gateways.map(|url| Url::parse(url).unwrap());
        journey(&[DONE.to_owned()], &gateways, redirect, gateway)
    }

    #[test]
    fn only_the_very_redirect_url_is_accepted() {
        assert_eq!(
            with(Some(DONE), None).unwrap().redirect_url.as_deref(),
            Some(DONE)
        );
        for other in [
            "",
            "https://portal.example/done/",
            "https://portal.example/done?x=1",
            "https://portal.example/done#x",
            "HTTPS://portal.example/done",
            "https://portal.example:443/done",
            "https://portal.example/./done",
            "https://portal.example/done\r\nSet-Cookie: x=1",
            "https://portal.example/done\n",
            " https://portal.example/done",
            "https://portal.example@evil.example/done",
            "//portal.example/done",
            "javascript:alert(1)",
        ] {
            let refused = with(Some(other), None);
            assert!(
                matches!(refused, Err(StartError::RedirectUrl)),
                "{other}: {refused:?}"
            );
        }
    }

    #[test]
    fn the_gateway_is_one_of_those_configured_and_the_first_without_a_word() {
        let chosen = |gateway| with(None, gateway).unwrap().gateway_url.unwrap();
        assert_eq!(chosen(None), "https://gate.example/");
        assert_eq!(
            chosen(Some("https://gate.example")),
            "https://gate.example/"
        );
        assert_eq!(
            chosen(Some("https://second.example/base/")),
            "https://second.example/base"
        );
        for other in ["", "gate.example", "https://", "https://evil.example"] {
            let refused = with(None, Some(other));
            assert!(matches!(refused, Err(StartError::GatewayUrl)), "{other}");
        }
    }
}
