"""Task ids belong to whom they were given to, and to the call that made the task."""

from __future__ import annotations

import json

import pytest
from harness.answers import (
    EVENTS,
    JSON,
    event,
    receive,
    replies,
    result,
    streams,
)
from harness.bootstrap import HOLDING, Json, Setup
from harness.gate import LEGACY, MODERN, Gate, StartGate
from harness.messages import modern, modern_headers, notification, request
from harness.recorder import answer_result
from harness.sites import STATE_KEY
from harness.tasks import (
    ERAS,
    RELATED,
    UPSTREAM_ID,
    about,
    answers,
    given,
    header_safe,
    methods,
    params_of,
    send,
    task,
    told,
)

EACH = [(version, method) for version in ERAS for method in methods(version)]


@pytest.mark.parametrize("media", [JSON, EVENTS])
@pytest.mark.parametrize("version", ERAS)
@pytest.mark.parametrize("upstream_id", ["t1", UPSTREAM_ID, "x" * 500])
def test_the_client_and_the_upstream_each_have_a_task_id_of_their_own(
    keyed: Gate, version: str, upstream_id: str, media: str, protocol: str
) -> None:
    answers(keyed, version, upstream_id, media)
    held = given(keyed, version, media=media)
    assert held != upstream_id and len(held) > len(upstream_id)
    assert header_safe(held) == held
    for method in methods(version):
        message = about(version, method, held, **params_of(version, method))
        outcome = send(keyed, version, message, protocol=protocol)
        seen = outcome.passed()
        expected = {**message, "params": {**message["params"], "taskId": upstream_id}}
        assert seen.message == expected
        assert len(seen.body) == len(json.dumps(message).encode())
        if version == MODERN:
            assert seen.header("mcp-name") == header_safe(upstream_id)
        assert held.encode() not in seen.body
        got = outcome.response.content.removeprefix(b"data: ")
        answer = json.loads(got)
        assert answer == json.loads(json.dumps(told(version, message, held)))


@pytest.mark.parametrize(("version", "method"), EACH)
def test_a_task_of_somebody_else_is_unknown(
    keyed: Gate, version: str, method: str, protocol: str
) -> None:
    answers(keyed, version)
    message = about(version, method, given(keyed, version), **params_of(version, method))
    outcome = send(keyed, version, message, account="writer", protocol=protocol)
    outcome.refused(200, "task")
    assert outcome.error["code"] == -32602
    assert outcome.json["id"] == 1
    made_up = about(version, method, "task-of-nobody", **params_of(version, method))
    unknown = send(keyed, version, made_up, account="writer", protocol=protocol)
    assert unknown.refused(200, "task").error == outcome.error
    assert "task-of-nobody" not in unknown.response.text
    for each in (outcome, unknown):
        assert all(not seen.body for seen in each.upstream)
    send(keyed, version, message, protocol=protocol).passed()


def test_a_modern_client_that_has_not_declared_tasks_is_told_that_first(keyed: Gate) -> None:
    answers(keyed, MODERN)
    held = given(keyed, MODERN)
    message = modern(request("tasks/get", taskId=held))
    outcome = send(keyed, MODERN, message, account="writer").refused(400, "task")
    assert outcome.error["code"] == -32021


@pytest.mark.parametrize("version", ERAS)
@pytest.mark.parametrize("held", ["", "t1", UPSTREAM_ID, "A" * 100, "AQEDbmV3" + "A" * 80])
def test_a_made_up_task_is_unknown(keyed: Gate, version: str, held: str) -> None:
    answers(keyed, version)
    outcome = send(keyed, version, about(version, "tasks/get", held))
    assert outcome.error["code"] == -32602
    assert all(not seen.body for seen in outcome.upstream)


@pytest.mark.parametrize("version", ERAS)
def test_a_task_id_with_one_character_changed_is_unknown(keyed: Gate, version: str) -> None:
    answers(keyed, version)
    held = given(keyed, version)
    for index in (0, 3, len(held) // 2, len(held) - 20, len(held) - 2):
        other = "B" if held[index] != "B" else "C"
        changed = held[:index] + other + held[index + 1 :]
        send(keyed, version, about(version, "tasks/get", changed)).refused(200, "task")


@pytest.mark.parametrize("version", ERAS)
def test_the_task_of_one_server_is_none_of_another(keyed: Gate, version: str) -> None:
    answers(keyed, version)
    message = about(version, "tasks/get", given(keyed, version))
    send(keyed, version, message, path="/sparse/mcp").refused(200, "task")


def test_in_the_modern_era_the_header_names_the_same_task(keyed: Gate) -> None:
    answers(keyed, MODERN)
    first, second = given(keyed, MODERN), given(keyed, MODERN, account="writer")
    message = about(MODERN, "tasks/get", first)
    for name in (second, UPSTREAM_ID.encode().hex(), None):
        headers = modern_headers(message) | ({} if name is None else {"mcp-name": name})
        outcome = keyed.post(message, version=MODERN, headers=headers)
        assert outcome.status == 400
        assert outcome.error["code"] == -32020
        for seen in outcome.upstream:
            assert not seen.body
            assert UPSTREAM_ID not in (seen.header("mcp-name") or "")


@pytest.mark.parametrize("version", ERAS)
def test_a_task_is_subject_to_the_rule_of_the_call_that_made_it(
    keyed: Gate, version: str, protocol: str
) -> None:
    answers(keyed, version)
    held = given(keyed, version, account="writer", tool="get-sum")
    for method in methods(version):
        message = about(version, method, held, **params_of(version, method))
        send(keyed, version, message, account="writer", protocol=protocol).passed()
        # The same user, whose new token has fewer scopes.
        fewer = keyed.issuer.token("writer", keyed.resource, scope="mcp:read")
        outcome = send(keyed, version, message, token=fewer, protocol=protocol)
        outcome.refused(403, "insufficient_scope")
        assert "mcp:write" in (outcome.challenge or "")
        assert all(not seen.body for seen in outcome.upstream)


@pytest.mark.parametrize("version", ERAS)
def test_a_task_of_a_tool_that_is_not_for_the_caller_any_more_is_unknown(
    keyed: Gate, version: str
) -> None:
    answers(keyed, version)
    held = given(keyed, version, account="admin", tool="get-env")
    message = about(version, "tasks/get", held)
    send(keyed, version, message, account="admin").passed()
    demoted = keyed.issuer.token("admin", keyed.resource, roles=[])
    outcome = send(keyed, version, message, token=demoted)
    assert outcome.error["code"] == -32602
    assert all(not seen.body for seen in outcome.upstream)


def test_the_list_of_tasks_is_refused_where_the_upstream_is_not_trusted_with_it(
    keyed: Gate, protocol: str
) -> None:
    keyed.recorder.script = replies(result(tasks=[task()]))
    message = request("tasks/list")
    outcome = keyed.post(message, protocol=protocol).refused(200, "unknown_method")
    assert outcome.error["code"] == -32601


def test_a_trusted_list_of_tasks_has_the_clients_ids(keyed: Gate, protocol: str) -> None:
    path = "/lists-tasks/mcp"
    keyed.recorder.script = replies(result(tasks=[task(), task("t2")], nextCursor="c"))
    received = receive(keyed, request("tasks/list"), path=path, protocol=protocol)
    listed = received.json["result"]
    assert listed["nextCursor"] == "c"
    assert [each["status"] for each in listed["tasks"]] == ["working"] * 2
    for each in listed["tasks"]:
        assert each["taskId"] not in (UPSTREAM_ID, "t2")
    keyed.recorder.script = replies(result(**task()))
    held = listed["tasks"][0]["taskId"]
    outcome = keyed.post(about(LEGACY, "tasks/get", held), path=path, protocol=protocol)
    assert outcome.upstream[0].message["params"]["taskId"] == UPSTREAM_ID
    stranger = keyed.post(about(LEGACY, "tasks/get", held), path=path, account="writer")
    stranger.refused(200, "task")


def test_what_a_stream_says_of_a_task_has_the_id_that_the_client_holds(
    keyed: Gate, protocol: str
) -> None:
    answers(keyed, LEGACY)
    held = given(keyed, LEGACY)

    def said(task_id: str) -> list[Json]:
        related = {RELATED: {"taskId": task_id}}
        schema = {"type": "object"}
        return [
            notification("notifications/message", level="info", data="x", _meta=related),
            notification("notifications/tasks/status", **task(task_id)),
            request("elicitation/create", "e", message="m", requestedSchema=schema, _meta=related),
            result(content=[], _meta=related),
        ]

    keyed.recorder.script = streams(*[event(each) for each in said(UPSTREAM_ID)])
    received = receive(keyed, about(LEGACY, "tasks/result", held), protocol=protocol)
    assert received.messages == said(held)
    # And back, in what the client says to the request of the server.
    keyed.recorder.script = answer_result
    reply = result("e", action="accept", _meta={RELATED: {"taskId": held}})
    seen = keyed.post(reply, protocol=protocol).passed()
    assert seen.message == result("e", action="accept", _meta={RELATED: {"taskId": UPSTREAM_ID}})


def test_what_an_upstream_says_of_another_task_is_withheld(keyed: Gate) -> None:
    answers(keyed, LEGACY)
    message = about(LEGACY, "tasks/get", given(keyed, LEGACY))
    other = notification("notifications/tasks/status", **task("of-somebody-else"))
    keyed.recorder.script = streams(event(other), event(result(**task("of-somebody-else"))))
    received = receive(keyed, message)
    assert b"of-somebody-else" not in received.body
    assert received.messages[-1]["error"]
    assert received.audit["withheld"] == "unbound"


def test_the_id_of_somebody_elses_task_is_not_made_the_upstreams_in_an_answer(keyed: Gate) -> None:
    answers(keyed, LEGACY)
    held = given(keyed, LEGACY)
    keyed.recorder.script = answer_result
    reply = result("e", action="accept", _meta={RELATED: {"taskId": held}})
    assert keyed.post(reply, account="writer").passed().message == reply


def test_gates_with_the_same_key_know_each_others_tasks(
    holding_keyed: Gate, start_gate: StartGate
) -> None:
    def change(policy: Json) -> None:
        policy["state_keys"] = [STATE_KEY]
        policy["servers"][0] |= {"resource": holding_keyed.resource, "hosts": ["*"]}

    other = start_gate(Setup(HOLDING, policy=change))
    other.use_token("reader", holding_keyed.token("reader"))
    for version in ERAS:
        answers(holding_keyed, version)
        message = about(version, "tasks/get", given(holding_keyed, version))
        seen = send(other, version, message).passed()
        assert seen.message["params"]["taskId"] == UPSTREAM_ID


@pytest.mark.parametrize("version", ERAS)
def test_without_state_keys_task_ids_pass_as_they_are(gate: Gate, version: str) -> None:
    answers(gate, version)
    assert given(gate, version) == UPSTREAM_ID
    message = about(version, "tasks/get", UPSTREAM_ID)
    assert send(gate, version, message).passed().message == message
