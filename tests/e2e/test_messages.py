"""POST bodies: one strict JSON-RPC message, in the words of its revision."""

from __future__ import annotations

import base64
import json

import pytest
from harness.bootstrap import Json
from harness.gate import LEGACY, MODERN, Gate
from harness.messages import call, modern, modern_headers, notification, request

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022

ECHO = json.dumps(call("echo")).encode()
MODERN_ECHO = modern(call("echo"))

NO_JSON = {
    "white space": b"  \n",
    "a duplicate": b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    "an escaped duplicate": b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"x"}',
    "a deep duplicate": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    b'{"name":"echo","arguments":{"a":[{"b":1,"b":2}]}}}',
    "a duplicate name": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    b'{"name":"echo","name":"get-env"}}',
    "too deep": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":'
    + b"[" * 80
    + b"]" * 80
    + b"}}",
    "very deep": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}',
    "overlong UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"\xc0\xaf"}',
    "a surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "UTF-16": json.dumps(call("echo")).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + ECHO,
    "two messages": ECHO + ECHO,
    "trailing data": ECHO + b"x",
    "a trailing NUL": ECHO + b"\x00",
    "a trailing comma": b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
    "a comment": b'/**/{"jsonrpc":"2.0","id":1,"method":"ping"}',
    "single quotes": b"{'jsonrpc':'2.0','id':1,'method':'ping'}",
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}',
    "Infinity": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":-Infinity}}',
    "a number too large": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}',
    "a leading zero": b'{"jsonrpc":"2.0","id":01,"method":"ping"}',
    "a control character": b'{"jsonrpc":"2.0","id":1,"method":"pi\nng"}',
    "half of it": ECHO[:-5],
}

NO_MESSAGE = {
    "a string": b'"ping"',
    "null": b"null",
    "an empty object": b"{}",
    "an empty batch": b"[]",
    "an array of numbers": b"[1]",
    "no version": b'{"id":1,"method":"ping"}',
    "another version": b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
    "the version as a number": b'{"jsonrpc":2.0,"id":1,"method":"ping"}',
    "a null id": b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    "a fraction as id": b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    "an object as id": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    "a method that is no text": b'{"jsonrpc":"2.0","id":1,"method":7}',
    "params in an array": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    "request and response": b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
    "two answers": b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
    "an answer without id": b'{"jsonrpc":"2.0","result":{}}',
    "a look-alike": b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}',
    "a Kelvin sign": '{"jsonrpc":"2.0","id":1,"method":"ping","paramſ":{}}'.encode(),
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_not_one_strict_json_value_is_a_parse_error(
    gate: Gate, body: bytes, protocol: str
) -> None:
    outcome = gate.post(body, protocol=protocol).refused(400, "malformed_message")
    assert outcome.error["code"] == PARSE_ERROR
    assert "id" not in outcome.json


@pytest.mark.parametrize("body", NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_what_is_no_json_rpc_message_is_an_invalid_request(gate: Gate, body: bytes) -> None:
    outcome = gate.post(body).refused(400, "malformed_message")
    assert outcome.error["code"] == INVALID_REQUEST


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": 7},
        {"name": "echo", "arguments": []},
        {"Name": "get-env", "name": "echo"},
        {"name": "echo", "arguments": {"a": 1, "A": 2}},
    ],
    ids=str,
)
def test_a_call_that_does_not_say_what_it_calls_has_invalid_params(
    gate: Gate, params: Json
) -> None:
    message = {"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": params}
    outcome = gate.post(message).refused(200, "invalid_params")
    assert (outcome.error["code"], outcome.json["id"]) == (INVALID_PARAMS, "x")


@pytest.mark.parametrize("id_", [0, -1, 2**53, 2**63 - 1, "", "a\nb", "1", "ü"])
def test_the_id_comes_back_as_it_was(gate: Gate, id_: object) -> None:
    denied = gate.post(call("rm", id=id_)).refused(200, "no_rule")
    assert denied.json["id"] == id_
    allowed = gate.post(call("echo", id=id_))
    assert allowed.passed().message["id"] == id_


@pytest.mark.parametrize("method", ["tools/run", "Tools/call", "sampling/createMessage", "a\nb"])
def test_an_unknown_method_is_not_found_in_the_way_of_its_era(gate: Gate, method: str) -> None:
    legacy = gate.post(request(method, id=3)).refused(200, "unknown_method")
    message = modern(request(method, id=3))
    mirrored = f"=?base64?{base64.b64encode(method.encode()).decode()}?="
    headers = modern_headers(message, mcp_method=mirrored)
    newer = gate.post(message, version=MODERN, headers=headers).refused(404, "unknown_method")
    for outcome in (legacy, newer):
        assert (outcome.error["code"], outcome.json["id"]) == (METHOD_NOT_FOUND, 3)


def test_an_unknown_notification_is_refused_without_an_id(gate: Gate) -> None:
    outcome = gate.post(notification("notifications/made-up")).refused(403, "unknown_method")
    assert "id" not in outcome.json


def test_a_method_of_the_servers_own_passes_where_its_entry_says_so(gate: Gate) -> None:
    gate.post(request("vendor/thing"), path="/audited/mcp").passed()
    gate.post(request("other/thing"), path="/audited/mcp").refused(200, "unknown_method")


def test_a_batch_passes_whole_in_the_one_revision_that_has_them(gate: Gate, protocol: str) -> None:
    batch = [
        call("echo", id=1),
        notification("notifications/initialized"),
        call("get-tiny-image", id=2),
    ]
    for version in ("2025-03-26", None):
        outcome = gate.post(batch, version=version, protocol=protocol)
        assert len(outcome.audit["calls"]) == 3
        assert json.loads(outcome.upstream[0].body) == batch


@pytest.mark.parametrize("version", ["2025-06-18", LEGACY, MODERN])
def test_other_revisions_have_none(gate: Gate, version: str) -> None:
    outcome = gate.post([call("echo")], version=version).refused(400, "malformed_message")
    assert outcome.error["code"] == INVALID_REQUEST


def test_one_denied_element_refuses_the_whole_batch(gate: Gate) -> None:
    batch = [call("echo", id=1), call("get-env", id=2)]
    outcome = gate.post(batch, version="2025-03-26").refused(200, "hidden")
    answers = outcome.response.json()
    assert [(each["id"], each["error"]["code"]) for each in answers] == [
        (1, 403),
        (2, INVALID_PARAMS),
    ]
    first_step_up = gate.post(
        [call("get-sum", id=1, a=1, b=1), call("rm", id=2)], version="2025-03-26"
    )
    first_step_up.refused(403, "insufficient_scope")
    assert first_step_up.challenge


def test_a_batch_that_begins_a_session_or_is_too_long_is_refused(gate: Gate) -> None:
    gate.post([request("initialize")], version="2025-03-26").refused(400, "malformed_message")
    long = [call("echo", id=number) for number in range(51)]
    gate.post(long, version="2025-03-26").refused(400, "malformed_message")


@pytest.mark.parametrize("version", ["2025-01-01", "2026-07-29", "draft", "2025-11-25, 2025-11-25"])
def test_an_unknown_revision_is_answered_with_the_supported_ones(gate: Gate, version: str) -> None:
    outcome = gate.post(call("echo"), version=version).refused(400, "unsupported_version")
    supported = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
    assert outcome.error["code"] == UNSUPPORTED_VERSION
    assert outcome.error["data"] == {"supported": supported, "requested": version}


def test_a_modern_request_of_an_unknown_revision_is_answered_with_the_modern_ones(gate: Gate) -> None:
    headers = modern_headers(MODERN_ECHO)
    outcome = gate.post(MODERN_ECHO, version="2027-01-01", headers=headers)
    outcome.refused(400, "unsupported_version")
    assert outcome.error["data"] == {"supported": [MODERN], "requested": "2027-01-01"}


def test_a_server_can_have_the_modern_revision_alone(gate: Gate) -> None:
    outcome = gate.post(call("echo"), path="/modern/mcp").refused(400, "unsupported_version")
    assert outcome.error["data"]["supported"] == [MODERN]
    headers = modern_headers(MODERN_ECHO)
    gate.post(MODERN_ECHO, path="/modern/mcp", version=MODERN, headers=headers).passed()


def test_a_modern_message_passes_with_headers_that_say_the_same(gate: Gate, protocol: str) -> None:
    for message in (MODERN_ECHO, modern(request("tools/list")), modern(request("server/discover"))):
        headers = modern_headers(message)
        outcome = gate.post(message, version=MODERN, headers=headers, protocol=protocol)
        assert outcome.passed().header("mcp-method") == message["method"]


def test_a_name_that_is_no_header_value_is_mirrored_in_base64(gate: Gate) -> None:
    message = modern(request("resources/read", uri="demo://resource/dynamic/text/ü"))
    name = "=?base64?ZGVtbzovL3Jlc291cmNlL2R5bmFtaWMvdGV4dC/DvA==?="
    headers = modern_headers(message, mcp_name=name)
    gate.post(message, version=MODERN, headers=headers).passed()
    other = modern_headers(message, mcp_name="=?base64?ZWNobw==?=")
    gate.post(message, version=MODERN, headers=other).refused(400, "header_mismatch")


@pytest.mark.parametrize(
    "changes",
    [
        {"mcp_method": None},
        {"mcp_method": "tools/list"},
        {"mcp_method": "TOOLS/CALL"},
        {"mcp_name": None},
        {"mcp_name": "get-env"},
        {"mcp_name": "Echo"},
        {"mcp_name": "=?base64?!!?="},
        {"mcp_name": "=?base64?ZWNobw?="},
    ],
    ids=str,
)
def test_headers_that_say_something_else_are_a_mismatch(
    gate: Gate, changes: dict[str, str | None], protocol: str
) -> None:
    headers = modern_headers(MODERN_ECHO, **changes)
    outcome = gate.post(MODERN_ECHO, version=MODERN, headers=headers, protocol=protocol)
    outcome.refused(400, "header_mismatch")
    assert (outcome.error["code"], outcome.json["id"]) == (HEADER_MISMATCH, 1)


def test_a_legacy_message_may_not_say_something_else_either(gate: Gate) -> None:
    for headers in ({"mcp-method": "tools/list"}, {"mcp-name": "get-env"}):
        gate.post(call("echo"), headers=headers).refused(400, "header_mismatch")
    gate.post(MODERN_ECHO, version=LEGACY).refused(400, "header_mismatch")


def test_a_modern_request_has_to_say_what_it_speaks_and_can(gate: Gate) -> None:
    bare = call("echo")
    outcome = gate.post(bare, version=MODERN, headers=modern_headers(bare))
    outcome.refused(400, "invalid_params")
    assert outcome.error["code"] == INVALID_PARAMS
    half = modern(bare)
    del half["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    gate.post(half, version=MODERN, headers=modern_headers(half)).refused(400, "invalid_params")


def test_a_client_of_the_modern_revision_sends_no_responses(gate: Gate) -> None:
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    gate.post(response, version=MODERN).refused(403, "malformed_message")
