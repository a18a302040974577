"""What clients read otherwise than the standards say: no difference hides anything."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from harness.answers import EVENTS, JSON, dispatched, event, pieces, receive, replies, streams, text
from harness.gate import Gate
from harness.listings import TOOLS, tools
from harness.messages import call, notification

LIST, ECHO = TOOLS.request(), call("echo")
LISTED = tools("get-env", "echo")
BODY = text(LISTED)


def messages_that_some_client_reads(body: bytes) -> list[object]:
    """The body as one message, and as a stream with the lines of httpx-sse and the beginning of
    eventsource-parser."""
    text = body.decode().removeprefix("\ufeff").removeprefix("\u00ef\u00bb\u00bf")
    lines = [line + "\n" for line in text.splitlines()]
    messages: list[object] = []
    for data in (body, *dispatched("".join(lines).encode())):
        with suppress(json.JSONDecodeError):
            messages.append(json.loads(data))
    return messages


@pytest.mark.parametrize(
    "media",
    [JSON, "application/json; x=text/event-stream", "application/json;a=1,text/event-stream"],
)
@pytest.mark.parametrize("message", [LIST, ECHO, None], ids=["list", "call", "GET"])
def test_a_stream_that_says_it_is_json_hides_nothing(
    holding_keyed: Gate, media: str, message: object
) -> None:
    """There are clients that do not look at the content type, and such that look for a word."""
    for body in (
        event(LISTED),
        b"\n\n" + event({**LISTED, "id": 2}) + BODY,
        b"x\n" + event(LISTED),
    ):
        if message is ECHO:
            body = body.replace(b'"id": 1', b'"id": 2')
        holding_keyed.recorder.script = replies(body, media=media)
        received = receive(holding_keyed, message)
        assert "get-env" not in str(messages_that_some_client_reads(received.body))


STREAMS = {
    # eventsource-parser leaves these three characters out at the beginning, too.
    "BOM in characters": "\u00ef\u00bb\u00bf".encode() + event(LISTED),
    "BOM, and one in characters": "\ufeff\u00ef\u00bb\u00bf".encode() + event(LISTED),
    # httpx-sse took these for ends of lines.
    **{
        f"U+{ord(end):04X}": f": x{end}{end}data: {BODY.decode()}{end}{end}\n\n".encode()
        for end in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
    },
    "U+2028 in an id": f"id: x\u2028data: {BODY.decode()}\u2028\u2028\n\n".encode(),
    "U+2028 in a type": f"event: x\u2028data: {BODY.decode()}\u2028\u2028\n\n".encode(),
    "U+2028 in a field": f"x\u2028data: {BODY.decode()}\u2028\u2028\n\n".encode(),
    "U+2028 in other data": f"data: x\u2028data: {BODY.decode()}\u2028\u2028\n\n".encode(),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("where", [LIST, None], ids=["list", "GET"])
@pytest.mark.parametrize("size", [3, 10_000])
def test_what_a_client_takes_for_the_beginning_of_a_line_hides_nothing(
    holding_keyed: Gate, name: str, where: object, size: int
) -> None:
    holding_keyed.recorder.script = streams(*pieces(STREAMS[name], size))
    received = receive(holding_keyed, where)
    assert received.is_whole
    assert "get-env" not in str(messages_that_some_client_reads(received.body))


def test_such_characters_pass_within_a_message(keyed: Gate) -> None:
    log = notification("notifications/message", level="info", data="\u2028 \u2029 \x85 \u00ef")
    keyed.recorder.script = replies(event(log) + event(LISTED), media=EVENTS)
    assert receive(keyed, LIST).messages == [log, tools("echo")]


@pytest.mark.parametrize("message", [None, notification("notifications/initialized")])
def test_what_wants_no_answer_gets_502_as_well(keyed: Gate, message: object, protocol: str) -> None:
    for headers in (["content-encoding: gzip"], []):
        status = "200 OK" if headers else "206 Partial Content"
        keyed.recorder.script = replies(event(LISTED), *headers, status=status, media=EVENTS)
        assert receive(keyed, message, protocol=protocol).status == 502
