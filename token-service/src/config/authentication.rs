//! How a server authenticates upstream, from the configuration.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::addresses::web_url;
use super::document;
use super::error::{ConfigError, token};
use super::issuers::issuer_identifier;
use super::secrets::{self, Outside};
use super::servers::with_gateways;
use crate::servers::{
    Authentication, Client, ClientAuthentication, Endpoints, HeaderAuthentication, HeaderLevel,
    OAuth, Provider, ResourceIndicator, Template, TemplatePart,
};
use crate::strict::Members;

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
            header(pointer, document, outside).map(Authentication::Header)
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

// === headers ===

fn header(
    pointer: &str,
    document: &document::Authentication,
    outside: Outside<'_>,
) -> Result<HeaderAuthentication, ConfigError> {
    let Some(written) = document
        .headers
        .as_ref()
        .filter(|headers| !headers.is_empty())
    else {
        return Err(ConfigError::new(
            format!("{pointer}/headers"),
            "at least one header",
            "none",
        ));
    };
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, value) in written.iter() {
        let pointer = format!("{pointer}/headers/{}", token(name));
        let name = name.to_ascii_lowercase();
        if !is_settable(&name) || headers.iter().any(|(other, _)| *other == name) {
            return Err(ConfigError::new(
                pointer,
                "the name of a header that a credential may be in, once",
                "another, or one that is there already",
            ));
        }
        headers.push((name, template(&pointer, value)?));
    }
    let placeholders: BTreeSet<&str> = headers
        .iter()
        .flat_map(|(_, template)| template.placeholders())
        .collect();
    let level = match document.level.as_deref() {
        Some("global") => global(pointer, &placeholders, document.values.as_ref(), outside)?,
        Some("per_user") => {
            per_user(pointer, headers.len(), &placeholders, document)?;
            HeaderLevel::PerUser
        }
        _ => {
            return Err(ConfigError::new(
                format!("{pointer}/level"),
                "global or per_user",
                "something else",
            ));
        }
    };
    Ok(HeaderAuthentication { headers, level })
}

fn global(
    pointer: &str,
    placeholders: &BTreeSet<&str>,
    written: Option<&Members<serde_json::Value>>,
    outside: Outside<'_>,
) -> Result<HeaderLevel, ConfigError> {
    let mut values = BTreeMap::new();
    for (name, value) in written.iter().flat_map(|values| values.iter()) {
        let pointer = format!("{pointer}/values/{}", token(name));
        if !placeholders.contains(name.as_str()) {
            return Err(ConfigError::new(
                pointer,
                "the name of a placeholder of the headers",
                "another",
            ));
        }
        let secret = secrets::secret(value, &pointer, outside)?;
        if !secret.expose().iter().all(|byte| is_header_byte(*byte)) {
            return Err(ConfigError::new(
                pointer,
                "the name of what holds printable ASCII",
                "something else in it",
            ));
        }
        values.insert(name.clone(), secret);
    }
    match placeholders
        .iter()
        .find(|name| !values.contains_key(**name))
    {
        Some(name) => Err(ConfigError::new(
            format!("{pointer}/values"),
            format_args!("a value for {{{{{name}}}}}"),
            "none",
        )),
        None => Ok(HeaderLevel::Global(values)),
    }
}

/// A user gives the values of the placeholders, or that of the only header.
fn per_user(
    pointer: &str,
    headers: usize,
    placeholders: &BTreeSet<&str>,
    document: &document::Authentication,
) -> Result<(), ConfigError> {
    if document.values.is_some() {
        return Err(ConfigError::new(
            format!("{pointer}/values"),
            "no values: every user has their own",
            "some",
        ));
    }
    if headers > 1 && placeholders.is_empty() {
        return Err(ConfigError::new(
            format!("{pointer}/headers"),
            "placeholders (one may stand in several headers), or a single header without any",
            "several headers, and no place for what a user gives",
        ));
    }
    Ok(())
}

/// Reads `Bearer {{API_KEY}}`.
fn template(pointer: &str, text: &str) -> Result<Template, ConfigError> {
    let error = || {
        ConfigError::new(
            pointer,
            "printable ASCII with placeholders of letters, digits and '_', \
             as in Bearer {{API_KEY}}",
            "something else",
        )
    };
    if text.is_empty() || !text.bytes().all(is_header_byte) {
        return Err(error());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or_else(error)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(error());
        }
        if !before.is_empty() {
            parts.push(TemplatePart::Text(before.to_owned()));
        }
        parts.push(TemplatePart::Placeholder(name.to_owned()));
        rest = after;
    }
    if rest.contains("}}") {
        return Err(error());
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Text(rest.to_owned()));
    }
    Ok(Template(parts))
}

const fn is_header_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Whether the filter lets a credential be in this header: contract 6.2.
fn is_settable(name: &str) -> bool {
    const REFUSED: [&str; 13] = [
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !name.starts_with("mcp-")
        && !REFUSED.contains(&name)
}

// === OAuth ===

fn oauth(
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

fn unpinned(pointer: &str) -> ConfigError {
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
fn at_no_gateway(
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

fn client(
    pointer: &str,
    document: Option<&document::Client>,
    outside: Outside<'_>,
) -> Result<Client, ConfigError> {
    const REGISTRATION: &str = "dynamic, metadata_document or registered";
    let at = |field: &str| format!("{pointer}/{field}");
    let Some(document) = document else {
        return Err(ConfigError::new(
            at("registration"),
            REGISTRATION,
            "nothing",
        ));
    };
    let others = [
        ("client_id", document.client_id.is_some()),
        ("client_secret", document.client_secret.is_some()),
        ("authentication", document.authentication.is_some()),
    ];
    let unregistered = match document.registration.as_str() {
        "dynamic" => Client::Dynamic,
        "metadata_document" => Client::MetadataDocument,
        "registered" => return registered_client(pointer, document, outside),
        other => {
            return Err(ConfigError::new(
                at("registration"),
                REGISTRATION,
                format_args!("{other:?}"),
            ));
        }
    };
    match others.into_iter().find(|(_, is_present)| *is_present) {
        Some((field, _)) => Err(ConfigError::new(
            at(field),
            "no such field: only a registered client has it",
            "one",
        )),
        None => Ok(unregistered),
    }
}

fn registered_client(
    pointer: &str,
    document: &document::Client,
    outside: Outside<'_>,
) -> Result<Client, ConfigError> {
    let at = |field: &str| format!("{pointer}/{field}");
    let id = document.client_id.clone().filter(|id| !id.is_empty());
    let Some(id) = id else {
        return Err(ConfigError::new(at("client_id"), "the client id", "none"));
    };
    let secret = document
        .client_secret
        .as_ref()
        .map(|secret| secrets::secret(secret, &at("client_secret"), outside))
        .transpose()?;
    let authentication = match (document.authentication.as_deref(), secret) {
        (None | Some("client_secret_basic"), Some(secret)) => ClientAuthentication::Basic(secret),
        (Some("client_secret_post"), Some(secret)) => ClientAuthentication::Post(secret),
        (None | Some("none"), None) => ClientAuthentication::None,
        (Some("none"), Some(_)) => {
            return Err(ConfigError::new(
                at("client_secret"),
                "no secret of a client that authenticates with none",
                "one",
            ));
        }
        (Some("client_secret_basic" | "client_secret_post"), None) => {
            return Err(ConfigError::new(
                at("client_secret"),
                "the client's secret",
                "none",
            ));
        }
        (Some(other), _) => {
            return Err(ConfigError::new(
                at("authentication"),
                "client_secret_basic, client_secret_post or none",
                format_args!("{other:?}"),
            ));
        }
    };
    Ok(Client::Registered { id, authentication })
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
fn for_authorization(pointer: &str, oauth: &OAuth) -> Result<(), ConfigError> {
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

fn registered(pointer: &str, oauth: &OAuth, with_secret: bool) -> Result<(), ConfigError> {
    let Client::Registered { authentication, .. } = &oauth.client else {
        return Err(ConfigError::new(
            format!("{pointer}/client/registration"),
            "registered, with this grant",
            "another",
        ));
    };
    if with_secret && matches!(authentication, ClientAuthentication::None) {
        return Err(ConfigError::new(
            format!("{pointer}/client/client_secret"),
            "the client's secret, with this grant",
            "none",
        ));
    }
    Ok(())
}
