"""What is special where Envoy cannot hold headers: the upstream sees them, and may answer early."""

from __future__ import annotations

import json
import uuid

import pytest
from harness.gate import ENDPOINT, Gate
from harness.messages import call
from harness.recorder import Wire
from harness.wire import Answer, Connection, Headers, Http2


def head(gate: Gate, method: str, token: str, *more: tuple[str, str]) -> Headers:
    fields = [
        (":method", method),
        (":scheme", "http"),
        (":authority", gate.authority),
        (":path", ENDPOINT),
        ("authorization", f"Bearer {token}"),
        ("content-type", "application/json"),
        *more,
    ]
    return [(name.encode(), value.encode()) for name, value in fields]


def post_in_two_parts(gate: Gate) -> tuple[Answer, str]:
    """A denied call whose body ends only once the upstream has its head and has answered."""
    name = str(uuid.uuid4())
    body = json.dumps(call("get-env")).encode()
    with Connection(gate.ports.gate) as connection:
        connection.send(
            f"POST {ENDPOINT} HTTP/1.1\r\nhost: {gate.authority}\r\n"
            f"authorization: Bearer {gate.token('reader')}\r\nx-request-id: {name}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body[:5]
        )
        return connection.answer(), name


def test_the_upstream_sees_the_head_of_a_denied_call_with_the_identity_and_no_more(
    plain: Gate, protocol: str
) -> None:
    outcome = plain.post(call("get-env"), protocol=protocol).refused(200, "hidden")
    for seen in outcome.upstream:
        assert seen.header("x-mcp-subject") == "reader"
        assert seen.header("authorization") is None
        plain.recorder.wait("the reset", lambda seen=seen: seen.cut)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: secret\n\n",
        b"HTTP/1.1 401 No\r\nwww-authenticate: Bearer secret\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://secret/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nx-secret: secret\r\n\r\n",
    ],
    ids=lambda answer: answer.split(b"\r\n")[0].decode(),
)
def test_an_answer_before_the_permit_is_replaced(plain: Gate, answer: bytes) -> None:
    async def early(wire: Wire) -> None:
        await wire.send(answer)

    plain.recorder.script = early
    got, name = post_in_two_parts(plain)
    assert got.status == 502
    assert b"secret" not in got.body + str(got.headers).encode()
    assert json.loads(got.body)["error"]["code"] == 403
    assert plain.audit(name)["reason"] == "early_response"


def test_interim_answers_before_the_permit_do_not_pass_either(plain: Gate) -> None:
    async def early(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nlink: <secret>\r\n\r\n")
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")

    plain.recorder.script = early
    got, _ = post_in_two_parts(plain)
    assert got.status == 502
    assert b"secret" not in got.body + str(got.headers).encode()


def test_an_upstream_that_hangs_up_before_the_permit_is_envoys_own_error(plain: Gate) -> None:
    async def hang_up(wire: Wire) -> None:
        wire.writer.close()

    plain.recorder.script = hang_up
    got, name = post_in_two_parts(plain)
    assert got.status == 503
    assert plain.audit(name)["outcome"] == "aborted"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("more", [[], [("content-length", "0")]], ids=["open", "empty"])
def test_a_refused_get_or_delete_with_an_open_body_reaches_nothing(
    plain: Gate, method: str, more: list[tuple[str, str]]
) -> None:
    """Servers act on the head of these: whoever may not end a session would have ended it."""
    token = plain.issuer.token("someone", plain.resource, scope="other")
    with Http2(plain.ports.gate) as connection:
        stream = connection.begin(head(plain, method, token, *more))
        assert plain.upstream_since(0) == []
        connection.data(stream, b"", end=True)
        assert connection.answer(stream).status == 403
    assert plain.upstream_since(0) == []


def test_a_post_whose_head_says_that_it_has_no_body_reaches_nothing(plain: Gate) -> None:
    with Http2(plain.ports.gate) as connection:
        more = ("content-length", "0")
        stream = connection.begin(head(plain, "POST", plain.token("reader"), more))
        assert plain.upstream_since(0) == []
        connection.data(stream, b"", end=True)
        assert connection.answer(stream).status == 400
    assert plain.upstream_since(0) == []


def test_a_caller_who_is_not_known_is_refused_before_the_upstream_sees_anything(
    plain: Gate, protocol: str
) -> None:
    plain.post(call("echo"), account=None, protocol=protocol).refused(401, "no_token").unseen()
    other = plain.issuer.token("reader", "http://other")
    plain.post(call("echo"), token=other, protocol=protocol).refused(401, "wrong_audience").unseen()
