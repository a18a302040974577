"""The demonstration's policy: every row of its table, for each account."""

from __future__ import annotations

import pytest
from harness.bootstrap import Json
from harness.gate import Gate
from harness.messages import call, notification, request

NOT_FOUND = -32002
INVALID_PARAMS = -32602

FOR_READERS = [
    call("echo", message="hello"),
    call("get-tiny-image"),
    call("simulate-research-query", topic="x"),
    call("trigger-long-running-operation"),
    request("tools/list"),
    request("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={}),
    request("ping"),
    request("prompts/get", name="simple-prompt"),
    request("prompts/get", name="args-prompt", arguments={"city": "x"}),
    request("completion/complete", ref={"type": "ref/prompt", "name": "args-prompt"}),
    request("resources/read", uri="demo://resource/static/document/a.md"),
    request("resources/subscribe", uri="demo://resource/dynamic/text/1"),
    notification("notifications/initialized"),
    {"jsonrpc": "2.0", "id": "server-1", "result": {}},
]
FOR_WRITERS = [
    call("get-sum", a=1, b=-1000),
    call("gzip-file-as-resource", data="data:text/plain,x"),
    call("toggle-simulated-logging"),
]
FOR_ADMINS = [
    call("get-env"),
    request("prompts/get", name="resource-prompt"),
    request("completion/complete", ref={"type": "ref/prompt", "name": "completable-prompt"}),
    request("resources/read", uri="demo://resource/dynamic/blob/1"),
    request("resources/read", uri="file:///etc/passwd"),
]
FOR_NOBODY = [call("rm"), call("Echo"), call("echo2"), call("")]


def label(message: Json) -> str:
    params = message.get("params", {})
    return str(params.get("name") or params.get("uri") or message.get("method") or "response")


@pytest.mark.parametrize("account", ["reader", "writer", "admin"])
@pytest.mark.parametrize("message", FOR_READERS, ids=label)
def test_what_readers_may_do_everybody_may(gate: Gate, account: str, message: Json) -> None:
    outcome = gate.post(message, account=account)
    assert outcome.status == (200 if "id" in message and "method" in message else 202)
    seen = outcome.passed()
    assert seen.message == message
    assert seen.header("x-mcp-subject") == account
    assert outcome.audit["subject"] == account


@pytest.mark.parametrize("account", ["writer", "admin"])
@pytest.mark.parametrize("message", FOR_WRITERS, ids=label)
def test_what_takes_the_write_scope_passes_with_it(gate: Gate, account: str, message: Json) -> None:
    assert gate.post(message, account=account).passed().message == message


@pytest.mark.parametrize("message", FOR_WRITERS, ids=label)
def test_a_missing_scope_is_a_step_up_with_exactly_the_scopes_of_this_call(
    gate: Gate, protocol: str, message: Json
) -> None:
    outcome = gate.post(message, protocol=protocol).refused(403, "insufficient_scope")
    assert outcome.challenge == (
        'Bearer error="insufficient_scope", '
        'error_description="The token lacks scopes that this operation needs", '
        'scope="mcp:read mcp:write", '
        f'resource_metadata="{gate.ports.gate_url}'
        '/.well-known/oauth-protected-resource/everything/mcp"'
    )
    assert outcome.json["id"] == message["id"]
    assert outcome.error["code"] == 403
    assert outcome.audit["outcome"] == "challenged"
    assert outcome.audit["target"] == message["params"]["name"]


@pytest.mark.parametrize(
    ("message", "rule", "argument"),
    [
        (call("get-sum", a=1001, b=0), "sum", "a"),
        (call("get-sum", a=0, b=-1000.5), "sum", "b"),
        (call("get-sum", a="1", b=0), "sum", "a"),
        (call("get-sum", a=0), "sum", "b"),
        (call("gzip-file-as-resource", data="https://example.com/"), "gzip-data-only", "data"),
        (call("gzip-file-as-resource", data="DATA:,x"), "gzip-data-only", "data"),
        (call("gzip-file-as-resource"), "gzip-data-only", "data"),
    ],
)
@pytest.mark.parametrize("account", ["reader", "writer", "admin"])
def test_arguments_out_of_bounds_are_told_to_the_model_and_not_stepped_up_for(
    gate: Gate, account: str, message: Json, rule: str, argument: str
) -> None:
    outcome = gate.post(message, account=account).refused(200, "arguments")
    result = outcome.json["result"]
    assert result["isError"] is True
    text = result["content"][0]["text"]
    assert text.startswith(f'Denied by rule "{rule}": ') and argument in text, text
    assert outcome.challenge is None
    assert outcome.audit["rule"] == rule
    assert "arguments" not in outcome.audit


@pytest.mark.parametrize("message", FOR_ADMINS, ids=label)
def test_what_is_for_admins_passes_for_them(gate: Gate, message: Json) -> None:
    assert gate.post(message, account="admin").passed().message == message


@pytest.mark.parametrize("account", ["reader", "writer"])
@pytest.mark.parametrize("message", FOR_ADMINS, ids=label)
def test_what_is_for_admins_does_not_exist_for_others(
    gate: Gate, account: str, message: Json
) -> None:
    outcome = gate.post(message, account=account).refused(200, "hidden")
    uri = message["params"].get("uri")
    assert outcome.error["code"] == (NOT_FOUND if uri else INVALID_PARAMS)
    assert outcome.json["id"] == message["id"]


@pytest.mark.parametrize("message", FOR_NOBODY, ids=label)
@pytest.mark.parametrize("account", ["reader", "admin"])
def test_a_tool_that_no_rule_names_is_nobodys(gate: Gate, account: str, message: Json) -> None:
    outcome = gate.post(message, account=account).refused(200, "no_rule")
    assert outcome.error["code"] == INVALID_PARAMS


@pytest.mark.parametrize("name", ["get-env ", " get-env", "get-sum\u0000", "get-env\n"])
def test_a_name_that_an_upstream_might_trim_is_no_name(gate: Gate, name: str) -> None:
    """`get-*` would match it, and the exception for `get-env` would not."""
    outcome = gate.post(call(name)).refused(200, "invalid_params")
    assert outcome.error["code"] == INVALID_PARAMS


def test_only_the_audit_tells_a_hidden_tool_from_an_unknown_one(gate: Gate, protocol: str) -> None:
    hidden = gate.post(call("get-env"), protocol=protocol).refused(200, "hidden")
    unknown = gate.post(call("not-env"), protocol=protocol).refused(200, "no_rule")
    assert hidden.response.content.replace(b"get-env", b"not-env") == unknown.response.content
    varying = ("date", "x-envoy-upstream-service-time")
    first, second = (
        [pair for pair in outcome.response.headers.items() if pair[0] not in varying]
        for outcome in (hidden, unknown)
    )
    assert first == second


@pytest.mark.parametrize(
    "uri",
    [
        "demo://resource/dynamic/text/../blob/1",
        "demo://resource/dynamic/text/%2e%2e/blob/1",
        "demo://resource/dynamic/text/..%2fblob%2f1",
        "demo://resource/dynamic/text/a\\b",
        "demo://resource/dynamic/text/a b",
        "demo://resource/dynamic/text/./1",
    ],
)
@pytest.mark.parametrize("account", ["reader", "admin"])
def test_a_uri_that_can_be_read_in_two_ways_is_nobodys(gate: Gate, account: str, uri: str) -> None:
    message = request("resources/read", uri=uri)
    outcome = gate.post(message, account=account)
    outcome.refused(200, outcome.audit["reason"])
    assert outcome.error["code"] == NOT_FOUND


def test_a_token_without_the_scope_of_every_request_is_sent_for_it(gate: Gate) -> None:
    token = gate.issuer.token("someone", gate.resource, scope="other")
    outcome = gate.post(call("echo"), token=token).refused(403, "insufficient_scope")
    assert 'scope="mcp:read"' in (outcome.challenge or "")


def test_a_denied_notification_gets_403_and_no_id(gate: Gate) -> None:
    token = gate.issuer.token("someone", gate.resource, scope="other")
    outcome = gate.post(notification("notifications/initialized"), token=token)
    outcome.refused(403, "insufficient_scope")
    assert "id" not in outcome.json


def test_in_holding_mode_a_denied_call_opens_no_connection_to_the_upstream(holding: Gate) -> None:
    counters = ("upstream_rq_total", "upstream_cx_total")
    before = [holding.stat(f"cluster.everything.{name}") for name in counters]
    response = holding.client().post(
        "/everything/mcp",
        json=call("get-env"),
        headers={"authorization": f"Bearer {holding.token('reader')}"},
    )
    assert response.json()["error"]["code"] == INVALID_PARAMS
    assert [holding.stat(f"cluster.everything.{name}") for name in counters] == before
    assert holding.recorder.connections == 0


def test_what_is_on_trial_passes_and_is_recorded(gate: Gate) -> None:
    outcome = gate.post(call("rm"), path="/trial/mcp")
    assert outcome.status == 200
    outcome.passed()
    assert outcome.audit["unenforced"] == "no_rule"
