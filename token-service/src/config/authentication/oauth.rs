//! Authorization servers, and what they are asked for.

use std::collections::BTreeMap;

use url::Url;

use super::client::client;
use crate::config::addresses::web_url;
use crate::config::document;
use crate::config::error::{ConfigError, token};
use crate::config::issuers::issuer_identifier;
use crate::config::secrets::Outside;
use crate::config::servers::with_gateways;
use crate::servers::{Client, Endpoints, OAuth, Provider, ResourceIndicator};
use crate::strict::Members;

pub(super) fn oauth(
    pointer: &str,
    document: &document::Authentication,
    gateways: &[Url],
    outside: Outside<'_>,
) -> Result<OAuth, ConfigError> {
    let at = |field: &str| format!("{pointer}/{field}");
    let Some(written) = &document.provider else {
        return Err(ConfigError::new(
            at("provider"),
            "the authorization server: resource, issuer or endpoints",
            "none",
        ));
    };
    let resource = document
        .resource
        .as_deref()
        .map(|text| indicator(&at("resource"), text, gateways))
        .transpose()?;
    let provider = provider(&at("provider"), written, gateways)?;
    let client = client(&at("client"), document.client.as_deref(), outside)?;
    // The upstream names its authorization server, and can name another one at
    // any time: it would get the client's secret.
    if matches!(provider, Provider::Resource { issuer: None, .. }) && client.has_secret() {
        return Err(unpinned(pointer));
    }
    Ok(OAuth {
        provider,
        client,
        scopes: scopes(
            &at("scopes"),
            document.scopes.as_deref().unwrap_or_default(),
        )?,
        resource,
        authorization_parameters: parameters(
            &at("authorization_parameters"),
            document.authorization_parameters.as_ref(),
        )?,
        token_parameters: parameters(&at("token_parameters"), document.token_parameters.as_ref())?,
    })
}

pub(super) fn unpinned(pointer: &str) -> ConfigError {
    ConfigError::new(
        format!("{pointer}/provider/issuer"),
        "the issuer, beside resource or instead of it, with a client secret and for a token \
         exchange: the upstream must not decide who gets them",
        "none",
    )
}

/// What a consent asks a token for: where the text names the gateway, it is the
/// gateway that the user comes through.
fn indicator(
    pointer: &str,
    text: &str,
    gateways: &[Url],
) -> Result<ResourceIndicator, ConfigError> {
    let texts = with_gateways(pointer, text, gateways)?;
    for resource in &texts {
        web_url(pointer, resource)?;
    }
    match texts.as_slice() {
        [only] => Ok(ResourceIndicator::fixed(only.clone())),
        [first, ..] => Ok(ResourceIndicator::of_gateways(
            first.clone(),
            gateways.iter().cloned().zip(texts.iter().cloned()),
        )),
        [] => Err(one_for_all(pointer, text)),
    }
}

/// Whether tokens that no user agrees to are for one resource: nobody says which
/// gateway they are asked for at.
pub(super) fn at_no_gateway(
    pointer: &str,
    document: &document::Authentication,
    oauth: &OAuth,
) -> Result<(), ConfigError> {
    if oauth
        .resource
        .as_ref()
        .is_some_and(ResourceIndicator::varies)
    {
        let text = document.resource.as_deref().unwrap_or_default();
        return Err(one_for_all(&format!("{pointer}/resource"), text));
    }
    Ok(())
}

/// The text with the gateway in it. The authorization server of a source is one
/// for all users, however they come: a grant is for a user and a source.
fn of_only_gateway(pointer: &str, text: &str, gateways: &[Url]) -> Result<String, ConfigError> {
    let mut texts = with_gateways(pointer, text, gateways)?.into_iter();
    match (texts.next(), texts.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(one_for_all(pointer, text)),
    }
}

fn one_for_all(pointer: &str, text: &str) -> ConfigError {
    ConfigError::new(
        pointer,
        "one value for all users: with several gateway_urls, without the gateway's placeholder",
        format_args!("{text:?}"),
    )
}

fn provider(
    pointer: &str,
    document: &document::Provider,
    gateways: &[Url],
) -> Result<Provider, ConfigError> {
    let at = |field: &str| format!("{pointer}/{field}");
    match (&document.resource, &document.issuer, &document.endpoints) {
        (Some(resource), issuer, None) => {
            let pointer = at("resource");
            let resource = of_only_gateway(&pointer, resource, gateways)?;
            let url = web_url(&pointer, &resource)?;
            if let Some(issuer) = issuer {
                issuer_identifier(&at("issuer"), issuer)?;
            }
            let issuer = issuer.clone();
            Ok(Provider::Resource { url, issuer })
        }
        (None, Some(issuer), None) => {
            issuer_identifier(&at("issuer"), issuer)?;
            Ok(Provider::Issuer(issuer.clone()))
        }
        (None, None, Some(document)) => {
            let url = |name: &str, text: Option<&str>| {
                let pointer = at(&format!("endpoints/{name}"));
                text.map(|text| web_url(&pointer, text)).transpose()
            };
            if let Some(issuer) = &document.issuer {
                issuer_identifier(&at("endpoints/issuer"), issuer)?;
            }
            Ok(Provider::Endpoints(Box::new(Endpoints {
                issuer: document.issuer.clone(),
                authorization: url("authorization", document.authorization.as_deref())?,
                token: web_url(&at("endpoints/token"), &document.token)?,
                registration: url("registration", document.registration.as_deref())?,
                revocation: url("revocation", document.revocation.as_deref())?,
                introspection: url("introspection", document.introspection.as_deref())?,
            })))
        }
        _ => Err(ConfigError::new(
            pointer,
            "resource (with an issuer or without), issuer or endpoints",
            "none of them, or others together",
        )),
    }
}

/// RFC 6749, section 3.3.
fn scopes(pointer: &str, scopes: &[String]) -> Result<Vec<String>, ConfigError> {
    let is_scope = |scope: &String| {
        !scope.is_empty()
            && scope
                .bytes()
                .all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
    };
    match scopes.iter().position(|scope| !is_scope(scope)) {
        Some(index) => Err(ConfigError::new(
            format!("{pointer}/{index}"),
            "one scope, without spaces",
            "something else",
        )),
        None => Ok(scopes.to_vec()),
    }
}

/// Parameters besides those that the service sets itself.
fn parameters(
    pointer: &str,
    members: Option<&Members<String>>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    const OWN: [&str; 26] = [
        "actor_token",
        "actor_token_type",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "grant_type",
        "nonce",
        "password",
        "redirect_uri",
        "refresh_token",
        "request",
        "request_uri",
        "requested_token_type",
        "resource",
        "response_mode",
        "response_type",
        "scope",
        "state",
        "subject_token",
        "subject_token_type",
    ];
    let Some(members) = members else {
        return Ok(BTreeMap::new());
    };
    let own = members
        .keys()
        .find(|name| name.is_empty() || OWN.contains(&name.as_str()));
    match own {
        Some(name) => Err(ConfigError::new(
            format!("{pointer}/{}", token(name)),
            "a parameter that the service does not set itself",
            "one that it does",
        )),
        None => Ok((**members).clone()),
    }
}

/// What a consent needs of endpoints that are given.
pub(super) fn for_authorization(pointer: &str, oauth: &OAuth) -> Result<(), ConfigError> {
    let Provider::Endpoints(endpoints) = &oauth.provider else {
        return Ok(());
    };
    let missing = |name: &str, why: &str| {
        Err(ConfigError::new(
            format!("{pointer}/provider/endpoints/{name}"),
            why,
            "none",
        ))
    };
    if endpoints.authorization.is_none() {
        return missing("authorization", "the authorization endpoint");
    }
    if endpoints.registration.is_none() && matches!(oauth.client, Client::Dynamic) {
        return missing(
            "registration",
            "the registration endpoint, for a client that is registered dynamically",
        );
    }
    Ok(())
}
