//! From a bearer token to an identity: what a worker remembers and asks for.

use core::fmt;
use std::rc::Rc;

use super::Identity;
use super::authentication::{
    Audience, Authentication, Awaited, InlineKeyError, KeyEvent, KeyEventKind, Settled, TokenLimits,
};
use super::bearer::BearerToken;
use super::host_signatures::Verifiers;
use super::introspector::{Introspector, Known};
use super::issuer::Issuer;
use super::jws::{self, Jws, Parts, Shape};
use super::key_check::{Signature, check_signature};
use super::key_store::{KeyOutcome, KeyStore, Wait};
use super::token_cache::{CacheKey, TokenCache};
use super::token_error::TokenError;
use super::token_hash::{TokenHash, TokenHashKey};
use super::verify::{check_audience, check_jwt, identity};
use crate::callout::{Fetch, FetchAnswer, FetchId, FetchIds};
use crate::json::Json;

/// The token side of one worker: the issuers' keys, the tokens verified so
/// far, and the calls under way. Time is always an argument, in milliseconds
/// since 1970.
pub struct Authenticator {
    issuers: Vec<Rc<Issuer>>,
    /// One for each issuer.
    stores: Vec<KeyStore>,
    verified: TokenCache<VerifiedToken>,
    introspector: Introspector,
    token_bytes: usize,
    key_wait_ms: u64,
    hash_key: TokenHashKey,
    verifiers: Verifiers,
}

impl Authenticator {
    /// With the issuers of the configuration, and the key that tokens are
    /// remembered with.
    ///
    /// # Errors
    /// [`InlineKeyError`] if a key set in the configuration has no usable key.
    pub fn new(
        issuers: Vec<Rc<Issuer>>,
        limits: TokenLimits,
        hash_key: TokenHashKey,
    ) -> Result<Self, InlineKeyError> {
        let stores = issuers
            .iter()
            .enumerate()
            .map(|(index, issuer)| {
                KeyStore::new(Rc::clone(issuer)).map_err(|error| InlineKeyError {
                    issuer: index,
                    error,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            stores,
            verified: TokenCache::new(limits.cache_entries),
            introspector: Introspector::new(limits.cache_entries),
            token_bytes: limits.token_bytes,
            key_wait_ms: limits.key_wait_ms,
            issuers,
            hash_key,
            verifiers: Verifiers::default(),
        })
    }

    /// Leaves to the host what it can verify. Before, all is verified here.
    pub fn set_verifiers(&mut self, verifiers: Verifiers) {
        self.verifiers = verifiers;
    }

    /// What is known of the token with this [hash](Self::hash_of), which
    /// `read` gives where it is not remembered. A request that waits asks again
    /// with the same `arrived_ms`, the time at which it came. What costs little
    /// is checked before keys are waited for and before the signature.
    ///
    /// # Errors
    /// Those of `read`.
    #[inline]
    pub fn authenticate<'t, E>(
        &mut self,
        audience: &Audience<'_>,
        hash: Option<TokenHash>,
        read: impl FnOnce() -> Result<BearerToken<'t>, E>,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Result<Authentication, E> {
        if let Some(hash) = hash
            && let Some(identity) = self.remembered(audience.server, hash, now_ms)
        {
            return Ok(Authentication::Verified(identity));
        }
        let token = read()?;
        Ok(match hash {
            None => Authentication::Refused(TokenError::TooLarge),
            Some(hash) => self.judge(audience, &token, hash, arrived_ms, now_ms),
        })
    }

    /// What a token is remembered by; `None` for one that is too long.
    pub fn hash_of(&self, token: &[u8]) -> Option<TokenHash> {
        (token.len() <= self.token_bytes).then(|| self.hash_key.hash(token))
    }

    /// A token with this hash that is not [remembered](Self::remembered).
    fn judge(
        &mut self,
        audience: &Audience<'_>,
        token: &BearerToken<'_>,
        hash: TokenHash,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Authentication {
        let key = CacheKey {
            owner: audience.server,
            token: hash,
        };
        let answer = match jws::shape(token.as_str()) {
            Shape::Jwe => Err(TokenError::Encrypted),
            Shape::Jws(parts) => self.jwt(audience, token, &parts, key, arrived_ms, now_ms),
            Shape::Opaque => self
                .only_introspecting_issuer(audience)
                .ok_or(TokenError::Malformed)
                .map(|issuer| self.introspect(issuer, audience, token, hash, arrived_ms, now_ms)),
        };
        answer.unwrap_or_else(Authentication::Refused)
    }

    /// Whose token with this hash is, if it is a JWT that was verified before
    /// for the server with this index, with keys that are still there.
    fn remembered(&mut self, server: usize, token: TokenHash, now_ms: u64) -> Option<Rc<Identity>> {
        let key = CacheKey {
            owner: server,
            token,
        };
        let entry = self.verified.find(&key)?;
        let generation = self.stores.get(entry.issuer).map(KeyStore::generation);
        if now_ms >= entry.expires_ms || generation != Some(entry.generation) {
            self.verified.remove(&key);
            return None;
        }
        Some(entry.identity)
    }

    /// The calls to make now. Each has to be reported to [`Self::answered`],
    /// also if it could not be dispatched.
    pub fn due(&mut self, now_ms: u64, ids: &mut FetchIds) -> Vec<Fetch> {
        let mut fetches = self.introspector.due(&self.issuers, now_ms, ids);
        for store in &mut self.stores {
            if store.has_due(now_ms) {
                fetches.extend(store.due(ids.next_id(), now_ms));
            }
        }
        fetches
    }

    /// Whether [`Self::due`] has something to do.
    pub fn has_due(&self, now_ms: u64) -> bool {
        self.introspector.has_due(&self.issuers, now_ms)
            || self.stores.iter().any(|store| store.has_due(now_ms))
    }

    /// Takes the answer of a call; `None` where there was none. Requests that
    /// wait for what it settles can ask again now, and [`Self::due`] may have
    /// the next call.
    pub fn answered(
        &mut self,
        id: FetchId,
        answer: Option<FetchAnswer<'_>>,
        now_ms: u64,
    ) -> Settled {
        let introspected = self
            .introspector
            .answered(id, answer, &self.issuers, now_ms);
        if let Some((issuer, token, outcome)) = introspected {
            let failed = outcome.err().map(KeyEventKind::IntrospectionFailed);
            return self.settled(issuer, Awaited::Introspection(token), failed);
        }
        let fetched = self
            .stores
            .iter_mut()
            .enumerate()
            .find_map(|(index, store)| Some((index, store.answered(id, answer)?)));
        let (index, kind) = match fetched {
            None | Some((_, KeyOutcome::Continues)) => return Settled::default(),
            Some((index, KeyOutcome::Loaded { usable, skipped })) => {
                (index, KeyEventKind::Loaded { usable, skipped })
            }
            Some((index, KeyOutcome::Failed(failure))) => {
                (index, KeyEventKind::KeysFailed(failure))
            }
        };
        self.settled(index, Awaited::Keys(index), Some(kind))
    }

    fn settled(&self, issuer: usize, awaited: Awaited, kind: Option<KeyEventKind>) -> Settled {
        let event = kind.and_then(|kind| self.event(issuer, kind));
        Settled {
            events: event.into_iter().collect(),
            awaited: Some(awaited),
        }
    }

    fn event(&self, issuer: usize, kind: KeyEventKind) -> Option<KeyEvent> {
        self.issuers.get(issuer).map(|issuer| KeyEvent {
            issuer_id: Rc::clone(&issuer.id),
            kind,
        })
    }

    /// A token in the shape of a JWT: its own `iss` says whose it claims to be.
    fn jwt(
        &mut self,
        audience: &Audience<'_>,
        token: &BearerToken<'_>,
        parts: &Parts<'_>,
        key: CacheKey,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Result<Authentication, TokenError> {
        let jws = Jws::parse(parts)?;
        let (index, issuer) = self.claimed_issuer(audience, &jws)?;
        if issuer.keys.is_none() {
            return Ok(self.introspect(index, audience, token, key.token, arrived_ms, now_ms));
        }
        let algorithm = jws.allowed_algorithm(&issuer)?;
        let checked = check_jwt(&jws, &issuer, audience.audiences, now_ms)?;
        let Some(store) = self.stores.get_mut(index) else {
            return Ok(Authentication::Unavailable);
        };
        let wait = Wait {
            arrived_ms,
            until_ms: arrived_ms.saturating_add(self.key_wait_ms),
        };
        match check_signature(&self.verifiers, store, &jws, algorithm, wait) {
            Signature::Right => {}
            Signature::Wrong(error) => return Err(error),
            Signature::Pending => return Ok(Authentication::Pending(Awaited::Keys(index))),
            Signature::Unavailable => return Ok(Authentication::Unavailable),
        }
        let generation = store.generation();
        let identity = Rc::new(identity(jws.claims, &issuer, &checked)?);
        let entry = VerifiedToken {
            identity: Rc::clone(&identity),
            issuer: index,
            generation,
            expires_ms: checked.expires_ms,
        };
        self.verified.insert(key, entry);
        Ok(Authentication::Verified(identity))
    }

    fn claimed_issuer(
        &self,
        audience: &Audience<'_>,
        jws: &Jws<'_>,
    ) -> Result<(usize, Rc<Issuer>), TokenError> {
        let claimed = jws.claims.get("iss").and_then(Json::as_str);
        audience
            .issuers
            .iter()
            .filter_map(|index| Some((*index, self.issuers.get(*index)?)))
            .find(|(_, issuer)| claimed == Some(&issuer.issuer))
            .map(|(index, issuer)| (index, Rc::clone(issuer)))
            .ok_or(TokenError::UnknownIssuer)
    }

    /// The one issuer of the server that can be asked about opaque tokens;
    /// with several, nothing tells whose token it is.
    fn only_introspecting_issuer(&self, audience: &Audience<'_>) -> Option<usize> {
        let mut introspecting = audience.issuers.iter().copied().filter(|index| {
            self.issuers
                .get(*index)
                .is_some_and(|issuer| issuer.introspection.is_some())
        });
        let only = introspecting.next()?;
        introspecting.next().is_none().then_some(only)
    }

    fn introspect(
        &mut self,
        issuer: usize,
        audience: &Audience<'_>,
        token: &BearerToken<'_>,
        hash: TokenHash,
        arrived_ms: u64,
        now_ms: u64,
    ) -> Authentication {
        let Some(entry) = self.issuers.get(issuer) else {
            return Authentication::Unavailable;
        };
        if entry.introspection.is_none() {
            return Authentication::Refused(TokenError::Malformed);
        }
        let leeway_ms = entry.leeway_seconds.saturating_mul(1000);
        let key = CacheKey {
            owner: issuer,
            token: hash,
        };
        match self.introspector.look_up(key, token, arrived_ms, now_ms) {
            Known::Pending => Authentication::Pending(Awaited::Introspection(hash)),
            Known::Unavailable => Authentication::Unavailable,
            Known::Refused(error) => Authentication::Refused(error),
            Known::Active(active) => {
                if now_ms >= active.expires_ms.saturating_add(leeway_ms) {
                    return Authentication::Refused(TokenError::Expired);
                }
                let audiences = active.audiences.iter().map(String::as_str);
                match check_audience(audiences, audience.audiences) {
                    Ok(()) => Authentication::Verified(Rc::clone(&active.identity)),
                    Err(error) => Authentication::Refused(error),
                }
            }
        }
    }
}

/// A JWT whose signature was right.
#[derive(Clone, Debug)]
struct VerifiedToken {
    identity: Rc<Identity>,
    issuer: usize,
    /// The generation of the keys that verified it.
    generation: u64,
    /// `exp`, in milliseconds since 1970. Within the leeway after it, a token
    /// is verified anew each time.
    expires_ms: u64,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("stores", &self.stores)
            .field("verified", &self.verified.len())
            .field("introspector", &self.introspector)
            .finish_non_exhaustive()
    }
}
