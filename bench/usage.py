"""What Envoy's process uses: processor time and memory."""

from __future__ import annotations

import re
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

NANOSECONDS = 1e-9
# The module sets its gauge every five seconds.
GAUGE_SECONDS = 6.0
VM_MEMORY = "wasmcustom.mcp_auth.vm_memory_bytes"


def cpu_seconds(pid: int) -> float:
    """The processor time of all threads so far; to the nanosecond, unlike `stat`."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread that has just ended.
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total * NANOSECONDS


def resident_bytes(pid: int) -> int:
    """The memory of the process that is in RAM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def stats(admin: str, pattern: str) -> dict[str, int]:
    """Envoy's counters and gauges whose names match."""
    with urllib.request.urlopen(f"{admin}/stats?filter={pattern}", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(": ") for line in lines)
    return {name: int(value) for name, _, value in pairs if value.isdigit()}


def vm_bytes(admin: str) -> int:
    """The linear memory of all VMs of the process: the worker's, and the main thread's."""
    return sum(stats(admin, f"^{re.escape(VM_MEMORY)}$").values())


def settled_vm_bytes(admin: str) -> int:
    """The same, once the module has said it anew."""
    time.sleep(GAUGE_SECONDS)
    return vm_bytes(admin)
