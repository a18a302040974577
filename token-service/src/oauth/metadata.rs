//! The metadata documents of protected resources (RFC 9728) and of
//! authorization servers (RFC 8414, OpenID Connect Discovery 1.0).

use core::fmt;

use serde::Deserialize;
use url::Url;

use crate::servers::Endpoints;

/// What is known of an authorization server, and of the resource if discovery
/// began at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its issuer identifier and endpoints.
    pub endpoints: Endpoints,
    /// Where its keys are.
    pub jwks: Option<Url>,
    /// Its authorization answers say whose they are (RFC 9207).
    pub promises_iss: bool,
    /// It takes the address of a metadata document as a client id. `None`: it
    /// does not say, because the endpoints were given.
    pub takes_client_documents: Option<bool>,
    /// How clients can authenticate at the token endpoint. `None`: it does not
    /// say, which means `client_secret_basic` (RFC 8414, section 2).
    pub client_authentication: Option<Vec<String>>,
    /// The resource identifier, from the resource's own metadata.
    pub resource: Option<String>,
    /// The scopes that the resource's metadata names.
    pub resource_scopes: Vec<String>,
}

/// Why metadata cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataProblem {
    /// There is none at any of the places where it could be.
    NotFound,
    /// It is not for the resource or issuer that was asked for (RFC 9728,
    /// section 3.3; RFC 8414, section 3.3).
    Mismatch(&'static str),
    /// A field is missing or of another form.
    Field(&'static str),
    /// It does not support PKCE with S256.
    Pkce,
}

/// Whether metadata has to say that PKCE is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PkceRule {
    /// It has to: MCP asks clients to refuse otherwise.
    Stated,
    /// It must not say otherwise. For a provider that the operator named.
    NotDenied,
}

/// What a resource says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourceMetadata {
    pub(super) resource: String,
    pub(super) issuers: Vec<String>,
    pub(super) scopes: Vec<String>,
}

#[derive(Deserialize)]
struct ResourceDocument {
    resource: String,
    authorization_servers: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ServerDocument {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    jwks_uri: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: Option<bool>,
    #[serde(default)]
    client_id_metadata_document_supported: Option<bool>,
}

/// More names of a kind than this are not read.
const MOST_NAMES: usize = 100;

/// Reads a resource's metadata; it must be for `resource`.
pub(super) fn parse_resource(
    bytes: &[u8],
    resource: &Url,
) -> Result<ResourceMetadata, MetadataProblem> {
    let document: ResourceDocument =
        serde_json::from_slice(bytes).map_err(|_| MetadataProblem::Field("resource metadata"))?;
    // Compared as URLs: `https://a` and `https://a/` are one identifier.
    let same = Url::parse(&document.resource).is_ok_and(|it| it == *resource);
    if !same {
        return Err(MetadataProblem::Mismatch("resource"));
    }
    let issuers: Vec<String> = document
        .authorization_servers
        .unwrap_or_default()
        .into_iter()
        .take(MOST_NAMES)
        .collect();
    if issuers.is_empty() {
        return Err(MetadataProblem::Field("authorization_servers"));
    }
    let scopes = document.scopes_supported.unwrap_or_default();
    if scopes.len() > MOST_NAMES || !scopes.iter().all(|scope| is_scope(scope)) {
        return Err(MetadataProblem::Field("scopes_supported"));
    }
    Ok(ResourceMetadata {
        resource: document.resource,
        issuers,
        scopes,
    })
}

/// Reads an authorization server's metadata; it must be of `issuer`.
pub(super) fn parse_server(
    bytes: &[u8],
    issuer: &str,
    pkce: PkceRule,
) -> Result<Metadata, MetadataProblem> {
    let document: ServerDocument =
        serde_json::from_slice(bytes).map_err(|_| MetadataProblem::Field("metadata"))?;
    if document.issuer != issuer {
        return Err(MetadataProblem::Mismatch("issuer"));
    }
    match (&document.code_challenge_methods_supported, pkce) {
        (Some(methods), _) if methods.iter().any(|method| method == "S256") => {}
        (None, PkceRule::NotDenied) => {}
        _ => return Err(MetadataProblem::Pkce),
    }
    let url = |name: &'static str, text: Option<String>| match text {
        None => Ok(None),
        Some(text) => endpoint(&text)
            .map(Some)
            .ok_or(MetadataProblem::Field(name)),
    };
    let token = url("token_endpoint", document.token_endpoint)?;
    Ok(Metadata {
        endpoints: Endpoints {
            issuer: Some(document.issuer),
            authorization: url("authorization_endpoint", document.authorization_endpoint)?,
            token: token.ok_or(MetadataProblem::Field("token_endpoint"))?,
            registration: url("registration_endpoint", document.registration_endpoint)?,
            revocation: url("revocation_endpoint", document.revocation_endpoint)?,
            introspection: url("introspection_endpoint", document.introspection_endpoint)?,
        },
        jwks: url("jwks_uri", document.jwks_uri)?,
        promises_iss: document
            .authorization_response_iss_parameter_supported
            .unwrap_or(false),
        takes_client_documents: Some(
            document
                .client_id_metadata_document_supported
                .unwrap_or(false),
        ),
        client_authentication: document.token_endpoint_auth_methods_supported,
        resource: None,
        resource_scopes: vec![],
    })
}

/// A web address without user information and fragment (RFC 6749, section 3).
fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "https" | "http") && url.has_host();
    let plain = url.username().is_empty() && url.password().is_none();
    (web && plain && url.fragment().is_none()).then_some(url)
}

/// RFC 6749, section 3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl Metadata {
    /// What is known where the endpoints are given.
    pub(super) fn given(endpoints: &Endpoints) -> Self {
        Self {
            endpoints: endpoints.clone(),
            jwks: None,
            promises_iss: false,
            takes_client_documents: None,
            client_authentication: None,
            resource: None,
            resource_scopes: vec![],
        }
    }

    /// The name under which what comes from this server is kept: nothing that
    /// one server gave is ever sent to another.
    pub fn provider(&self) -> &str {
        match &self.endpoints.issuer {
            Some(issuer) => issuer,
            None => self.endpoints.token.as_str(),
        }
    }
}

impl fmt::Display for MetadataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is none"),
            Self::Mismatch(field) => write!(f, "{field} is not the one that was asked for"),
            Self::Field(field) => write!(f, "{field} is missing or of another form"),
            Self::Pkce => f.write_str("no PKCE with S256"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://as.example/tenant";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "code_challenge_methods_supported": ["plain", "S256"],
        })
    }

    fn read(document: &Value) -> Result<Metadata, MetadataProblem> {
        parse_server(document.to_string().as_bytes(), ISSUER, PkceRule::Stated)
    }

    #[test]
    fn metadata_is_for_the_issuer_that_was_asked_for() {
        assert_eq!(
            read(&document()).unwrap().endpoints.token.as_str(),
            "https://as.example/token"
        );
        for issuer in [
            "https://as.example/tenant/",
            "https://AS.example/tenant",
            "",
        ] {
            let mut document = document();
            document["issuer"] = json!(issuer);
            assert_eq!(read(&document), Err(MetadataProblem::Mismatch("issuer")));
        }
    }

    #[test]
    fn pkce_with_s256_has_to_be_there() {
        let mut plain = document();
        plain["code_challenge_methods_supported"] = json!(["plain"]);
        assert_eq!(read(&plain), Err(MetadataProblem::Pkce));
        let mut silent = document();
        silent
            .as_object_mut()
            .unwrap()
            .remove("code_challenge_methods_supported");
        assert_eq!(read(&silent), Err(MetadataProblem::Pkce));
        let lenient = |document: &Value| {
            parse_server(document.to_string().as_bytes(), ISSUER, PkceRule::NotDenied)
        };
        assert!(lenient(&silent).is_ok());
        assert_eq!(lenient(&plain), Err(MetadataProblem::Pkce));
    }

    #[test]
    fn endpoints_are_web_addresses() {
        for address in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user@as.example/",
            "https://as.example/#x",
            "/token",
            "",
        ] {
            let mut document = document();
            document["authorization_endpoint"] = json!(address);
            assert_eq!(
                read(&document),
                Err(MetadataProblem::Field("authorization_endpoint")),
                "{address}"
            );
        }
    }

    #[test]
    fn a_member_that_comes_twice_refuses_the_document() {
        let twice = format!(
            r#"{{"issuer":"{ISSUER}","issuer":"{ISSUER}","token_endpoint":"https://as.example/t",
               "code_challenge_methods_supported":["S256"]}}"#
        );
        assert!(parse_server(twice.as_bytes(), ISSUER, PkceRule::Stated).is_err());
    }

    #[test]
    fn resource_metadata_is_for_the_resource_that_was_asked_for() {
        let resource = Url::parse("https://up.example/mcp").unwrap();
        let read = |resource_in: &str| {
            let document = json!({
                "resource": resource_in,
                "authorization_servers": [ISSUER],
                "scopes_supported": ["a", "b"],
            });
            parse_resource(document.to_string().as_bytes(), &resource)
        };
        assert_eq!(read("https://up.example/mcp").unwrap().issuers, [ISSUER]);
        for other in [
            "https://up.example/mcp/",
            "https://up.example",
            "https://evil.example/mcp",
            "http://up.example/mcp",
            "mcp",
        ] {
            assert_eq!(read(other), Err(MetadataProblem::Mismatch("resource")));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let resource = Url::parse("https://up.example/mcp").unwrap();
            prop_assert!(parse_resource(&bytes, &resource).is_err());
            prop_assert!(parse_server(&bytes, ISSUER, PkceRule::NotDenied).is_err());
        }

        #[test]
        fn any_value_in_any_field_is_read_without_harm(
            field in prop::sample::select(vec![
                "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri",
                "code_challenge_methods_supported", "registration_endpoint",
                "token_endpoint_auth_methods_supported",
            ]),
            value in prop_oneof![
                Just(Value::Null), any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from),
                prop::collection::vec(".*", 0..3).prop_map(Value::from),
            ],
        ) {
            let mut document = document();
            document[field] = value;
            if let Ok(metadata) = read(&document) {
                prop_assert_eq!(metadata.provider(), ISSUER);
                prop_assert!(metadata.endpoints.token.has_host());
            }
        }
    }
}
