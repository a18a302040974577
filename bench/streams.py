"""Event streams: when the first event comes, and what many open ones take.

Beside the first event stands a plain answer to the same kind of request: what both come
later by than without a filter is the decision on the request and not the stream.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Mapping
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
EVENT, ANSWER = b"data: ", b'{"jsonrpc"'
END = b"\r\n0\r\n\r\n"
# In a round, in each order of the chains: a request comes while the one before is cleaned up
# after, so that each chain has to come after each other equally often.
TIMES = 7
OPEN_TOGETHER = 200


@dataclass
class FoundStreams:
    """Times to the first event and to a plain answer, the median of each round in microseconds;
    memory in bytes."""

    first_event_us: dict[str, list[float]] = field(default_factory=dict)
    answer_us: dict[str, list[float]] = field(default_factory=dict)
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
    plain = material.call(material.tool(RULES), 0)
    asked = _bytes_of(Request(plain, made.warm))
    request = _bytes_of(Request(plain.replace(b'"text":""', MARK), made.warm))
    chains = (NONE, NATIVE, FILTER)
    ports = {chain: stage.ports[chain] for chain in chains}
    with cores.of(cores.others):
        for number in range(-1, rounds):
            check()
            events = _medians(EVENT, ports, request)
            answers = _medians(ANSWER, ports, asked)
            for chain in chains if number >= 0 else ():
                found.first_event_us.setdefault(chain, []).append(events[chain])
                found.answer_us.setdefault(chain, []).append(answers[chain])
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


def _medians(mark: bytes, ports: Mapping[str, int], request: bytes) -> dict[str, float]:
    """Microseconds of each chain until something has come, the chains taken one by one."""
    seconds: dict[str, list[float]] = {chain: [] for chain in ports}
    for order in TIMES * list(itertools.permutations(ports)):
        for chain in order:
            seconds[chain].append(_seconds_to(mark, ports[chain], request))
    return {chain: statistics.median(found) * 1e6 for chain, found in seconds.items()}


def _seconds_to(mark: bytes, port: int, request: bytes) -> float:
    """Seconds from the request until something has come, on a connection of its own."""
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        connection.sendall(request)
        received = b""
        while mark not in received:
            part = connection.recv(65536)
            if not part:
                raise StackError(f"an answer ended before {mark!r}: {received!r}")
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
