"""Bytes that no client should send. Whatever becomes of them, the worker answers afterwards."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from harness.gate import CRASHES, ENDPOINT, HTTP1, HTTP2, Gate
from harness.messages import call
from harness.wire import Answer, Connection, Headers, Http2, http1

BODY = json.dumps(call("echo")).encode()

NAMES = [
    b"authorization",
    b"origin",
    b"content-type",
    b"content-encoding",
    b"accept",
    b"accept-encoding",
    b"cookie",
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"mcp-protocol-version",
    b"mcp-method",
    b"mcp-name",
    b"mcp-param-region",
    b"mcp-session-id",
    b"last-event-id",
    b"x-mcp-subject",
    b"x-request-id",
    b"access-control-request-method",
    b"access-control-request-headers",
    b"te",
    b"expect",
    b"x-anything",
]
# Whole answers, not only that there is one: refused by Envoy (400), by the gate, or passed on.
ANSWERS = {0, 200, 202, 400, 401, 403, 404, 405, 413, 415, 417, 426, 431, 505}


def base(gate: Gate, protocol: str) -> Headers:
    common = [
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer " + gate.token("reader").encode()),
    ]
    if protocol == HTTP1:
        length = str(len(BODY)).encode()
        return [(b"host", gate.authority.encode()), (b"content-length", length), *common]
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", gate.authority.encode()),
        (b":path", ENDPOINT.encode()),
        *common,
    ]


def without(headers: Headers, name: bytes) -> Headers:
    return [pair for pair in headers if pair[0] != name]


def ask(gate: Gate, protocol: str, headers: Headers) -> Answer:
    """Status 0: Envoy has hung up, as it may on what is no HTTP."""
    if protocol == HTTP1:
        with suppress(ConnectionError):
            return http1(gate.ports.gate, f"POST {ENDPOINT} HTTP/1.1", headers, BODY)
        return Answer(0)
    with Http2(gate.ports.gate) as connection, suppress(ConnectionError):
        stream = connection.begin(headers)
        connection.data(stream, BODY, end=True)
        return connection.answer(stream)
    return Answer(0)


def unharmed(gate: Gate) -> None:
    """The worker answers, and no VM has died."""
    gate.post(call("echo")).passed()
    log = gate.envoy.log.read_text(encoding="utf-8", errors="replace")
    assert not [crash for crash in CRASHES if crash in log]


@pytest.mark.parametrize("name", NAMES, ids=bytes.decode)
def test_every_byte_in_every_header(hostile: Gate, name: bytes, protocol: str) -> None:
    headers = without(base(hostile, protocol), name)
    for byte in range(256):
        value = b"a" + bytes([byte]) + b"b"
        assert ask(hostile, protocol, [*headers, (name, value)]).status in ANSWERS
    unharmed(hostile)
    for seen in hostile.recorder.seen:
        assert seen.header("x-mcp-subject") == "reader"


def test_every_byte_in_a_bearer_token(hostile: Gate, protocol: str) -> None:
    headers = without(base(hostile, protocol), b"authorization")
    token = hostile.token("reader").encode()
    for byte in range(256):
        for value in (token + bytes([byte]), bytes([byte]) + token, b"x" + bytes([byte]) + b"y"):
            answer = ask(hostile, protocol, [*headers, (b"authorization", b"Bearer " + value)])
            # White space around a token is no part of it; to Envoy, a CR before the end is that.
            assert answer.status in (0, 400, 401) or byte in b" \t\r="
    unharmed(hostile)


def test_every_byte_in_a_header_name(hostile: Gate, protocol: str) -> None:
    headers = base(hostile, protocol)
    for byte in range(256):
        name = b"x" + bytes([byte]) + b"y"
        assert ask(hostile, protocol, [*headers, (name, b"1")]).status in ANSWERS
    unharmed(hostile)


@pytest.mark.parametrize("part", ["path", "query", "method", "host"])
def test_every_byte_in_the_request_line(bare: Gate, part: str, protocol: str) -> None:
    fields = {"path": ENDPOINT.encode(), "query": b"?a=", "method": b"POST"}
    host = bare.authority.encode()
    for byte in range(256):
        odd = bytes([byte])
        target = fields["path"] + (odd if part == "path" else b"")
        target += b"?a=" + odd if part == "query" else b""
        method = b"PO" + odd + b"ST" if part == "method" else b"POST"
        authority = host + odd if part == "host" else host
        if protocol == HTTP1:
            line = method + b" " + target + b" HTTP/1.1"
            headers = [(b"host", authority), *base(bare, HTTP1)[1:]]
            with suppress(ConnectionError, ValueError):
                assert http1(bare.ports.gate, line, headers, BODY).status in ANSWERS
        else:
            pseudo = [
                (b":method", method),
                (b":scheme", b"http"),
                (b":authority", authority),
                (b":path", target),
            ]
            assert ask(bare, HTTP2, [*pseudo, *base(bare, HTTP2)[4:]]).status in ANSWERS
    unharmed(bare)
    assert all(seen.target.partition("?")[0] == ENDPOINT for seen in bare.recorder.seen)


REPEATED = {
    b"authorization": 400,
    b"origin": 403,
    b"content-type": 415,
    b"mcp-protocol-version": 400,
    b"mcp-method": 400,
    b"mcp-name": 400,
}


@pytest.mark.parametrize(("name", "status"), REPEATED.items(), ids=str)
def test_what_may_stand_once_is_refused_twice(
    gate: Gate, name: bytes, status: int, protocol: str
) -> None:
    once = {
        b"authorization": b"Bearer " + gate.token("reader").encode(),
        b"origin": gate.ports.gate_url.encode(),
        b"content-type": b"application/json",
        b"mcp-protocol-version": b"2025-11-25",
        b"mcp-method": b"tools/call",
        b"mcp-name": b"echo",
    }[name]
    headers = without(base(gate, protocol), name)
    assert ask(gate, protocol, [*headers, (name, once)]).status == 200
    assert ask(gate, protocol, [*headers, (name, once), (name, once)]).status == status
    assert len([seen for seen in gate.upstream_since(0) if seen.complete]) == 1


@pytest.mark.parametrize("size", [1_000, 50_000, 59_000, 100_000])
def test_very_long_header_values(hostile: Gate, size: int, protocol: str) -> None:
    for name in (b"authorization", b"origin", b"mcp-name", b"x-anything", b"content-type"):
        headers = without(base(hostile, protocol), name)
        assert ask(hostile, protocol, [*headers, (name, b"x" * size)]).status in ANSWERS
    unharmed(hostile)


@pytest.mark.parametrize("count", [50, 99, 200])
def test_very_many_headers(gate: Gate, count: int, protocol: str) -> None:
    many = [(f"x-{number}".encode(), b"1") for number in range(count)]
    repeated = [(b"x-mcp-subject", str(number).encode()) for number in range(count)]
    for more in (many, repeated):
        assert ask(gate, protocol, [*base(gate, protocol), *more]).status in ANSWERS
    unharmed(gate)
    for seen in gate.recorder.seen:
        assert seen.header("x-mcp-subject") == "reader"


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"\x16\x03\x01", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n"]
)
def test_what_is_no_http_at_all(gate: Gate, data: bytes) -> None:
    with Connection(gate.ports.gate) as connection:
        connection.send(data)
        connection.reset()
    unharmed(gate)


@pytest.mark.parametrize("byte", range(0, 256, 5))
def test_bodies_of_one_byte_over_and_over(gate: Gate, byte: int) -> None:
    for size in (1, 100, 70_000):
        outcome = gate.post(bytes([byte]) * size)
        outcome.refused(400, "malformed_message")
