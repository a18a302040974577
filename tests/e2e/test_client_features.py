"""What an upstream may ask of a client: declared to it, passed on, or kept back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness.bootstrap import Json, Setup
from harness.gate import ENDPOINT, MODERN, Gate, StartGate
from harness.messages import call, modern, modern_headers, request
from harness.recorder import Wire
from harness.sites import demonstration

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ALL: Json = {
    "sampling": {"tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "roots": {"listChanged": True},
    "tasks": {"requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}}},
    "experimental": {"x": {}},
}
ALLOWED = "https://connect.example.com/a?b=c"
EVIL = [
    "https://evil.example/",
    "http://connect.example.com/",
    "https://connect.example.com@evil.example/",
    "https://evil.example\\@connect.example.com/",
    "javascript:alert(1)//connect.example.com",
]


def setup(**features: object) -> Setup:
    def policy(config: Json) -> None:
        demonstration(config)
        config["servers"][0]["client_features"] = features

    return Setup(policy=policy)


@pytest.fixture
def urls(start_gate: StartGate) -> Gate:
    """A gate that lets URLs of one host pass."""
    return start_gate(setup(url_elicitation_hosts=["connect.example.com"]))


@pytest.fixture
def nothing(start_gate: StartGate) -> Gate:
    """A gate whose upstream may ask for nothing."""
    return start_gate(setup(sampling=False, elicitation=False, roots=False))


def elicitation(url: str) -> Json:
    return {"mode": "url", "url": url, "message": "Please", "elicitationId": "e-1"}


def asks(method: str, **params: object) -> Json:
    return {"jsonrpc": "2.0", "id": f"up-{method}", "method": method, "params": params}


RESULT: Json = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
SAMPLING = asks("sampling/createMessage", messages=[], maxTokens=1)
FORM = asks("elicitation/create", message="Who?", requestedSchema={})
ROOTS = asks("roots/list")
PING = asks("ping")


def initialize(capabilities: Json) -> Json:
    info = {"name": "c", "version": "1"}
    return request(
        "initialize", protocolVersion="2025-11-25", capabilities=capabilities, clientInfo=info
    )


def declared(gate: Gate, path: str = ENDPOINT) -> list[Any]:
    """The capabilities that the upstream sees, in each era."""
    opening = initialize(ALL)
    seen = gate.post(opening, path=path).passed()
    assert len(seen.body) == len(json.dumps(opening))
    message: Any = seen.message
    legacy = message["params"]["capabilities"]
    assert message == initialize(legacy)

    message = modern(call("echo"))
    message["params"]["_meta"][CAPABILITIES] = ALL
    headers = modern_headers(message)
    seen = gate.post(message, version=MODERN, headers=headers, path=path).passed()
    assert len(seen.body) == len(json.dumps(message))
    told: Any = seen.message
    return [legacy, told["params"]["_meta"][CAPABILITIES]]


def streamed(gate: Gate, *messages: Json) -> tuple[list[Json], Json]:
    """What of these events reaches the client, and the audit line."""

    async def stream(wire: Wire) -> None:
        await wire.ended.wait()
        body = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in messages)
        await wire.answer(body, media="text/event-stream")

    gate.recorder.script = stream
    outcome = gate.post(call("echo"))
    events = [event for event in outcome.response.text.split("\n\n") if event]
    return [json.loads(event.removeprefix("data: ")) for event in events], outcome.audit


def answered(gate: Gate, answer: Json, message: Json, **more: Any) -> Json:
    """What the client gets of an answer."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(json.dumps(answer).encode())

    gate.recorder.script = script
    outcome = gate.post(message, **more)
    assert outcome.status == 200
    return outcome.json


def test_the_upstream_is_told_of_what_it_may_use(gate: Gate) -> None:
    assert declared(gate) == [ALL, ALL]
    # No URL may lead anywhere there.
    without_urls = {**ALL, "elicitation": {"form": {}}}
    assert declared(gate, "/notes/mcp") == [without_urls, without_urls]


def test_the_upstream_is_not_told_of_what_it_may_not_use(nothing: Gate) -> None:
    left = {"tasks": {"requests": {}}, "experimental": {"x": {}}}
    assert declared(nothing) == [left, left]


def test_what_may_be_asked_for_passes_as_it_came(gate: Gate) -> None:
    messages = (SAMPLING, FORM, ROOTS, PING, RESULT)
    passed, audit = streamed(gate, *messages)
    assert passed == list(messages)
    assert "withheld" not in audit


def test_what_may_not_be_asked_for_is_kept_back_and_the_rest_passes(nothing: Gate) -> None:
    vendor = asks("vendor/x")
    passed, audit = streamed(nothing, SAMPLING, FORM, PING, ROOTS, vendor, RESULT)
    assert passed == [PING, RESULT]
    assert audit["withheld"] == "client_feature"


def test_a_url_passes_to_a_listed_host_only(urls: Gate) -> None:
    allowed = asks("elicitation/create", **elicitation(ALLOWED))
    passed, audit = streamed(urls, allowed, RESULT)
    assert passed == [allowed, RESULT]
    assert "withheld" not in audit
    for url in EVIL:
        refused = asks("elicitation/create", **elicitation(url))
        passed, audit = streamed(urls, refused, RESULT)
        assert passed == [RESULT], url
        assert audit["withheld"] == "elicitation_url"
        assert "evil.example" not in json.dumps(audit)


def test_the_urls_of_an_error_are_judged(urls: Gate) -> None:
    def error(*entries: Json) -> Json:
        data = {"elicitations": list(entries)}
        what = {"code": -32042, "message": "This request requires more.", "data": data}
        return {"jsonrpc": "2.0", "id": 1, "error": what}

    good = error(elicitation(ALLOWED))
    assert answered(urls, good, call("echo")) == good
    for url in EVIL:
        bad = error(elicitation(ALLOWED), elicitation(url))
        answer = answered(urls, bad, call("echo"))
        assert answer["id"] == 1
        assert answer["error"]["code"] != -32042
        assert "evil" not in json.dumps(answer)


def test_the_urls_of_input_requests_are_judged(urls: Gate) -> None:
    def asking(url: str) -> Json:
        params = {"mode": "url", "url": url, "message": "Please"}
        inputs = {
            "r": {"method": "roots/list"},
            "e": {"method": "elicitation/create", "params": params},
        }
        result = {"resultType": "input_required", "inputRequests": inputs}
        return {"jsonrpc": "2.0", "id": 1, "result": result}

    message = modern(call("echo"))
    headers = modern_headers(message)
    good = asking(ALLOWED)
    assert answered(urls, good, message, version=MODERN, headers=headers) == good
    for url in EVIL:
        answer = answered(urls, asking(url), message, version=MODERN, headers=headers)
        assert answer["id"] == 1
        assert "evil" not in json.dumps(answer)
        assert "result" not in answer


def test_input_requests_for_what_may_not_be_asked_for_are_an_error(nothing: Gate) -> None:
    message = modern(call("echo"))
    inputs = {"s": {"method": "sampling/createMessage", "params": {"messages": []}}}
    result = {"resultType": "input_required", "inputRequests": inputs}
    asking = {"jsonrpc": "2.0", "id": 1, "result": result}
    headers = modern_headers(message)
    answer = answered(nothing, asking, message, version=MODERN, headers=headers)
    assert (answer["id"], "error" in answer, "result" in answer) == (1, True, False)
