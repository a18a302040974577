"""The origin of the MCP Inspector, which the shipped configuration lists."""

from __future__ import annotations

import httpx
import pytest
from sdk.gate import Gate

INSPECTOR = "http://localhost:6274"

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "inspector", "version": "1"},
    },
}


@pytest.mark.parametrize("origin", [INSPECTOR, "http://127.0.0.1:6274"])
def test_a_preflight_of_the_inspector_is_answered(gate: Gate, origin: str) -> None:
    wanted = ["authorization", "content-type", "mcp-protocol-version", "mcp-session-id"]
    answer = httpx.options(
        gate.everything,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": ",".join(wanted),
        },
    )
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert {"POST", "GET", "DELETE"} <= set(listed(answer, "Access-Control-Allow-Methods"))
    assert set(wanted) <= {name.lower() for name in listed(answer, "Access-Control-Allow-Headers")}
    assert "Origin" in listed(answer, "Vary")


@pytest.mark.parametrize("origin", [INSPECTOR, "http://127.0.0.1:6274"])
def test_the_inspector_may_read_what_the_server_answers(gate: Gate, origin: str) -> None:
    answer = httpx.post(
        gate.everything,
        json=INITIALIZE,
        headers={
            "Origin": origin,
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {gate.token('reader', gate.everything)}",
        },
    )
    assert answer.status_code == 200
    # One value: the server's own "*" does not come through.
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [origin]
    exposed = {name.lower() for name in listed(answer, "Access-Control-Expose-Headers")}
    assert {"mcp-session-id", "www-authenticate"} <= exposed
    assert answer.headers["Mcp-Session-Id"]


def test_the_inspector_may_read_the_challenge(gate: Gate) -> None:
    answer = httpx.post(gate.everything, json=INITIALIZE, headers={"Origin": INSPECTOR})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == INSPECTOR
    exposed = {name.lower() for name in listed(answer, "Access-Control-Expose-Headers")}
    assert "www-authenticate" in exposed


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:6275", "https://localhost:6274", "http://localhost:6274.evil", "null"],
)
def test_an_origin_that_only_looks_like_it_is_refused(gate: Gate, origin: str) -> None:
    answer = httpx.post(
        gate.everything,
        json=INITIALIZE,
        headers={
            "Origin": origin,
            "Authorization": f"Bearer {gate.token('reader', gate.everything)}",
        },
    )
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def listed(answer: httpx.Response, header: str) -> list[str]:
    """The members of a header that is a list."""
    return [member.strip() for member in answer.headers.get(header, "").split(",")]
