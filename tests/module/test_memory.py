"""What the module needs in memory, in a host that stands in for Envoy."""

from __future__ import annotations

import json
from pathlib import Path

from demo.stack.processes import Processes
from module import build

TOKENS = Path(build.__file__).with_name("tokens.mjs")

# Three times what the module remembers by default: then every part of its memory has
# been used for something else.
SETTLED = 30_000


def test_memory_stays_as_it_is_however_many_tokens_come(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        module = build.build(processes)
        command = ["node", str(TOKENS), str(module), str(2 * SETTLED)]
        status, output = processes.capture(command, seconds=300)
    assert status == 0, output
    bytes_by_offered = {
        line["offered"]: line["bytes"] for line in map(json.loads, output.splitlines())
    }
    settled = bytes_by_offered[SETTLED]
    later = [size for offered, size in bytes_by_offered.items() if offered > SETTLED]
    assert later == [settled] * 10
    assert settled < 32 << 20
