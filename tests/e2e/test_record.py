"""The record of each decision: audit line, filter state, metrics; never a token."""

from __future__ import annotations

import re

import pytest
from harness.bootstrap import HOLDING, PLAIN, Setup
from harness.gate import ENDPOINT, HTTP2, Gate, StartGate
from harness.messages import call, request


def test_the_line_of_an_allowed_call_says_who_what_and_by_which_rule(
    gate: Gate, protocol: str
) -> None:
    outcome = gate.post(call("get-sum", a=1, b=2), account="writer", protocol=protocol)
    line = outcome.audit
    assert line.pop("time_ms") > 1_600_000_000_000
    assert line == {
        "outcome": "allowed",
        "reason": "allowed",
        "http_method": "POST",
        "server": "everything",
        "request_id": outcome.request_id,
        "revision": "2025-11-25",
        "issuer": gate.issuer.url,
        "subject": "writer",
        "subject_type": "user",
        "client": "client-1",
        "method": "tools/call",
        "target_kind": "tool",
        "target": "get-sum",
        "rule": "sum",
    }


def test_the_line_of_a_denied_call_names_the_reason(gate: Gate) -> None:
    line = gate.post(call("get-env")).refused(200, "hidden").audit
    assert (line["outcome"], line["rule"], line["status"]) == ("denied", "env", 200)


def test_argument_values_are_recorded_only_where_the_entry_names_them(gate: Gate) -> None:
    message = call("read", path="/etc/passwd", content="s3cr3t-value")
    named = gate.post(message, path="/audited/mcp").audit
    assert named["arguments"] == {"path": "/etc/passwd"}
    unnamed = gate.post(call("echo", path="s3cr3t-value")).audit
    assert "arguments" not in unnamed
    assert "s3cr3t-value" not in gate.text("audit.log") + gate.text("access.log")


def test_what_a_client_names_stays_on_its_line_and_is_cut(gate: Gate) -> None:
    method = 'x"\n{"outcome":"allowed"}\u2028' + "y" * 5000
    line = gate.post(request(method)).refused(200, "unknown_method").audit
    assert line["method"] == method[:256]


def test_every_decision_has_one_line_and_envoys_own_refusals_have_none(holding: Gate) -> None:
    before = len(holding.audit_lines())
    refused = holding.client().post("/everything/mcp", headers={"x_y": "1"}, json={})
    assert refused.status_code == 400
    decided = [holding.post(call("rm"), account=None) for _ in range(3)]
    # Lines are written in order, so after the last one nothing earlier is missing.
    assert decided[-1].audit["reason"] == "no_token"
    reasons = [line["reason"] for line in holding.audit_lines()[before:]]
    # The requests that show that nothing reaches the upstream are allowed.
    assert [reason for reason in reasons if reason != "allowed"] == ["no_token"] * 3


@pytest.fixture(params=[HOLDING, PLAIN])
def own_gate(request: pytest.FixtureRequest, start_gate: StartGate) -> Gate:
    """A gate whose counters only this test moves."""
    return start_gate(Setup(request.param))


def test_the_counter_of_decisions_has_labels(own_gate: Gate) -> None:
    own_gate.post(call("get-env"))
    wanted = frozenset(
        {
            'mcp_server="everything"',
            'mcp_method="tools_call"',
            'mcp_outcome="denied"',
            'mcp_reason="hidden"',
        }
    )
    own_gate.recorder.wait("it", lambda: own_gate.counters("decisions").get(wanted) == 1)


def test_labels_are_bounded_whatever_clients_send(own_gate: Gate) -> None:
    for number in range(20):
        own_gate.post(request(f"made.up/{number}.x"))
        own_gate.post(call(f"tool-{number}.method.x"))
        # Over HTTP/1.1 Envoy answers methods that it does not know by itself.
        own_gate.send(f"METHOD{number}", protocol=HTTP2)
    # After each of them a `ping` shows that nothing more is on its way.
    sent = 2 * 3 * 20
    own_gate.recorder.wait(
        "all of them", lambda: sum(own_gate.counters("decisions").values()) == sent
    )
    assert sorted(own_gate.counters("decisions").values()) == [20, 20, 20, 60]


def test_durations_body_sizes_and_memory_are_measured(gate: Gate) -> None:
    gate.post(call("echo"))
    for name in ("mcp_auth.decision_ms", "mcp_auth.request_body_bytes", "mcp_auth.vm_memory_bytes"):
        gate.recorder.wait(name, lambda name=name: name in gate.admin("/stats?filter=mcp_auth"))


def test_every_decision_is_counted_once_and_measured_once(start_gate: StartGate) -> None:
    gate = start_gate(Setup(HOLDING))
    headers = {
        "authorization": f"Bearer {gate.token('reader')}",
        "accept": "application/json, text/event-stream",
    }
    # More than are told at once, and of two kinds.
    for number in range(70):
        message = call("echo" if number % 7 else "get-env")
        assert gate.client().post(ENDPOINT, headers=headers, json=message).status_code == 200
    gate.recorder.wait("all of them", lambda: sum(gate.counters("decisions").values()) == 70)
    decisions = gate.counters("decisions").items()
    by_outcome = [(count, 'mcp_outcome="denied"' in labels) for labels, count in decisions]
    assert sorted(by_outcome) == [(10, True), (60, False)]
    for name in ("mcp_auth_decision_ms", "mcp_auth_request_body_bytes"):
        gate.recorder.wait(name, lambda name=name: values(gate, name) == 70)


def values(gate: Gate, name: str) -> int:
    """How many values Envoy has of a histogram, which it adds up every few seconds."""
    found = re.search(rf"^{name}_count\{{.*\}} (\d+)$", gate.admin("/stats/prometheus"), re.M)
    return int(found[1]) if found else 0


def test_the_counter_of_unenforced_decisions_counts(gate: Gate) -> None:
    name = "wasmcustom.mcp_auth.unenforced"
    before = gate.stat(name)
    gate.post(call("rm"), path="/trial/mcp").passed()
    assert gate.stat(name) == before + 1
