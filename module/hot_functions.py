"""Finds the functions on the path of a request: `make hot-functions`.

V8 in Node.js prints every call of a module, which a stand-in for the host takes
through the usual exchanges (`stub-host.mjs`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.places import CACHE
from demo.stack.processes import Processes
from demo.stack.tools import require_node

from .build import compiled
from .order import HOT_FUNCTIONS, stable

STUB_HOST = Path(__file__).with_name("stub-host.mjs")

# `12:   *wasm-function[34] "name" {`, where 12 is how deep the call is.
CALL = re.compile(r' *(\d+): *\*wasm-function\[\d+\] "(.*)"')
CREATION = "proxy_on_context_create"


def streams(trace: str) -> Iterator[list[str]]:
    """The functions that each stream calls, in order. The root context is none."""
    calls = [(int(found[1]), found[2]) for found in map(CALL.match, trace.splitlines()) if found]
    starts = [place for place, call in enumerate(calls) if call == (1, CREATION)][1:]
    for start, end in zip(starts, [*starts[1:], len(calls)], strict=True):
        yield [name for _, name in calls[start:end]]


def hot(trace: str) -> list[str]:
    """The functions of every second stream, each once: the first time, other things happen."""
    calls = [name for stream in list(streams(trace))[1::2] for name in stream]
    return list(dict.fromkeys(map(stable, calls)))


def main() -> None:
    try:
        with Processes(CACHE / "logs") as processes:
            require_node(processes)
            module = compiled(processes)
            status, trace = processes.capture(
                ["node", "--trace-wasm", "--no-liftoff", str(STUB_HOST), str(module)], seconds=120
            )
            if status != 0:
                raise StackError(f"the stand-in for the host ends with {status}:\n{trace[-2000:]}")
    except StackError as error:
        sys.exit(str(error))
    found = hot(trace)
    HOT_FUNCTIONS.write_text("\n".join([*found, ""]), encoding="ascii")
    print(f"{HOT_FUNCTIONS.name}: {len(found)} functions")


if __name__ == "__main__":
    main()
