"""An upstream that writes down whatever reaches it, and answers as a test wants it to."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import h11

LOOPBACK = "127.0.0.1"
PATIENCE = 10.0
POLL = 0.05

# Marks a request that a test sends for no other reason than to see it arrive.
FENCE = "x-fence"


@dataclass
class Seen:
    """One request as the upstream saw it, complete or not."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = False
    cut: bool = False

    def header(self, name: str) -> str | None:
        """The values of a header, joined as RFC 9110 allows; None without any."""
        values = [value for each, value in self.headers if each == name]
        return ", ".join(values) if values else None

    @property
    def message(self) -> dict[str, object]:
        """The body as JSON."""
        return dict(json.loads(self.body))


@dataclass
class Wire:
    """The upstream's end of one exchange, for scripts."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self.writer.write(data)
        await self.writer.drain()

    def no_delay(self) -> None:
        """From now on, each `send` is a segment of its own."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def gone(self) -> None:
        """Wait until Envoy has closed the connection."""
        with suppress(OSError):
            await self.reader.read()

    async def answer(
        self, body: bytes, *headers: str, status: str = "200 OK", media: str = "application/json"
    ) -> None:
        """A whole response."""
        lines = [f"HTTP/1.1 {status}", f"content-type: {media}", f"content-length: {len(body)}"]
        await self.send("\r\n".join([*lines, *headers, "", ""]).encode() + body)


Script = Callable[[Wire], Awaitable[None]]


LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}


async def answer_result(wire: Wire) -> None:
    """What an MCP server does: a result for a request, an empty list for one, 202 for the rest."""
    await wire.ended.wait()
    if not wire.seen.complete:
        return
    message = json.loads(wire.seen.body) if wire.seen.body else {}
    if not isinstance(message, dict) or "id" not in message or "method" not in message:
        await wire.answer(b"", status="202 Accepted")
        return
    result: dict[str, object] = {"from": "upstream"}
    if message["method"] in LISTS:
        result[LISTS[message["method"]]] = []
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    await wire.answer(json.dumps(answer).encode())


class Recorder:
    """The server; it runs in a thread of its own."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.raw = bytearray()
        self.connections = 0
        self.gone = 0
        self.script: Script = answer_result
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._go_on: list[asyncio.Event] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._connection, LOOPBACK, 0), self._loop
        ).result(PATIENCE)
        self.port: int = server.sockets[0].getsockname()[1]

    def forget(self) -> None:
        """A new test begins."""
        self.seen, self.raw, self.connections, self.gone = [], bytearray(), 0, 0
        self._go_on = []
        self.script = answer_result

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until something holds of what was seen."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                assert time.monotonic() < deadline, f"not seen: {what}; but {self.seen}"
                self._changed.wait(POLL)

    def pauses(self, value: Callable[[], int]) -> int:
        """Wait until a number does not change any more; the number."""
        deadline = time.monotonic() + PATIENCE
        last, same = value(), 0
        while same < 6:
            assert time.monotonic() < deadline, "it does not pause"
            time.sleep(POLL)
            now = value()
            same = same + 1 if now == last else 0
            last = now
        return last

    def cue(self) -> Callable[[], None]:
        """Something for a script to wait for (`await_cue`), and a call that gives it."""
        event = asyncio.Event()
        self._go_on.append(event)
        return lambda: self._loop.call_soon_threadsafe(event.set)

    async def await_cue(self) -> None:
        """Wait for the next cue."""
        await asyncio.wait_for(self._go_on[0].wait(), PATIENCE)
        self._go_on.pop(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait, in a script, until something holds that other scripts bring about."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """End the thread; what is still open goes with it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._notify()
        parser = h11.Connection(h11.SERVER)
        try:
            while await self._exchange(parser, reader, writer):
                parser = h11.Connection(h11.SERVER)
        except OSError:
            pass
        finally:
            with suppress(OSError):
                writer.close()

    async def _exchange(
        self, parser: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether another can follow."""
        request = await self._event(parser, reader)
        if not isinstance(request, h11.Request):
            return False
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
        seen = Seen(request.method.decode(), request.target.decode("latin-1"), headers)
        self.seen.append(seen)
        self._notify()
        wire = Wire(seen, reader, writer)
        script = asyncio.ensure_future(self._script(seen)(wire))
        try:
            while not (seen.complete or seen.cut):
                event = await self._event(parser, reader)
                if isinstance(event, h11.Data):
                    seen.body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    seen.complete = True
                else:
                    seen.cut = True
                self._notify()
            wire.ended.set()
            if seen.cut:
                script.cancel()
            with suppress(asyncio.CancelledError):
                await script
            return seen.complete and not writer.is_closing()
        finally:
            script.cancel()

    def _script(self, seen: Seen) -> Script:
        """The test's script, but not for the request that shows that no more is on its way."""
        return answer_result if seen.header(FENCE) is not None else self.script

    async def _event(self, parser: h11.Connection, reader: asyncio.StreamReader) -> object:
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                return None
            if event is not h11.NEED_DATA:
                return event
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            self.raw += data
            parser.receive_data(data)
