"""Answers of the upstream pass as they come."""

from __future__ import annotations

import json

import pytest
from harness.gate import ENDPOINT, HTTP1, Gate
from harness.messages import call
from harness.recorder import Recorder, Wire
from harness.wire import Connection, Http2

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def event(number: int) -> bytes:
    data = f"id: {number}\ndata: {number}\n\n".encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_event_arrives_before_the_next_one_is_sent(
    gate: Gate, method: str, protocol: str
) -> None:
    recorder: Recorder = gate.recorder
    cues = [recorder.cue() for _ in range(3)]

    async def stream(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(STREAM_HEAD)
        for number in range(3):
            await wire.send(event(number))
            await recorder.await_cue()
        await wire.send(b"0\r\n\r\n")

    recorder.script = stream
    headers = {"authorization": f"Bearer {gate.token('reader')}"}
    body = call("echo") if method == "POST" else None
    with gate.client(protocol).stream(method, ENDPOINT, headers=headers, json=body) as response:
        assert response.headers["content-type"] == "text/event-stream"
        events = response.iter_text()
        for number, cue in enumerate(cues):
            assert next(events) == f"id: {number}\ndata: {number}\n\n"
            cue()
        assert list(events) == []


def test_a_large_answer_passes_whole(gate: Gate, protocol: str) -> None:
    result = {"content": [{"type": "text", "text": "x" * (5 << 20)}]}
    large = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()

    async def answer(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(large)

    gate.recorder.script = answer
    outcome = gate.post(call("echo"), protocol=protocol)
    assert outcome.response.content == large


@pytest.mark.parametrize("status", ["202 Accepted", "400 Bad Request", "404 Not Found", "500 No"])
def test_an_upstreams_own_errors_pass(gate: Gate, status: str) -> None:
    async def answer(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(b'{"x":1}', "mcp-session-id: s1", status=status)

    gate.recorder.script = answer
    outcome = gate.post(call("echo"))
    assert (outcome.status, outcome.json) == (int(status[:3]), {"x": 1})
    assert outcome.response.headers["mcp-session-id"] == "s1"
    assert outcome.audit["outcome"] == "allowed"


def test_an_upstream_that_dies_in_its_answer_ends_the_answer(gate: Gate) -> None:
    async def die(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(STREAM_HEAD + event(1))
        wire.writer.close()

    gate.recorder.script = die
    headers = {"authorization": f"Bearer {gate.token('reader')}"}
    with gate.client(HTTP1).stream("GET", ENDPOINT, headers=headers) as response:
        received = b""
        with pytest.raises(Exception, match="closed|incomplete|without"):
            for piece in response.iter_raw():
                received += piece
    assert received == b"id: 1\ndata: 1\n\n"
    gate.recorder.forget()
    gate.post(call("echo")).passed()


def test_an_upstream_that_is_not_there_is_envoys_503(gate: Gate) -> None:
    async def hang_up(wire: Wire) -> None:
        await wire.ended.wait()
        wire.writer.close()

    gate.recorder.script = hang_up
    outcome = gate.post(call("echo"))
    assert outcome.status == 503
    assert outcome.audit["outcome"] == "allowed"


def test_a_client_that_leaves_a_stream_ends_it_for_the_upstream(gate: Gate, protocol: str) -> None:
    gone: list[bool] = []

    async def stream(wire: Wire) -> None:
        await wire.send(STREAM_HEAD + event(1))
        await wire.gone()
        gone.append(True)

    gate.recorder.script = stream
    token = f"Bearer {gate.token('reader')}".encode()
    if protocol == HTTP1:
        with Connection(gate.ports.gate) as connection:
            connection.send(gate.get_head("reader"))
            assert connection.receive().startswith(b"HTTP/1.1 200")
    else:
        with Http2(gate.ports.gate) as http2:
            pseudo = {":method": "GET", ":scheme": "http", ":authority": gate.authority}
            fields = {**pseudo, ":path": ENDPOINT}
            headers = [(name.encode(), value.encode()) for name, value in fields.items()]
            number = http2.begin([*headers, (b"authorization", token)], end=True)
            gate.recorder.wait("the request", lambda: bool(gate.recorder.seen))
            http2.reset(number)
            gate.recorder.wait("the end of the stream", lambda: bool(gone))
    gate.recorder.wait("the end of the stream", lambda: bool(gone))
