"""Lists show what the caller may use, wherever they arrive, and are not changed otherwise."""

from __future__ import annotations

import json

import pytest
from harness.answers import (
    EVENTS,
    JSON,
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
from harness.listings import (
    LISTINGS,
    TOOLS,
    Listing,
    names,
    tools,
)
from harness.messages import modern, modern_headers, notification, request
from harness.recorder import Wire
from harness.wire import Answer, Connection, Headers, Http2

LIST = TOOLS.request()


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


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.method)
def test_an_entry_stays_to_the_byte_exactly_when_the_caller_could_use_it(
    keyed: Gate, listing: Listing, media: str, protocol: str
) -> None:
    body = listing.body()
    keyed.recorder.script = replies(body if media == JSON else event(body), media=media)
    received = receive(keyed, listing.request(), protocol=protocol)
    assert received.status == 200
    assert received.headers["content-type"] == media
    got = only(received, media)
    before, after = listing.around()
    assert got.startswith(before) and got.endswith(after), got
    message = json.loads(got)
    whole = json.loads(body)
    kept = [
        entry for entry in whole["result"][listing.member] if entry[listing.name] in listing.shown
    ]
    whole["result"][listing.member] = kept
    assert message == whole
    entries = [entry for entry in listing.entries() if json.loads(entry) in kept]
    assert all(entry in got for entry in entries)
    assert received.audit["hidden"] == len(listing.hidden)
    assert "withheld" not in received.audit
    (seen,) = keyed.upstream_since(0)
    assert seen.message == listing.request()


def test_content_length_is_that_of_what_the_client_gets_or_not_there(
    keyed: Gate, protocol: str
) -> None:
    keyed.recorder.script = replies(TOOLS.body())
    received = receive(keyed, LIST, protocol=protocol)
    assert received.is_whole and len(received.body) < len(TOOLS.body())
    assert received.headers.get("content-length", str(len(received.body))) == str(
        len(received.body)
    )


@pytest.mark.parametrize("scope", ["public", "private"])
@pytest.mark.parametrize("tool_names", [["echo"], ["echo", "get-env"], []])
def test_a_filtered_list_is_private_and_its_other_members_stay(
    keyed: Gate, media: str, scope: str, tool_names: list[str]
) -> None:
    members = {"ttlMs": 60_000, "cacheScope": scope, "resultType": "complete", "nextCursor": "c"}
    listed = tools(*tool_names, **members)
    body = text(listed) if media == JSON else event(listed)
    keyed.recorder.script = replies(body, media=media)
    message = modern(LIST)
    received = receive(keyed, message, version=MODERN, headers=modern_headers(message))
    shown = [name for name in tool_names if name == "echo"]
    expected = tools(*shown, **{**members, "cacheScope": "private"})
    assert json.loads(only(received, media)) == expected


def test_a_page_of_nothing_that_is_for_the_caller_is_empty_and_goes_on(
    keyed: Gate, media: str
) -> None:
    listed = tools("get-env", "rm", nextCursor="page-2")
    keyed.recorder.script = replies(text(listed) if media == JSON else event(listed), media=media)
    received = receive(keyed, TOOLS.request(1, cursor="page-1"))
    assert json.loads(only(received, media)) == tools(nextCursor="page-2")
    assert received.audit["hidden"] == 2
    assert keyed.upstream_since(0)[0].message["params"] == {"cursor": "page-1"}


def test_a_list_of_everything_that_the_caller_may_use_is_not_changed_at_all(
    keyed: Gate, media: str
) -> None:
    listed = tools("echo", "get-tiny-image", nextCursor="x")
    body = text(listed) if media == JSON else event(listed, b"id: 1", b"retry: 5", b": x")
    keyed.recorder.script = replies(body, media=media)
    received = receive(keyed, LIST)
    assert received.body == body
    assert "hidden" not in received.audit


@pytest.mark.parametrize("account", ["reader", "writer", "admin"])
def test_each_account_has_lists_of_its_own(keyed: Gate, account: str) -> None:
    keyed.recorder.script = replies(tools("echo", "get-sum", "get-env", "rm"))
    shown = names(receive(keyed, LIST, account=account).json)
    assert shown == ["echo", "get-sum"] + (["get-env"] if account == "admin" else [])


@pytest.mark.parametrize(
    ("account", "path", "shown"),
    [
        ("reader", ENDPOINT, ["echo", "get-sum"]),
        ("reader", "/sparse/mcp", ["echo"]),
        ("writer", "/sparse/mcp", ["echo", "get-sum"]),
    ],
)
def test_what_takes_scopes_that_can_be_obtained_is_shown_or_not_as_the_entry_says(
    keyed: Gate, account: str, path: str, shown: list[str]
) -> None:
    keyed.recorder.script = replies(tools("echo", "get-sum", "get-env"))
    received = receive(keyed, LIST, account=account, path=path)
    assert names(received.json) == shown


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.method)
def test_where_nothing_is_enforced_lists_pass_as_they_are(
    keyed: Gate, listing: Listing, media: str
) -> None:
    body = listing.body() if media == JSON else event(listing.body())
    keyed.recorder.script = replies(body, media=media)
    received = receive(keyed, listing.request(), path="/trial/mcp")
    assert received.body == body
    assert "hidden" not in received.audit


def test_other_messages_on_the_stream_of_a_list_pass_to_the_byte(
    keyed: Gate, protocol: str
) -> None:
    progress = notification("notifications/progress", progressToken=1, progress=0.5)
    log = notification("notifications/message", level="info", data={"tools": "get-env?"})
    before = [
        b": hello\n\n",
        b"id: 0\ndata:\n\n",
        event(progress, b"event: message", b"id: 1"),
        event(request("ping", "server-1"), b"id:2"),
    ]
    after = [event(log), b":\n\n", b"retry: 10\n\n"]
    listed = event(tools("get-env", "echo", "rm"), b"event: message", b"id: 3")
    filtered = event(tools("echo"), b"event: message", b"id: 3")
    keyed.recorder.script = streams(*before, listed, *after)
    received = receive(keyed, LIST, protocol=protocol)
    assert received.is_whole
    start, end = b"".join(before), b"".join(after)
    assert received.body.startswith(start) and received.body.endswith(end)
    middle = received.body.removeprefix(start).removesuffix(end)
    assert middle.startswith(b"event: message\nid: 3\n")
    assert received.messages[-2] == tools("echo")
    assert len(middle) <= len(filtered) + 8
    assert received.audit["hidden"] == 2


def test_every_list_on_one_stream_is_filtered(keyed: Gate) -> None:
    batch = [TOOLS.request(number) for number in range(3)]
    listed = [tools("get-env", "echo", id=number) for number in range(3)]
    keyed.recorder.script = streams(*[event(each) for each in listed])
    received = receive(keyed, batch, version="2025-03-26")
    assert received.messages == [tools("echo", id=number) for number in range(3)]
    assert received.audit["hidden"] == 3


def test_a_batch_is_answered_with_an_array_of_filtered_lists(keyed: Gate) -> None:
    batch = [listing.request(number) for number, listing in enumerate(LISTINGS)]
    listed = b"[%s]" % b" , ".join(
        listing.body(b"%d" % number) for number, listing in enumerate(LISTINGS)
    )
    keyed.recorder.script = replies(listed)
    received = receive(keyed, batch, version="2025-03-26")
    assert received.is_whole
    for number, (listing, message) in enumerate(
        zip(LISTINGS, json.loads(received.body), strict=True)
    ):
        assert message["id"] == number
        shown = [entry[listing.name] for entry in message["result"][listing.member]]
        assert sorted(shown) == sorted(listing.shown)


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.method)
def test_a_list_is_recognised_by_its_shape_where_no_request_is_known(
    keyed: Gate, protocol: str, resumed: bool, listing: Listing
) -> None:
    other = event(notification("notifications/message", level="info", data="x"), b"id: 8")
    keyed.recorder.script = streams(other, event(listing.body(b'"a"'), b"id: 9"), other)
    headers = {"last-event-id": "7"} if resumed else {}
    received = receive(keyed, headers=headers, protocol=protocol)
    assert received.body.startswith(other) and received.body.endswith(other)
    assert b"id: 9\n" in received.body
    (_, message, _) = received.messages
    shown = [entry[listing.name] for entry in message["result"][listing.member]]
    assert sorted(shown) == sorted(listing.shown)
    assert message["id"] == "a"
    assert received.audit["hidden"] == len(listing.hidden)
    (seen,) = keyed.upstream_since(0)
    assert seen.header("last-event-id") == ("7" if resumed else None)


@pytest.mark.parametrize("size", [7_000, 65_536, 10_000_000])
def test_a_list_of_a_thousand_tools_is_filtered(keyed: Gate, media: str, size: int) -> None:
    all_names = [f"{'get' if number % 2 else 'set'}-{number}" for number in range(1000)]
    listed = tools(*all_names)
    for each in listed["result"]["tools"]:
        each["description"] = each["name"] * 50
    body = text(listed) if media == JSON else event(listed)
    keyed.recorder.script = streams(*pieces(body, size), media=media)
    received = receive(keyed, LIST)
    kept = [each for each in listed["result"]["tools"] if each["name"].startswith("get-")]
    assert json.loads(only(received, media)) == result(tools=kept)
    assert received.audit["hidden"] == 500


# === two identities on one connection ===


def test_two_identities_in_turn_on_one_http1_connection_have_their_own_lists(
    keyed: Gate, media: str
) -> None:
    listed = tools("echo", "get-env")
    keyed.recorder.script = replies(text(listed) if media == JSON else event(listed), media=media)
    body = text(LIST)
    with Connection(keyed.ports.gate) as connection:
        for account in ("reader", "admin", "reader", "admin"):
            lines = [
                f"POST {ENDPOINT} HTTP/1.1",
                f"host: {keyed.authority}",
                "content-type: application/json",
                f"authorization: Bearer {keyed.token(account)}",
                f"content-length: {len(body)}",
            ]
            connection.send("\r\n".join([*lines, "", ""]).encode() + body)
            got = connection.answer().body
            assert (b"get-env" in got) == (account == "admin")
            assert b"echo" in got


def head2(gate: Gate, account: str) -> Headers:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":authority": gate.authority,
        ":path": ENDPOINT,
        "content-type": "application/json",
        "authorization": f"Bearer {gate.token(account)}",
    }
    return [(name.encode(), value.encode()) for name, value in fields.items()]


@pytest.mark.parametrize("is_stream", [False, True])
def test_two_identities_interleaved_on_one_http2_connection_have_their_own_lists(
    keyed: Gate, is_stream: bool
) -> None:
    recorder = keyed.recorder
    accounts = ["reader", "admin", "writer", "admin", "reader", "writer"]
    began: list[None] = []
    listed = tools("echo", "get-env")
    body = event(listed) if is_stream else text(listed)

    async def script(wire: Wire) -> None:
        """Each sends a piece, and waits until all have sent theirs, to the end."""
        await wire.ended.wait()
        await wire.send(head(media=EVENTS if is_stream else JSON))
        for turn, piece in enumerate(pieces(body, 20), 1):
            await wire.send(chunk(piece))
            began.append(None)
            await recorder.until(lambda turn=turn: len(began) >= turn * len(accounts))
        await wire.send(b"0\r\n\r\n")

    recorder.script = script
    with Http2(keyed.ports.gate) as connection:
        numbers = []
        for account in accounts:
            number = connection.begin(head2(keyed, account))
            connection.data(number, text(LIST), end=True)
            numbers.append(number)
        answers: list[Answer] = connection.answers(*numbers)
    for account, answer in zip(accounts, answers, strict=True):
        assert answer.is_whole
        assert (b"get-env" in answer.body) == (account == "admin")
        assert b"echo" in answer.body
