//! How a server authenticates upstream, from the configuration.

mod client;
mod headers;
mod oauth;

use url::Url;

use self::client::registered;
use self::oauth::{at_no_gateway, for_authorization, oauth, unpinned};
use super::document;
use super::error::ConfigError;
use super::secrets::Outside;
use crate::servers::{Authentication, Provider};

pub(super) fn authentication(
    pointer: &str,
    document: &document::Authentication,
    gateways: &[Url],
    outside: Outside<'_>,
) -> Result<Authentication, ConfigError> {
    let at = |field: &str| format!("{pointer}/{field}");
    match document.kind.as_str() {
        "none" => {
            only(pointer, document, &[])?;
            Ok(Authentication::None)
        }
        "header" => {
            only(pointer, document, &["level", "headers", "values"])?;
            headers::header(pointer, document, outside).map(Authentication::Header)
        }
        "oauth2" => {
            let grant = document.grant.as_deref().unwrap_or("authorization_code");
            match grant {
                "authorization_code" => {
                    only(
                        pointer,
                        document,
                        &[OAUTH, &["authorization_parameters"]].concat(),
                    )?;
                    let oauth = oauth(pointer, document, gateways, outside)?;
                    for_authorization(pointer, &oauth)?;
                    Ok(Authentication::AuthorizationCode(oauth))
                }
                "client_credentials" => {
                    only(pointer, document, OAUTH)?;
                    let oauth = oauth(pointer, document, gateways, outside)?;
                    registered(pointer, &oauth, true)?;
                    at_no_gateway(pointer, document, &oauth)?;
                    Ok(Authentication::ClientCredentials(oauth))
                }
                "token_exchange" => {
                    only(pointer, document, &[OAUTH, &["audience"]].concat())?;
                    let oauth = oauth(pointer, document, gateways, outside)?;
                    registered(pointer, &oauth, false)?;
                    if matches!(oauth.provider, Provider::Resource { issuer: None, .. }) {
                        // It would get users' tokens.
                        return Err(unpinned(pointer));
                    }
                    at_no_gateway(pointer, document, &oauth)?;
                    Ok(Authentication::TokenExchange {
                        oauth,
                        audience: document.audience.clone(),
                    })
                }
                other => Err(ConfigError::new(
                    at("grant"),
                    "authorization_code, client_credentials or token_exchange",
                    format_args!("{other:?}"),
                )),
            }
        }
        other => Err(ConfigError::new(
            at("type"),
            "none, header or oauth2",
            format_args!("{other:?}"),
        )),
    }
}

const OAUTH: &[&str] = &[
    "grant",
    "provider",
    "client",
    "scopes",
    "resource",
    "token_parameters",
];

/// Whether no field is there that means nothing with this type and grant.
fn only(
    pointer: &str,
    document: &document::Authentication,
    allowed: &[&str],
) -> Result<(), ConfigError> {
    let document::Authentication {
        kind: _,
        level,
        headers,
        values,
        grant,
        provider,
        client,
        scopes,
        resource,
        audience,
        authorization_parameters,
        token_parameters,
    } = document;
    let present = [
        ("level", level.is_some()),
        ("headers", headers.is_some()),
        ("values", values.is_some()),
        ("grant", grant.is_some()),
        ("provider", provider.is_some()),
        ("client", client.is_some()),
        ("scopes", scopes.is_some()),
        ("resource", resource.is_some()),
        ("audience", audience.is_some()),
        (
            "authorization_parameters",
            authorization_parameters.is_some(),
        ),
        ("token_parameters", token_parameters.is_some()),
    ];
    for (field, is_present) in present {
        if is_present && !allowed.contains(&field) {
            return Err(ConfigError::new(
                format!("{pointer}/{field}"),
                "no such field with this type and grant",
                "one",
            ));
        }
    }
    Ok(())
}
