"""The examples in envoy/examples, each in a running Envoy: what others can make of a decision."""

from __future__ import annotations

import json
from collections.abc import Callable

import yaml
from harness.answers import chunk, head
from harness.bootstrap import Json, Setup, connection_manager
from harness.gate import ENDPOINT, Gate, StartGate
from harness.issuer import Issuer
from harness.messages import call, request
from harness.recorder import Wire
from harness.sites import demonstration

from demo.stack.places import ROOT, Ports


def example(name: str) -> Json:
    text = (ROOT / "envoy" / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def post(gate: Gate, message: object, token: str) -> int:
    """The status that a message gets, with no request of the harness's own beside it."""
    headers = {"authorization": f"Bearer {token}"}
    return gate.client().post(ENDPOINT, json=message, headers=headers).status_code


def statuses(gate: Gate, account: str, tool: str, count: int) -> list[int]:
    """One call after the other."""
    return [post(gate, call(tool), gate.token(account)) for _ in range(count)]


def batch(*tools: str) -> list[Json]:
    return [call(tool, id=number) for number, tool in enumerate(tools)]


def after_the_gate(name: str, policy: Callable[[Json], None] = demonstration) -> Setup:
    def insert(config: Json) -> None:
        connection_manager(config)["http_filters"].insert(1, example(name))

    return Setup(policy=policy, envoy=insert)


def also_trusting(other: Issuer) -> Callable[[Json], None]:
    """The demonstration's policy, and a second issuer, whose subjects are others."""

    def policy(config: Json) -> None:
        demonstration(config)
        keys = {"inline": {"keys": [key.jwk() for key in other.keys]}}
        entry = {"id": "other", "issuer": other.url, "keys": keys, "algorithms": ["RS256"]}
        config["issuers"].append(entry)
        config["servers"][0]["issuers"].append("other")

    return policy


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


def test_an_access_log_can_name_the_parts_of_a_decision(
    start_gate: StartGate, shared_issuer: Issuer
) -> None:
    line = line_of_a_refused_call(start_gate, demonstration)
    assert line == {
        "status": 200,
        "outcome": "denied",
        "server": "everything",
        "issuer": shared_issuer.url,
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


def test_a_stream_that_is_open_can_be_on_record_once_and_its_end_too(
    start_gate: StartGate,
) -> None:
    def tell_of_open_streams(config: Json) -> None:
        manager = connection_manager(config)
        wire, audit = manager["access_log"]
        [entry] = example("open-streams")["access_log"]
        # A tenth of its times.
        manager["access_log_options"] = {"access_log_flush_interval": "1s"}
        duration = entry["filter"]["and_filter"]["filters"][1]["duration_filter"]
        duration["comparison"]["value"]["default_value"] //= 10

        entry["name"] = audit["name"]
        entry["typed_config"] = {
            **audit["typed_config"],
            "path": audit["typed_config"]["path"].replace("audit.log", "open.log"),
            "log_format": entry["typed_config"]["log_format"],
        }
        manager["access_log"].append(entry)
        at_the_end = {"log_type_filter": {"types": ["DownstreamEnd"]}}
        audit["filter"] = {"and_filter": {"filters": [at_the_end, audit["filter"]]}}
        # How often Envoy has written of it.
        wire["typed_config"]["log_format"] = entry["typed_config"]["log_format"]

    gate = start_gate(Setup(policy=demonstration, envoy=tell_of_open_streams))

    async def stream(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head())
        await gate.recorder.await_cue()
        await wire.send(chunk(b""))

    gate.recorder.script = stream
    end = gate.recorder.cue()
    headers = {"authorization": f"Bearer {gate.token('reader')}"}
    with gate.client().stream("POST", ENDPOINT, json=call("echo"), headers=headers) as response:
        gate.recorder.wait("the line of an open stream", lambda: "\n" in gate.text("open.log"))
        gate.recorder.wait(
            "one more", lambda: gate.text("access.log").count("DownstreamPeriodic") > 1
        )
        assert gate.audit_lines() == []
        end()
        response.read()
    gate.recorder.wait("the line at the end", lambda: gate.audit_lines() != [])
    [ended] = gate.audit_lines()
    kind, _, told = gate.text("open.log").partition(" ")
    assert (kind, json.loads(told)) == ("DownstreamPeriodic", ended)
    assert (ended["outcome"], ended["target"]) == ("allowed", "echo")


def test_a_rate_limit_can_be_one_for_each_user_and_tool(start_gate: StartGate) -> None:
    gate = start_gate(after_the_gate("rate-limit"))
    assert statuses(gate, "reader", "echo", 3) == [200, 200, 429]
    assert statuses(gate, "writer", "echo", 3) == [200, 200, 429]
    assert statuses(gate, "reader", "get-tiny-image", 3) == [200, 200, 429]
    assert gate.recorder.raw.count(b"POST ") == 6


def test_reading_many_resources_fills_no_bucket_of_the_rate_limit(start_gate: StartGate) -> None:
    gate = start_gate(after_the_gate("rate-limit"))
    assert statuses(gate, "reader", "echo", 4) == [200, 200, 429, 429]
    # More than the buckets that Envoy keeps by default.
    for number in range(25):
        uri = f"demo://resource/dynamic/text/{number}"
        assert post(gate, request("resources/read", uri=uri), gate.token("reader")) == 200
    for number in range(25):
        assert statuses(gate, "writer", f"get-{number}", 1) == [200]
    assert statuses(gate, "reader", "echo", 2) == [429, 429]
    assert gate.recorder.raw.count(b'"echo"') == 2


def test_the_rate_limit_counts_each_message_of_a_batch(start_gate: StartGate) -> None:
    gate = start_gate(after_the_gate("rate-limit"))
    token = gate.token("reader")
    assert post(gate, batch(*["echo"] * 50), token) == 429
    assert post(gate, batch("echo", "get-tiny-image", "echo"), token) == 429
    assert gate.recorder.seen == []
    assert post(gate, batch("echo", "echo"), token) == 202
    assert post(gate, batch("get-tiny-image", "echo"), token) == 429
    assert len(gate.recorder.seen) == 1
    # A batch of one call is that call.
    assert statuses(gate, "writer", "echo", 2) == [200, 200]
    assert post(gate, batch("echo"), gate.token("writer")) == 429
    assert len(gate.recorder.seen) == 3


def test_where_a_batch_has_one_message_at_most_the_rate_limit_has_all_calls(
    start_gate: StartGate,
) -> None:
    def no_batches(policy: Json) -> None:
        demonstration(policy)
        policy["limits"] = {"batch_elements": 1}

    gate = start_gate(after_the_gate("rate-limit", no_batches))
    assert statuses(gate, "reader", "echo", 3) == [200, 200, 429]
    assert post(gate, batch("echo", "echo"), gate.token("reader")) == 400
    assert gate.recorder.raw.count(b'"echo"') == 2


def test_equal_subjects_of_two_issuers_have_a_rate_limit_each(
    start_gate: StartGate, issuer: Issuer
) -> None:
    gate = start_gate(after_the_gate("rate-limit", also_trusting(issuer)))
    assert statuses(gate, "reader", "echo", 3) == [200, 200, 429]
    gate.use_token("reader", issuer.token("reader", gate.resource))
    assert statuses(gate, "reader", "echo", 3) == [200, 200, 429]
    assert gate.recorder.raw.count(b'"echo"') == 4


def test_envoys_rbac_can_use_issuer_and_subject(
    start_gate: StartGate, shared_issuer: Issuer, issuer: Issuer
) -> None:
    def insert(config: Json) -> None:
        text = json.dumps(example("rbac")).replace(Ports().issuer, shared_issuer.url)
        connection_manager(config)["http_filters"].insert(1, json.loads(text))

    gate = start_gate(Setup(policy=also_trusting(issuer), envoy=insert))
    assert statuses(gate, "reader", "echo", 1) == [200]
    refused = gate.post(call("echo"), account="writer")
    assert (refused.status, refused.upstream) == (403, [])
    # The same subject of another issuer is somebody else, whom the gate itself lets pass.
    token = issuer.token("reader", gate.resource)
    refused = gate.post(call("echo"), token=token)
    assert (refused.status, refused.upstream) == (403, [])
    assert (refused.audit["outcome"], refused.audit["issuer"]) == ("allowed", issuer.url)
