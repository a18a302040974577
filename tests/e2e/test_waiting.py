"""Bodies that come while their request waits for the word of the issuer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup, opaque_tokens, wasm
from harness.gate import ENDPOINT, Gate, StartGate
from harness.issuer import INTROSPECTION, Answer, Issuer
from harness.messages import call
from harness.wire import Connection

FENCE, TOKEN = "the-token-of-the-fence", "the-token-that-takes-its-time"
ECHO, DENIED = (json.dumps(call(name)).encode() for name in ("echo", "get-env"))


@dataclass
class Slow:
    """An issuer that takes its time for one token."""

    gate: Gate
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, body: str) -> Answer:
        if TOKEN in body:
            self.go_on.wait(10)
        claims = self.gate.issuer.claims("reader", self.gate.resource)
        return 200, json.dumps({"active": True, "token_type": "Bearer", **claims}).encode()


def with_flag(envoy: Json) -> None:
    """Plain mode where it need not be: headers can be held, and bodies come meanwhile."""
    wasm(envoy)["allow_on_headers_stop_iteration"] = True


SETUPS = {
    "holding": Setup(HOLDING, policy=opaque_tokens),
    "plain": Setup(PLAIN, policy=opaque_tokens),
    "plain-with-the-flag": Setup(PLAIN, policy=opaque_tokens, envoy=with_flag),
}


@pytest.fixture(params=SETUPS)
def slow(request: pytest.FixtureRequest, start_gate: StartGate, issuer: Issuer) -> Iterator[Slow]:
    gate = start_gate(SETUPS[request.param], issuer.up())
    gate.use_token("reader", gate.issuer.note(FENCE))
    slow = Slow(gate)
    gate.issuer.answers[INTROSPECTION] = slow
    gate.issuer.note(TOKEN)
    yield slow
    slow.go_on.set()


def head(gate: Gate) -> bytes:
    return (
        f"POST {ENDPOINT} HTTP/1.1\r\nhost: {gate.authority}\r\n"
        "content-type: application/json\r\n"
        f"authorization: Bearer {TOKEN}\r\n"
        "transfer-encoding: chunked\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def send_part(slow: Slow, connection: Connection, part: bytes) -> None:
    """Send head and one chunk, wait for the call about the token, and let it be answered.

    Another request with the token is woken by the same answer; when it has
    been answered, this one has been woken too.
    """
    gate = slow.gate
    connection.send(head(gate) + chunk(part))
    gate.issuer.wait_for_hit(INTROSPECTION)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(gate.client().post, ENDPOINT, json=call("echo"), headers=headers)
        gate.wait_for_requests(2)
        slow.go_on.set()
        assert other.result().status_code == 200


def test_the_whole_body_is_decided_on_also_what_came_before_the_word_of_the_issuer(
    slow: Slow,
) -> None:
    with Connection(slow.gate.ports.gate) as connection:
        send_part(slow, connection, DENIED)
        connection.send(chunk(ECHO) + chunk(b""))
        assert connection.answer().status == 400
    bodies = [seen.body for seen in slow.gate.upstream_since(0)]
    assert not any(b"get-env" in body for body in bodies), bodies


def test_a_body_in_two_parts_with_the_word_of_the_issuer_between_them_arrives_whole(
    slow: Slow,
) -> None:
    half = len(ECHO) // 2
    with Connection(slow.gate.ports.gate) as connection:
        send_part(slow, connection, ECHO[:half])
        connection.send(chunk(ECHO[half:]) + chunk(b""))
        assert connection.answer().status == 200
    assert ECHO in [seen.body for seen in slow.gate.upstream_since(0)]


def test_a_body_that_is_complete_before_the_word_of_the_issuer_arrives_whole(slow: Slow) -> None:
    with Connection(slow.gate.ports.gate) as connection:
        send_part(slow, connection, ECHO + b" " * 3000)
        connection.send(chunk(b""))
        assert connection.answer().status == 200
    bodies = [seen.body for seen in slow.gate.upstream_since(0)]
    assert ECHO + b" " * 3000 in bodies


def test_a_complete_body_is_decided_on_when_the_issuer_has_spoken(slow: Slow) -> None:
    gate = slow.gate
    headers = {"authorization": f"Bearer {TOKEN}"}
    with ThreadPoolExecutor(2) as pool:
        posts = [
            pool.submit(gate.client().post, ENDPOINT, json=call(name), headers=headers)
            for name in ("echo", "get-env")
        ]
        gate.wait_for_requests(2)
        slow.go_on.set()
        allowed, refused = (post.result().json() for post in posts)
    assert "result" in allowed
    assert refused["error"] == {"code": -32602, "message": "Unknown tool: get-env"}
    assert all(b"get-env" not in seen.body for seen in gate.upstream_since(0))
