"""Who verifies signatures: Envoy what it can be relied on for, the module the rest."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import utils
from harness.gate import Gate
from harness.issuer import ALGORITHMS
from harness.messages import call
from harness.tokens import Claims, Key, b64, unsigned

PING = call("echo")
BY_HOST = ("RS256", "RS384", "RS512", "ES256", "ES384")
# How long r and s are, each.
CURVES = {"ES256": 32, "ES384": 48}


def key_for(gate: Gate, algorithm: str) -> Key:
    return next(key for key in gate.issuer.keys if key.alg == algorithm)


def token(gate: Gate, key: Key, **header: str) -> tuple[str, bytes]:
    """What is signed, and the signature."""
    members: Claims = {"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **header}
    text = unsigned(members, gate.issuer.claims("reader", gate.resource))
    return text, key.sign(text.encode())


def answer(gate: Gate, text: str, signature: bytes) -> str:
    """The reason in the audit line."""
    outcome = gate.post(PING, token=gate.issuer.note(f"{text}.{b64(signature)}"))
    return str(outcome.audit["reason"])


def test_the_log_says_who_verifies_what(holding: Gate) -> None:
    lines = re.findall(
        r"signatures verified by the host: (.*); by the module: (.*)",
        holding.envoy.log.read_text(),
    )
    by_module = tuple(each for each in ALGORITHMS if each not in BY_HOST)
    assert set(lines) == {(", ".join(BY_HOST), ", ".join(by_module))}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_each_algorithm_is_judged(holding: Gate, algorithm: str) -> None:
    key = key_for(holding, algorithm)
    text, signature = token(holding, key)
    half = len(signature) // 2
    assert answer(holding, text, signature) == "allowed"
    bad = {
        "one bit": signature[:half] + bytes([signature[half] ^ 1]) + signature[half + 1 :],
        "short": signature[:-1],
        "shorter": signature[1:],
        "long": signature + b"\0",
        "longer": b"\0" + signature,
        "none": b"",
        "zero": bytes(len(signature)),
        "ones": b"\xff" * len(signature),
        "first half zero": bytes(half) + signature[half:],
        "second half zero": signature[:half] + bytes(half),
        "another key's": Key.new(algorithm, key.kid).sign(text.encode()),
    }
    reasons = {name: answer(holding, text, each) for name, each in bad.items()}
    assert set(reasons.values()) == {"bad_signature"}, reasons


@pytest.mark.parametrize("algorithm", CURVES)
def test_an_ecdsa_signature_as_der_is_refused(holding: Gate, algorithm: str) -> None:
    size = CURVES[algorithm]
    text, signature = token(holding, key_for(holding, algorithm))
    r, s = (int.from_bytes(half) for half in (signature[:size], signature[size:]))
    assert answer(holding, text, utils.encode_dss_signature(r, s)) == "bad_signature"


@pytest.mark.parametrize("named", [each for each in ALGORITHMS if each[:2] in ("RS", "PS")])
def test_an_rsa_signature_of_another_algorithm_is_refused(holding: Gate, named: str) -> None:
    key = key_for(holding, named)
    text, _ = token(holding, key)
    for other in ALGORITHMS:
        if other[:2] in ("RS", "PS") and other != named:
            signature = replace(key, alg=other).sign(text.encode())
            assert answer(holding, text, signature) == "bad_signature", other


def test_a_signature_verified_by_the_host_is_no_excuse_for_the_claims(holding: Gate) -> None:
    key = key_for(holding, "ES256")
    for changes, reason in (
        ({"exp": 1}, "expired"),
        ({"aud": "https://elsewhere.example"}, "wrong_audience"),
        ({"nonce": 5}, "malformed_token"),
        ({"nonce": "5"}, "allowed"),
    ):
        odd = holding.issuer.token("reader", holding.resource, key=key, **changes)
        assert holding.post(PING, token=odd).audit["reason"] == reason
