"""HTTP/1.1 and HTTP/2 by hand, for requests that no HTTP client would send."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .recorder import LOOPBACK, PATIENCE

Headers = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """A response."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    is_whole: bool = True

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for each, value in self.headers if each == name), None)


class Connection:
    """A TCP connection to the gate."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
        # Pieces must go out as they are given.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Put bytes on the wire."""
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """Whatever comes next; nothing once the gate has closed."""
        try:
            return self._socket.recv(65536)
        except ConnectionError:
            return b""

    def answer(self, method: str = "POST") -> Answer:
        """The next HTTP/1.1 response, whole."""
        response = http.client.HTTPResponse(self._socket, method=method)
        response.begin()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, headers, response.read())

    def reset(self) -> None:
        """Go away without a word (RST)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def http1(port: int, line: str | bytes, headers: Headers, body: bytes = b"") -> Answer:
    """One HTTP/1.1 request, byte for byte, on a connection of its own."""
    line = line.encode() if isinstance(line, str) else line
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    with Connection(port) as connection:
        connection.send(line + b"\r\n" + fields + b"\r\n" + body)
        return connection.answer(line.split(b" ", 1)[0].decode("latin-1"))


class Http2:
    """An HTTP/2 connection that lets headers through as they are given."""

    def __init__(self, port: int) -> None:
        config = h2.config.H2Configuration(
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            header_encoding="latin-1",
        )
        self._h2 = h2.connection.H2Connection(config)
        # As literals: the Huffman code of a very long value takes seconds.
        self._h2.encoder.encode = partial(self._h2.encoder.encode, huffman=False)
        self._wire = Connection(port)
        self._h2.initiate_connection()
        self._flush()

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.__exit__()

    def begin(self, headers: Headers, *, end: bool = False) -> int:
        """Send request headers; the stream."""
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, headers, end_stream=end)
        self._flush()
        return stream

    def data(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send a DATA frame."""
        self._h2.send_data(stream, data, end_stream=end)
        self._flush()

    def trailers(self, stream: int, headers: Headers) -> None:
        """End a stream with trailers."""
        self._h2.send_headers(stream, headers, end_stream=True)
        self._flush()

    def reset(self, stream: int) -> None:
        """Cancel a stream."""
        self._h2.reset_stream(stream, error_code=8)
        self._flush()

    def head(self, stream: int) -> None:
        """Wait until a response has begun."""
        for event in self._events():
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                return

    def answer(self, stream: int) -> Answer:
        """The response on a stream; status 0 if the stream was reset before one came."""
        return self.answers(stream)[0]

    def answers(self, *streams: int) -> list[Answer]:
        """The responses on several streams, in whatever order they come."""
        answers = {stream: Answer(0, is_whole=False) for stream in streams}
        open_streams = set(streams)
        for event in self._events():
            stream = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.ConnectionTerminated):
                break
            if stream not in open_streams:
                continue
            answer = answers[stream]
            if isinstance(event, h2.events.ResponseReceived):
                fields = [(str(name), str(value)) for name, value in event.headers]
                answer.status = int(fields[0][1])
                answer.headers = fields[1:]
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
                self._flush()
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                answer.is_whole = isinstance(event, h2.events.StreamEnded)
                open_streams.remove(stream)
                if not open_streams:
                    break
        return list(answers.values())

    def _events(self) -> Iterable[h2.events.Event]:
        while data := self._wire.receive():
            yield from self._h2.receive_data(data)
            self._flush()

    def _flush(self) -> None:
        self._wire.send(self._h2.data_to_send())


def http2(port: int, headers: Headers, body: bytes | None = None) -> Answer:
    """One HTTP/2 request, on a connection of its own."""
    with Http2(port) as connection:
        stream = connection.begin(headers, end=body is None)
        if body is not None:
            connection.data(stream, body, end=True)
        return connection.answer(stream)
