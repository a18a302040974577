"""Refusals that are known before the body has come: the connection is kept where that can be."""

from __future__ import annotations

import time
import uuid

import pytest
from harness.gate import ENDPOINT, Gate
from harness.recorder import PATIENCE
from harness.wire import Connection, Headers, Http2

LENGTH = 40_000
BODY = b"x" * LENGTH


def head(gate: Gate, name: str, *fields: str, length: int = LENGTH) -> bytes:
    """The head of a POST without a token."""
    lines = (
        f"POST {ENDPOINT} HTTP/1.1",
        f"host: {gate.authority}",
        f"x-request-id: {name}",
        "content-type: application/json",
        f"content-length: {length}",
        *fields,
    )
    return "\r\n".join((*lines, "", "")).encode()


def head2(gate: Gate, name: str) -> Headers:
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", gate.authority.encode()),
        (b":path", ENDPOINT.encode()),
        (b"x-request-id", name.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(LENGTH).encode()),
    ]


def was_refused(gate: Gate, name: str) -> None:
    """Written down, once."""
    line = gate.audit(name)
    said = (line["outcome"], line["reason"], line["status"])
    assert said == ("challenged", "no_token", 401)


def new_name() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("size", [LENGTH, 1 + LENGTH // 3])
def test_a_client_that_repeats_keeps_its_connection(holding: Gate, size: int) -> None:
    names = [new_name() for _ in range(4)]
    with Connection(holding.ports.gate) as connection:
        for name in names:
            connection.send(head(holding, name))
            for start in range(0, LENGTH, size):
                connection.send(BODY[start : start + size])
            answer = connection.answer()
            assert (answer.status, answer.header("connection")) == (401, None)
            assert "resource_metadata=" in (answer.header("www-authenticate") or "")
    for name in names:
        was_refused(holding, name)
    assert holding.upstream_since(0) == []


def test_requests_one_behind_the_other_are_answered_one_by_one(holding: Gate) -> None:
    names = [new_name() for _ in range(2)]
    with Connection(holding.ports.gate) as connection:
        connection.send(b"".join(head(holding, name) + BODY for name in names))
        said = b""
        while said.count(b"HTTP/1.1 401 ") < len(names):
            part = connection.receive()
            assert part, said
            said += part
    for name in names:
        was_refused(holding, name)


def test_nothing_is_told_before_the_body_has_ended(holding: Gate) -> None:
    name = new_name()
    with Connection(holding.ports.gate) as connection:
        connection.send(head(holding, name) + BODY[:-1])
        holding.wait_for_requests(1)
        assert holding.audit_lines(name) == []
        connection.send(BODY[-1:])
        assert connection.answer().status == 401
    was_refused(holding, name)


def test_over_http2_too_and_streams_do_not_wait_for_one_another(holding: Gate) -> None:
    first, second = new_name(), new_name()
    with Http2(holding.ports.gate) as connection:
        slow = connection.begin(head2(holding, first))
        connection.data(slow, BODY[:9000])
        fast = connection.begin(head2(holding, second))
        for start in range(0, LENGTH, 8000):
            connection.data(fast, BODY[start : start + 8000], end=start + 8000 >= LENGTH)
        answer = connection.answer(fast)
        assert (answer.status, answer.is_whole) == (401, True)
        connection.reset(slow)
        was_refused(holding, second)
        was_refused(holding, first)


def test_trailers_end_it_too(holding: Gate) -> None:
    name = new_name()
    with Http2(holding.ports.gate) as connection:
        stream = connection.begin(head2(holding, name))
        for start in range(0, LENGTH, 8000):
            connection.data(stream, BODY[start : start + 8000])
        connection.trailers(stream, [(b"x-checksum", b"1")])
        assert connection.answer(stream).status == 401
    was_refused(holding, name)


def test_what_is_behind_the_announced_length_is_no_part_of_the_body(holding: Gate) -> None:
    name = new_name()
    with Connection(holding.ports.gate) as connection:
        connection.send(head(holding, name, length=10) + BODY)
        said = b"".join(iter(connection.receive, b""))
        assert said.startswith(b"HTTP/1.1 401 ")
        assert said.count(b"An access token is needed") == 1
    was_refused(holding, name)
    name = new_name()
    with Http2(holding.ports.gate) as connection:
        stream = connection.begin([*head2(holding, name)[:-1], (b"content-length", b"10")])
        connection.data(stream, BODY[:9000], end=True)
        assert connection.answer(stream).status in (0, 400, 401)
    was_refused(holding, name)
    assert holding.upstream_since(0) == []


def test_a_client_that_leaves_half_way_was_refused_all_the_same(holding: Gate) -> None:
    name = new_name()
    with Connection(holding.ports.gate) as connection:
        connection.send(head(holding, name) + BODY[:10])
        holding.wait_for_requests(1)
        connection.reset()
    was_refused(holding, name)


def test_a_client_that_stops_half_way_is_told_after_a_while(holding: Gate) -> None:
    name = new_name()
    began = time.monotonic()
    with Connection(holding.ports.gate) as connection:
        connection.send(head(holding, name) + BODY[:10])
        assert connection.answer().status == 401
        assert 4 < time.monotonic() - began < PATIENCE
        assert connection.receive() == b"", "what it would still send is no request"
    was_refused(holding, name)


def test_who_asks_before_it_sends_is_let_send_a_short_body(holding: Gate) -> None:
    name = new_name()
    with Connection(holding.ports.gate) as connection:
        connection.send(head(holding, name, "expect: 100-continue"))
        assert connection.receive().startswith(b"HTTP/1.1 100 ")
        connection.send(BODY)
        assert connection.answer().status == 401
    was_refused(holding, name)


@pytest.mark.parametrize("length", [65_537, 900_000])
def test_who_announces_more_is_told_at_once(gate: Gate, length: int) -> None:
    name = new_name()
    with Connection(gate.ports.gate) as connection:
        connection.send(head(gate, name, length=length) + BODY)
        assert connection.answer().status == 401
    was_refused(gate, name)


def test_where_headers_cannot_be_held_everyone_is_told_at_once(plain: Gate) -> None:
    name = new_name()
    with Connection(plain.ports.gate) as connection:
        connection.send(head(plain, name))
        assert connection.answer().status == 401
    was_refused(plain, name)
    assert plain.upstream_since(0) == []
