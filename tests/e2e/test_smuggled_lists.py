"""Attacks by an upstream: a list that the gate could take for something else."""

from __future__ import annotations

import json

import pytest
from harness.answers import (
    EVENTS,
    JSON,
    breaks_off,
    chunk,
    event,
    head,
    pieces,
    receive,
    replies,
    result,
    streams,
    text,
)
from harness.gate import ENDPOINT, MODERN, Gate
from harness.listings import LISTINGS, TOOLS, names, nothing_hidden_in, tools, withheld
from harness.messages import call, modern, modern_headers, notification, request
from harness.recorder import Wire
from harness.wire import Connection

LIST = TOOLS.request()
ECHO = call("echo")
LISTED = tools("get-env", "echo")
BODY = text(LISTED)
FILTERED = tools("echo")


# === shapes ===

ESCAPES = {
    "result": BODY.replace(b'"result"', b'"res\\u0075lt"'),
    "tools": BODY.replace(b'"tools"', b'"\\u0074ools"'),
    "name": BODY.replace(b'"name"', b'"n\\u0061me"'),
    "all of it": BODY.replace(b'"result"', b'"\\u0072\\u0065sult"').replace(
        b'"tools"', b'"to\\u006fl\\u0073"'
    ),
}


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("media", [JSON, EVENTS])
@pytest.mark.parametrize("is_asked_for", [True, False])
def test_escaped_member_names_hide_nothing(
    holding_keyed: Gate, name: str, media: str, is_asked_for: bool
) -> None:
    body = ESCAPES[name]
    holding_keyed.recorder.script = replies(body if media == JSON else event(body), media=media)
    nothing_hidden_in(receive(holding_keyed, LIST if is_asked_for else None))


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_escapes_in_a_tools_name_hide_nothing(keyed: Gate, media: str) -> None:
    body = BODY.replace(b"get-env", b"g\\u0065t\\u002Den\\u0076")
    keyed.recorder.script = replies(body if media == JSON else event(body), media=media)
    received = receive(keyed, LIST)
    message = received.json if media == JSON else received.messages[0]
    assert message == FILTERED


@pytest.mark.parametrize("version", ["2025-03-26", "2025-11-25", MODERN])
@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_in_an_array_that_nobody_asked_for_a_list_is_filtered_or_replaced(
    keyed: Gate, version: str, media: str
) -> None:
    message = modern(LIST) if version == MODERN else LIST
    headers = modern_headers(message) if version == MODERN else {}
    log = notification("notifications/message", level="info", data="x")
    for batch in ([LISTED], [log, LISTED], [result(2), LISTED], [[LISTED]], [LISTED, "x"], [{}]):
        keyed.recorder.script = replies(text(batch) if media == JSON else event(batch), media=media)
        received = receive(keyed, message, version=version, headers=headers)
        nothing_hidden_in(received)
        assert received.is_whole


@pytest.mark.parametrize("where", [LIST, ECHO, None], ids=["list", "call", "GET"])
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.method)
def test_a_list_in_a_notification_is_filtered(
    holding_keyed: Gate, where: object, listing: object
) -> None:
    entries = b", ".join(listing.entries())  # type: ignore[attr-defined]
    member = listing.member.encode()  # type: ignore[attr-defined]
    body = b'{"jsonrpc":"2.0","method":"notifications/x","params":{"%s":[%s]}}' % (member, entries)
    holding_keyed.recorder.script = streams(event(body), event(result()))
    received = receive(holding_keyed, where)
    found = [message for message in received.messages if "params" in message]
    shown = [
        entry[listing.name]  # type: ignore[attr-defined]
        for message in found
        for entry in message["params"][listing.member]  # type: ignore[attr-defined]
    ]
    assert set(shown) <= set(listing.shown)  # type: ignore[attr-defined]
    assert (
        b'"%s":"%s"'
        % (
            listing.name.encode(),  # type: ignore[attr-defined]
            listing.hidden[0].encode(),  # type: ignore[attr-defined]
        )
        not in received.body
    )


@pytest.mark.parametrize(
    "id", ["1", 1.0, 10, "a", None, True, [1], {"id": 1}, -1, 10**30], ids=repr
)
@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_a_list_with_another_id_is_filtered_or_replaced(
    holding_keyed: Gate, id: object, media: str
) -> None:
    body = {**LISTED, "id": id}
    for message in (LIST, ECHO):
        answer = event(body) + event(result()) if media == EVENTS else text(body)
        holding_keyed.recorder.script = replies(answer, media=media)
        if message is ECHO and id == 1.0:
            continue
        nothing_hidden_in(receive(holding_keyed, message))


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_a_list_without_an_id_or_a_version_is_filtered_or_replaced(
    holding_keyed: Gate, media: str
) -> None:
    for left_out in ("id", "jsonrpc"):
        body = {name: value for name, value in LISTED.items() if name != left_out}
        for message in (LIST, ECHO, None):
            if message is ECHO and "id" in body:
                body["id"] = 2
            answer = text(body) if media == JSON else event(body)
            holding_keyed.recorder.script = replies(answer, media=media)
            nothing_hidden_in(receive(holding_keyed, message))


def test_a_list_on_the_stream_of_a_call_is_filtered_where_it_is_not_the_calls_own_answer(
    keyed: Gate, protocol: str
) -> None:
    keyed.recorder.script = streams(event({**LISTED, "id": 2}), event(result()))
    received = receive(keyed, ECHO, protocol=protocol)
    assert received.messages == [{**FILTERED, "id": 2}, result()]


@pytest.mark.parametrize("media", [JSON, EVENTS])
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.method)
def test_an_answer_to_a_call_that_looks_like_a_list_passes_to_the_byte(
    keyed: Gate, media: str, listing: object
) -> None:
    body = listing.body()  # type: ignore[attr-defined]
    body = body if media == JSON else event(body)
    keyed.recorder.script = replies(body, media=media)
    received = receive(keyed, ECHO)
    assert received.body == body
    assert "hidden" not in received.audit


# === events ===

STREAMS = {
    "another type": event(LISTED, b"event: ping"),
    "no type": event(LISTED, b"event"),
    "an id with NUL": event(LISTED, b"id: a\0b"),
    "no space": b"data:" + BODY + b"\n\n",
    "two spaces": b"data:  " + BODY + b"\n\n",
    "a tab": b"data:\t" + BODY + b"\n\n",
    "several lines": b"".join(b"data: " + each + b"\n" for each in BODY.split(b" ")) + b"\n",
    "an empty line first": b"data\ndata: " + BODY + b"\n\n",
    "an empty line last": b"data: " + BODY + b"\ndata\n\n",
    "other lines between": BODY.replace(b'"result"', b'\nevent: x\n: y\nid: 3\ndata:"result"').join(
        [b"data: ", b"\n\n"]
    ),
    "CR": event(LISTED, end=b"\r"),
    "CRLF": event(LISTED, end=b"\r\n"),
    "CR and LF": b"data: " + BODY + b"\r\n\n",
    "LF and CR": b"data: " + BODY + b"\n\r",
    "LF and CRLF": b"data: " + BODY + b"\n\r\n",
    "CR within": b"data: " + BODY.replace(b'"tools"', b'\rdata: "tools"') + b"\n\n",
    "BOM": b"\xef\xbb\xbf" + event(LISTED),
    "BOM twice": b"\xef\xbb\xbf\xef\xbb\xbf" + event(LISTED) + event(LISTED),
    "BOM within": b": x\n\n\xef\xbb\xbf" + event(LISTED) + event(LISTED),
    "a line separator": b"data: " + BODY + "\u2028data: x\u0085".encode() + b"\n\n",
    "NUL": b"\0data: x\n\n" + event(LISTED),
    "comments": b": " + b"x" * 70_000 + b"\ndata: " + BODY + b"\n: data: {}\n\n",
    "behind another message": b"data: {}\ndata: " + BODY + b"\n\n",
    "white space": b"data: \ndata:   \ndata: " + BODY + b"\n\n",
    "form feed": b"data: \x0c" + BODY + b"\n\n",
    "no-break space": "data: \u00a0".encode() + BODY + b"\n\n",
    "capitals": b"DATA: " + BODY + b"\n\n",
    "unknown field": b"foo: " + BODY + b"\ndata: {}\n\n",
}


# What no client takes for an event may pass.
NO_EVENTS = ("capitals", "unknown field", "BOM twice", "BOM within")


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("where", [LIST, None], ids=["list", "GET"])
@pytest.mark.parametrize("size", [3, 10_000])
def test_however_an_event_is_written_its_list_is_filtered_or_replaced(
    holding_keyed: Gate, name: str, where: object, size: int
) -> None:
    stream = STREAMS[name]
    if size == 3:
        stream = stream.replace(b"x" * 70_000, b"x" * 100)
    holding_keyed.recorder.script = streams(*pieces(stream, size))
    received = receive(holding_keyed, where)
    if name in NO_EVENTS:
        assert b"get-env" not in b"".join(received.events)
    else:
        nothing_hidden_in(received)
    assert received.is_whole


@pytest.mark.parametrize("name", ["several lines", "CR", "CRLF", "CR within", "BOM", "no space"])
def test_what_a_list_in_such_an_event_has_for_the_caller_arrives(
    holding_keyed: Gate, name: str
) -> None:
    holding_keyed.recorder.script = streams(*pieces(STREAMS[name], 7))
    assert receive(holding_keyed, LIST).messages == [FILTERED]


# === statuses, early answers, ends ===


@pytest.mark.parametrize(
    "status",
    ["201 Created", "202 Accepted", "203 X", "206 Part", "302 Found", "400 No", "404 No", "503 No"],
)
@pytest.mark.parametrize("media", [JSON, EVENTS, "text/plain", "text/html", None])
def test_whatever_the_status_is_a_list_is_filtered_or_replaced(
    holding_keyed: Gate, status: str, media: str | None
) -> None:
    bodies = [BODY, b"\n \t" + BODY] + ([] if media == JSON else [event(LISTED)])
    for body in bodies:
        for message in (LIST, notification("notifications/initialized")):
            holding_keyed.recorder.script = streams(body, status=status, media=media)
            nothing_hidden_in(receive(holding_keyed, message))


def test_an_error_page_passes_to_the_byte(keyed: Gate, protocol: str) -> None:
    page = b"<!doctype html>\n\n<p>Not { here }: data: [get-env]</p>\n\n"
    for media in ("text/html", "text/plain; charset=utf-8"):
        keyed.recorder.script = streams(*pieces(page, 9), status="404 Not Found", media=media)
        received = receive(keyed, LIST, protocol=protocol)
        assert (received.status, received.body) == (404, page)


def test_a_list_that_comes_before_the_request_is_there_does_not_reach_the_client(
    plain_keyed: Gate,
) -> None:
    async def early(wire: Wire) -> None:
        await wire.answer(BODY)

    plain_keyed.recorder.script = early
    body = text(LIST)
    lines = [
        f"POST {ENDPOINT} HTTP/1.1",
        f"host: {plain_keyed.authority}",
        "content-type: application/json",
        f"authorization: Bearer {plain_keyed.token('reader')}",
        f"content-length: {len(body)}",
    ]
    with Connection(plain_keyed.ports.gate) as connection:
        connection.send("\r\n".join([*lines, "", ""]).encode())
        plain_keyed.recorder.wait("the request", lambda: bool(plain_keyed.recorder.seen))
        connection.send(body)
        answer = connection.answer()
    assert b"get-env" not in answer.body


@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_chunked_trailers_end_a_list_as_well(keyed: Gate, media: str, protocol: str) -> None:
    for body in (BODY, BODY[:-1]):
        data = body if media == JSON else event(body)
        keyed.recorder.script = streams(data, media=media, trailers=b"x-checksum: 1\r\n")
        received = receive(keyed, LIST, protocol=protocol)
        nothing_hidden_in(received)
        if body == BODY:
            got = received.json if media == JSON else received.messages[0]
            assert got == FILTERED


@pytest.mark.parametrize("content", [b"", b" ", b"\r\n", b"null", b"get-env", b'"get-env"'])
def test_what_is_no_message_at_all_is_no_list(keyed: Gate, content: bytes) -> None:
    keyed.recorder.script = replies(content)
    received = receive(keyed, LIST)
    assert received.is_whole
    assert received.body == content or received.json["error"]


def test_a_late_list_behind_a_long_result_never_becomes_complete_for_the_client(
    keyed: Gate, protocol: str
) -> None:
    """Its beginning has gone on by then; without its end no client takes it for a message."""
    content = [{"type": "text", "text": "x" * 100_000}]
    late = text(result(9, content=content, tools=LISTED["result"]["tools"]))
    for message, data, media in (
        (ECHO, event(late), EVENTS),
        (None, event(late), EVENTS),
        (ECHO, late, JSON),
    ):
        keyed.recorder.script = streams(*pieces(data, 10_000), event(result()), media=media)
        received = receive(keyed, message, protocol=protocol)
        nothing_hidden_in(received)
        assert not received.is_whole or b"xxxx" not in received.body
        assert b"echo" not in received.body


def test_a_late_second_result_never_becomes_complete_for_the_client(
    keyed: Gate, protocol: str
) -> None:
    long = json.dumps([{"type": "text", "text": "x" * 100_000}]).encode()
    listed = BODY[BODY.index(b'"result"') :]
    data = b'data: {"jsonrpc":"2.0","id":9,"result":{"content":%s},%s\n\n' % (long, listed)
    keyed.recorder.script = streams(*pieces(data, 10_000))
    for message in (ECHO, None):
        received = receive(keyed, message, protocol=protocol)
        nothing_hidden_in(received)
        assert not received.is_whole or b"xxxx" not in received.body


def test_a_cut_list_on_the_stream_of_a_call_does_not_reach_the_client(keyed: Gate) -> None:
    body = b"data: " + text({**LISTED, "id": 2})
    for length in (None, 10_000):
        keyed.recorder.script = breaks_off(body, media=EVENTS, length=length)
        nothing_hidden_in(receive(keyed, ECHO))


def test_a_list_in_pieces_behind_an_early_head_is_filtered(keyed: Gate, protocol: str) -> None:
    recorder = keyed.recorder
    cue = recorder.cue()

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head(media=JSON) + chunk(BODY[:30]))
        await recorder.await_cue()
        await wire.send(chunk(BODY[30:]) + b"0\r\n\r\n")

    recorder.script = script
    cue()
    received = receive(keyed, LIST, protocol=protocol)
    assert names(received.json) == ["echo"]
    assert received.audit["hidden"] == 1


def test_a_request_for_a_list_whose_answer_is_that_of_a_call_gets_an_error(keyed: Gate) -> None:
    keyed.recorder.script = replies(result(content=[{"type": "text", "text": "echo, get-env"}]))
    withheld(receive(keyed, LIST), "not_understood")


def test_a_sampling_request_may_name_tools_of_its_own(keyed: Gate) -> None:
    """They are for the client's model, and not those of the server's list (MCP 2025-11-25)."""
    sampling = request(
        "sampling/createMessage", "s-1", messages=[], tools=LISTED["result"]["tools"]
    )
    keyed.recorder.script = streams(event(sampling), event(result()))
    assert receive(keyed, ECHO).body == event(sampling) + event(result())
