"""Attacks by an upstream: lists in content types and encodings that the gate might not read."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest
from harness.answers import (
    EVENTS,
    JSON,
    Received,
    event,
    pieces,
    receive,
    replies,
    streams,
    text,
)
from harness.gate import Gate
from harness.listings import TOOLS, nothing_hidden_in, tools
from harness.messages import call

LIST = TOOLS.request()
ECHO = call("echo")
LISTED = tools("get-env", "echo")
BODY = text(LISTED)
FILTERED = tools("echo")

# BODY, compressed with Brotli (RFC 7932).
BROTLI = base64.b64decode(
    "G54AEBwHbqw1F0lwgygvQbRz2m8nbKvxfVj4JKVvFp2uPgGik9uB8dstKztoym2JB5pOTr+D//CCOM2wdC77HhOk"
    "xATMhhl8o5OTrs4ATrreoOsBbb2kAl3fjLYsnspcZWy4Bw=="
)


def no_such_content_type(received: Received) -> None:
    nothing_hidden_in(received)
    assert b"echo" not in received.body
    assert received.status == 502
    assert received.audit["reason"] == "upstream_content_type"


# === content types ===


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "text/html",
        "application/octet-stream",
        "application/jsonl",
        "application/x-ndjson",
        "application/json-seq",
        "application/vnd.mcp+json",
        "application/problem+json",
        "multipart/mixed; boundary=x",
        "application/json; charset=utf-16",
        "application/json;charset=UTF-16LE",
        'application/json; x=";"; charset="utf-7"',
        "application/json, text/plain",
        "text/event-stream; charset=utf-16",
        "application/jsonx",
        "application",
        "*/*",
        ";",
    ],
)
@pytest.mark.parametrize("message", [LIST, ECHO], ids=["list", "call"])
def test_a_success_of_a_content_type_that_mcp_does_not_have_is_replaced(
    holding_keyed: Gate, media: str, message: dict[str, object]
) -> None:
    holding_keyed.recorder.script = replies(BODY, media=media)
    no_such_content_type(receive(holding_keyed, message))


def test_the_same_in_each_header_mode_and_over_each_version_of_http(
    keyed: Gate, protocol: str
) -> None:
    keyed.recorder.script = replies(BODY, media="text/plain")
    no_such_content_type(receive(keyed, LIST, protocol=protocol))
    keyed.recorder.script = streams(*pieces(BODY, 10), media="text/html")
    no_such_content_type(receive(keyed, LIST, protocol=protocol))


def test_a_get_stream_of_another_content_type_hides_no_list(keyed: Gate, protocol: str) -> None:
    for media in ("text/plain", "application/octet-stream"):
        keyed.recorder.script = replies(event(LISTED), media=media)
        nothing_hidden_in(receive(keyed, protocol=protocol))


def test_without_a_content_type_a_list_is_filtered_or_replaced(keyed: Gate, protocol: str) -> None:
    for body in (BODY, event(LISTED), b" \r\n" + BODY, b"\r\n\r\n: x\n" + event(LISTED)):
        keyed.recorder.script = streams(body, media=None)
        received = receive(keyed, LIST, protocol=protocol)
        nothing_hidden_in(received)
        assert received.is_whole


def test_two_content_types_are_none(keyed: Gate) -> None:
    for first, second in ((JSON, EVENTS), (EVENTS, JSON), (JSON, "text/plain")):
        for body in (BODY, event(LISTED)):
            keyed.recorder.script = replies(body, f"content-type: {second}", media=first)
            nothing_hidden_in(receive(keyed, LIST))


@pytest.mark.parametrize(
    "media",
    [
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json ; Charset="UTF-8"',
        "application/json;",
        "application/json; profile=x",
    ],
)
def test_json_is_json_however_it_is_written(holding_keyed: Gate, media: str) -> None:
    holding_keyed.recorder.script = replies(BODY, media=media)
    received = receive(holding_keyed, LIST)
    assert received.json == FILTERED
    assert received.headers["content-type"] == media


@pytest.mark.parametrize("media", ["TEXT/Event-Stream", "text/event-stream;charset=utf-8"])
def test_an_event_stream_is_one_however_it_is_written(holding_keyed: Gate, media: str) -> None:
    holding_keyed.recorder.script = replies(event(LISTED), media=media)
    assert receive(holding_keyed, LIST).messages == [FILTERED]


@pytest.mark.parametrize("media", [EVENTS, "text/event-stream; x=application/json"])
def test_json_that_says_it_is_a_stream_is_no_event(holding_keyed: Gate, media: str) -> None:
    for body in (BODY, BODY + b"\n\n", b"data" + BODY + b"\n\n"):
        holding_keyed.recorder.script = replies(body, media=media)
        received = receive(holding_keyed, LIST)
        assert received.events == [] or b"get-env" not in b"".join(received.events)


# === encodings ===


def deflated(data: bytes) -> bytes:
    packed = zlib.compressobj(wbits=-15)
    return packed.compress(data) + packed.flush()


ENCODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "deflate, raw": deflated(BODY),
    "gzip, gzip": gzip.compress(gzip.compress(BODY)),
    "identity, gzip": gzip.compress(BODY),
    "GZIP": gzip.compress(BODY),
    "br": BROTLI,
    "zstd": b"\x28\xb5\x2f\xfd\x04\x00" + BODY,
    "gzip, but plain": BODY,
    "br, but plain": BODY,
    "unheard-of": BODY,
    "utf-8": BODY,
    "": gzip.compress(BODY),
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("media", [JSON, EVENTS])
def test_a_compressed_answer_is_replaced(holding_keyed: Gate, name: str, media: str) -> None:
    encoding = name.partition(", but")[0].partition(", raw")[0]
    holding_keyed.recorder.script = replies(
        ENCODED[name], f"content-encoding: {encoding}", media=media
    )
    received = receive(holding_keyed, LIST)
    nothing_hidden_in(received)
    assert ENCODED[name] not in received.body
    if encoding:
        assert received.status == 502
        assert received.audit["reason"] == "upstream_encoding"
        assert "content-encoding" not in received.headers


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 No"])
def test_the_same_whatever_is_called_and_answered(keyed: Gate, status: str, protocol: str) -> None:
    for message in (LIST, ECHO):
        keyed.recorder.script = replies(
            ENCODED["gzip"], "content-encoding: gzip", status=status, media=EVENTS
        )
        received = receive(keyed, message, protocol=protocol)
        assert received.status == 502
        assert received.audit["reason"] == "upstream_encoding"


def test_the_upstream_is_asked_for_what_is_not_compressed(keyed: Gate, protocol: str) -> None:
    keyed.recorder.script = replies(BODY, "content-encoding: identity")
    for message in (LIST, None):
        headers = {"accept-encoding": "gzip, br, zstd"}
        receive(keyed, message, headers=headers, protocol=protocol)
    for seen in keyed.upstream_since(0):
        assert seen.header("accept-encoding") == "identity"


def test_compressed_bytes_that_do_not_say_so_are_no_list(keyed: Gate) -> None:
    keyed.recorder.script = replies(ENCODED["gzip"])
    nothing_hidden_in(receive(keyed, LIST))


def test_other_encodings_of_unicode_hide_nothing(keyed: Gate) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        body = BODY.decode().encode(encoding)
        keyed.recorder.script = replies(body)
        received = receive(keyed, LIST)
        nothing_hidden_in(received)
        assert "get-env".encode("utf-32-le") not in received.body
