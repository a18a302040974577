"""What the filter has to reach, each as a figure of one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .memory import FoundMemory
from .rounds import Found, Measured
from .streams import FoundStreams
from .workloads import FILTER, FILTER_KEPT, FILTER_MANY, NATIVE, NONE, UNCACHED

MEBIBYTE = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """A target with what was found: the median of the rounds, the least and the most."""

    target: str
    limit: str
    median: float
    least: float
    most: float
    met: bool
    unit: str = ""


@dataclass(frozen=True)
class Results:
    """What there is; anything may not have been measured."""

    workloads: Mapping[str, Found]
    streams: FoundStreams | None = None
    memory: FoundMemory | None = None


def judge(results: Results) -> list[Verdict]:
    """All targets of which the figures are there."""
    return [
        *_throughputs(results.workloads),
        *_latencies(results.workloads),
        *_list(results.workloads),
        *_stream(results.streams),
        *_memory(results.memory),
    ]


def _throughputs(workloads: Mapping[str, Found]) -> list[Verdict]:
    wanted = [
        ("warm", FILTER, NATIVE, 1.0, "warm token, of the native chain with its cache"),
        (
            "new-RS256",
            FILTER,
            UNCACHED,
            0.95,
            "every token new, RS256, of the native chain without cache",
        ),
        (
            "new-ES256",
            FILTER,
            UNCACHED,
            0.95,
            "every token new, ES256, of the native chain without cache",
        ),
        ("rules-1000", FILTER_MANY, FILTER, 0.95, "1,000 rules, of 20"),
        (
            "arguments-64kib",
            FILTER,
            NATIVE,
            0.95,
            "64 KiB of arguments, of the native chain with its cache",
        ),
        ("credential-cached", FILTER_KEPT, FILTER, 0.95, "a remembered credential, of none"),
        ("refused-no-token", FILTER, NATIVE, 1.0, "refused without a token, of the native chain"),
        ("refused-tool", FILTER, NATIVE, 1.0, "a refused tool, of the native chain"),
    ]
    verdicts = []
    for workload, ours, theirs, least, text in wanted:
        if workload in workloads:
            ratios = throughput_ratios(workloads[workload], ours, theirs)
            verdicts.append(_verdict(f"throughput: {text}", ratios, at_least=least))
    return verdicts


def _latencies(workloads: Mapping[str, Found]) -> list[Verdict]:
    """p99 beside the native chain's at the same rate: what is added is then no more either."""
    verdicts = []
    for workload, theirs in (("warm", NATIVE), ("new-RS256", UNCACHED), ("new-ES256", UNCACHED)):
        series = workloads[workload].series if workload in workloads else {}
        pairs = _pairs(series, FILTER, theirs, lambda measured: measured.steady)
        ratios = [ours.p99_us / native.p99_us for ours, native in pairs if native.p99_us]
        if ratios:
            text = f"p99 at a fixed rate: {workload}, of the native chain's"
            verdicts.append(_verdict(text, ratios, at_most=1.0))
    return verdicts


def _list(workloads: Mapping[str, Found]) -> list[Verdict]:
    if "list-1000" not in workloads:
        return []
    pairs = _pairs(workloads["list-1000"].series, FILTER, NONE, lambda measured: measured.turns)
    added = [(ours.cpu_us - bare.cpu_us) / 1000 for ours, bare in pairs]
    text = "a list of 1,000 tools: processor time added"
    return [_verdict(text, added, at_most=3.0, unit="ms")]


def _stream(streams: FoundStreams | None) -> list[Verdict]:
    if streams is None:
        return []
    bare = streams.first_event_us[NONE]
    noise = max(bare) - min(bare)
    event, answer = (
        [ours - other for ours, other in zip(found[FILTER], found[NONE], strict=True)]
        for found in (streams.first_event_us, streams.answer_us)
    )
    of_stream = [of_event - of_answer for of_event, of_answer in zip(event, answer, strict=True)]
    text = "the first event of a stream, later than without a filter; limit: the spread of those"
    return [
        _verdict(text, event, at_most=noise, unit="µs"),
        _verdict(
            "the same beyond what a plain answer is later by", of_stream, at_most=noise, unit="µs"
        ),
    ]


def _memory(memory: FoundMemory | None) -> list[Verdict]:
    if memory is None:
        return []
    return [
        _verdict("the module", [memory.module / MEBIBYTE], at_most=1.0, unit="MiB"),
        _verdict(
            f"a VM with {memory.identities:,} identities",
            [memory.vm_with_identities / MEBIBYTE],
            at_most=32.0,
            unit="MiB",
        ),
        _verdict(
            f"the same after {memory.offered:,} new tokens: grown by",
            [(memory.vm_after_all - memory.vm_with_identities) / MEBIBYTE],
            at_most=0.0,
            unit="MiB",
        ),
    ]


def throughput_ratios(found: Found, ours: str, theirs: str) -> list[float]:
    """The ratio of each round."""
    pairs = _pairs(found.series, ours, theirs, lambda measured: measured.turns)
    return [one.throughput / other.throughput for one, other in pairs]


def _pairs(
    series: Mapping[str, Measured],
    ours: str,
    theirs: str,
    rounds: Callable[[Measured], Sequence[T]],
) -> list[tuple[T, T]]:
    if ours not in series or theirs not in series:
        return []
    return list(zip(rounds(series[ours]), rounds(series[theirs]), strict=False))


def _verdict(
    target: str,
    values: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "",
) -> Verdict:
    median = statistics.median(values)
    if at_least is not None:
        limit, met = f"≥ {at_least:.2f}", median >= at_least
    else:
        most = at_most or 0.0
        limit, met = f"≤ {most:.2f}", median <= most
    return Verdict(target, limit, median, min(values), max(values), met, unit)
