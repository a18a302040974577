"""What an upstream answers, written by hand, and all that a client gets of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from .bootstrap import Json
from .gate import ENDPOINT, HTTP1, LEGACY, Gate
from .recorder import Script, Wire

JSON = "application/json"
EVENTS = "text/event-stream"


def text(message: object) -> bytes:
    """A message as JSON text; what is text already stays as it is."""
    if isinstance(message, bytes):
        return message
    return json.dumps(message, ensure_ascii=False).encode()


def result(id: object = 1, **members: object) -> Json:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": id, "result": members}


def event(message: object, *lines: bytes, end: bytes = b"\n") -> bytes:
    """An event with one line of data, after other lines."""
    return b"".join(line + end for line in (*lines, b"data: " + text(message), b""))


def chunk(data: bytes) -> bytes:
    """A chunk of a body (RFC 9112, section 7.1)."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def head(status: str = "200 OK", media: str | None = EVENTS, *headers: str) -> bytes:
    """The head of a response whose body comes in chunks."""
    lines = [f"HTTP/1.1 {status}", "transfer-encoding: chunked", *headers]
    lines += [] if media is None else [f"content-type: {media}"]
    return "\r\n".join([*lines, "", ""]).encode()


def replies(message: object, *headers: str, status: str = "200 OK", media: str = JSON) -> Script:
    """Answers with a message, whole and with its length."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        if wire.seen.complete:
            await wire.answer(text(message), *headers, status=status, media=media)

    return script


def streams(
    *parts: bytes, status: str = "200 OK", media: str | None = EVENTS, trailers: bytes = b""
) -> Script:
    """Answers with a body in chunks, each of them on the wire before the next one."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        if not wire.seen.complete:
            return
        await wire.send(head(status, media))
        for part in parts:
            await wire.send(chunk(part))
        await wire.send(b"0\r\n" + trailers + b"\r\n")

    return script


def breaks_off(body: bytes, *, media: str = JSON, length: int | None = None) -> Script:
    """Closes the connection in the middle: of a length, or of chunks."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        if length is None:
            await wire.send(head(media=media) + chunk(body))
        else:
            lines = f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
            await wire.send(lines.encode() + body)
        wire.writer.close()

    return script


def ends_by_closing(body: bytes, *, media: str = JSON) -> Script:
    """Says no length, so that the end of the connection is the end of the body."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        lines = f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\nconnection: close\r\n\r\n"
        await wire.send(lines.encode() + body)
        wire.writer.close()

    return script


def pieces(data: bytes, size: int) -> list[bytes]:
    """The same in pieces of a size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@dataclass(frozen=True)
class Received:
    """A response as a client got it, whole or not."""

    gate: Gate
    request_id: str
    status: int
    headers: httpx.Headers
    body: bytes
    is_whole: bool

    @property
    def json(self) -> Json:
        """The body as one message."""
        assert self.is_whole
        return dict(json.loads(self.body))

    @property
    def events(self) -> list[bytes]:
        """The data of the events that a client dispatches (WHATWG HTML)."""
        return dispatched(self.body)

    @property
    def messages(self) -> list[Json]:
        """The messages in the events."""
        return [json.loads(data) for data in self.events]

    @property
    def audit(self) -> Json:
        """The one audit line."""
        return self.gate.audit(self.request_id)


def dispatched(stream: bytes) -> list[bytes]:
    """The data of the events in a stream; of one without its blank line, nothing."""
    found: list[bytes] = []
    data: list[bytes] = []
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in lines.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line:
            if any(data):
                found.append(b"\n".join(data))
            data = []
    return found


@contextmanager
def opened(
    gate: Gate,
    message: object = None,
    *,
    account: str = "reader",
    path: str = ENDPOINT,
    version: str = LEGACY,
    headers: Mapping[str, str] | None = None,
    protocol: str = HTTP1,
) -> Iterator[httpx.Response]:
    """A request, POST with a message and GET without one, whose response the test reads."""
    sent = {
        "accept": f"{JSON}, {EVENTS}" if message is not None else EVENTS,
        "mcp-protocol-version": version,
        "authorization": f"Bearer {gate.token(account, path)}",
        "x-request-id": str(uuid.uuid4()),
        **({"content-type": JSON} if message is not None else {}),
        **(headers or {}),
    }
    content = None if message is None else text(message)
    method = "GET" if message is None else "POST"
    client = gate.client(protocol)
    with client.stream(method, path, headers=sent, content=content) as response:
        yield response


def receive(gate: Gate, message: object = None, **more: object) -> Received:
    """The whole response to a request, or as much of it as there is."""
    body = b""
    is_whole = True
    with opened(gate, message, **more) as response:  # type: ignore[arg-type]
        try:
            for part in response.iter_raw():
                body += part
        except httpx.RemoteProtocolError:
            is_whole = False
    request_id = response.request.headers["x-request-id"]
    return Received(gate, request_id, response.status_code, response.headers, body, is_whole)
