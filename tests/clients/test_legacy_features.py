"""What the legacy era does beyond request and answer works through the gate as without it."""

from __future__ import annotations

import httpx
import pytest
from sdk.gate import Gate
from sdk.typescript import TypeScriptClient
from sdk.way import Way

DOCUMENT = "demo://resource/static/document/features.md"


@pytest.fixture
def everything(way: Way) -> str:
    """The everything server's endpoint: its own, as the reference, and those of the gates."""
    return way.everything


def test_a_call_during_which_the_server_asks_the_client_is_finished(
    everything: str, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(everything, "reader", capabilities={"elicitation": {}})
    result = typescript.call_tool("trigger-elicitation-request")
    assert "declined" in result["content"][0]["text"]


def test_what_came_after_an_event_is_replayed(
    everything: str, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(everything, "reader")
    outcome = typescript.call_and_replay(
        everything, "trigger-long-running-operation", duration=0.2, steps=2
    )
    assert outcome["events"] >= 3
    assert outcome["replayed"] == outcome["result"]


def test_closing_ends_the_session(everything: str, typescript: TypeScriptClient) -> None:
    session = typescript.sign_in(everything, "reader").session_id
    assert session is not None

    # The gate's sessions belong to the user and the client that opened them.
    token = typescript.access_token()
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ping() -> int:
        return httpx.post(
            everything,
            json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
            headers={
                **authorization,
                "Accept": "application/json, text/event-stream",
                "Mcp-Session-Id": session,
                "MCP-Protocol-Version": "2025-11-25",
            },
        ).status_code

    assert ping() == 200
    typescript.close()
    # In the plain mode the server may refuse the head before the body has come:
    # a 502, after which a client sends it again.
    status = next((status for status in (ping() for _ in range(20)) if status != 502), 502)
    assert status in (400, 404)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ping", []),
        ("setLoggingLevel", ["error"]),
        ("listPrompts", []),
        ("listResources", []),
        ("listResourceTemplates", []),
        ("subscribeResource", [{"uri": DOCUMENT}]),
        ("unsubscribeResource", [{"uri": DOCUMENT}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_other_requests_of_the_protocol_are_answered_alike(
    gate: Gate, typescript: TypeScriptClient, method: str, params: list
) -> None:
    answers = []
    for endpoint in (gate.everything_itself, gate.everything):
        typescript.sign_in(endpoint, "admin")
        answers.append(typescript.request(method, *params))
    assert answers[0] == answers[1]
