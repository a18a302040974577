"""The memory of the module: its VM with as many identities as it may remember, and with more."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.stack.processes import Processes

from .load import Generator, Load, Request
from .material import REMEMBERED
from .stage import Stage
from .usage import settled_vm_bytes, vm_bytes
from .workloads import FILTER

CONNECTIONS = 16
# After so many times what is remembered, the tables are as large as they get.
ENOUGH = 2


@dataclass(frozen=True)
class FoundMemory:
    """Bytes of one VM. `offered` tokens, each new to the filter when it came."""

    module: int
    vm_at_start: int
    identities: int
    vm_with_identities: int
    offered: int
    vm_after_all: int

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return asdict(self)


def measure(
    stage: Stage,
    generator: Generator,
    module: Path,
    body: bytes,
    tokens: Path,
    more: int,
    processes: Processes,
) -> FoundMemory:
    """Offer as many tokens as are remembered, and then as many more as asked for."""
    request = Request(body, tokens=tokens)
    stage.probe(FILTER, request, passes=True)
    processes.wait_until("the gauge of the memory is there", lambda: vm_bytes(stage.admin) > 0)
    # The VM of the main thread decides nothing; it has what a worker's has at its start.
    idle = vm_bytes(stage.admin) // 2
    offered = _offer(stage, generator, request, REMEMBERED * ENOUGH, processes)
    full = settled_vm_bytes(stage.admin) - idle
    offered += _offer(stage, generator, request, more, processes)
    return FoundMemory(
        module=module.stat().st_size,
        vm_at_start=idle,
        identities=REMEMBERED,
        vm_with_identities=full,
        offered=offered,
        vm_after_all=settled_vm_bytes(stage.admin) - idle,
    )


def _offer(
    stage: Stage, generator: Generator, request: Request, count: int, processes: Processes
) -> int:
    offered, deadline = 0, time.monotonic() + max(60.0, count / 100)
    while offered < count and time.monotonic() < deadline:
        processes.check()
        stage.truncate_logs()
        result = generator.most(stage.ports[FILTER], request, Load(CONNECTIONS), 2)
        offered += result.requests
    return offered
