"""Attacks by an upstream: asking the client for what the gate does not let it ask for."""

from __future__ import annotations

import pytest
from harness.answers import EVENTS, JSON, event, receive, replies, result, streams, text
from harness.bootstrap import Json
from harness.gate import Gate
from harness.messages import call, request

CLOSED, URLS = "/asks-nothing/mcp", "/opens-urls/mcp"
ECHO = call("echo")
FORM = request("elicitation/create", "e", message="m", requestedSchema={"type": "object"})
SAMPLING = request("sampling/createMessage", "s", messages=[], maxTokens=1)
ROOTS = request("roots/list", "r")
PING = request("ping", "p")


def opens(url: object, mode: str = "url", **more: object) -> Json:
    """A request that the user opens a URL."""
    params = {"mode": mode, "message": "m", "url": url, "elicitationId": "i", **more}
    return request("elicitation/create", "u", **params)


def required(*urls: object) -> Json:
    """The error that asks for URLs to be opened first (MCP 2025-11-25)."""
    elicitations = [opens(url)["params"] for url in urls]
    error = {"code": -32042, "message": "m", "data": {"elicitations": elicitations}}
    return {"jsonrpc": "2.0", "id": 1, "error": error}


ALLOWED_URLS = [
    "https://connect.example.com/start?x=1",
    "https://connect.example.com",
    "https://connect.example.com:443/",
    "https://CONNECT.example.com/",
    "https://a.example.com:8443/",
    "https://a.b.example.com:8443/x",
]
OTHER_URLS = [
    "https://evil.example/",
    "https://connect.example.com.evil.example/",
    "https://connect.example.com@evil.example/",
    "https://evil.example/connect.example.com",
    "https://evil.example#@connect.example.com/",
    "https://evil.example\\@connect.example.com/",
    "https:evil.example/",
    "https:///evil.example/",
    "//evil.example/",
    "https://connect.example.com:444/",
    "https://example.com:8443/",
    "https://a.example.com/",
    "https://user@connect.example.com/",
    "https://connect.example.com%2eevil.example/",
    "https://connect.example.com\t.evil.example/",
    "https://connect.example.com\u3002evil.example/",
    " https://evil.example/",
    "javascript:alert(1)//connect.example.com/",
    "ftp://connect.example.com/",
    "file:///connect.example.com",
    "",
    None,
    1,
    ["https://connect.example.com/"],
]


# === requests on streams ===


@pytest.mark.parametrize("message", [ECHO, None], ids=["call", "GET"])
def test_what_an_upstream_may_not_ask_is_dropped_and_the_rest_passes(
    keyed: Gate, message: object, protocol: str
) -> None:
    asked = [FORM, SAMPLING, ROOTS, opens("https://connect.example.com/")]
    stream = [event(each, b"id: %d" % number) for number, each in enumerate(asked)]
    rest = [event(PING), event(result())]
    keyed.recorder.script = streams(*stream, *rest)
    received = receive(keyed, message, path=CLOSED, protocol=protocol)
    assert received.is_whole
    assert received.messages == [PING, result()]
    # A client that resumes does so behind what it was not to have.
    assert b"id: 3\n" in received.body
    assert received.audit["withheld"] == "client_feature"


def test_urls_lead_to_the_hosts_of_the_entry_only(holding_keyed: Gate, protocol: str) -> None:
    good = [event(opens(url)) for url in ALLOWED_URLS]
    bad = [event(opens(url)) for url in OTHER_URLS]
    holding_keyed.recorder.script = streams(*good, *bad, event(result()))
    received = receive(holding_keyed, ECHO, path=URLS, protocol=protocol)
    assert [
        message["params"]["url"] for message in received.messages if "params" in message
    ] == ALLOWED_URLS
    assert b"evil" not in received.body
    assert received.audit["withheld"] == "elicitation_url"


def test_a_url_that_hides_in_another_mode_or_is_told_twice_is_dropped(
    holding_keyed: Gate,
) -> None:
    evil = "https://evil.example/"
    asked = [
        text(opens(evil, mode="URL")),
        text(opens(evil, mode="form")),
        text({**opens(evil), "method": "Elicitation/Create"}),
        text(opens("https://connect.example.com/")).replace(
            b'"url": "https', b'"url": "https://evil.example/", "url": "https'
        ),
        text(opens("https://connect.example.com/", URL=evil)),
        text(opens(evil)).replace(b'"url": "https', b'"\\u0075rl": "https'),
        text(opens(evil)).replace(b'"mode"', b'"Mode"'),
    ]
    for each in asked:
        holding_keyed.recorder.script = streams(event(each), event(result()))
        received = receive(holding_keyed, ECHO, path=URLS)
        assert b"evil" not in received.body, each
        assert received.messages[-1] == result()


# === errors and results ===


def test_an_error_that_wants_other_urls_opened_is_replaced(keyed: Gate, protocol: str) -> None:
    for urls, passes in (
        (ALLOWED_URLS, True),
        (["https://evil.example/"], False),
        ([ALLOWED_URLS[0], "https://evil.example/"], False),
    ):
        for media in (JSON, EVENTS):
            message = required(*urls)
            body = text(message) if media == JSON else event(message)
            keyed.recorder.script = replies(body, media=media)
            received = receive(keyed, ECHO, path=URLS, protocol=protocol)
            if passes:
                assert received.body == body
                continue
            got = received.json if media == JSON else received.messages[0]
            assert b"evil" not in received.body
            assert (got["id"], got["error"]["code"]) != (1, -32042)
            assert got["id"] == 1
            assert received.audit["withheld"] == "elicitation_url"


def test_other_errors_of_an_upstream_pass_to_the_byte(keyed: Gate) -> None:
    body = (
        b'{"jsonrpc" :"2.0","id":1,"error":{"code":-32603,"message":"x","data":{"url":"http://y"}}}'
    )
    keyed.recorder.script = replies(body)
    assert receive(keyed, ECHO, path=CLOSED).body == body
