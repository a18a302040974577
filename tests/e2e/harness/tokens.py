"""Keys and tokens of any kind, good and bad."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

Claims = dict[str, Any]


def b64(data: bytes) -> str:
    """base64url without padding, as JOSE has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Key:
    """A signing key with the one algorithm that it is for."""

    kid: str
    alg: str
    private: Any

    @classmethod
    def new(cls, alg: str, kid: str) -> Key:
        """A fresh key."""
        private: Any
        if alg in ("ES256", "ES384"):
            private = ec.generate_private_key(
                {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[alg]
            )
        elif alg == "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        else:
            private = rsa.generate_private_key(65537, 2048)
        return cls(kid, alg, private)

    def jwk(self) -> dict[str, str]:
        """Its public part."""
        common = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {**common, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            size = (public.curve.key_size + 7) // 8
            point = public.public_numbers()
            x, y = (b64(value.to_bytes(size, "big")) for value in (point.x, point.y))
            return {**common, "kty": "EC", "crv": f"P-{public.curve.key_size}", "x": x, "y": y}
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}

    def sign(self, data: bytes) -> bytes:
        """A JWS signature."""
        if self.alg == "EdDSA":
            return bytes(self.private.sign(data))
        digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[self.alg[2:]]()
        if self.alg.startswith("RS"):
            return bytes(self.private.sign(data, padding.PKCS1v15(), digest))
        if self.alg.startswith("PS"):
            salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return bytes(self.private.sign(data, salted, digest))
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        size = (self.private.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def unsigned(header: Claims, claims: Claims | str) -> str:
    """Header and claims, encoded; claims can be text that is no strict JSON."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    return f"{b64(json.dumps(header).encode())}.{b64(text.encode())}"


def signed(header: Claims, claims: Claims | str, key: Key) -> str:
    """A compact JWS."""
    data = unsigned(header, claims)
    return f"{data}.{b64(key.sign(data.encode()))}"


def keyed(header: Claims, claims: Claims, secret: bytes) -> str:
    """An HS256 token: what an attacker makes who takes a public key for a secret."""
    data = unsigned(header, claims)
    return f"{data}.{b64(hmac.digest(secret, data.encode(), hashlib.sha256))}"
