"""What a client brings back for the gate (MCP 2026-07-28) does not reach the upstream."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup
from harness.gate import MODERN, Gate, Outcome, StartGate
from harness.messages import call, modern, modern_headers
from harness.sites import STATE_KEY
from harness.token_service import CONNECT, TokenService, consent
from harness.wire import Connection

from demo.stack.ports import free_ports

CONSENT = "mcp-auth.consent"
ACCEPTED: Json = {CONSENT: {"action": "accept"}}


@pytest.fixture
def service() -> Iterator[TokenService]:
    service = TokenService(free_ports(1)[0]).up()
    yield service
    service.down()


@pytest.fixture(params=[HOLDING, PLAIN])
def connected(request: pytest.FixtureRequest, start_gate: StartGate, service: TokenService) -> Gate:
    """A gate whose upstream wants each user's own credential."""

    def policy(policy: Json) -> None:
        policy["token_services"] = [service.policy()]
        policy["state_keys"] = [STATE_KEY]
        policy["servers"][0]["credential"] = {
            "token_service": "vault",
            "optional_for": ["ping"],
        }

    return start_gate(Setup(request.param, policy=policy, envoy=service.add_cluster))


def retry(message: str = "x", *, meta: Json | None = None, **brought: object) -> Json:
    """A modern call of a client that opens URLs, with what it brings back."""
    made = modern(call("echo", message=message))
    capabilities = {"elicitation": {"url": {}}} if meta is None else meta
    made["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
    made["params"] |= brought
    return made


def send(gate: Gate, message: Json, **more: str) -> Outcome:
    headers = modern_headers(message)
    return gate.post(message, headers=headers, version=MODERN, **more)


@pytest.mark.parametrize("size", [1, 100_000])
def test_the_body_goes_on_without_what_is_the_gates(keyed: Gate, protocol: str, size: int) -> None:
    text = "é" * size
    message = retry(text, inputResponses=ACCEPTED)
    seen = send(keyed, message, protocol=protocol).passed()
    assert seen.message == retry(text)
    assert len(seen.body) == len(json.dumps(message).encode())


def test_the_same_when_the_body_comes_in_pieces(keyed: Gate) -> None:
    body = json.dumps(retry(inputResponses={**ACCEPTED, "theirs": {}})).encode()
    head = "".join(
        f"{name}: {value}\r\n"
        for name, value in {
            "host": keyed.authority,
            "content-type": "application/json",
            "mcp-protocol-version": MODERN,
            **modern_headers(retry()),
            "authorization": f"Bearer {keyed.token('reader')}",
            "transfer-encoding": "chunked",
        }.items()
    )
    before = len(keyed.recorder.seen)
    with Connection(keyed.ports.gate) as connection:
        connection.send(f"POST /everything/mcp HTTP/1.1\r\n{head}\r\n".encode())
        for start in range(0, len(body), 50):
            piece = body[start : start + 50]
            connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 200
    seen = keyed.upstream_since(before)[0]
    assert seen.message == retry(inputResponses={"theirs": {}})
    assert len(seen.body) == len(body)


def test_what_is_the_upstreams_goes_on_to_the_byte(keyed: Gate, protocol: str) -> None:
    message = retry(inputResponses={"theirs": {"action": "accept"}})
    assert send(keyed, message, protocol=protocol).passed().body == json.dumps(message).encode()


def test_a_forged_state_is_refused(keyed: Gate, protocol: str) -> None:
    key_id = str(STATE_KEY["id"]).encode()
    state = b"\x01" + (1_800_000_000).to_bytes(8) + bytes([len(key_id)]) + key_id + bytes(32)
    encoded = base64.urlsafe_b64encode(state).decode().rstrip("=")
    message = retry(requestState=f"mcp-auth.state.{encoded}")
    outcome = send(keyed, message, protocol=protocol).refused(200, "request_state")
    assert outcome.error["code"] == -32602
    assert outcome.json["id"] == 1


def test_a_state_that_nobody_here_has_given_is_refused(keyed: Gate, protocol: str) -> None:
    message = retry(requestState="theirs", inputResponses={"theirs": {"action": "accept"}})
    outcome = send(keyed, message, protocol=protocol).refused(200, "request_state")
    assert outcome.error["code"] == -32602


def asked_to_connect(gate: Gate, service: TokenService) -> Json:
    """The answer to a call without a credential."""
    service.script = lambda _: consent()
    outcome = send(gate, retry())
    assert outcome.status == 200, outcome.response.text
    result: Json = outcome.json["result"]
    assert result["resultType"] == "input_required"
    assert result["inputRequests"][CONSENT]["params"]["url"] == f"{CONNECT}handle"
    service.script = None
    return result


def test_a_retry_after_consent_succeeds_and_carries_nothing_of_the_gates(
    connected: Gate, service: TokenService, protocol: str
) -> None:
    result = asked_to_connect(connected, service)
    message = retry(requestState=result["requestState"], inputResponses=ACCEPTED)
    outcome = send(connected, message, protocol=protocol)
    assert outcome.status == 200
    assert outcome.audit["outcome"] == "allowed"
    (seen,) = outcome.upstream
    assert seen.header("authorization") == f"Bearer {service.credential('reader')}"
    assert seen.message == retry()
    assert len(seen.body) == len(json.dumps(message).encode())


def test_a_state_is_of_no_use_to_others_or_for_other_calls(
    connected: Gate, service: TokenService
) -> None:
    state = asked_to_connect(connected, service)["requestState"]
    for message, account in (
        (retry(requestState=state), "writer"),
        (retry("y", requestState=state), "reader"),
        (retry(requestState=state[:-1]), "reader"),
    ):
        outcome = send(connected, message, account=account)
        assert outcome.audit["reason"] == "request_state"
        assert outcome.error["code"] == -32602
        assert all(not seen.body for seen in outcome.upstream)


def test_the_gate_asks_again_until_the_account_is_connected_but_not_who_declines(
    connected: Gate, service: TokenService
) -> None:
    state = asked_to_connect(connected, service)["requestState"]
    service.script = lambda _: consent()
    again = send(connected, retry(requestState=state, inputResponses=ACCEPTED))
    assert again.json["result"]["resultType"] == "input_required"
    declined = {CONSENT: {"action": "decline"}}
    told = send(connected, retry(requestState=state, inputResponses=declined))
    assert told.json["result"]["isError"] is True
    assert CONNECT in told.json["result"]["content"][0]["text"]


def test_the_gate_does_not_ask_where_its_state_would_take_the_place_of_the_upstreams(
    connected: Gate, service: TokenService
) -> None:
    service.script = lambda _: consent()
    outcome = send(connected, retry(inputResponses={"theirs": {"action": "accept"}}))
    assert outcome.json["result"]["isError"] is True
