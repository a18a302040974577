"""The record of each decision: audit line, filter state, metrics; never a token."""

from __future__ import annotations

import re

from harness.bootstrap import HOLDING, Setup
from harness.gate import ENDPOINT, Gate, StartGate
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


def prometheus(gate: Gate) -> dict[str, int]:
    """The counter of decisions: its labels, and for each its value."""
    found = re.findall(r"^mcp_auth_decisions\{(.*)\} (\d+)$", gate.admin("/stats/prometheus"), re.M)
    return {labels: int(value) for labels, value in found}


def test_the_counter_of_decisions_has_labels(gate: Gate) -> None:
    wanted = {
        'mcp_server="everything"',
        'mcp_method="tools_call"',
        'mcp_outcome="denied"',
        'mcp_reason="hidden"',
    }

    def count() -> int:
        counters = prometheus(gate).items()
        return sum(value for labels, value in counters if set(labels.split(",")) == wanted)

    before = count()
    gate.post(call("get-env"))
    gate.recorder.wait("the decision's counter", lambda: count() == before + 1)


def test_labels_are_bounded_whatever_clients_send(gate: Gate) -> None:
    gate.post(request("made.up/one"))
    gate.recorder.wait("the label", lambda: 'mcp_method="other"' in str(prometheus(gate)))
    before = prometheus(gate)
    for number in range(20):
        gate.post(request(f"made.up/{number}.x"))
        gate.post(call(f"tool-{number}.method.x"))
        gate.send(f"METHOD{number}")
    counted = sum(before.values()) + 3 * 20
    gate.recorder.wait("all of them", lambda: sum(prometheus(gate).values()) >= counted)
    assert len(prometheus(gate).keys() - before.keys()) <= 3


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
    gate.recorder.wait("all of them", lambda: sum(prometheus(gate).values()) == 70)
    by_outcome = [(count, "denied" in labels) for labels, count in prometheus(gate).items()]
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
