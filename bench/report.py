"""The tables in the terminal, and the file of results."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from demo.stack.places import ROOT

from .memory import FoundMemory
from .rounds import Found, Measured
from .streams import FoundStreams
from .targets import MEBIBYTE, Results, Verdict, throughput_ratios
from .workloads import DESCRIPTIONS

# Below this, something other than Envoy was the limit.
BUSY = 0.9
# From here on, clients open connections anew all the time.
RECONNECTS = 0.5

STEADY_HEADS = ("fixed rate: p50 µs", "p99 µs", "p99 of whole turns µs", "p99 in Envoy µs")


def print_workload(found: Found) -> None:
    """One workload: a line for each series."""
    reference = next(iter(found.series))
    connections = {
        name: statistics.median(turn.connections for turn in measured.turns)
        for name, measured in found.series.items()
    }
    reconnects = max(connections.values()) >= RECONNECTS
    counts = {name: _instructions(measured) for name, measured in found.series.items()}
    counted = all(count is not None for count in counts.values())
    rows = []
    for name, measured in found.series.items():
        ratios = throughput_ratios(found, name, reference)
        busy = statistics.median(turn.busy for turn in measured.turns)
        rows.append(
            [
                DESCRIPTIONS.get(name, name) + ("" if busy >= BUSY else " *"),
                spread([turn.throughput for turn in measured.turns], ",.0f"),
                spread(ratios, ".2f"),
                spread([turn.cpu_us for turn in measured.turns], ",.0f"),
                *([f"{(counts[name] or 0) / 1000:,.0f}"] if counted else []),
                _median([turn.p50_us for turn in measured.turns]),
                _median([turn.p99_us for turn in measured.turns]),
                *([f"{connections[name]:.2f}"] if reconnects else []),
                *(_steady(measured) if found.rate else []),
            ]
        )
    print(f"\n{found.title}" + (f" (latency at {found.rate:,} requests/s)" if found.rate else ""))
    heads = ["", "requests/s", "of the first", "CPU µs"]
    heads += ["k instructions"] if counted else []
    heads += ["p50 µs", "p99 µs"]
    heads += ["connections/request"] if reconnects else []
    heads += list(STEADY_HEADS) if found.rate else []
    print_table(heads, rows)
    if any(row[0].endswith(" *") for row in rows):
        print("  * Envoy was not busy all the time: something else was the limit")


def print_streams(found: FoundStreams) -> None:
    """The event streams."""
    print(f"\nevent streams ({found.open_together} open together)")
    rows = [
        [
            DESCRIPTIONS[chain],
            spread(first, ",.0f"),
            spread(found.answer_us[chain], ",.0f"),
            f"{found.vm_growth[chain] / MEBIBYTE:.1f}",
            f"{found.resident_growth[chain] / MEBIBYTE:.1f}",
        ]
        for chain, first in found.first_event_us.items()
    ]
    print_table(["", "first event µs", "plain answer µs", "VM grew MiB", "process grew MiB"], rows)


def print_memory(found: FoundMemory) -> None:
    """The memory of the module."""
    print(
        f"\nmemory of one VM: {found.vm_at_start / MEBIBYTE:.1f} MiB at its start, "
        f"{found.vm_with_identities / MEBIBYTE:.1f} MiB with {found.identities:,} identities, "
        f"{found.vm_after_all / MEBIBYTE:.1f} MiB after {found.offered:,} tokens; "
        f"the module has {found.module:,} bytes"
    )


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """The targets."""
    print("\ntargets (median of the rounds; least and most)")
    rows = []
    for verdict in verdicts:
        found = spread([verdict.least, verdict.median, verdict.most], ".2f")
        limited = [f"{verdict.limit} {verdict.unit}".strip(), f"{found} {verdict.unit}".strip()]
        rows.append([verdict.target, *limited, "met" if verdict.met else "NOT MET"])
    print_table(["", "target", "found", ""], rows)


def as_json(
    results: Results, verdicts: Sequence[Verdict], circumstances: Mapping[str, object]
) -> str:
    """Everything, for the file of results."""
    document = {
        **circumstances,
        "workloads": {name: found.as_json() for name, found in results.workloads.items()},
        "streams": None if results.streams is None else results.streams.as_json(),
        "memory": None if results.memory is None else results.memory.as_json(),
        "targets": [asdict(verdict) for verdict in verdicts],
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(": ")[2]
                break
    return {"processor": model, "system": platform.platform()}


def commit() -> str:
    """The commit of the tree, with a mark where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def spread(values: Sequence[float], form: str) -> str:
    """The median, the least and the most."""
    if not values:
        return "–"
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they have to be, numbers to the right."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    for row in (heads, *rows):
        first, *rest = row
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        print("  " + "  ".join([first.ljust(widths[0]), *cells]).rstrip(), flush=True)


def _steady(measured: Measured) -> list[str]:
    if not measured.steady:
        return ["–"] * len(STEADY_HEADS)
    return [
        _median([turn.p50_us for turn in measured.steady]),
        spread([turn.p99_us for turn in measured.steady], ",.0f"),
        spread([turn.p99_whole_us for turn in measured.steady], ",.0f"),
        spread([turn.p99_in_envoy_us for turn in measured.steady], ",.0f"),
    ]


def _instructions(measured: Measured) -> float | None:
    counts = [turn.instructions for turn in measured.turns]
    known = [count for count in counts if count is not None]
    return statistics.median(known) if known and len(known) == len(counts) else None


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.0f}" if values else "–"
