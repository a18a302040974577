//! An authorization server on a loopback socket that does what a test says. It
//! rotates refresh tokens and, where one is used again, revokes all of its
//! family, as strict providers do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_token_service::secret::Secret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use url::Url;
use url::form_urlencoded;

pub(crate) type Form = HashMap<String, String>;

/// What the token endpoint does instead of its work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    Answer(u16, &'static str),
    RateLimited(u32),
    Oversized,
    Hang,
    /// A byte now and then, for ever.
    Drip,
    /// Does the work, and then loses the answer.
    LoseAnswer,
    Redirect,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) fault: Option<Fault>,
    /// The next answers wait for this.
    pub(crate) hold: Option<Arc<Notify>>,
    pub(crate) lifetime: Option<i64>,
    pub(crate) rotates: bool,
    pub(crate) grants_scope: Option<String>,
    /// What replaces members of the metadata; null removes one.
    pub(crate) metadata: HashMap<&'static str, Value>,
    pub(crate) resource_metadata: HashMap<&'static str, Value>,
    pub(crate) introspected: Value,
    pub(crate) secret_expires_at: i64,
    /// Form and `Authorization` of every token request, in order.
    pub(crate) token_requests: Vec<(Form, Option<String>)>,
    pub(crate) revocations: Vec<Form>,
    pub(crate) introspections: usize,
    pub(crate) revocation_fails: bool,
    /// The answers to revocations wait for this.
    pub(crate) hold_revocations: Option<Arc<Notify>>,
    /// Metadata is never answered.
    pub(crate) metadata_hangs: bool,
    pub(crate) clients: Vec<String>,
    pub(crate) reuse_detected: usize,
    codes: HashMap<String, Form>,
    /// The family of each refresh token, and whether it was used.
    refresh_tokens: HashMap<String, (u32, bool)>,
    revoked_families: Vec<u32>,
    count: u32,
}

#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
    pub(crate) arrived: Arc<Notify>,
    /// Somebody waits for metadata that never comes.
    pub(crate) metadata_asked: Arc<Notify>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inner: Arc::new(Mutex::new(Inner {
                lifetime: Some(3600),
                rotates: true,
                ..Inner::default()
            })),
            arrived: Arc::default(),
            metadata_asked: Arc::default(),
        };
        let app = Router::new().fallback(handle).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        provider
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn fault(&self, fault: impl Into<Option<Fault>>) {
        self.inner().fault = fault.into();
    }

    /// How often that grant was asked for.
    pub(crate) fn count(&self, grant: &str) -> usize {
        let inner = self.inner();
        let asked = inner.token_requests.iter();
        asked
            .filter(|(form, _)| form["grant_type"] == grant)
            .count()
    }

    /// What a person's browser would bring back: the code.
    pub(crate) fn authorize(&self, url: &Url) -> Secret {
        let form: Form = url.query_pairs().into_owned().collect();
        assert!(
            self.inner().clients.contains(&form["client_id"])
                || form["client_id"].contains("://")
                || form["client_id"] == "registered"
        );
        assert_eq!(form["response_type"], "code");
        assert_eq!(form["code_challenge_method"], "S256");
        let mut inner = self.inner();
        inner.count += 1;
        let code = format!("code{}", inner.count);
        inner.codes.insert(code.clone(), form);
        Secret::new(code)
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| json!(format!("{}{path}", self.url));
        let mut document = json!({
            "issuer": self.url,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "registration_endpoint": at("/register"),
            "revocation_endpoint": at("/revoke"),
            "introspection_endpoint": at("/introspect"),
            "jwks_uri": at("/jwks"),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": true,
        });
        replace(&mut document, &self.inner().metadata);
        document
    }

    fn resource_metadata(&self) -> Value {
        let mut document = json!({
            "resource": format!("{}/mcp", self.url),
            "authorization_servers": [self.url],
            "scopes_supported": ["mcp:read"],
        });
        replace(&mut document, &self.inner().resource_metadata);
        document
    }

    fn tokens(inner: &mut Inner, family: Option<u32>, used: Option<&str>) -> Value {
        inner.count += 1;
        let count = inner.count;
        let mut answer = json!({"access_token": format!("at{count}"), "token_type": "Bearer"});
        if let Some(lifetime) = inner.lifetime {
            answer["expires_in"] = json!(lifetime);
        }
        if let Some(scope) = &inner.grants_scope {
            answer["scope"] = json!(scope);
        }
        if let Some(family) = family {
            match used {
                Some(_) if !inner.rotates => {}
                used => {
                    if let Some(used) = used {
                        inner.refresh_tokens.get_mut(used).unwrap().1 = true;
                    }
                    let new = format!("rt{count}");
                    inner.refresh_tokens.insert(new.clone(), (family, false));
                    answer["refresh_token"] = json!(new);
                }
            }
        }
        answer
    }

    fn token(&self, form: &Form) -> (u16, Value) {
        let refuse = |code: &str| (400, json!({"error": code, "error_description": "no"}));
        let mut inner = self.inner();
        match form["grant_type"].as_str() {
            "authorization_code" => {
                let Some(asked) = inner.codes.remove(&form["code"]) else {
                    return refuse("invalid_grant");
                };
                let challenge =
                    URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
                if challenge != asked["code_challenge"]
                    || form["redirect_uri"] != asked["redirect_uri"]
                    || form.get("resource") != asked.get("resource")
                {
                    return refuse("invalid_grant");
                }
                let family = inner.count;
                (200, Self::tokens(&mut inner, Some(family), None))
            }
            "refresh_token" => {
                let token = form["refresh_token"].as_str();
                let Some((family, used)) = inner.refresh_tokens.get(token).copied() else {
                    return refuse("invalid_grant");
                };
                if used {
                    inner.reuse_detected += 1;
                    inner.revoked_families.push(family);
                }
                if inner.revoked_families.contains(&family) {
                    return refuse("invalid_grant");
                }
                (200, Self::tokens(&mut inner, Some(family), Some(token)))
            }
            "client_credentials" => (200, Self::tokens(&mut inner, None, None)),
            _ => match form.get("subject_token").map(String::as_str) {
                Some("expired") => refuse("invalid_grant"),
                Some("forbidden") => refuse("invalid_target"),
                _ => (200, Self::tokens(&mut inner, None, None)),
            },
        }
    }
}

fn replace(document: &mut Value, with: &HashMap<&'static str, Value>) {
    for (name, value) in with {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(*name);
        } else {
            document[*name] = value.clone();
        }
    }
}

fn answer(status: u16, document: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, document.to_string()).into_response()
}

async fn handle(
    State(provider): State<Provider>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = || -> Form { form_urlencoded::parse(&body).into_owned().collect() };
    match uri.path() {
        "/mcp" => {
            let at = format!("{}/.well-known/oauth-protected-resource/mcp", provider.url);
            let challenge = format!(r#"Bearer realm="a", resource_metadata="{at}""#);
            (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
        }
        "/.well-known/oauth-protected-resource/mcp" => answer(200, &provider.resource_metadata()),
        "/.well-known/oauth-authorization-server" => {
            let hangs = provider.inner().metadata_hangs;
            if hangs {
                provider.metadata_asked.notify_one();
                std::future::pending::<()>().await;
            }
            answer(200, &provider.metadata())
        }
        "/register" => {
            let mut inner = provider.inner();
            let id = format!("client{}", inner.clients.len());
            inner.clients.push(id.clone());
            let expires_at = inner.secret_expires_at;
            answer(
                201,
                &json!({"client_id": id, "client_secret": format!("secret of {id}"),
                    "client_secret_expires_at": expires_at}),
            )
        }
        "/revoke" => {
            let (hold, status) = {
                let mut inner = provider.inner();
                inner.revocations.push(form());
                let status = if inner.revocation_fails { 503 } else { 200 };
                (inner.hold_revocations.clone(), status)
            };
            provider.arrived.notify_one();
            if let Some(hold) = hold {
                hold.notified().await;
            }
            answer(status, &json!({}))
        }
        "/introspect" => {
            let mut inner = provider.inner();
            inner.introspections += 1;
            answer(200, &inner.introspected.clone())
        }
        "/token" => token(&provider, &headers, form()).await,
        _ => answer(404, &json!({})),
    }
}

async fn token(provider: &Provider, headers: &HeaderMap, form: Form) -> Response {
    let (fault, hold) = {
        let mut inner = provider.inner();
        let authorization = headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        inner.token_requests.push((form.clone(), authorization));
        (inner.fault.clone(), inner.hold.clone())
    };
    provider.arrived.notify_one();
    let work = || {
        let (status, document) = provider.token(&form);
        answer(status, &document)
    };
    let response = match fault {
        None => work(),
        Some(Fault::Answer(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Some(Fault::RateLimited(seconds)) => (
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", seconds.to_string())],
        )
            .into_response(),
        Some(Fault::Oversized) => "x".repeat(1 << 20).into_response(),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::LoseAnswer) => {
            work();
            // The connection breaks in the middle of the body.
            let parts = [Ok("{".to_owned()), Err("gone")];
            Response::new(Body::new(Parts(parts.into())))
        }
        Some(Fault::Drip) => Response::new(drip()),
        Some(Fault::Redirect) => (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", format!("{}/token2", provider.url))],
        )
            .into_response(),
    };
    // The work is done; the answer comes when the test says so.
    if let Some(hold) = hold {
        hold.notified().await;
    }
    response
}

/// A body of parts; an error breaks the connection.
struct Parts(std::collections::VecDeque<Result<String, &'static str>>);

impl axum::body::HttpBody for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, &'static str>>> {
        let next = self.0.pop_front();
        std::task::Poll::Ready(
            next.map(|part| part.map(|text| http_body::Frame::data(text.into()))),
        )
    }
}

/// A byte every 50 ms.
fn drip() -> Body {
    Body::new(Drip(Box::pin(tokio::time::sleep(Duration::from_millis(
        50,
    )))))
}

struct Drip(std::pin::Pin<Box<tokio::time::Sleep>>);

impl axum::body::HttpBody for Drip {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, &'static str>>> {
        std::task::ready!(self.0.as_mut().poll(context));
        let next = tokio::time::Instant::now() + Duration::from_millis(50);
        self.0.as_mut().reset(next);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b" ")))))
    }
}

/// The user name and password of `Basic`.
pub(crate) fn basic(authorization: &str) -> String {
    let encoded = authorization.strip_prefix("Basic ").unwrap();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}
