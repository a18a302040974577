"""Request states of an upstream (MCP 2026-07-28) belong to whom and what they were given for."""

from __future__ import annotations

import json

import pytest
from harness.answers import (
    EVENTS,
    JSON,
    event,
    replies,
    result,
    text,
)
from harness.bootstrap import Json
from harness.gate import MODERN, Gate
from harness.messages import call, modern
from harness.tasks import (
    send,
)

STATE = 'their "state" / ü'


def asks(state: str = STATE, media: str = JSON) -> Json:
    """The answer of an upstream that needs input."""
    return result(
        resultType="input_required",
        inputRequests={"who": {"method": "elicitation/create", "params": {"message": "m"}}},
        requestState=state,
    )


def retried(state: str, tool: str = "echo") -> Json:
    """The call again, with what was asked for."""
    message = modern(call(tool, message="x"))
    message["params"]["inputResponses"] = {"who": {"action": "accept"}}
    message["params"]["requestState"] = state
    return message


def held_state(gate: Gate, media: str = JSON) -> str:
    """What the client gets for it."""
    body = text(asks()) if media == JSON else event(asks())
    gate.recorder.script = replies(body, media=media)
    outcome = send(gate, MODERN, modern(call("echo", message="x")))
    outcome.passed()
    got = outcome.response.content.removeprefix(b"data: ")
    answer: Json = json.loads(got)
    state = answer["result"].pop("requestState")
    expected = asks()
    del expected["result"]["requestState"]
    assert answer == expected
    assert state != STATE
    gate.recorder.script = replies(result(resultType="complete", content=[]))
    return str(state)


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_the_state_of_an_upstream_comes_back_to_it_as_it_was(
    keyed: Gate, media: str, protocol: str
) -> None:
    message = retried(held_state(keyed, media))
    seen = send(keyed, MODERN, message, protocol=protocol).passed()
    assert seen.message == retried(STATE)
    assert len(seen.body) == len(json.dumps(message).encode())


def test_the_state_of_an_upstream_is_of_no_use_to_others_or_for_other_calls(
    keyed: Gate, protocol: str
) -> None:
    state = held_state(keyed)
    middle = len(state) // 2
    changed = state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :]
    for message, account in (
        (retried(state), "writer"),
        (retried(state, "get-tiny-image"), "reader"),
        (retried(changed), "reader"),
        (retried(state[:-2]), "reader"),
        (retried(STATE), "reader"),
        (retried(""), "reader"),
    ):
        outcome = send(keyed, MODERN, message, account=account, protocol=protocol)
        outcome.refused(200, "request_state")
        assert outcome.error["code"] == -32602
    send(keyed, MODERN, retried(state), protocol=protocol).passed()


def test_without_state_keys_the_state_of_an_upstream_passes_as_it_is(gate: Gate) -> None:
    gate.recorder.script = replies(asks())
    assert send(gate, MODERN, modern(call("echo", message="x"))).json == asks()
    assert send(gate, MODERN, retried(STATE)).passed().message == retried(STATE)
