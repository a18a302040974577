"""Event streams: when the first event comes, and what many open ones take."""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from demo.stack.errors import StackError
from demo.stack.places import LOOPBACK

from . import material
from .affinity import Cores
from .load import Request
from .material import PATH, RULES, Material
from .stage import Stage
from .usage import resident_bytes, settled_vm_bytes
from .workloads import FILTER, NATIVE, NONE

PATIENCE = 10.0
# What makes the upstream answer with a stream.
MARK = b'"text":"stream"'
EVENT = b"data: "
END = b"\r\n0\r\n\r\n"
STREAMS_PER_ROUND = 40
OPEN_TOGETHER = 200


@dataclass
class FoundStreams:
    """Time to the first event, the median of each round in microseconds; memory in bytes."""

    first_event_us: dict[str, list[float]] = field(default_factory=dict)
    open_together: int = OPEN_TOGETHER
    vm_growth: dict[str, int] = field(default_factory=dict)
    resident_growth: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return asdict(self)


def measure(
    stage: Stage, cores: Cores, made: Material, rounds: int, check: Callable[[], None]
) -> FoundStreams:
    """All rounds, after one that is not counted."""
    found = FoundStreams()
    body = material.call(material.tool(RULES), 0).replace(b'"text":""', MARK)
    request = _bytes_of(Request(body, made.warm))
    chains = (NONE, NATIVE, FILTER)
    with cores.of(cores.others):
        for number in range(-1, rounds):
            start = number % len(chains)
            for chain in (*chains[start:], *chains[:start]):
                check()
                took = [_first_event(stage.ports[chain], request) for _ in range(STREAMS_PER_ROUND)]
                if number >= 0:
                    median = statistics.median(took) * 1e6
                    found.first_event_us.setdefault(chain, []).append(median)
        for chain in chains:
            check()
            vm, resident = settled_vm_bytes(stage.admin), resident_bytes(stage.envoy.pid)
            most = _many(stage, request, chain)
            found.vm_growth[chain] = settled_vm_bytes(stage.admin) - vm
            found.resident_growth[chain] = most - resident
    return found


def _bytes_of(request: Request) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.fixed_headers.items()]
    lines += [f"Content-Length: {len(request.body)}", "", ""]
    return "\r\n".join(lines).encode() + request.body


def _first_event(port: int, request: bytes) -> float:
    """Seconds from the request to the first byte of the first event."""
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        connection.sendall(request)
        received = b""
        while EVENT not in received:
            part = connection.recv(65536)
            if not part:
                raise StackError(f"a stream ended before its first event: {received!r}")
            received += part
        return time.perf_counter() - began


def _many(stage: Stage, request: bytes, chain: str) -> int:
    """Many streams at once, to their end; the most memory of the process meanwhile."""
    most = 0
    open_streams: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(OPEN_TOGETHER):
            connection = socket.create_connection((LOOPBACK, stage.ports[chain]), timeout=PATIENCE)
            connection.sendall(request)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, bytearray())
            open_streams[connection.fileno()] = connection
        looked = 0.0
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise StackError(f"{chain}: a stream stopped")
            for key, _ in ready:
                connection, tail = open_streams[key.fd], key.data
                part = connection.recv(65536)
                tail += part
                del tail[: -len(END)]
                if not part or tail == END:
                    selector.unregister(connection)
                    open_streams.pop(key.fd).close()
            if time.monotonic() - looked > 0.1:
                looked = time.monotonic()
                most = max(most, resident_bytes(stage.envoy.pid))
    return most
