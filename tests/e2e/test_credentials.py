"""Bearer tokens: which are taken, what is said of the others, and where they never appear."""

from __future__ import annotations

import json
import time

import pytest
from harness.gate import ENDPOINT, Gate, Outcome
from harness.issuer import ALGORITHMS
from harness.messages import call
from harness.tokens import Key, b64, keyed, signed, unsigned

METADATA = "/.well-known/oauth-protected-resource/everything/mcp"
PING = call("echo")


def challenge(gate: Gate, error: str = "", description: str = "") -> str:
    said = f'error="{error}", error_description="{description}", ' if error else ""
    metadata = f"{gate.ports.gate_url}{METADATA}"
    return f'Bearer {said}scope="mcp:read", resource_metadata="{metadata}"'


def refused_token(outcome: Outcome, reason: str, description: str) -> None:
    """401 in the header phase, in the words of RFC 6750 and RFC 9728."""
    outcome.refused(401, reason).unseen()
    assert outcome.challenge == challenge(outcome.gate, "invalid_token", description)
    assert outcome.json == {"error": "invalid_token", "error_description": description}
    assert outcome.audit["outcome"] == "challenged"
    assert "subject" not in outcome.audit


def test_without_a_token_the_challenge_has_no_error(gate: Gate, protocol: str) -> None:
    outcome = gate.post(PING, account=None, protocol=protocol)
    outcome.refused(401, "no_token").unseen()
    assert outcome.challenge == challenge(gate)
    assert outcome.response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("authorization", ["Basic cmVhZGVyOng=", "DPoP abc", "Negotiate"])
def test_another_scheme_is_like_no_token(gate: Gate, authorization: str) -> None:
    outcome = gate.post(PING, account=None, headers={"authorization": authorization})
    outcome.refused(401, "no_token").unseen()
    assert outcome.challenge == challenge(gate)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_the_same_in_any_case(gate: Gate, scheme: str, protocol: str) -> None:
    headers = {"authorization": f"{scheme}  {gate.token('reader')}"}
    gate.post(PING, account=None, headers=headers, protocol=protocol).passed()


MALFORMED = [
    "Bearer",
    "Bearer a b",
    "Bearer a,b",
    "Bearer {token},Bearer {token}",
    "Bearer {token}, Basic eDp5",
    "Basic eDp5, Bearer {token}",
    "Bearer {token} ,",
    'Bearer "{token}"',
    "Bearer\t{token}",
    "Bearer={token}",
    "{token}",
    ",",
]


@pytest.mark.parametrize("authorization", MALFORMED)
def test_more_or_less_than_one_credential_is_an_invalid_request(
    gate: Gate, authorization: str
) -> None:
    value = authorization.replace("{token}", gate.token("reader"))
    outcome = gate.send(
        "POST",
        headers=[("authorization", value), ("content-type", "application/json")],
        content=b"{}",
    )
    outcome.refused(outcome.status, outcome.audit["reason"]).unseen()
    # A lone token where a scheme belongs is taken for a scheme.
    lone = authorization == "{token}"
    assert outcome.status == (401 if lone else 400)
    if not lone:
        said = "Send exactly one bearer token, in the Authorization header"
        assert outcome.challenge == challenge(gate, "invalid_request", said)


def test_two_authorization_headers_are_refused_whichever_is_good(gate: Gate, protocol: str) -> None:
    good = ("authorization", f"Bearer {gate.token('reader')}")
    for other in (good, ("authorization", "Basic eDp5"), ("Authorization", "Bearer x")):
        for pair in ([good, other], [other, good]):
            outcome = gate.send("POST", headers=pair, content=b"{}", protocol=protocol)
            outcome.refused(400, "malformed_credentials").unseen()


@pytest.mark.parametrize("name", ["access_token", "%61ccess_token", "access%5Ftoken"])
def test_a_token_in_the_query_is_not_used_and_not_logged(
    gate: Gate, name: str, protocol: str
) -> None:
    secret = gate.issuer.token("reader", gate.resource)
    outcome = gate.send(
        "POST", f"{ENDPOINT}?a=1&{name}={secret}&b=2", content=b"{}", protocol=protocol
    )
    outcome.refused(401, "no_token").unseen()
    # That it is in no log is looked for when the gate stops, as for every token.
    assert outcome.challenge == challenge(gate)


def test_a_token_in_header_and_query_is_an_invalid_request(gate: Gate, protocol: str) -> None:
    secret = gate.issuer.token("reader", gate.resource)
    path = f"{ENDPOINT}?access_token={secret}"
    outcome = gate.send("POST", path, account="reader", content=b"{}", protocol=protocol)
    outcome.refused(400, "malformed_credentials").unseen()


def test_a_token_in_the_body_is_not_used(gate: Gate) -> None:
    secret = gate.issuer.token("reader", gate.resource)
    outcome = gate.send(
        "POST",
        headers={"content-type": "application/x-www-form-urlencoded"},
        content=f"access_token={secret}".encode(),
    )
    outcome.refused(401, "no_token").unseen()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_each_algorithm_are_verified(holding: Gate, algorithm: str) -> None:
    key = next(key for key in holding.issuer.keys if key.alg == algorithm)
    good = holding.issuer.token("reader", holding.resource, key=key)
    holding.post(PING, token=good).passed()
    head, claims, signature = good.split(".")
    tampered = holding.issuer.note(f"{head}.{claims}.{signature[:-8]}AAAAAAAA")
    refused_token(
        holding.post(PING, token=tampered),
        "bad_signature",
        "The signature of the access token is invalid",
    )


NOW = int(time.time())
BAD_CLAIMS = [
    ({"exp": NOW - 3600}, "expired", "The access token expired"),
    ({"exp": None}, "missing_claim", "The access token lacks a required claim"),
    ({"exp": "soon"}, "invalid_claim", "A claim of the access token is invalid"),
    ({"nbf": NOW + 3600}, "not_yet_valid", "The access token is not valid yet"),
    ({"iat": NOW + 3600}, "not_yet_valid", "The access token is not valid yet"),
    (
        {"aud": "http://other"},
        "wrong_audience",
        "The access token was not issued for this resource",
    ),
    ({"aud": []}, "wrong_audience", "The access token was not issued for this resource"),
    ({"aud": None}, "missing_claim", "The access token lacks a required claim"),
    (
        {"iss": "http://other"},
        "unknown_issuer",
        "The issuer of the access token is not trusted here",
    ),
    ({"iss": None}, "unknown_issuer", "The issuer of the access token is not trusted here"),
    ({"sub": None}, "missing_claim", "The access token lacks a required claim"),
    ({"sub": "a\nb"}, "invalid_claim", "A claim of the access token is invalid"),
    ({"client_id": None}, "missing_claim", "The access token lacks a required claim"),
    ({"jti": None}, "missing_claim", "The access token lacks a required claim"),
    ({"scope": 7}, "invalid_claim", "A claim of the access token is invalid"),
    (
        {"cnf": {"jkt": "x"}},
        "sender_constrained",
        "The access token is bound to a key and cannot be used as a bearer token",
    ),
]


@pytest.mark.parametrize(
    ("claims", "reason", "description"),
    BAD_CLAIMS,
    # Without the values, among which are times: every process has the same names.
    ids=[f"{number}-{'-'.join(claims)}" for number, (claims, _, _) in enumerate(BAD_CLAIMS)],
)
def test_a_claim_that_does_not_hold_refuses_the_token(
    gate: Gate, claims: dict[str, object], reason: str, description: str
) -> None:
    token = gate.issuer.token("reader", gate.resource, **claims)
    refused_token(gate.post(PING, token=token), reason, description)


BAD_HEADERS = [
    ({"typ": "JWT"}, "wrong_token_type", "The token is not an access token"),
    ({"typ": None}, "wrong_token_type", "The token is not an access token"),
    ({"typ": "dpop+jwt"}, "wrong_token_type", "The token is not an access token"),
    ({"cty": "JWT"}, "nested_token", "Nested tokens are not supported"),
    (
        {"crit": ["x"], "x": 1},
        "critical_extension",
        "The access token uses a critical extension that is not supported",
    ),
]


@pytest.mark.parametrize(("header", "reason", "description"), BAD_HEADERS, ids=str)
def test_a_header_that_means_another_token_refuses_it(
    gate: Gate, header: dict[str, object], reason: str, description: str
) -> None:
    token = gate.issuer.token("reader", gate.resource, header=header)
    refused_token(gate.post(PING, token=token), reason, description)


def test_a_token_that_nobody_signed_is_refused(gate: Gate) -> None:
    claims = gate.issuer.claims("reader", gate.resource)
    public = str(gate.issuer.keys[-1].jwk()).encode()
    said = "The signature algorithm of the access token is not allowed"
    for algorithm in ("none", "None", "HS256"):
        header = {"alg": algorithm, "typ": "at+jwt", "kid": gate.issuer.keys[-1].kid}
        for token in (f"{unsigned(header, claims)}.", f"{unsigned(header, claims)}.AAAA"):
            outcome = gate.post(PING, token=gate.issuer.note(token)).unseen()
            assert outcome.status == 401
            assert "invalid_token" in (outcome.challenge or "")
        forged = gate.issuer.note(keyed(header, claims, public))
        refused_token(gate.post(PING, token=forged), "algorithm_not_allowed", said)


def test_a_key_of_somebody_else_is_refused(gate: Gate) -> None:
    known = gate.issuer.keys[-1]
    token = gate.issuer.token("reader", gate.resource, key=Key.new("RS256", known.kid))
    refused_token(
        gate.post(PING, token=token),
        "bad_signature",
        "The signature of the access token is invalid",
    )


def test_a_claim_that_stands_twice_refuses_the_token(gate: Gate) -> None:
    key = gate.issuer.keys[-1]
    once = gate.issuer.claims("reader", gate.resource)
    twice = f'{{"sub":"admin",{json.dumps(once)[1:]}'
    token = signed({"alg": key.alg, "typ": "at+jwt", "kid": key.kid}, twice, key)
    outcome = gate.post(PING, token=gate.issuer.note(token))
    refused_token(outcome, "malformed_token", "The access token is malformed")


def test_a_token_of_another_server_is_refused(gate: Gate) -> None:
    outcome = gate.post(PING, token=gate.token("admin", "/notes/mcp"))
    refused_token(outcome, "wrong_audience", "The access token was not issued for this resource")


@pytest.mark.parametrize("size", [8193, 30_000])
def test_an_oversized_token_is_refused_unread(gate: Gate, size: int, protocol: str) -> None:
    outcome = gate.post(PING, token="x" * size, protocol=protocol)
    refused_token(outcome, "token_too_large", "The access token is too large")


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "..", "a.b.c.d", "====", "a..c"])
def test_what_is_no_token_is_refused(gate: Gate, token: str) -> None:
    outcome = gate.post(PING, token=token).unseen()
    assert outcome.status in (400, 401)
    assert outcome.challenge and "error=" in outcome.challenge


def test_an_encrypted_token_is_refused(gate: Gate) -> None:
    header = b64(b'{"alg":"RSA-OAEP","enc":"A256GCM"}')
    outcome = gate.post(PING, token=f"{header}.b.c.d.e")
    refused_token(outcome, "encrypted_token", "Encrypted access tokens are not supported")


def test_a_token_that_has_just_expired_is_good_within_the_leeway(gate: Gate) -> None:
    token = gate.issuer.token("reader", gate.resource, exp=int(time.time()) - 5)
    gate.post(PING, token=token).passed()
    gate.post(PING, token=token).passed()
