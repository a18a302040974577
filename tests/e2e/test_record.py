"""The record of each decision: audit line, filter state, metrics; never a token."""

from __future__ import annotations

import json
import re

from harness.bootstrap import Json, Setup, connection_manager
from harness.gate import Gate, StartGate
from harness.messages import call, request
from harness.sites import demonstration


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
    for _ in range(3):
        holding.post(call("rm"), account=None)
    refused = holding.client().post("/everything/mcp", headers={"x_y": "1"}, json={})
    assert refused.status_code == 400
    lines = [line for line in holding.audit_lines()[before:] if line["reason"] == "no_token"]
    assert len(lines) == 3


def prometheus(gate: Gate) -> dict[str, dict[str, int]]:
    """The counter of decisions: its labels, and for each its value."""
    found = re.findall(r"^mcp_auth_decisions\{(.*)\} (\d+)$", gate.admin("/stats/prometheus"), re.M)
    return {labels: int(value) for labels, value in found}


def test_the_counter_of_decisions_has_labels(gate: Gate) -> None:
    labels = (
        'mcp_server="everything",mcp_method="tools_call",mcp_outcome="denied",mcp_reason="hidden"'
    )
    wanted = set(labels.split(","))

    def count() -> int:
        return sum(value for each, value in prometheus(gate).items() if set(each.split(",")) == wanted)

    before = count()
    gate.post(call("get-env"))
    assert count() == before + 1


def test_labels_are_bounded_whatever_clients_send(gate: Gate) -> None:
    gate.post(request("made.up/one"))
    before = set(prometheus(gate))
    for number in range(20):
        gate.post(request(f"made.up/{number}.x"))
        gate.post(call(f"tool-{number}.method.x"))
        gate.send(f"METHOD{number}")
    after = {labels for labels in set(prometheus(gate)) - before}
    assert len(after) <= 3
    assert 'mcp_method="other"' in str(prometheus(gate))


def test_durations_body_sizes_and_memory_are_measured(gate: Gate) -> None:
    gate.post(call("echo"))
    stats = gate.admin("/stats?filter=mcp_auth")
    for name in ("mcp_auth.decision_ms", "mcp_auth.request_body_bytes", "mcp_auth.vm_memory_bytes"):
        assert name in stats


def test_the_counter_of_unenforced_decisions_counts(gate: Gate) -> None:
    name = "wasmcustom.mcp_auth.unenforced"
    before = gate.stat(name)
    gate.post(call("rm"), path="/trial/mcp").passed()
    assert gate.stat(name) == before + 1


def with_access_log(config: Json) -> None:
    """An access log with parts of the decision."""
    access = connection_manager(config)["access_log"][0]["typed_config"]
    access["log_format"] = {
        "json_format": {
            name: f"%FILTER_STATE(wasm.mcp_auth.{name}:PLAIN)%"
            for name in ("subject", "client", "server", "method", "target", "outcome", "rule")
        }
    }


def test_access_logs_can_name_the_parts_of_a_decision(start_gate: StartGate) -> None:
    gate = start_gate(Setup(policy=demonstration, envoy=with_access_log))
    gate.post(call("echo")).passed()
    lines = [json.loads(line) for line in gate.text("access.log").splitlines()]
    assert {
        "subject": "reader",
        "client": "client-1",
        "server": "everything",
        "method": "tools/call",
        "target": "echo",
        "outcome": "allowed",
        "rule": "read-tools",
    } in lines


def per_user_and_tool(config: Json) -> None:
    """Two calls a minute for each user and tool, after the gate has let them pass."""
    manager = connection_manager(config)
    limit = {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "mcp",
            "filter_enabled": {"default_value": {"numerator": 100}},
            "filter_enforced": {"default_value": {"numerator": 100}},
            "token_bucket": {"max_tokens": 1000, "fill_interval": "60s"},
            "always_consume_default_token_bucket": False,
            "rate_limits": [
                {
                    "actions": [
                        {
                            "extension": {
                                "name": "envoy.rate_limit_descriptors.expr",
                                "typed_config": {
                                    "@type": "type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
                                    "descriptor_key": name,
                                    "text": f"filter_state['wasm.mcp_auth.{name}']",
                                },
                            }
                        }
                        for name in ("subject", "target")
                    ]
                }
            ],
            "descriptors": [
                {
                    "entries": [{"key": "subject"}, {"key": "target"}],
                    "token_bucket": {"max_tokens": 2, "tokens_per_fill": 2, "fill_interval": "60s"},
                }
            ],
        },
    }
    manager["http_filters"].insert(1, limit)


def test_a_rate_limit_can_be_one_per_user_and_tool(start_gate: StartGate) -> None:
    gate = start_gate(Setup(policy=demonstration, envoy=per_user_and_tool))

    def statuses(account: str, tool: str) -> list[int]:
        headers = {"authorization": f"Bearer {gate.token(account)}"}
        return [
            gate.client().post("/everything/mcp", json=call(tool), headers=headers).status_code
            for _ in range(3)
        ]

    assert statuses("reader", "echo") == [200, 200, 429]
    assert statuses("writer", "echo") == [200, 200, 429]
    assert statuses("reader", "get-tiny-image") == [200, 200, 429]


def only_readers(config: Json) -> None:
    """Envoy's RBAC with the subject that the gate has found."""
    manager = connection_manager(config)
    principal = {
        "filter_state": {"key": "wasm.mcp_auth.subject", "string_match": {"exact": "reader"}}
    }
    rbac = {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "policies": {"readers": {"permissions": [{"any": True}], "principals": [principal]}}
            },
        },
    }
    manager["http_filters"].insert(1, rbac)


def test_envoys_rbac_can_use_the_subject(start_gate: StartGate) -> None:
    gate = start_gate(Setup(policy=demonstration, envoy=only_readers))
    assert gate.post(call("echo")).status == 200
    refused = gate.post(call("echo"), account="writer")
    assert (refused.status, refused.upstream) == (403, [])
