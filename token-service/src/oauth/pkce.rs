//! Proof key for code exchange (RFC 7636), with S256 only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::random::{self, NoRandomness};
use crate::secret::Secret;

/// The secret that ties a code to who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkce {
    /// For the token request.
    pub verifier: Secret,
}

impl Pkce {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn fresh() -> Result<Self, NoRandomness> {
        let bytes = random::bytes::<32>()?;
        Ok(Self {
            verifier: Secret::new(URL_SAFE_NO_PAD.encode(*bytes)),
        })
    }

    /// The `code_challenge` for the authorization request.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let pkce = Pkce {
            verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        };
        assert_eq!(
            pkce.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
