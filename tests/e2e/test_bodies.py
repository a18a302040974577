"""Bodies in every form that HTTP has for them: in pieces, slowly, cut off, too long."""

from __future__ import annotations

import json
import uuid

import pytest
from harness.gate import ENDPOINT, HTTP1, HTTP2, Gate
from harness.messages import call
from harness.wire import Connection, Headers, Http2

ECHO = json.dumps(call("echo", message="hello")).encode()
DENIED = json.dumps(call("get-env")).encode()
MEBIBYTE = 1 << 20


def fields(gate: Gate, *more: tuple[bytes, bytes]) -> Headers:
    return [
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {gate.token('reader')}".encode()),
        *more,
    ]


def head1(gate: Gate, *more: tuple[bytes, bytes]) -> bytes:
    lines = [f"POST {ENDPOINT} HTTP/1.1\r\nhost: {gate.authority}".encode()]
    lines += [name + b": " + value for name, value in fields(gate, *more)]
    return b"\r\n".join([*lines, b"", b""])


def head2(gate: Gate, *more: tuple[bytes, bytes]) -> Headers:
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", gate.authority.encode()),
        (b":path", ENDPOINT.encode()),
        *fields(gate, *more),
    ]


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def still_answers(gate: Gate) -> None:
    gate.post(call("echo")).passed()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_body_in_pieces_is_put_together(gate: Gate, size: int) -> None:
    with Connection(gate.ports.gate) as connection:
        connection.send(head1(gate, (b"transfer-encoding", b"chunked")))
        for start in range(0, len(ECHO), size):
            connection.send(chunk(ECHO[start : start + size]))
        connection.send(chunk(b""))
        assert connection.answer().status == 200
    assert [seen.body for seen in gate.upstream_since(0)] == [ECHO]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_data_frames_in_pieces_are_put_together(gate: Gate, size: int) -> None:
    with Http2(gate.ports.gate) as connection:
        stream = connection.begin(head2(gate))
        for start in range(0, len(ECHO), size):
            connection.data(stream, ECHO[start : start + size])
        connection.data(stream, b"", end=True)
        assert connection.answer(stream).status == 200
    assert [seen.body for seen in gate.upstream_since(0)] == [ECHO]


@pytest.mark.parametrize(("body", "passes"), [(ECHO, True), (DENIED, False)])
def test_trailers_end_a_body_as_well(gate: Gate, body: bytes, passes: bool) -> None:
    with Http2(gate.ports.gate) as connection:
        stream = connection.begin(head2(gate))
        connection.data(stream, body)
        connection.trailers(stream, [(b"x-checksum", b"1")])
        answer = connection.answer(stream)
    assert answer.status == 200
    reached = [seen.body for seen in gate.upstream_since(0) if seen.complete]
    assert reached == ([ECHO] if passes else [])
    assert (b"Unknown tool" in answer.body) is not passes


@pytest.mark.parametrize(("body", "passes"), [(ECHO, True), (DENIED, False)])
def test_chunked_trailers_end_a_body_as_well(gate: Gate, body: bytes, passes: bool) -> None:
    with Connection(gate.ports.gate) as connection:
        head = head1(gate, (b"transfer-encoding", b"chunked"), (b"te", b"trailers"))
        connection.send(head + chunk(body) + b"0\r\nx-checksum: 1\r\n\r\n")
        answer = connection.answer()
    assert answer.status == 200
    reached = [seen.body for seen in gate.upstream_since(0) if seen.complete]
    assert reached == ([ECHO] if passes else [])


@pytest.mark.parametrize("method", [b"GET", b"DELETE"])
def test_an_empty_data_frame_is_no_body(gate: Gate, method: bytes) -> None:
    headers = [(b":method", method), *head2(gate)[1:]]
    with Http2(gate.ports.gate) as connection:
        stream = connection.begin(headers)
        connection.data(stream, b"", end=True)
        assert connection.answer(stream).status in (200, 202)
    assert [seen.method for seen in gate.upstream_since(0)] == [method.decode()]


def test_trailers_are_no_way_to_hand_in_a_token_or_an_identity(gate: Gate) -> None:
    with Http2(gate.ports.gate) as connection:
        stream = connection.begin(head2(gate))
        connection.data(stream, ECHO)
        token = gate.token("admin").encode()
        trailers = [(b"authorization", b"Bearer " + token), (b"x-mcp-subject", b"admin")]
        connection.trailers(stream, trailers)
        connection.answer(stream)
    # The token is looked for in all that the upstream got, as after every test.
    assert all(seen.header("x-mcp-subject") == "reader" for seen in gate.upstream_since(0))


def test_a_slow_body_is_waited_for_and_nothing_of_it_goes_on_before(gate: Gate) -> None:
    with Connection(gate.ports.gate) as connection:
        length = str(len(ECHO)).encode()
        connection.send(head1(gate, (b"content-length", length)) + ECHO[:10])
        assert all(not seen.body for seen in gate.upstream_since(0))
        connection.send(ECHO[10:])
        assert connection.answer().status == 200
    assert [seen.body for seen in gate.upstream_since(0)] == [ECHO]


@pytest.mark.parametrize("end", ["close", "reset"])
def test_half_a_body_never_reaches_the_upstream(gate: Gate, end: str) -> None:
    name = str(uuid.uuid4())
    connection = Connection(gate.ports.gate)
    length = str(len(ECHO)).encode()
    headers = [(b"content-length", length), (b"x-request-id", name.encode())]
    connection.send(head1(gate, *headers) + ECHO[:-1])
    assert all(not seen.body for seen in gate.upstream_since(0))
    if end == "reset":
        connection.reset()
    else:
        connection.__exit__()
    assert gate.audit(name)["outcome"] == "aborted"
    assert all(not seen.body and not seen.complete for seen in gate.upstream_since(0))
    still_answers(gate)


def test_half_a_body_on_a_stream_that_is_reset_neither(gate: Gate) -> None:
    name = str(uuid.uuid4())
    with Http2(gate.ports.gate) as connection:
        stream = connection.begin(head2(gate, (b"x-request-id", name.encode())))
        connection.data(stream, ECHO[:-1])
        assert all(not seen.body for seen in gate.upstream_since(0))
        connection.reset(stream)
        assert gate.audit(name)["outcome"] == "aborted"
        assert all(not seen.body and not seen.complete for seen in gate.upstream_since(0))
        other = connection.begin(head2(gate))
        connection.data(other, ECHO, end=True)
        assert connection.answer(other).status == 200


@pytest.mark.parametrize("length", [b"0", None])
def test_a_post_without_a_body_is_no_message(gate: Gate, length: bytes | None) -> None:
    headers = [(b"content-length", length)] if length else []
    with Connection(gate.ports.gate) as connection:
        connection.send(head1(gate, *headers))
        assert connection.answer().status == 400
    with Http2(gate.ports.gate) as http2:
        stream = http2.begin(head2(gate, *headers), end=True)
        assert http2.answer(stream).status == 400
    assert gate.upstream_since(0) == []


def padded(size: int) -> bytes:
    """A good message of exactly this length."""
    empty = json.dumps(call("echo", message="")).encode()
    return json.dumps(call("echo", message="x" * (size - len(empty)))).encode()


def test_the_longest_body_passes_and_one_byte_more_does_not(gate: Gate, protocol: str) -> None:
    body = padded(MEBIBYTE)
    assert gate.post(body, protocol=protocol).passed().body == body
    longer = gate.post(padded(MEBIBYTE + 1), protocol=protocol)
    assert longer.status == 413
    assert all(not seen.body for seen in longer.upstream)


@pytest.mark.parametrize("protocol", [HTTP1, HTTP2])
def test_a_body_far_over_every_limit_is_refused_and_the_worker_goes_on(
    gate: Gate, protocol: str
) -> None:
    outcome = gate.post(padded(8 * MEBIBYTE), protocol=protocol)
    assert outcome.status == 413
    assert all(not seen.body for seen in outcome.upstream)
    still_answers(gate)
