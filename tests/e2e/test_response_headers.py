"""Headers and encoding of what comes back: what steers a client, and what it can be read by."""

from __future__ import annotations

import gzip
import json

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup, connection_manager
from harness.gate import ENDPOINT, Gate, StartGate
from harness.messages import call
from harness.recorder import Script, Wire
from harness.sites import demonstration

CHALLENGE = 'Bearer realm="up.example", resource_metadata="https://up.example/"'
STEERING = {
    "set-cookie": "session=up; Path=/",
    "www-authenticate": CHALLENGE,
    "proxy-authenticate": 'Basic realm="up.example"',
    "authentication-info": 'nextnonce="up"',
    "proxy-authentication-info": 'nextnonce="up"',
    "clear-site-data": '"*"',
}
KEPT = ["set-cookie", "www-authenticate", "proxy-authenticate"]
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
CODINGS = ["gzip, br", "identity;q=0, gzip", "*", ""]


def answers(status: str, body: bytes = RESULT, **headers: str) -> Script:
    async def answer(wire: Wire) -> None:
        await wire.ended.wait()
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await wire.answer(body, *lines, status=status)

    return answer


def keeping(policy: Json) -> None:
    demonstration(policy)
    policy["servers"][0]["response_headers"] = {"keep": KEPT}


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "500 No"])
def test_cookies_and_challenges_of_the_upstream_are_removed(
    gate: Gate, status: str, protocol: str
) -> None:
    gate.recorder.script = answers(status, **STEERING, x_other="stays")
    outcome = gate.post(call("echo"), protocol=protocol)
    assert outcome.status == int(status[:3])
    headers = outcome.response.headers
    assert [name for name in STEERING if name in headers] == []
    assert headers["x-other"] == "stays"
    assert outcome.response.content == RESULT


def test_several_cookies_are_all_removed(gate: Gate) -> None:
    async def answer(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(RESULT, "set-cookie: a=1", "x-other: 1", "set-cookie: b=2")

    gate.recorder.script = answer
    outcome = gate.post(call("echo"))
    assert "set-cookie" not in outcome.response.headers
    assert outcome.response.content == RESULT


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
def test_what_the_servers_entry_keeps_passes_and_so_does_a_401(
    start_gate: StartGate, mode: str
) -> None:
    gate = start_gate(Setup(mode, policy=keeping))
    for status in ("200 OK", "401 Unauthorized", "403 Forbidden"):
        gate.recorder.script = answers(status, **STEERING)
        outcome = gate.post(call("echo"))
        assert outcome.status == int(status[:3])
        headers = outcome.response.headers
        assert {name: headers[name] for name in STEERING if name in headers} == {
            name: STEERING[name] for name in KEPT
        }
        assert outcome.response.content == RESULT
        assert outcome.audit["outcome"] == "allowed"


def test_a_401_of_the_upstream_is_502_where_challenges_are_not_kept(gate: Gate) -> None:
    gate.recorder.script = answers("401 Unauthorized", **STEERING)
    outcome = gate.post(call("echo"))
    assert outcome.status == 502
    assert [name for name in STEERING if name in outcome.response.headers] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("coding", CODINGS)
def test_the_upstream_is_asked_for_an_answer_without_a_coding(
    gate: Gate, method: str, coding: str, protocol: str
) -> None:
    headers = {"accept-encoding": coding, "content-type": "application/json"}
    content = json.dumps(call("echo")).encode() if method == "POST" else None
    gate.recorder.script = answers("200 OK")
    outcome = gate.send(
        method, account="reader", headers=headers, content=content, protocol=protocol
    )
    assert outcome.passed().header("accept-encoding") == "identity"


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
def test_envoys_compressor_before_the_gate_compresses_what_has_passed(
    start_gate: StartGate, mode: str
) -> None:
    def compressed(config: Json) -> None:
        connection_manager(config)["http_filters"].insert(
            0,
            {
                "name": "envoy.filters.http.compressor",
                "typed_config": {
                    "@type": "type.googleapis.com/"
                    "envoy.extensions.filters.http.compressor.v3.Compressor",
                    "compressor_library": {
                        "name": "gzip",
                        "typed_config": {
                            "@type": "type.googleapis.com/"
                            "envoy.extensions.compression.gzip.compressor.v3.Gzip",
                        },
                    },
                },
            },
        )

    # The harness finds the plugin's place before it changes the filters.
    gate = start_gate(Setup(mode, policy=demonstration, envoy=compressed))
    text = "long " * 1000
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": text}]}}
    gate.recorder.script = answers("200 OK", json.dumps(answer).encode(), set_cookie="a=b")
    headers = {
        "authorization": f"Bearer {gate.token('reader')}",
        "accept-encoding": "gzip",
        "content-type": "application/json",
    }
    request = gate.client().build_request("POST", ENDPOINT, headers=headers, json=call("echo"))
    response = gate.client().send(request, stream=True)
    raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip", dict(response.headers)
    assert "set-cookie" not in response.headers
    assert len(raw) < len(text)
    assert json.loads(gzip.decompress(raw)) == answer
    assert gate.recorder.seen[-1].header("accept-encoding") == "identity"
