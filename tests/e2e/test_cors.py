"""Browser clients of allowed origins work; foreign pages do not."""

from __future__ import annotations

import pytest
from harness.gate import Gate
from harness.messages import call
from harness.recorder import Wire
from harness.sites import OPEN_ORIGIN
from harness.wire import http1

ECHO = call("echo")
EXPOSED = "WWW-Authenticate, Mcp-Session-Id"


def preflight(origin: str, headers: str = "authorization,content-type") -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
    }


def test_a_preflight_of_an_allowed_origin_is_answered_without_a_token(
    gate: Gate, protocol: str
) -> None:
    asked = preflight(OPEN_ORIGIN, "authorization, mcp-param-region, x-evil")
    outcome = gate.send("OPTIONS", headers=asked, protocol=protocol).unseen()
    assert outcome.status == 204
    headers = outcome.response.headers
    assert headers["access-control-allow-origin"] == OPEN_ORIGIN
    assert headers["access-control-allow-methods"] == "POST, GET, DELETE"
    allowed = headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "mcp-session-id", "mcp-param-region"} <= set(allowed)
    assert "x-evil" not in allowed
    assert headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in headers
    assert (outcome.audit["outcome"], outcome.audit["reason"]) == ("answered", "preflight")


FOREIGN = [
    "https://evil.example",
    "null",
    "*",
    "http://localhost:6275",
    "http://localhost:6274.evil.example",
    "HTTP://LOCALHOST:6274",
    "http://localhost:6274/",
    "http://localhost:6274, http://localhost:6274",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_refused_and_told_nothing(gate: Gate, origin: str, protocol: str) -> None:
    for outcome in (
        gate.send("OPTIONS", headers=preflight(origin), protocol=protocol),
        gate.post(ECHO, headers={"origin": origin}, protocol=protocol),
        gate.post(ECHO, account=None, headers={"origin": origin}, protocol=protocol),
        gate.send("GET", account="reader", headers={"origin": origin}, protocol=protocol),
    ):
        outcome.refused(403, "foreign_origin").unseen()
        assert "access-control-allow-origin" not in outcome.response.headers


def test_an_allowed_page_can_read_every_answer(gate: Gate, protocol: str) -> None:
    headers = {"origin": OPEN_ORIGIN}
    allowed = gate.post(ECHO, headers=headers, protocol=protocol)
    allowed.passed()
    refusals = (
        gate.post(ECHO, account=None, headers=headers, protocol=protocol),
        gate.post(call("get-sum", a=1, b=1), headers=headers, protocol=protocol),
        gate.post(b"nonsense", headers=headers, protocol=protocol),
        gate.send("OPTIONS", headers=headers, protocol=protocol),
    )
    assert [outcome.status for outcome in refusals] == [401, 403, 400, 405]
    for outcome in (allowed, *refusals):
        assert outcome.response.headers["access-control-allow-origin"] == OPEN_ORIGIN
        assert outcome.response.headers["access-control-expose-headers"] == EXPOSED
        assert "origin" in outcome.response.headers["vary"].lower()


def test_the_resources_own_origin_is_allowed(gate: Gate) -> None:
    gate.post(ECHO, headers={"origin": gate.ports.gate_url}).passed()


async def open_to_all(wire: Wire) -> None:
    """What the everything server says, and more."""
    await wire.ended.wait()
    await wire.answer(
        b"{}",
        "access-control-allow-origin: *",
        "access-control-allow-credentials: true",
        "Access-Control-Expose-Headers: X-Secret",
        "vary: accept-encoding",
        "mcp-session-id: s1",
    )


@pytest.mark.parametrize("origin", [OPEN_ORIGIN, None])
def test_the_upstreams_own_word_on_cors_is_removed(gate: Gate, origin: str | None) -> None:
    gate.recorder.script = open_to_all
    outcome = gate.post(ECHO, headers={"origin": origin} if origin else {})
    headers = outcome.response.headers
    cors = {name: value for name, value in headers.items() if name.startswith("access-control-")}
    if origin is None:
        assert cors == {}
    else:
        assert cors == {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": EXPOSED,
        }
        assert headers["vary"] == "accept-encoding, Origin"
    assert headers["mcp-session-id"] == "s1"


def test_two_origins_are_foreign(gate: Gate) -> None:
    origin = (b"origin", OPEN_ORIGIN.encode())
    fields = [
        (b"host", gate.authority.encode()),
        (b"authorization", f"Bearer {gate.token('reader')}".encode()),
    ]
    answer = http1(gate.ports.gate, "GET /everything/mcp HTTP/1.1", [*fields, origin, origin])
    assert answer.status == 403
    assert gate.upstream_since(0) == []
