"""Instructions of a process in user space, from the processor's own counter (perf_event_open).

They repeat where seconds do not: a neighbour on the machine takes time, but
adds no instructions. Not every machine lets them be read; then there are none.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from pathlib import Path
from types import TracebackType

# The number of the system call `perf_event_open`.
_CALL = {"x86_64": 298, "aarch64": 241}.get(platform.machine())

# `struct perf_event_attr` of Linux (include/uapi/linux/perf_event.h), as far as
# version 5 has it: type, size, config, three of no use here, flags, zeros.
_SIZE = 112
_HARDWARE, _INSTRUCTIONS = 0, 1
_WITHOUT_KERNEL, _WITHOUT_HYPERVISOR = 1 << 5, 1 << 6
_ATTRIBUTES = struct.pack(
    "=IIQQQQQ",
    *(_HARDWARE, _SIZE, _INSTRUCTIONS, 0, 0, 0, _WITHOUT_KERNEL | _WITHOUT_HYPERVISOR),
).ljust(_SIZE, b"\0")
_ANY_CORE = _NO_GROUP = -1


class Instructions:
    """What all threads of a process that are there at the start execute until the end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._counters: list[int] = []
        self.count: int | None = None

    def __enter__(self) -> Instructions:
        threads = [int(task.name) for task in Path(f"/proc/{self._pid}/task").iterdir()]
        opened = [_open(thread) for thread in threads]
        self._counters = [counter for counter in opened if counter is not None]
        if len(self._counters) != len(threads):
            self._close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._counters:
            self.count = sum(
                int.from_bytes(os.read(counter, 8), "little") for counter in self._counters
            )
        self._close()

    def _close(self) -> None:
        for counter in self._counters:
            os.close(counter)
        self._counters = []


def _open(thread: int) -> int | None:
    if _CALL is None:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    counter = int(libc.syscall(_CALL, _ATTRIBUTES, thread, _ANY_CORE, _NO_GROUP, 0))
    return counter if counter >= 0 else None
