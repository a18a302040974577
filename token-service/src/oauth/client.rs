//! Who the service is at an authorization server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A client, with what it authenticates with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthClient {
    /// The client id.
    pub id: String,
    /// How it authenticates at the token endpoint.
    pub authentication: Authentication,
}

/// How a client authenticates (RFC 6749, section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A public client: it says its id.
    None,
    /// `client_secret_basic`
    Basic(Secret),
    /// `client_secret_post`
    Post(Secret),
}

impl OAuthClient {
    /// The `Authorization` of a request, and the parameters for its body.
    pub(super) fn authenticate(&self) -> (Option<Secret>, Vec<(&'static str, &str)>) {
        match &self.authentication {
            Authentication::None => (None, vec![("client_id", &self.id)]),
            Authentication::Post(secret) => {
                let secret = secret.expose_text().unwrap_or_default();
                let body = vec![("client_id", self.id.as_str()), ("client_secret", secret)];
                (None, body)
            }
            Authentication::Basic(secret) => {
                let encode = |bytes: &[u8]| -> Zeroizing<String> {
                    Zeroizing::new(form_urlencoded::byte_serialize(bytes).collect())
                };
                let id = encode(self.id.as_bytes());
                let secret = encode(secret.expose());
                let pair = Zeroizing::new(format!("{}:{}", *id, *secret));
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                let value = Zeroizing::new(format!("Basic {}", *encoded));
                (Some(Secret::new(value.as_bytes())), vec![])
            }
        }
    }
}

/// The client id metadata document of the service: its address is the client
/// id. For a service at `public_url`.
pub fn client_metadata_document(public_url: &Url) -> Value {
    json!({
        "client_id": client_document_url(public_url),
        "client_name": CLIENT_NAME,
        "client_uri": public_url.as_str(),
        "redirect_uris": [callback_url(public_url)],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    })
}

/// The name that authorization servers show.
pub(super) const CLIENT_NAME: &str = "MCP token service";

/// Where the client id metadata document is.
pub(crate) fn client_document_url(public_url: &Url) -> String {
    below(public_url, "oauth/client.json")
}

/// The redirect URI of upstream authorization servers.
pub(crate) fn callback_url(public_url: &Url) -> String {
    below(public_url, "oauth/callback")
}

fn below(public_url: &Url, path: &str) -> String {
    format!("{}/{path}", public_url.as_str().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(authentication: Authentication) -> OAuthClient {
        OAuthClient {
            id: "a:b c".to_owned(),
            authentication,
        }
    }

    #[test]
    fn basic_encodes_both_parts_before_joining_them() {
        let client = client(Authentication::Basic(Secret::new("s/e+c%é")));
        let (header, body) = client.authenticate();
        let expected = format!("Basic {}", STANDARD.encode("a%3Ab+c:s%2Fe%2Bc%25%C3%A9"));
        assert_eq!(header.unwrap().expose(), expected.as_bytes());
        assert!(body.is_empty());
    }

    #[test]
    fn a_public_client_says_its_id_and_post_its_secret_too() {
        let public = client(Authentication::None);
        let (header, body) = public.authenticate();
        assert_eq!((header, body), (None, vec![("client_id", "a:b c")]));
        let client = client(Authentication::Post(Secret::new("s")));
        let (header, body) = client.authenticate();
        assert_eq!(header, None);
        assert_eq!(body, [("client_id", "a:b c"), ("client_secret", "s")]);
    }

    #[test]
    fn the_document_names_its_own_address() {
        for base in ["https://t.example", "https://t.example/"] {
            let document = client_metadata_document(&Url::parse(base).unwrap());
            assert_eq!(document["client_id"], "https://t.example/oauth/client.json");
            assert_eq!(
                document["redirect_uris"],
                json!(["https://t.example/oauth/callback"])
            );
        }
    }
}
