"""Lists that cannot be understood, are too large or are cut off: an error, and no tool of them."""

from __future__ import annotations

import json

import pytest
from harness.answers import (
    EVENTS,
    JSON,
    breaks_off,
    ends_by_closing,
    event,
    pieces,
    receive,
    replies,
    result,
    streams,
    text,
)
from harness.bootstrap import HOLDING, PLAIN, Json, Setup
from harness.gate import Gate, StartGate
from harness.http2_upstream import Http2Upstream, Reply
from harness.listings import (
    TOOLS,
    names,
    nothing_hidden_in,
    tool,
    tools,
    withheld,
)
from harness.messages import call, request
from harness.sites import impatient

LIST = TOOLS.request()
LIMIT = 4 << 20


@pytest.fixture(params=[JSON, EVENTS])
def media(request: pytest.FixtureRequest) -> str:
    """Each kind of answer."""
    return str(request.param)


def only(received: object, media: str) -> bytes:
    """The one message of a response."""
    if media == JSON:
        return bytes(received.body)  # type: ignore[attr-defined]
    (message,) = received.events  # type: ignore[attr-defined]
    return bytes(message)


TOOL_LIST = '[{"name":"echo"},{"name":"get-env"}]'
NOT_UNDERSTOOD = {
    "a comma too many": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get-env"},]}}',
    "something behind it": f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":{TOOL_LIST}}}}} x',
    "two messages": f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":{TOOL_LIST}}}}}'
    f'\n{{"jsonrpc":"2.0","id":1,"result":{{"tools":{TOOL_LIST}}}}}',
    "two results": f'{{"jsonrpc":"2.0","id":1,"result":{{}},"result":{{"tools":{TOOL_LIST}}}}}',
    "two results, the list first": '{"jsonrpc":"2.0","id":1,'
    f'"result":{{"tools":{TOOL_LIST}}},"result":{{"tools":[]}}}}',
    "two lists": f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":[],"tools":{TOOL_LIST}}}}}',
    "two names": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","name":"get-env"}]}}',
    "two names, one escaped": '{"jsonrpc":"2.0","id":1,'
    '"result":{"tools":[{"name":"echo","n\\u0061me":"get-env"}]}}',
    "two ids": f'{{"jsonrpc":"2.0","id":1,"id":2,"result":{{"tools":{TOOL_LIST}}}}}',
    "a name in capitals": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"Name":"get-env"}]}}',
    "two names, one in capitals": '{"jsonrpc":"2.0","id":1,'
    '"result":{"tools":[{"name":"echo","Name":"get-env"}]}}',
    "a list in capitals": f'{{"jsonrpc":"2.0","id":1,"result":{{"Tools":{TOOL_LIST}}}}}',
    "a result in capitals": f'{{"jsonrpc":"2.0","id":1,"Result":{{"tools":{TOOL_LIST}}}}}',
    "a result and one in capitals": '{"jsonrpc":"2.0","id":1,"result":{"tools":[]},'
    f'"RESULT":{{"tools":{TOOL_LIST}}}}}',
    "a result and an error": '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"},'
    f'"result":{{"tools":{TOOL_LIST}}}}}',
    "a result and a method": '{"jsonrpc":"2.0","id":1,"method":"notifications/message",'
    f'"params":{{}},"result":{{"tools":{TOOL_LIST}}}}}',
    "a list that is an object": '{"jsonrpc":"2.0","id":1,'
    f'"result":{{"tools":{{"0":{TOOL_LIST}}}}}}}',
    "a list in a text": '{"jsonrpc":"2.0","id":1,"result":{"tools":"get-env"}}',
    "a result that is a list": f'{{"jsonrpc":"2.0","id":1,"result":{TOOL_LIST}}}',
    "a result that is a text": '{"jsonrpc":"2.0","id":1,"result":"get-env"}',
    "an entry that is a text": '{"jsonrpc":"2.0","id":1,"result":{"tools":["get-env"]}}',
    "an entry that is a list": '{"jsonrpc":"2.0","id":1,"result":{"tools":[["get-env"]]}}',
    "an entry without a name": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"x":"get-env"}]}}',
    "a name that is no text": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":["get-env"]}]}}',
    "half a character": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get-env\\udc00"}]}}',
    "a control character": '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get-env\x01"}]}}',
    "what is no number": '{"jsonrpc":"2.0","id":1,"result":{"x":NaN,"tools":[{"name":"get-env"}]}}',
    "a comment": '{"jsonrpc":"2.0","id":1,/* */"result":{"tools":[{"name":"get-env"}]}}',
    "one quote": "{'jsonrpc':'2.0','id':1,'result':{'tools':[{'name':'get-env'}]}}",
    "another list": '{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"get-env"}]}}',
    "no list": '{"jsonrpc":"2.0","id":1,"result":{"things":[{"name":"get-env"}]}}',
}


@pytest.mark.parametrize("kind", NOT_UNDERSTOOD)
def test_of_a_list_that_cannot_be_understood_nothing_reaches_the_client_but_an_error(
    holding_keyed: Gate, kind: str, media: str
) -> None:
    body = NOT_UNDERSTOOD[kind].encode()
    if media == EVENTS:
        body = b"".join(b"data: " + line + b"\n" for line in body.split(b"\n")) + b"\n"
    holding_keyed.recorder.script = replies(body, media=media)
    received = receive(holding_keyed, LIST)
    assert received.is_whole
    withheld(received, "not_understood")


def test_depth_and_another_version_hide_nothing(holding_keyed: Gate, media: str) -> None:
    deep = "[" * 5000 + "]" * 5000
    for body in (
        f'{{"jsonrpc":"1.0","id":1,"result":{{"tools":{TOOL_LIST}}}}}',
        f'{{"jsonrpc":2.0,"id":1,"result":{{"tools":{TOOL_LIST}}}}}',
        f'{{"jsonrpc":"2.0","id":1,"result":{{"x":{deep},"tools":{TOOL_LIST}}}}}',
        f'{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"get-env","x":{deep}}}]}}}}',
    ):
        sent = body.encode() if media == JSON else event(body.encode())
        holding_keyed.recorder.script = replies(sent, media=media)
        received = receive(holding_keyed, LIST)
        assert received.is_whole
        nothing_hidden_in(received)


@pytest.mark.parametrize("account", ["reader", "admin"])
def test_what_is_not_utf_8_is_not_understood_whoever_asks(
    keyed: Gate, account: str, media: str
) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get-env","title":"\xff"}]}}'
    keyed.recorder.script = replies(body if media == JSON else event(body), media=media)
    withheld(receive(keyed, LIST, account=account), "not_understood")


def test_a_withheld_answer_is_counted(keyed: Gate) -> None:
    def count() -> int:
        wanted = frozenset({'mcp_server="everything"', 'mcp_reason="not_understood"'})
        return keyed.counters("withheld").get(wanted, 0)

    before = count()
    keyed.recorder.script = replies(b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{}]}}')
    withheld(receive(keyed, LIST), "not_understood")
    assert count() == before + 1


# === lists that are too large, or cut off ===


def large(size: int) -> Json:
    listed = tools("echo", "get-env")
    listed["result"]["tools"].append({**tool("get-tiny-image"), "description": "x" * size})
    return listed


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_list_over_the_limit_is_replaced_by_an_error(
    keyed: Gate, media: str, is_chunked: bool, protocol: str
) -> None:
    listed = large(LIMIT)
    body = text(listed) if media == JSON else event(listed, b"id: 4")
    script = (
        streams(*pieces(body, 1 << 17), media=media) if is_chunked else replies(body, media=media)
    )
    keyed.recorder.script = script
    received = receive(keyed, LIST, protocol=protocol)
    assert received.is_whole
    withheld(received, "too_large")


def test_a_list_just_below_the_limit_is_filtered(keyed: Gate, media: str) -> None:
    listed = large(LIMIT - 1024)
    body = text(listed) if media == JSON else event(listed)
    keyed.recorder.script = streams(*pieces(body, 1 << 17), media=media)
    received = receive(keyed, LIST)
    message = json.loads(only(received, media))
    assert names(message) == ["echo", "get-tiny-image"]


def test_a_stream_goes_on_after_a_list_over_the_limit(keyed: Gate) -> None:
    after = event(request("ping", "server-1"), b"id: 5")
    body = event(large(LIMIT), b"id: 4") + after
    keyed.recorder.script = streams(*pieces(body, 1 << 17))
    received = receive(keyed, LIST)
    error, ping = received.messages
    assert (error["id"], "error" in error) == (1, True)
    assert received.body.endswith(after)
    assert ping["method"] == "ping"
    nothing_hidden_in(received)
    assert b"echo" not in received.body
    assert received.audit["withheld"] == "too_large"


LISTED = text(tools("echo", "get-env"))


@pytest.mark.parametrize("length", [None, 10_000], ids=["chunks", "length"])
@pytest.mark.parametrize("cut", [1, 40, 60, len(LISTED)])
def test_nothing_of_a_list_whose_upstream_breaks_off_reaches_the_client(
    keyed: Gate, media: str, length: int | None, cut: int, protocol: str
) -> None:
    if media == EVENTS:
        body = b"data: " + LISTED
        body = body[: cut + 6]
    else:
        body = LISTED[: min(cut, len(LISTED) - 1)]
    keyed.recorder.script = breaks_off(body, media=media, length=length)
    received = receive(keyed, LIST, protocol=protocol)
    nothing_hidden_in(received)
    assert b"echo" not in received.body
    assert not received.is_whole or b'"error"' in received.body


@pytest.mark.parametrize("cut", [1, 40, 60, -1])
def test_a_list_that_ends_too_early_is_replaced_by_an_error(
    keyed: Gate, media: str, cut: int, protocol: str
) -> None:
    listed = LISTED[:cut]
    body = listed if media == JSON else b"data: " + listed
    keyed.recorder.script = ends_by_closing(body, media=media)
    withheld(receive(keyed, LIST, protocol=protocol), "cut_off")


def test_a_list_without_its_blank_line_is_replaced_by_an_error(keyed: Gate) -> None:
    keyed.recorder.script = streams(b"data: " + LISTED + b"\n")
    withheld(receive(keyed, LIST), "cut_off")


def test_lists_behind_each_other_on_one_connection_do_not_mix(keyed: Gate, protocol: str) -> None:
    keyed.recorder.script = streams(b"data: " + LISTED)
    receive(keyed, LIST, protocol=protocol)
    keyed.recorder.script = replies(result())
    assert receive(keyed, call("echo"), protocol=protocol).json == result()


# === an upstream that speaks HTTP/2 ===


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
def test_a_list_that_ends_with_trailers_is_filtered_or_replaced(
    start_gate: StartGate, mode: str
) -> None:
    """With trailers, no part of the body says that it is the last one."""
    upstream = Http2Upstream(Reply([]))

    def envoy(config: Json) -> None:
        impatient(config)
        upstream.serve_cluster(config)

    gate = start_gate(Setup(mode, envoy=envoy))
    trailers = [("x-checksum", "1")]
    for media, whole, cut in (
        (JSON, LISTED, LISTED[:-1]),
        (EVENTS, event(LISTED), b"data: " + LISTED),
    ):
        fields = [(":status", "200"), ("content-type", media)]
        for parts in (pieces(whole, 7), [whole]):
            upstream.reply = Reply(fields, parts, trailers)
            nothing_hidden_in(receive(gate, LIST))
        upstream.reply = Reply(fields, [cut], trailers)
        received = receive(gate, LIST)
        nothing_hidden_in(received)
        assert b"echo" not in received.body
        # Without trailers, and with a length that is that of the whole.
        upstream.reply = Reply([*fields, ("content-length", str(len(whole)))], [whole])
        received = receive(gate, LIST)
        assert received.is_whole
        assert json.loads(only(received, media)) == tools("echo")
    result_of_call = text(result(content=[]))
    upstream.reply = Reply([(":status", "200"), ("content-type", JSON)], [result_of_call], trailers)
    received = receive(gate, call("echo"))
    assert received.body in (result_of_call, b"")
    upstream.close()
