"""An upstream that speaks HTTP/2, for what HTTP/1.1 has no way to say: trailers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

from .bootstrap import Json
from .recorder import LOOPBACK

Fields = list[tuple[str, str]]


@dataclass
class Reply:
    """What every request gets."""

    fields: Fields
    parts: list[bytes] = field(default_factory=list)
    trailers: Fields | None = None


class Http2Upstream:
    """The server; each connection has a thread."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def serve_cluster(self, config: Json) -> None:
        """Let Envoy's first cluster lead here."""
        cluster = config["static_resources"]["clusters"][0]
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"]["port_value"] = self.port
        options = cluster["typed_extension_protocol_options"]
        (protocol,) = options.values()
        # Other clusters are written with the same words.
        mine = {**protocol, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = dict.fromkeys(options, mine)

    def close(self) -> None:
        """Stop to listen."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        protocol.initiate_connection()

        def flush() -> None:
            wire.sendall(protocol.data_to_send())

        flush()
        with suppress(OSError), wire:
            while data := wire.recv(65536):
                for event in protocol.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded):
                        self._answer(protocol, event.stream_id, flush)
                    elif isinstance(event, h2.events.DataReceived):
                        size = event.flow_controlled_length
                        protocol.acknowledge_received_data(size, event.stream_id)
                flush()

    def _answer(
        self, protocol: h2.connection.H2Connection, stream: int, flush: Callable[[], None]
    ) -> None:
        reply = self.reply
        protocol.send_headers(stream, reply.fields)
        flush()
        for part in reply.parts:
            protocol.send_data(stream, part)
            flush()
        if reply.trailers is None:
            protocol.end_stream(stream)
        else:
            protocol.send_headers(stream, reply.trailers, end_stream=True)
        flush()
