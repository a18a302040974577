//! The rows of a flow: each has a handle, an end, and data that is sealed for
//! its owner and server.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::journey::Journey;
use crate::credentials::{Consent, CredentialError, Credentials};
use crate::grants::PendingAuthorization;
use crate::owner::{Owner, Target};
use crate::secret::Secret;
use crate::storage::{ConsentStep, Handle};

/// What a step keeps.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// The step.
    const STEP: ConsentStep;
    /// How long it can be taken, in seconds.
    const SECONDS: i64;
}

/// A row that was kept.
#[derive(Clone, Debug)]
pub(super) struct Kept<T> {
    /// Whose flow it is; of a session, who is signed in.
    pub(super) owner: Owner,
    /// What is to be connected.
    pub(super) target: Target,
    /// The rest.
    pub(super) data: T,
}

/// The way back from the provider. Its handle is the `state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Callback {
    /// What it is a step of.
    pub(super) journey: Journey,
    /// The id of the source that is being connected.
    pub(super) source: String,
    /// The hash of the session in which it began.
    pub(super) session: String,
    /// What is needed to finish.
    pub(super) pending: PendingAuthorization,
}

/// The way back from the sign-in. Its handle is the `state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SignIn {
    /// The handle of the link to go back to.
    pub(super) connect: String,
    /// The hash of the cookie of the browser that began.
    pub(super) browser: String,
    /// What the id token has to repeat.
    pub(super) nonce: String,
    /// The PKCE verifier.
    pub(super) verifier: String,
}

/// A browser in which somebody is signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {}

const MINUTE: i64 = 60;

impl Row for Journey {
    const STEP: ConsentStep = ConsentStep::Connect;
    const SECONDS: i64 = 10 * MINUTE;
}

impl Row for Callback {
    const STEP: ConsentStep = ConsentStep::Callback;
    const SECONDS: i64 = 10 * MINUTE;
}

impl Row for SignIn {
    const STEP: ConsentStep = ConsentStep::SignIn;
    const SECONDS: i64 = 10 * MINUTE;
}

impl Row for Session {
    const STEP: ConsentStep = ConsentStep::Session;
    const SECONDS: i64 = 15 * MINUTE;
}

/// Keeps a row under a handle that is new.
pub(super) async fn keep<T: Row>(
    credentials: &Credentials,
    handle: &Handle,
    row: Kept<&T>,
    now: i64,
) -> Result<(), CredentialError> {
    // The types of this module have a form in JSON.
    let secret = serde_json::to_vec(row.data).unwrap_or_default();
    let consent = Consent {
        step: T::STEP,
        owner: row.owner,
        target: row.target,
        secret: Secret::new(secret),
        expires_at: now.saturating_add(T::SECONDS),
    };
    credentials.begin_consent_with(handle, &consent).await
}

/// The row of a handle, which stays.
pub(super) async fn look<T: Row>(
    credentials: &Credentials,
    handle: &Handle,
    now: i64,
) -> Result<Option<Kept<T>>, CredentialError> {
    let consent = credentials.consent(handle, T::STEP, now).await?;
    Ok(consent.and_then(kept))
}

/// The row of a handle, which is gone afterwards. One of many that ask at the
/// same time gets it.
pub(super) async fn take<T: Row>(
    credentials: &Credentials,
    handle: &Handle,
    now: i64,
) -> Result<Option<Kept<T>>, CredentialError> {
    let consent = credentials.take_consent(handle, T::STEP, now).await?;
    Ok(consent.and_then(kept))
}

/// A row in a form that another version of the service has written is as good
/// as none: the flow is begun again.
fn kept<T: Row>(consent: Consent) -> Option<Kept<T>> {
    let data = serde_json::from_slice(consent.secret.expose()).ok()?;
    Some(Kept {
        owner: consent.owner,
        target: consent.target,
        data,
    })
}
