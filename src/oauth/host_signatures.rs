//! Which signatures the host verifies: its own code is much faster than ours
//! in the VM, where it has it and it can be relied on.

use core::fmt;

use super::issuer::Algorithm;
use super::known_answers::{self, KnownAnswer};
use super::signature::PublicKey;

/// A way to have the host verify signatures.
pub trait HostSignatures {
    /// Whether `signature` is that of `text` by the key. `hash` is `sha256`,
    /// `sha384` or `sha512`; the key is a SubjectPublicKeyInfo in DER (RFC
    /// 5280, section 4.1); an ECDSA signature is in DER (RFC 3279, section
    /// 2.2.3), another one as it is. `None` if the host cannot say.
    fn verify(
        &self,
        hash: &'static str,
        public_key: &[u8],
        signature: &[u8],
        text: &[u8],
    ) -> Option<bool>;
}

/// The host, and what it is trusted with.
#[derive(Clone, Copy, Default)]
pub struct Verifiers {
    host: Option<&'static dyn HostSignatures>,
    by_host: Algorithms,
}

/// A set of algorithms; bit by bit as they stand in [`Algorithm::ALL`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Algorithms(u16);

impl Verifiers {
    /// The host verifies what it gives the known answers for; everything else
    /// is verified in the module. Without a host, all of it.
    pub fn tried(host: &'static dyn HostSignatures) -> Self {
        let mut by_host = Algorithms::default();
        for answer in &known_answers::ALL {
            if knows(host, answer).unwrap_or_default() {
                by_host.insert(answer.algorithm);
            }
        }
        Self {
            host: Some(host),
            by_host,
        }
    }

    /// Whether the host verifies signatures of this algorithm.
    pub fn is_by_host(&self, algorithm: Algorithm) -> bool {
        self.by_host.contains(algorithm)
    }

    /// What the host says of a signature, in the form that JWS gives it.
    /// `None` if it is not asked, or cannot say.
    pub(super) fn ask(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        text: &str,
        signature: &[u8],
    ) -> Option<bool> {
        let host = self.host.filter(|_| self.is_by_host(algorithm))?;
        ask(host, key, algorithm, text, signature)
    }
}

/// Whether the host says what is known: yes to the signature, no where the
/// text or the signature is another, and, since nothing in the question says
/// how an RSA signature is padded, no to the other padding.
fn knows(host: &dyn HostSignatures, answer: &KnownAnswer) -> Option<bool> {
    let KnownAnswer { algorithm, .. } = *answer;
    let key = answer.public_key()?;
    let (text, signature) = answer.text_and_signature()?;
    let says = |text: &str, signature: &[u8]| ask(host, &key, algorithm, text, signature);
    let is_refused = |answer: Option<bool>| answer == Some(false);
    let other_text = text.replacen('e', "f", 1);
    let mut other_signature = signature.clone();
    *other_signature.last_mut()? ^= 1;
    let other_padding_is_refused = match answer.other_padding() {
        Some(other) => {
            let (text, signature) = other.text_and_signature()?;
            is_refused(says(text, &signature))
        }
        None => true,
    };
    Some(
        says(text, &signature) == Some(true)
            && is_refused(says(&other_text, &signature))
            && is_refused(says(text, &other_signature))
            && other_padding_is_refused,
    )
}

fn ask(
    host: &dyn HostSignatures,
    key: &PublicKey,
    algorithm: Algorithm,
    text: &str,
    signature: &[u8],
) -> Option<bool> {
    if !key.is_for(algorithm) {
        return Some(false);
    }
    let Some(signature) = key.signature_for_host(signature) else {
        return Some(false);
    };
    host.verify(hash(algorithm), key.info(), &signature, text.as_bytes())
}

/// The hash function of an algorithm (RFC 7518, section 3.1; RFC 8032).
const fn hash(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => "sha256",
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => "sha384",
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => "sha512",
    }
}

// === impl Algorithms ===

impl Algorithms {
    const fn insert(&mut self, algorithm: Algorithm) {
        self.0 |= Self::bit(algorithm);
    }

    const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Self::bit(algorithm) != 0
    }

    const fn bit(algorithm: Algorithm) -> u16 {
        1 << algorithm as u16
    }
}

/// For the log: who verifies what.
impl fmt::Display for Verifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |by_host: bool| {
            let names: Vec<&str> = Algorithm::ALL
                .into_iter()
                .filter(|algorithm| self.is_by_host(*algorithm) == by_host)
                .map(Algorithm::as_str)
                .collect();
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        };
        let (host, module) = (names(true), names(false));
        write!(f, "verified by the host: {host}; by the module: {module}")
    }
}
