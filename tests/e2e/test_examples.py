"""The examples in envoy/examples, each in a running Envoy: what others can make of a decision."""

from __future__ import annotations

import json
from collections.abc import Callable

import yaml
from harness.bootstrap import Json, Setup, connection_manager
from harness.gate import ENDPOINT, Gate, StartGate
from harness.messages import call
from harness.sites import demonstration

from demo.stack.places import ROOT


def example(name: str) -> Json:
    text = (ROOT / "envoy" / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def statuses(gate: Gate, account: str, tool: str, count: int) -> list[int]:
    """One call after the other, and nothing of the harness's own between them."""
    headers = {"authorization": f"Bearer {gate.token(account)}"}
    return [
        gate.client().post(ENDPOINT, json=call(tool), headers=headers).status_code
        for _ in range(count)
    ]


def after_the_gate(name: str) -> Setup:
    def insert(config: Json) -> None:
        connection_manager(config)["http_filters"].insert(1, example(name))

    return Setup(policy=demonstration, envoy=insert)


def line_of_a_refused_call(start_gate: StartGate, policy: Callable[[Json], None]) -> Json:
    """The line of a call of `get-env` in the access log of the example, less its time."""

    def replace_format(config: Json) -> None:
        access = connection_manager(config)["access_log"][0]["typed_config"]
        access["log_format"] = example("access-log")["typed_config"]["log_format"]

    gate = start_gate(Setup(policy=policy, envoy=replace_format))
    refused = gate.post(call("get-env")).refused(200, "hidden")
    assert refused.audit["target"] == "get-env"
    gate.recorder.wait("the line", lambda: '"get-env"' in gate.text("access.log"))
    lines = [json.loads(line) for line in gate.text("access.log").splitlines()]
    line = next(line for line in lines if line["target"] == "get-env")
    assert line.pop("time")
    return dict(line)


def test_an_access_log_can_name_the_parts_of_a_decision(start_gate: StartGate) -> None:
    line = line_of_a_refused_call(start_gate, demonstration)
    assert line == {
        "status": 200,
        "outcome": "denied",
        "server": "everything",
        "subject": "reader",
        "client": "client-1",
        "method": "tools/call",
        "target": "get-env",
        "rule": "env",
    }


def test_an_access_log_has_those_parts_that_the_policy_names(start_gate: StartGate) -> None:
    def two_parts(policy: Json) -> None:
        demonstration(policy)
        policy["filter_state"] = ["audit", "target"]

    line = line_of_a_refused_call(start_gate, two_parts)
    written = {name: value for name, value in line.items() if value is not None}
    assert written == {"status": 200, "target": "get-env"}


def test_a_rate_limit_can_be_one_for_each_user_and_tool(start_gate: StartGate) -> None:
    gate = start_gate(after_the_gate("rate-limit"))
    assert statuses(gate, "reader", "echo", 3) == [200, 200, 429]
    assert statuses(gate, "writer", "echo", 3) == [200, 200, 429]
    assert statuses(gate, "reader", "get-tiny-image", 3) == [200, 200, 429]
    assert gate.recorder.raw.count(b"POST ") == 6


def test_envoys_rbac_can_use_the_subject(start_gate: StartGate) -> None:
    gate = start_gate(after_the_gate("rbac"))
    assert statuses(gate, "reader", "echo", 1) == [200]
    refused = gate.post(call("echo"), account="writer")
    assert (refused.status, refused.upstream) == (403, [])
