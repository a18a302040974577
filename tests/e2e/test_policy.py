"""The demonstration's policy: every row of its table, for each account."""

from __future__ import annotations

from harness.gate import Gate
from harness.messages import call


def test_a_permitted_call_reaches_the_upstream_once_and_without_the_token(
    gate: Gate, protocol: str
) -> None:
    outcome = gate.post(call("echo", message="hello"), protocol=protocol)
    assert outcome.status == 200
    assert outcome.json["result"] == {"from": "upstream"}
    assert outcome.passed().message == call("echo", message="hello")


def test_a_tool_that_nobody_may_call_is_answered_as_unknown(gate: Gate, protocol: str) -> None:
    outcome = gate.post(call("rm"), protocol=protocol).refused(200, "no_rule")
    assert outcome.error == {"code": -32602, "message": "Unknown tool: rm"}
