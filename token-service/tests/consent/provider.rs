//! An authorization server that does what a test tells it to. It is the issuer
//! at which people sign in, and the provider of what they connect.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

pub(crate) type Parameters = BTreeMap<String, String>;

pub(crate) struct Provider {
    pub(crate) issuer: String,
    shared: Shared,
}

#[derive(Clone)]
struct Shared(Arc<Inner>);

struct Inner {
    issuer: String,
    now: Arc<AtomicI64>,
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    codes: HashMap<String, Agreed>,
    /// The forms that came to the token endpoint.
    token_requests: Vec<Parameters>,
    /// What the token endpoint answers instead, once each.
    token_answers: VecDeque<(u16, Value)>,
    /// How many clients were registered.
    clients: u32,
    /// What accepts requests and never answers them.
    hanging: Vec<&'static str>,
    /// Claims of the next ID token that are not as they should be.
    claims: Option<Value>,
}

struct Agreed {
    subject: String,
    request: Parameters,
}

/// RFC 8037, appendix A.
const KEY: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const PUBLIC_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

impl Provider {
    pub(crate) async fn start(now: &Arc<AtomicI64>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared(Arc::new(Inner {
            issuer: issuer.clone(),
            now: Arc::clone(now),
            state: Mutex::default(),
        }));
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/register", post(register))
            .layer(axum::middleware::from_fn_with_state(
                shared.clone(),
                answer_or_hang,
            ))
            .with_state(shared.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { issuer, shared }
    }

    /// What the person does: agrees. Returns where the browser is sent.
    pub(crate) fn agree(&self, request: &Url, subject: &str) -> Url {
        let request = self.read(request);
        assert_eq!(request["response_type"], "code");
        assert_eq!(request["code_challenge_method"], "S256");
        let code = format!("code-{}", &request["state"][..8]);
        let answer = self.answer(&request, &[("code", &code), ("iss", &self.issuer)]);
        let agreed = Agreed {
            subject: subject.to_owned(),
            request,
        };
        self.script().codes.insert(code, agreed);
        answer
    }

    /// The person does not agree, or something is wrong.
    pub(crate) fn refuse(&self, request: &Url, error: &str) -> Url {
        let answer = [
            ("error", error),
            ("error_description", "<b>call 555</b>"),
            ("iss", &self.issuer),
        ];
        self.answer(&self.read(request), &answer)
    }

    /// This server answers a request that was another's.
    pub(crate) fn answer_to(&self, request: &Parameters) -> Url {
        self.answer(request, &[("code", "code"), ("iss", &self.issuer)])
    }

    /// The parameters of an authorization request to this server.
    pub(crate) fn read(&self, request: &Url) -> Parameters {
        let endpoint = format!("{}/auth?", self.issuer);
        assert!(request.as_str().starts_with(&endpoint), "{request}");
        let pairs: Vec<_> = request.query_pairs().into_owned().collect();
        let count = pairs.len();
        let parameters: Parameters = pairs.into_iter().collect();
        assert_eq!(parameters.len(), count, "a parameter comes twice");
        parameters
    }

    fn answer(&self, request: &Parameters, parameters: &[(&str, &str)]) -> Url {
        let mut url = Url::parse(&request["redirect_uri"]).unwrap();
        url.query_pairs_mut()
            .extend_pairs(parameters)
            .append_pair("state", &request["state"]);
        url
    }

    pub(crate) fn token_requests(&self) -> Vec<Parameters> {
        self.script().token_requests.clone()
    }

    pub(crate) fn answer_next(&self, status: u16, body: Value) {
        self.script().token_answers.push_back((status, body));
    }

    /// From now on nothing at this path is answered.
    pub(crate) fn hang(&self, path: &'static str) {
        self.script().hanging.push(path);
    }

    /// Everything is answered again.
    pub(crate) fn hang_no_more(&self) {
        self.script().hanging.clear();
    }

    /// The next ID token has these claims instead.
    pub(crate) fn claim_next(&self, claims: Value) {
        self.script().claims = Some(claims);
    }

    /// A token of that person's for the gate.
    pub(crate) fn access_token(&self, subject: &str, audience: &str) -> String {
        let now = self.shared.0.now.load(Ordering::SeqCst);
        signed(&json!({
            "iss": self.issuer, "sub": subject, "aud": audience, "exp": now + 300,
        }))
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.shared.0.state.lock().unwrap()
    }
}

async fn answer_or_hang(
    State(Shared(inner)): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let hangs = {
        let script = inner.state.lock().unwrap();
        script.hanging.contains(&request.uri().path())
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

async fn metadata(State(Shared(inner)): State<Shared>) -> Json<Value> {
    let issuer = &inner.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "registration_endpoint": format!("{issuer}/register"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys() -> Json<Value> {
    Json(json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": PUBLIC_KEY,
        "kid": "1", "use": "sig", "alg": "EdDSA",
    }]}))
}

async fn register(State(Shared(inner)): State<Shared>) -> (StatusCode, Json<Value>) {
    let mut script = inner.state.lock().unwrap();
    script.clients += 1;
    let client = json!({
        "client_id": format!("dynamic-{}", script.clients),
        "token_endpoint_auth_method": "none",
    });
    (StatusCode::CREATED, Json(client))
}

async fn token(
    State(Shared(inner)): State<Shared>,
    Form(form): Form<Parameters>,
) -> (StatusCode, Json<Value>) {
    let mut script = inner.state.lock().unwrap();
    script.token_requests.push(form.clone());
    if let Some((status, body)) = script.token_answers.pop_front() {
        return (StatusCode::from_u16(status).unwrap(), Json(body));
    }
    let agreed = form
        .get("code")
        .and_then(|code| script.codes.remove(code))
        .filter(|agreed| {
            let verifier = form.get("code_verifier").map_or("", |text| text);
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            agreed.request["code_challenge"] == challenge
                && form.get("redirect_uri") == Some(&agreed.request["redirect_uri"])
                && form.get("client_id") == Some(&agreed.request["client_id"])
        });
    let Some(Agreed { subject, request }) = agreed else {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": "invalid_grant"})),
        );
    };
    let mut answer = json!({
        "access_token": format!("token-of-{subject}"),
        "refresh_token": format!("refresh-of-{subject}"),
        "token_type": "Bearer",
        "expires_in": 3600,
    });
    if request
        .get("scope")
        .is_some_and(|scope| scope.contains("openid"))
    {
        let now = inner.now.load(Ordering::SeqCst);
        let mut claims = json!({
            "iss": inner.issuer, "sub": subject, "aud": request["client_id"],
            "iat": now, "exp": now + 300, "nonce": request["nonce"],
        });
        for (name, value) in script
            .claims
            .take()
            .iter()
            .flat_map(|claims| claims.as_object().unwrap())
        {
            claims[name] = value.clone();
        }
        answer["id_token"] = json!(signed(&claims));
    }
    (StatusCode::OK, Json(answer))
}

fn signed(claims: &Value) -> String {
    // PKCS #8 around the 32 bytes (RFC 8410, section 7).
    let mut key = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    key.extend(URL_SAFE_NO_PAD.decode(KEY).unwrap());
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("1".to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&key)).unwrap()
}
