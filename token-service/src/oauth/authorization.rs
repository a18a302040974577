//! The authorization request (OAuth 2.1, section 4.1.1), and whose the answer
//! to it is (RFC 9207).

use std::collections::BTreeMap;

use url::Url;

use super::{Pkce, ProviderError};

/// What a person's browser is sent to the authorization server with.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest<'a> {
    /// The authorization endpoint.
    pub endpoint: &'a Url,
    /// As which client.
    pub client_id: &'a str,
    /// Where to send the browser back to.
    pub redirect_uri: &'a str,
    /// What ties the answer to the request.
    pub state: &'a str,
    /// What ties the code to who asked for it.
    pub pkce: &'a Pkce,
    /// The scopes; none: the parameter is left out.
    pub scopes: &'a [String],
    /// The resource (RFC 8707).
    pub resource: Option<&'a str>,
    /// Further parameters. They do not replace those above.
    pub parameters: &'a BTreeMap<String, String>,
}

const OWN: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "resource",
    "request_uri",
];

impl AuthorizationRequest<'_> {
    /// The address for the browser.
    pub fn url(&self) -> Url {
        let mut url = self.endpoint.clone();
        // RFC 6749, section 3.1: the endpoint's own query stays.
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| !OWN.contains(&name.as_ref()))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        {
            let mut query = url.query_pairs_mut();
            query.clear();
            query.extend_pairs(kept);
            let further = self
                .parameters
                .iter()
                .filter(|(name, _)| !OWN.contains(&name.as_str()));
            query.extend_pairs(further);
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", self.client_id)
                .append_pair("redirect_uri", self.redirect_uri)
                .append_pair("state", self.state)
                .append_pair("code_challenge", &self.pkce.challenge())
                .append_pair("code_challenge_method", "S256");
            if !self.scopes.is_empty() {
                query.append_pair("scope", &self.scopes.join(" "));
            }
            if let Some(resource) = self.resource {
                query.append_pair("resource", resource);
            }
        }
        url
    }
}

/// Whether an authorization answer with this `iss` is from `issuer`. It has to
/// say so where the metadata promises it (RFC 9207, section 2.4), and never
/// something else, to the character.
///
/// # Errors
/// It is not.
pub fn check_issuer(
    issuer: Option<&str>,
    promised: bool,
    iss: Option<&str>,
) -> Result<(), ProviderError> {
    match (iss, issuer) {
        (None, _) if promised => Err(ProviderError::Issuer),
        (None, _) => Ok(()),
        (Some(iss), Some(issuer)) if iss == issuer => Ok(()),
        // Of endpoints without an issuer too: all providers send browsers to
        // the same address, and an answer that names its sender is not taken
        // for that of one whose name nobody knows (RFC 9207, section 2.4).
        (Some(_), _) => Err(ProviderError::Issuer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn the_request_has_every_parameter_once_and_keeps_the_endpoints_query() {
        let pkce = Pkce {
            verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        };
        let parameters = BTreeMap::from([
            ("prompt".to_owned(), "consent".to_owned()),
            ("state".to_owned(), "forged".to_owned()),
        ]);
        let url = AuthorizationRequest {
            endpoint: &Url::parse("https://as.example/a?tenant=1&client_id=x").unwrap(),
            client_id: "me",
            redirect_uri: "https://t.example/oauth/callback",
            state: "s",
            pkce: &pkce,
            scopes: &["a".to_owned(), "b".to_owned()],
            resource: Some("https://up.example/mcp"),
            parameters: &parameters,
        }
        .url();
        assert_eq!(
            url.as_str(),
            "https://as.example/a?tenant=1&prompt=consent&response_type=code&client_id=me\
             &redirect_uri=https%3A%2F%2Ft.example%2Foauth%2Fcallback&state=s\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
             &code_challenge_method=S256&scope=a+b&resource=https%3A%2F%2Fup.example%2Fmcp"
        );
    }

    #[test]
    fn an_answer_is_from_the_issuer_that_was_asked() {
        let ok = |issuer, promised, iss| check_issuer(issuer, promised, iss).is_ok();
        let issuer = Some("https://as.example");
        assert!(ok(issuer, true, issuer));
        assert!(ok(issuer, false, issuer));
        assert!(ok(issuer, false, None));
        assert!(!ok(issuer, true, None));
        assert!(!ok(issuer, false, Some("https://as.example/")));
        assert!(!ok(issuer, false, Some("https://AS.example")));
        assert!(!ok(issuer, true, Some("https://evil.example")));
        assert!(ok(None, false, None));
        assert!(!ok(None, false, Some("https://any.example")));
        assert!(!ok(None, true, Some("https://any.example")));
    }
}
