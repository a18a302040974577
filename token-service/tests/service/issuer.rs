//! An issuer whose keys and tokens the tests make.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A key of the issuer: its private half, and the public one's `x`.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) id: &'static str,
    private: &'static str,
    x: &'static str,
}

pub(crate) const FIRST: Key = Key {
    id: "first",
    private: "MC4CAQAwBQYDK2VwBCIEIO+dLtq/XEIzv1BS4mlQmTgBcYIKcWFgbutREIaP0ktk",
    x: "Fk_D0_1ttLBhkgFyRXuqEKNsdt7SM-XgjctMPJT60kU",
};

pub(crate) const SECOND: Key = Key {
    id: "second",
    private: "MC4CAQAwBQYDK2VwBCIEIFXI4VB9rAQuOVt00UETAV6pKvmFCEKvklpwSzUpltjX",
    x: "pMZEzRTpzvWSxQLeRd2aFifUcFv9uqgyf1lZHWMPE3M",
};

#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    keys: Arc<Mutex<Vec<Key>>>,
    /// How often the keys were fetched.
    pub(crate) fetched: Arc<AtomicUsize>,
    up: Arc<Mutex<bool>>,
    hanging: Arc<AtomicBool>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let issuer = Self {
            url: format!("http://{address}"),
            keys: Arc::new(Mutex::new(vec![FIRST])),
            fetched: Arc::default(),
            up: Arc::new(Mutex::new(true)),
            hanging: Arc::default(),
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub(crate) fn publish(&self, keys: &[Key]) {
        *self.keys.lock().unwrap() = keys.to_vec();
    }

    pub(crate) fn set_up(&self, up: bool) {
        *self.up.lock().unwrap() = up;
    }

    /// From now on it takes requests for its keys and never answers.
    pub(crate) fn hang(&self) {
        self.hanging.store(true, Ordering::SeqCst);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    /// Good claims of a token for that audience.
    pub(crate) fn claims(&self, subject: &str, audience: &str) -> Value {
        json!({"iss": self.url, "sub": subject, "aud": audience, "exp": super::NOW + 300})
    }

    pub(crate) fn token(&self, subject: &str, audience: &str) -> String {
        sign(FIRST, &self.claims(subject, audience))
    }

    pub(crate) fn manager_token(&self, subject: &str, audience: &str) -> String {
        let mut claims = self.claims(subject, audience);
        claims["realm"] = json!({"roles": ["other", "admin"]});
        sign(FIRST, &claims)
    }
}

pub(crate) fn sign(key: Key, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(key.id.to_owned());
    sign_with(key, &header, claims)
}

pub(crate) fn sign_with(key: Key, header: &Header, claims: &Value) -> String {
    let private = EncodingKey::from_ed_der(&STANDARD.decode(key.private).unwrap());
    jsonwebtoken::encode(header, claims, &private).unwrap()
}

async fn metadata(State(issuer): State<Issuer>) -> Json<Value> {
    Json(json!({"issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url)}))
}

async fn jwks(State(issuer): State<Issuer>) -> Result<Json<Value>, StatusCode> {
    issuer.fetched.fetch_add(1, Ordering::SeqCst);
    if issuer.hanging.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    if !*issuer.up.lock().unwrap() {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let keys: Vec<Value> = issuer
        .keys
        .lock()
        .unwrap()
        .iter()
        .map(|key| {
            json!({"kty": "OKP", "crv": "Ed25519", "kid": key.id, "x": key.x, "use": "sig",
                "alg": "EdDSA"})
        })
        .chain([json!({"kty": "of another time"})])
        .collect();
    Ok(Json(json!({"keys": keys})))
}
