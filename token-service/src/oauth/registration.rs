//! Dynamic client registration (RFC 7591).

use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::client::CLIENT_NAME;
use super::token::parse_error;
use super::{Authentication, Metadata, OAuthClient, ProviderError};
use crate::outbound::{Answer, Outbound};
use crate::secret::Secret;

/// A client as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The client.
    pub client: OAuthClient,
    /// When its secret ends, where it does.
    pub expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct RegistrationDocument {
    client_id: String,
    client_secret: Option<Zeroizing<String>>,
    client_secret_expires_at: Option<i64>,
    token_endpoint_auth_method: Option<String>,
}

/// Registers a client for that redirect URI.
///
/// # Errors
/// The server has no registration, or refuses.
pub async fn register(
    outbound: &Outbound,
    metadata: &Metadata,
    redirect_uri: &str,
    client_uri: &Url,
    scopes: &[String],
) -> Result<Registration, ProviderError> {
    let endpoint = metadata.endpoints.registration.as_ref();
    let endpoint = endpoint.ok_or(ProviderError::Unsupported("registration endpoint"))?;
    let method = method(metadata.client_authentication.as_deref())?;
    let mut request = json!({
        "client_name": CLIENT_NAME,
        "client_uri": client_uri.as_str(),
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
        "application_type": "web",
    });
    if let Some(fields) = request.as_object_mut()
        && !scopes.is_empty()
    {
        fields.insert("scope".to_owned(), scopes.join(" ").into());
    }
    let answer = outbound.post_json(endpoint, &request).await?;
    parse(&answer, method)
}

/// The best way to authenticate that the server offers.
fn method(offered: Option<&[String]>) -> Result<&'static str, ProviderError> {
    let Some(offered) = offered else {
        return Ok("client_secret_basic");
    };
    ["client_secret_basic", "client_secret_post", "none"]
        .into_iter()
        .find(|method| offered.iter().any(|one| one == method))
        .ok_or(ProviderError::Unsupported(
            "way for this client to authenticate",
        ))
}

fn parse(answer: &Answer, asked: &str) -> Result<Registration, ProviderError> {
    // RFC 7591 says 201; some servers say 200.
    if !matches!(answer.status, 200 | 201) {
        return Err(parse_error(answer));
    }
    let rule = ProviderError::Answer;
    let document: RegistrationDocument = serde_json::from_slice(answer.body.expose())
        .map_err(|_| rule("not a client registration"))?;
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|it| matches!(it, 0x20..=0x7e));
    if !visible(&document.client_id) || document.client_id.len() > 2048 {
        return Err(rule("client_id is not a client id"));
    }
    let method = document.token_endpoint_auth_method;
    let secret = document.client_secret.filter(|secret| !secret.is_empty());
    let authentication = match (method.as_deref().unwrap_or(asked), secret) {
        ("none", _) => Authentication::None,
        ("client_secret_basic", Some(secret)) => {
            Authentication::Basic(Secret::new(secret.as_bytes()))
        }
        ("client_secret_post", Some(secret)) => {
            Authentication::Post(Secret::new(secret.as_bytes()))
        }
        _ => return Err(rule("client_secret or token_endpoint_auth_method")),
    };
    Ok(Registration {
        client: OAuthClient {
            id: document.client_id,
            authentication,
        },
        // 0: never.
        expires_at: document.client_secret_expires_at.filter(|at| *at > 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(status: u16, document: &Value) -> Result<Registration, ProviderError> {
        let answer = Answer {
            status,
            challenges: vec![],
            retry_after: None,
            body: Secret::new(document.to_string()),
        };
        parse(&answer, "client_secret_basic")
    }

    #[test]
    fn the_server_decides_how_the_client_authenticates() {
        let basic = json!({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0});
        let found = read(201, &basic).unwrap();
        assert_eq!(found.client.id, "c");
        assert_eq!(
            found.client.authentication,
            Authentication::Basic(Secret::new("s"))
        );
        assert_eq!(found.expires_at, None);
        let post = json!({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 5,
            "token_endpoint_auth_method": "client_secret_post"});
        let found = read(200, &post).unwrap();
        assert_eq!(
            found.client.authentication,
            Authentication::Post(Secret::new("s"))
        );
        assert_eq!(found.expires_at, Some(5));
        let none = json!({"client_id": "c", "token_endpoint_auth_method": "none"});
        let found = read(201, &none).unwrap();
        assert_eq!(found.client.authentication, Authentication::None);
    }

    #[test]
    fn what_is_no_registration_is_refused() {
        for document in [
            json!({}),
            json!({"client_id": ""}),
            json!({"client_id": "c"}),
            json!({"client_id": "c\n", "client_secret": "s"}),
            json!({"client_id": "c", "client_secret": "s",
                   "token_endpoint_auth_method": "private_key_jwt"}),
        ] {
            assert!(read(201, &document).is_err(), "{document}");
        }
        let refused = read(400, &json!({"error": "invalid_redirect_uri"}));
        assert!(matches!(refused, Err(ProviderError::Refused(_))));
    }

    #[test]
    fn the_best_authentication_that_is_offered_is_asked_for() {
        let offered = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            method(Some(&names)).ok()
        };
        assert_eq!(method(None).unwrap(), "client_secret_basic");
        assert_eq!(
            offered(&["none", "client_secret_post"]),
            Some("client_secret_post")
        );
        assert_eq!(offered(&["none"]), Some("none"));
        assert_eq!(offered(&["private_key_jwt"]), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_harm(status: u16, body: Vec<u8>) {
            let answer = Answer { status, challenges: vec![], retry_after: None, body: Secret::new(body) };
            let _ = parse(&answer, "none");
        }
    }
}
