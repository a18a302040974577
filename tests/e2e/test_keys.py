"""Keys over time: not there yet, rotated, out of reach, and never asked for too often."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup
from harness.gate import ENDPOINT, Gate, StartGate
from harness.issuer import JWKS, METADATA, Issuer
from harness.messages import call
from harness.tokens import Key
from harness.wire import Connection

ECHO = call("echo")
WAIT_MS = 1500
RETRY_SECONDS = 1


def quick(policy: Json) -> None:
    """A second counts for much in these tests."""
    policy["issuers"][0]["keys"]["discovery"] |= {
        "retry_seconds": RETRY_SECONDS,
        "refresh_seconds": 2,
        "timeout_ms": 1000,
    }
    policy["limits"] = {"key_wait_ms": WAIT_MS}


def lazy(policy: Json) -> None:
    """As `quick`, but with no refresh within a test."""
    quick(policy)
    policy["issuers"][0]["keys"]["discovery"]["refresh_seconds"] = 3600


def patient(policy: Json) -> None:
    """As `lazy`, but requests and calls wait for as long as the test takes."""
    lazy(policy)
    policy["issuers"][0]["keys"]["discovery"]["timeout_ms"] = 20_000
    policy["limits"] = {"key_wait_ms": 20_000}


def post(gate: Gate, token: str | None = None) -> int:
    """The status of a call; several can run at a time."""
    token = token or gate.token("reader")
    headers = {"authorization": f"Bearer {token}"}
    return gate.client().post(ENDPOINT, json=ECHO, headers=headers).status_code


def recovers(gate: Gate) -> None:
    """It answers again, within a few retries."""
    deadline = time.monotonic() + 10
    while post(gate) != 200:
        assert time.monotonic() < deadline, "the gate has not recovered"


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
def test_requests_before_the_keys_wait_for_them_also_when_the_first_of_them_leaves(
    start_gate: StartGate, issuer: Issuer, mode: str
) -> None:
    arrived = threading.Event()
    document = issuer.up()._serve(JWKS, "")
    issuer.answers[JWKS] = lambda _: (arrived.wait(10), document)[1]
    gate = start_gate(Setup(mode, policy=patient), issuer)
    issuer.wait_for_hit(JWKS)
    with Connection(gate.ports.gate) as first, ThreadPoolExecutor(20) as pool:
        first.send(gate.get_head("reader"))
        gate.wait_for_requests(1)
        waiting = [pool.submit(post, gate) for _ in range(20)]
        gate.wait_for_requests(21)
        first.reset()
        gate.wait_for_requests(20)
        assert gate.stat("cluster.everything.upstream_rq_total") == 0
        arrived.set()
        assert [each.result() for each in waiting] == [200] * 20
    # Each VM asks for itself: Envoy's first one, the main thread's and the worker's.
    assert issuer.hits.count(JWKS) <= 3


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
def test_without_an_authorization_server_requests_end_within_the_bound_and_it_recovers(
    start_gate: StartGate, issuer: Issuer, mode: str
) -> None:
    gate = start_gate(Setup(mode, policy=quick), issuer)
    began = time.monotonic()
    response = gate.client().post(
        ENDPOINT, json=ECHO, headers={"authorization": f"Bearer {gate.token('reader')}"}
    )
    assert time.monotonic() - began < WAIT_MS / 1000 + 1
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert response.json()["error"] == "temporarily_unavailable"
    assert gate.stat("cluster.everything.upstream_rq_total") == 0
    # What needs no key is answered all the time.
    assert gate.client().post(ENDPOINT, json=ECHO).status_code == 401
    issuer.up()
    recovers(gate)


def test_keys_outlive_the_authorization_server(start_gate: StartGate, issuer: Issuer) -> None:
    gate = start_gate(Setup(policy=quick), issuer.up())
    assert post(gate) == 200
    issuer.down()
    deadline = time.monotonic() + 10
    while "keys could not be fetched" not in gate.envoy.log.read_text():
        assert time.monotonic() < deadline
        assert post(gate) == 200
    fresh = issuer.token("writer", gate.resource)
    assert post(gate, fresh) == 200


GARBAGE = {
    "an error": (500, b""),
    "no JSON": (200, b"<html>"),
    "no keys": (200, b'{"keys":[]}'),
    "keys of no use": (200, b'{"keys":[{"kty":"oct","k":"AAAA"}]}'),
    "too much": (200, b'{"keys":[' + b" " * (2 << 20) + b"]}"),
    "very deep": (200, b"[" * 100_000),
    "a redirect": (302, b""),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
def test_nonsense_instead_of_keys_does_not_replace_them(
    start_gate: StartGate, issuer: Issuer, answer: tuple[int, bytes]
) -> None:
    gate = start_gate(Setup(policy=quick), issuer.up())
    assert post(gate) == 200
    issuer.answers[JWKS] = lambda _: answer
    issuer.wait_for_hit(JWKS, issuer.hits.count(JWKS) + 2)
    assert post(gate, issuer.token("writer", gate.resource)) == 200


def test_metadata_of_another_issuer_are_not_believed(start_gate: StartGate, issuer: Issuer) -> None:
    other = f'{{"issuer":"http://other","jwks_uri":"{issuer.url}{JWKS}"}}'.encode()
    issuer.answers[METADATA] = lambda _: (200, other)
    gate = start_gate(Setup(policy=quick), issuer.up())
    assert post(gate) == 503
    del issuer.answers[METADATA]
    recovers(gate)


def test_a_new_key_is_fetched_when_the_first_token_names_it(
    start_gate: StartGate, issuer: Issuer
) -> None:
    gate = start_gate(Setup(policy=lazy), issuer.up())
    assert post(gate) == 200
    issuer.keys.append(Key.new("RS256", "second"))
    assert post(gate, issuer.token("writer", gate.resource)) == 200
    issuer.keys.append(Key.new("RS256", "third"))
    assert post(gate, issuer.token("writer", gate.resource)) == 200


def test_made_up_key_ids_do_not_make_the_gate_ask_more_often_than_its_limit(
    start_gate: StartGate, issuer: Issuer
) -> None:
    gate = start_gate(Setup(policy=lazy), issuer.up())
    assert post(gate) == 200
    before, began = issuer.hits.count(JWKS), time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        made_up = [
            issuer.token("reader", gate.resource, header={"kid": f"made-up-{number}"})
            for number in range(50)
        ]
        statuses = list(pool.map(lambda token: post(gate, token), made_up))
    elapsed = time.monotonic() - began
    assert set(statuses) == {401}
    assert issuer.hits.count(JWKS) - before <= elapsed / RETRY_SECONDS + 1
    assert post(gate) == 200


def test_a_key_that_was_taken_back_verifies_nothing_any_more(
    start_gate: StartGate, issuer: Issuer
) -> None:
    gate = start_gate(Setup(policy=quick), issuer.up())
    old = issuer.token("reader", gate.resource)
    assert post(gate, old) == 200
    issuer.keys[:] = [Key.new("RS256", "second")]
    deadline = time.monotonic() + 10
    while post(gate, old) == 200:
        assert time.monotonic() < deadline
    assert post(gate, old) == 401
    assert post(gate, issuer.token("reader", gate.resource)) == 200


def test_no_request_fails_while_keys_rotate(start_gate: StartGate, issuer: Issuer) -> None:
    gate = start_gate(Setup(PLAIN, concurrency=2, policy=quick), issuer.up())
    assert post(gate) == 200
    running = threading.Event()
    running.set()

    def requests() -> list[int]:
        statuses = []
        while running.is_set():
            statuses.append(post(gate, issuer.token("reader", gate.resource)))
        return statuses

    with ThreadPoolExecutor(4) as pool:
        under_way = [pool.submit(requests) for _ in range(4)]
        for generation in range(3):
            issuer.keys.append(Key.new("RS256", f"generation-{generation}"))
            issuer.wait_for_hit(JWKS, issuer.hits.count(JWKS) + 2)
        running.clear()
        statuses = [status for each in under_way for status in each.result()]
    assert len(statuses) > 20
    assert set(statuses) == {200}
