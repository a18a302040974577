"""Opaque tokens (RFC 7662): what the issuer says of them counts, and is remembered for a while."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup, opaque_tokens
from harness.gate import ENDPOINT, Gate, StartGate
from harness.issuer import INTROSPECTION, Answer, Issuer
from harness.messages import call
from harness.wire import Connection

ECHO = call("echo")
CACHE_SECONDS = 1


def opaque(policy: Json) -> None:
    """Opaque tokens, remembered for a second."""
    opaque_tokens(policy)
    policy["issuers"][0]["introspection"]["cache_seconds"] = CACHE_SECONDS


class Registry:
    """What the issuer says of each token, and how often it was asked."""

    def __init__(self, issuer: Issuer, gate: Gate) -> None:
        self.answers: dict[str, Json] = {}
        self.asked: list[str] = []
        self._gate = gate
        issuer.answers[INTROSPECTION] = self._answer

    def active(self, token: str, **changes: object) -> str:
        claims = self._gate.issuer.claims("reader", self._gate.resource, **changes)
        self.answers[token] = {"active": True, "token_type": "Bearer", **claims}
        return self._gate.issuer.note(token)

    def _answer(self, body: str) -> Answer:
        form = urllib.parse.parse_qs(body)
        self.asked += form["token"]
        return 200, json.dumps(self.answers.get(form["token"][0], {"active": False})).encode()


@pytest.fixture(params=[HOLDING, PLAIN])
def gate(request: pytest.FixtureRequest, start_gate: StartGate, issuer: Issuer) -> Gate:
    gate = start_gate(Setup(request.param, policy=opaque), issuer.up())
    gate.use_token("reader", "the-token-of-the-fence")
    return gate


@pytest.fixture
def registry(gate: Gate) -> Registry:
    registry = Registry(gate.issuer, gate)
    registry.active(gate.token("reader"))
    return registry


def test_an_active_token_passes_and_is_asked_about_once(gate: Gate, registry: Registry) -> None:
    token = registry.active("opaque-1.~+/=")
    for _ in range(3):
        seen = gate.post(ECHO, token=token).passed()
        assert seen.header("x-mcp-subject") == "reader"
    assert registry.asked.count(token) <= 2


def test_an_unknown_token_is_refused(gate: Gate, registry: Registry) -> None:
    outcome = gate.post(ECHO, token=gate.issuer.note("nobodys-token")).refused(401, "inactive")
    assert 'error="invalid_token"' in (outcome.challenge or "")
    outcome.unseen()


def test_a_revoked_token_is_refused_once_the_memory_of_it_has_passed(
    gate: Gate, registry: Registry
) -> None:
    token = registry.active("to-be-revoked")
    gate.post(ECHO, token=token).passed()
    del registry.answers[token]
    deadline = time.monotonic() + CACHE_SECONDS + 5
    while gate.post(ECHO, token=token).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    gate.post(ECHO, token=token).refused(401, "inactive")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "http://other"}, "wrong_audience"),
        ({"exp": 1}, "expired"),
        ({"iss": "http://other"}, "unknown_issuer"),
        ({"token_type": "DPoP"}, "wrong_token_type"),
        ({"cnf": {"jkt": "x"}}, "sender_constrained"),
    ],
    ids=str,
)
def test_an_active_token_that_is_not_for_here_is_refused(
    gate: Gate, registry: Registry, changes: Json, reason: str
) -> None:
    token = registry.active(f"active-but-{reason}")
    registry.answers[token] |= changes
    gate.post(ECHO, token=token).refused(401, reason).unseen()


@pytest.mark.parametrize("answer", [(500, b""), (200, b"{}"), (200, b"yes"), (401, b"{}")])
def test_an_answer_that_says_nothing_is_no_verdict(
    gate: Gate, registry: Registry, answer: Answer
) -> None:
    said = gate.issuer.answers[INTROSPECTION]
    gate.issuer.answers[INTROSPECTION] = lambda body: answer if "lost" in body else said(body)
    outcome = gate.post(ECHO, token=gate.issuer.note("the-lost-token"))
    outcome.refused(503, "keys_unavailable").unseen()
    assert int(outcome.response.headers["retry-after"]) > 0


def test_many_who_wait_share_one_call_also_when_the_first_of_them_leaves(
    gate: Gate, registry: Registry
) -> None:
    token, go_on = registry.active("shared-token"), threading.Event()
    said = gate.issuer.answers[INTROSPECTION]

    def slow(body: str) -> Answer:
        if "shared" in body:
            go_on.wait(10)
        return said(body)

    gate.issuer.answers[INTROSPECTION] = slow
    headers = {"authorization": f"Bearer {token}"}
    gate.use_token("shared", token)
    with Connection(gate.ports.gate) as first, ThreadPoolExecutor(10) as pool:
        first.send(gate.get_head("shared"))
        gate.issuer.wait_for_hit(INTROSPECTION)
        posts = [
            pool.submit(gate.client().post, ENDPOINT, json=ECHO, headers=headers) for _ in range(10)
        ]
        gate.wait_for_requests(11)
        first.reset()
        gate.wait_for_requests(10)
        go_on.set()
        assert [each.result().status_code for each in posts] == [200] * 10
    assert registry.asked.count(token) == 1
