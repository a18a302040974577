//! Giving tokens back (RFC 7009), and asking how long they last (RFC 7662).

use serde::Deserialize;
use url::Url;

use super::token::parse_error;
use super::{OAuthClient, ProviderError};
use crate::outbound::{Answer, Outbound};
use crate::secret::Secret;

/// What a token is, as a hint for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

impl TokenKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
        }
    }
}

/// Gives a token back. A token that the server does not know is given back.
///
/// # Errors
/// The server did not say that it took it.
pub async fn revoke(
    outbound: &Outbound,
    endpoint: &Url,
    client: &OAuthClient,
    token: &Secret,
    kind: TokenKind,
) -> Result<(), ProviderError> {
    let answer = send(outbound, endpoint, client, token, kind).await?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(parse_error(&answer))
}

#[derive(Deserialize)]
struct IntrospectionDocument {
    active: bool,
    exp: Option<i64>,
}

/// When an access token ends. `None`: the server does not say.
///
/// # Errors
/// There is no answer, or it says that the token is not active.
pub async fn introspect_expiry(
    outbound: &Outbound,
    endpoint: &Url,
    client: &OAuthClient,
    token: &Secret,
) -> Result<Option<i64>, ProviderError> {
    let answer = send(outbound, endpoint, client, token, TokenKind::Access).await?;
    parse_introspection(&answer)
}

fn parse_introspection(answer: &Answer) -> Result<Option<i64>, ProviderError> {
    if answer.status != 200 {
        return Err(parse_error(answer));
    }
    let document: IntrospectionDocument = serde_json::from_slice(answer.body.expose())
        .map_err(|_| ProviderError::Answer("not an introspection answer"))?;
    if !document.active {
        return Err(ProviderError::Answer("the token is not active"));
    }
    Ok(document.exp.filter(|at| *at > 0))
}

async fn send(
    outbound: &Outbound,
    endpoint: &Url,
    client: &OAuthClient,
    token: &Secret,
    kind: TokenKind,
) -> Result<Answer, ProviderError> {
    let text = token.expose_text();
    let text = text.ok_or(ProviderError::Answer("a token is not text"))?;
    let (authorization, mut form) = client.authenticate();
    form.push(("token", text));
    form.push(("token_type_hint", kind.as_str()));
    let sent = outbound.post_form(endpoint, form, authorization.as_ref());
    Ok(sent.await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<Option<i64>, ProviderError> {
        parse_introspection(&Answer {
            status,
            challenges: vec![],
            retry_after: None,
            body: Secret::new(body),
        })
    }

    #[test]
    fn the_expiry_of_an_active_token_is_read() {
        assert_eq!(read(200, r#"{"active":true,"exp":17}"#).unwrap(), Some(17));
        assert_eq!(read(200, r#"{"active":true}"#).unwrap(), None);
        assert_eq!(read(200, r#"{"active":true,"exp":-1}"#).unwrap(), None);
        for body in [r#"{"active":false}"#, "{}", r#"{"active":"true"}"#, ""] {
            assert!(read(200, body).is_err(), "{body}");
        }
        assert!(read(401, "").is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_harm(status: u16, body: Vec<u8>) {
            let _ = read(status, body);
        }
    }
}
