"""Event streams stay streams: what may pass does at once, and to the byte."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from harness.answers import (
    EVENTS,
    JSON,
    chunk,
    event,
    head,
    opened,
    pieces,
    receive,
    result,
    streams,
    text,
)
from harness.gate import ENDPOINT, HTTP1, Gate
from harness.listings import TOOLS, nothing_hidden_in, tools
from harness.messages import call, notification, request
from harness.recorder import Wire
from harness.wire import Connection, Http2

LIST, ECHO = TOOLS.request(), call("echo")
LIMIT = 4 << 20
LOG = notification("notifications/message", level="info", data="é ☃ 😀")
LISTED = tools("get-env", "echo")


class Reader:
    """Reads a response up to what has to be there."""

    def __init__(self, response: httpx.Response) -> None:
        self._parts: Iterator[bytes] = response.iter_raw()
        self._rest = b""

    def expect(self, data: bytes) -> None:
        """Exactly this comes next, in however many parts."""
        while len(self._rest) < len(data):
            self._rest += next(self._parts)
        assert self._rest[: len(data)] == data
        self._rest = self._rest[len(data) :]

    def ends(self) -> None:
        """And nothing behind it."""
        assert self._rest + b"".join(self._parts) == b""


def with_whole_line_ends(stream: bytes) -> bytes:
    """A CR alone arrives as CRLF: there are clients that wait for what follows a CR."""
    return re.sub(rb"\r(?!\n)", b"\r\n", stream)


AT_ONCE = [
    event(LOG, b"event: message"),
    b": keep-alive\n\n",
    b":\n\n",
    b"id: 5\ndata:\n\n",
    b"id: 6\ndata: \n\n",
    b"retry: 3000\n\n",
    b"event: ping\ndata: 1\n\n",
    event(LOG, b"id: 7", end=b"\r\n"),
    event(LOG, b"id: 8", end=b"\r"),
    b": CR\r\r",
    event(request("ping", "s-1")),
    event({"jsonrpc": "2.0", "id": 99, "error": {"code": -32603, "message": "x"}}),
    event(result(98, content=[])),
    b"data: no JSON\n\n",
    b"\n",
]


@pytest.mark.parametrize("message", [LIST, ECHO, None], ids=["list", "call", "GET"])
def test_an_event_a_comment_and_a_keep_alive_pass_before_the_next_byte_is_sent(
    keyed: Gate, message: object, protocol: str
) -> None:
    recorder = keyed.recorder
    cues = [recorder.cue() for _ in AT_ONCE]

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head())
        for each in AT_ONCE:
            await wire.send(chunk(each))
            await recorder.await_cue()
        await wire.send(b"0\r\n\r\n")

    recorder.script = script
    with opened(keyed, message, protocol=protocol) as response:
        reader = Reader(response)
        for each, cue in zip(AT_ONCE, cues, strict=True):
            reader.expect(with_whole_line_ends(each))
            cue()
        reader.ends()


def test_the_head_of_a_stream_arrives_before_its_first_byte(keyed: Gate, protocol: str) -> None:
    recorder = keyed.recorder
    cue = recorder.cue()

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head())
        await recorder.await_cue()
        await wire.send(chunk(event(LISTED)) + b"0\r\n\r\n")

    recorder.script = script
    with opened(keyed, LIST, protocol=protocol) as response:
        assert response.headers["content-type"] == EVENTS
        cue()
        assert b"get-env" not in b"".join(response.iter_raw())


def test_a_list_passes_filtered_before_the_next_event_is_sent(keyed: Gate, protocol: str) -> None:
    recorder = keyed.recorder
    cue = recorder.cue()

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head() + chunk(event(LISTED)))
        await recorder.await_cue()
        await wire.send(chunk(event(LOG)) + b"0\r\n\r\n")

    recorder.script = script
    with opened(keyed, LIST, protocol=protocol) as response:
        parts = response.iter_raw()
        got = b""
        while not got.endswith(b"\n\n"):
            got += next(parts)
        assert b"echo" in got and b"get-env" not in got
        cue()
        assert b"".join(parts) == event(LOG)


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_a_long_result_of_a_call_begins_to_pass_before_its_end_is_sent(
    keyed: Gate, media: str, protocol: str
) -> None:
    recorder = keyed.recorder
    cue = recorder.cue()
    long = text(result(content=[{"type": "text", "text": "x" * 200_000}]))
    data = long if media == JSON else b"data: " + long + b"\n\n"
    half = 150_000

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head(media=media) + chunk(data[:half]))
        await recorder.await_cue()
        await wire.send(chunk(data[half:]) + b"0\r\n\r\n")

    recorder.script = script
    with opened(keyed, ECHO, protocol=protocol) as response:
        reader = Reader(response)
        reader.expect(data[: 64 << 10])
        cue()
        reader.expect(data[64 << 10 :])
        reader.ends()


# === cut anywhere ===

SHORT = b"".join(
    [
        b": hi\n\n",
        event(LOG, b"id: 1", end=b"\r\n"),
        event(request("ping", "p"), end=b"\r"),
        b'data: {"jsonrpc":"2.0",\r\ndata:"method":"x/y"}\r\r\n',
        event(LISTED, b"event: message", b"id: 2"),
        event(LOG),
    ]
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_a_stream_cut_at_every_byte_is_the_same_stream(keyed: Gate, size: int) -> None:
    keyed.recorder.script = streams(SHORT)
    whole = receive(keyed, LIST)
    before = with_whole_line_ends(SHORT[: SHORT.index(b"event: message")])
    assert whole.body.startswith(before) and whole.body.endswith(event(LOG))
    nothing_hidden_in(whole)
    assert whole.messages[-2] == tools("echo")
    keyed.recorder.script = slowly(pieces(SHORT, size))
    cut = receive(keyed, LIST)
    assert cut.is_whole
    assert cut.body == whole.body


def slowly(parts: list[bytes]) -> object:
    """Each part in a chunk of its own, and in a segment of its own."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        wire.no_delay()
        await wire.send(head())
        for part in parts:
            await wire.send(chunk(part))
        await wire.send(b"0\r\n\r\n")

    return script


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_pass_as_they_are(keyed: Gate, end: bytes, protocol: str) -> None:
    stream = b"".join(
        event(each, b"id: 1", b": x", b"event: message", end=end)
        for each in (LOG, request("ping", "p"), result())
    )
    for size in (1, 50, len(stream)):
        keyed.recorder.script = streams(*pieces(stream, size))
        received = receive(keyed, ECHO, protocol=protocol)
        assert received.body == with_whole_line_ends(stream)


def test_a_character_split_anywhere_arrives_whole(keyed: Gate) -> None:
    stream = event(notification("notifications/message", level="info", data="😀é☃" * 50))
    keyed.recorder.script = streams(*pieces(stream, 1))
    assert receive(keyed, LIST).body == stream


def test_what_follows_the_last_blank_line_is_no_event_and_does_not_pass(keyed: Gate) -> None:
    for rest in (b": x\n", b"id: 9\n", b"\xef"):
        keyed.recorder.script = streams(event(LOG), rest)
        received = receive(keyed, ECHO)
        assert received.is_whole
        assert received.events == [text(LOG)]
        assert "withheld" not in received.audit


# === undecided events ===


def test_an_undecided_event_over_the_limit_is_replaced_and_the_stream_goes_on(
    keyed: Gate, protocol: str
) -> None:
    """Of this one the list comes first, so that none of it can have gone on."""
    long = event({**LISTED, "id": 7, "x": "x" * LIMIT})
    after = event(LOG) + event(result())
    keyed.recorder.script = streams(event(LOG), *pieces(long, 1 << 17), after)
    for message in (ECHO, None):
        received = receive(keyed, message, protocol=protocol)
        assert received.is_whole
        nothing_hidden_in(received)
        assert b"xxxx" not in received.body
        assert received.body.startswith(event(LOG)) and received.body.endswith(after)
        assert len(received.events) <= 4
        assert received.audit["withheld"] == "too_large"


def test_two_undecided_events_over_the_limit_are_replaced_each(holding_keyed: Gate) -> None:
    long = event({**LISTED, "x": "x" * LIMIT})
    parts = pieces(long, 1 << 17)
    holding_keyed.recorder.script = streams(*parts, event(LOG), *parts, event(LOG))
    received = receive(holding_keyed, LIST)
    assert received.is_whole
    nothing_hidden_in(received)
    assert received.events[-1] == text(LOG)
    assert [data for data in received.events if data == text(LOG)] == [text(LOG)] * 2


def test_lines_without_data_are_not_held_however_many_there_are(holding_keyed: Gate) -> None:
    comments = b": " + b"x" * 1000 + b"\n"
    stream = comments * 6000 + b"data: " + text(LISTED) + b"\n\n" + event(LOG)
    holding_keyed.recorder.script = streams(*pieces(stream, 1 << 17))
    received = receive(holding_keyed, LIST)
    nothing_hidden_in(received)
    assert received.is_whole
    assert received.events[-1] == text(LOG)


# === clients that go away ===


def leave(gate: Gate, message: object, protocol: str) -> None:
    """Ask, and go away as soon as the answer has begun."""
    method = "GET" if message is None else "POST"
    body = b"" if message is None else text(message)
    fields = {
        "authorization": f"Bearer {gate.token('reader')}",
        "content-type": JSON,
        "content-length": str(len(body)),
    }
    if protocol == HTTP1:
        lines = [f"{method} {ENDPOINT} HTTP/1.1", f"host: {gate.authority}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        with Connection(gate.ports.gate) as connection:
            connection.send("\r\n".join([*lines, "", ""]).encode() + body)
            assert connection.receive().startswith(b"HTTP/1.1 200")
            connection.reset()
        return
    pseudo = {":method": method, ":scheme": "http", ":authority": gate.authority}
    fields = {**pseudo, ":path": ENDPOINT, **fields}
    with Http2(gate.ports.gate) as http2:
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        number = http2.begin(headers, end=not body)
        if body:
            http2.data(number, body, end=True)
        http2.head(number)
        http2.reset(number)


@pytest.mark.parametrize(
    "sent",
    [b"", event(LOG), b"data: " + text(LISTED)[:40], b"data: " + b"[" * 100_000],
    ids=["nothing", "an event", "half an event", "much of an event"],
)
@pytest.mark.parametrize("message", [LIST, None], ids=["list", "GET"])
def test_a_client_that_goes_away_is_seen_to_by_the_upstream(
    keyed: Gate, sent: bytes, message: object, protocol: str
) -> None:
    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head() + (chunk(sent) if sent else b""))
        await wire.gone()
        keyed.recorder.gone += 1

    keyed.recorder.script = script
    leave(keyed, message, protocol)
    keyed.recorder.wait("the end of the request", lambda: keyed.recorder.gone == 1)
    keyed.recorder.forget()
    keyed.post(ECHO).passed()


def test_an_upstream_that_breaks_off_a_stream_breaks_it_off_for_the_client(keyed: Gate) -> None:
    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head() + chunk(event(LOG) + b"data: " + text(LISTED)))
        wire.writer.close()

    keyed.recorder.script = script
    received = receive(keyed, LIST, protocol=HTTP1)
    assert not received.is_whole
    assert received.body == event(LOG)
