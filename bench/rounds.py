"""Rounds: the series of a workload take turns, so that what changes with time changes for all."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from demo.stack.errors import StackError

from . import envoy_time
from .instructions import Instructions
from .load import Generator, Result, percentile
from .stage import Stage
from .usage import cpu_seconds, stats
from .workloads import FILTER, NATIVE, UNCACHED, Series, Workload

T = TypeVar("T")

# What the latency is measured at, as a share of what the slower chain can do.
SHARE = 0.5
# A chain that can hardly do that rate would show its own limit instead.
MOST_SHARE = 0.8

# For so many seconds each series runs in a new Envoy before it is measured.
WARM_UP_SECONDS = 1.0

# Answers that were cut off when the time was over, or refused for a moment.
MOST_FAILED_SHARE = 0.001


@dataclass(frozen=True)
class Turn:
    """One turn of one series. `busy` is how much of a core Envoy used; `instructions` are
    those of a request in Envoy's user space, where the machine lets them be counted."""

    throughput: float
    cpu_us: float
    busy: float
    connections: float
    p50_us: float
    p99_us: float
    instructions: float | None = None


@dataclass(frozen=True)
class SteadyTurn:
    """Latencies at a fixed rate in one turn, in microseconds: `p99_us` is that of the middle
    window, `p99_whole_us` that of all requests, and `p99_in_envoy_us` that of the time which
    Envoy has had them, by its own clock."""

    p50_us: float
    p99_us: float
    p99_whole_us: float
    p99_in_envoy_us: float


@dataclass
class Measured:
    """All rounds of one series, of each the middle turn."""

    turns: list[Turn] = field(default_factory=list)
    steady: list[SteadyTurn] = field(default_factory=list)


@dataclass
class Found:
    """A workload, measured. `rate` is that of the latencies, in requests a second."""

    title: str
    series: dict[str, Measured]
    rate: int | None = None

    def as_json(self) -> dict[str, object]:
        """For the file of results."""
        return asdict(self)


@dataclass(frozen=True)
class Timing:
    """How often, and how long each turn takes. Of the turns that a series has in a round the
    middle one counts: on a machine with neighbours, one in a few is slow for their reasons.
    Latencies have turns of their own."""

    rounds: int
    turns: int
    latency_turns: int
    seconds: float


# Starts Envoy for the round of this number, and stops it.
Open = Callable[[int], AbstractContextManager[Stage]]


def measure(
    open_stage: Open,
    generator: Generator,
    workloads: Sequence[Workload],
    timing: Timing,
    check: Callable[[], None],
) -> dict[str, Found]:
    """All rounds of all workloads.

    Each round has an Envoy of its own: where code and data come to lie in memory differs from
    process to process, and with it what a request costs, by several parts in a hundred.
    """
    found = {
        workload.name: Found(
            workload.title, {series.chain: Measured() for series in workload.series}
        )
        for workload in workloads
    }
    for number in range(timing.rounds):
        with open_stage(number) as stage:
            for workload in workloads:
                _progress(workload, number, timing.rounds)
                _measure_round(
                    stage, generator, workload, number, timing, check, found[workload.name]
                )
    steady = [workload for workload in workloads if workload.steady]
    for workload in steady:
        found[workload.name].rate = _half_of_the_slower(found[workload.name])
    for number in range(timing.rounds if steady else 0):
        with open_stage(number) as stage:
            for workload in steady:
                _progress(workload, number, timing.rounds, "latency ")
                _measure_latency(
                    stage, generator, workload, number, timing, check, found[workload.name]
                )
    return found


def _measure_round(
    stage: Stage,
    generator: Generator,
    workload: Workload,
    number: int,
    timing: Timing,
    check: Callable[[], None],
    found: Found,
) -> None:
    for series in _order(workload.series, number):
        stage.probe(series.chain, series.request, passes=workload.passes)
        _turn(stage, generator, workload, series, WARM_UP_SECONDS)
    turns: dict[str, list[Turn]] = {series.chain: [] for series in workload.series}
    for again in range(timing.turns):
        for series in _order(workload.series, number + again):
            check()
            turns[series.chain].append(_turn(stage, generator, workload, series, timing.seconds))
    for chain, taken in turns.items():
        found.series[chain].turns.append(_middle(taken, lambda turn: turn.throughput))


def _half_of_the_slower(found: Found) -> int:
    """What latencies are measured at: half of what the slower chain can do."""
    slower = min(
        _throughput(found, name) for name in (NATIVE, UNCACHED, FILTER) if name in found.series
    )
    return max(int(slower * SHARE), 1)


def _throughput(found: Found, chain: str) -> float:
    return statistics.median(turn.throughput for turn in found.series[chain].turns)


def _measure_latency(
    stage: Stage,
    generator: Generator,
    workload: Workload,
    number: int,
    timing: Timing,
    check: Callable[[], None],
    found: Found,
) -> None:
    assert found.rate is not None
    able = [
        series
        for series in workload.series
        if found.rate <= _throughput(found, series.chain) * MOST_SHARE
    ]
    for series in _order(able, number):
        _turn(stage, generator, workload, series, WARM_UP_SECONDS)
    turns: dict[str, list[SteadyTurn]] = {series.chain: [] for series in able}
    for again in range(timing.latency_turns):
        for series in _order(able, number + again):
            check()
            # What the turn before has left would come into the log of this one.
            stage.wait_until_logged()
            stage.truncate_logs()
            port = stage.ports[series.chain]
            result = generator.steady(
                port, series.request, workload.load, found.rate, timing.seconds
            )
            _must_be_good(workload, series, result)
            stage.wait_until_logged()
            in_envoy = envoy_time.read(stage.logs[series.chain].read_bytes())
            in_envoy = in_envoy[-result.requests :]
            turns[series.chain].append(
                SteadyTurn(
                    p50_us=result.p50 * 1e6,
                    p99_us=result.p99 * 1e6,
                    p99_whole_us=result.p99_whole * 1e6,
                    p99_in_envoy_us=percentile(in_envoy, 0.99),
                )
            )
    for chain, taken in turns.items():
        found.series[chain].steady.append(_each_in_the_middle(taken))


def _middle(taken: Sequence[T], figure: Callable[[T], float]) -> T:
    return sorted(taken, key=figure)[len(taken) // 2]


def _each_in_the_middle(taken: Sequence[SteadyTurn]) -> SteadyTurn:
    """The medians of the figures; the turn with the middle p99 of windows may have any other."""
    return SteadyTurn(
        p50_us=statistics.median(turn.p50_us for turn in taken),
        p99_us=statistics.median(turn.p99_us for turn in taken),
        p99_whole_us=statistics.median(turn.p99_whole_us for turn in taken),
        p99_in_envoy_us=statistics.median(turn.p99_in_envoy_us for turn in taken),
    )


def _turn(
    stage: Stage, generator: Generator, workload: Workload, series: Series, seconds: float
) -> Turn:
    stage.truncate_logs()
    port = stage.ports[series.chain]
    opened = _connections(stage, series.chain)
    cpu, began = cpu_seconds(stage.envoy.pid), time.monotonic()
    with Instructions(stage.envoy.pid) as instructions:
        result = generator.most(port, series.request, workload.load, seconds)
    cpu, took = cpu_seconds(stage.envoy.pid) - cpu, time.monotonic() - began
    opened = _connections(stage, series.chain) - opened
    _must_be_good(workload, series, result)
    return Turn(
        throughput=result.requests / result.seconds,
        cpu_us=cpu / result.requests * 1e6,
        busy=cpu / min(result.seconds, took),
        connections=opened / result.requests,
        p50_us=result.p50 * 1e6,
        p99_us=result.p99 * 1e6,
        instructions=(
            None if instructions.count is None else instructions.count / result.requests
        ),
    )


def _connections(stage: Stage, chain: str) -> int:
    return sum(stats(stage.admin, f"^http.{chain}.downstream_cx_total$").values())


def _must_be_good(workload: Workload, series: Series, result: Result) -> None:
    """Numbers about answers that were not meant are worth nothing."""
    allowed = result.requests * MOST_FAILED_SHARE + 1
    if result.requests == 0:
        raise StackError(f"{workload.name}, {series.chain}: no answers")
    # A refusal closes the connection, which the generators count as failed.
    if workload.passes and (result.failed > allowed or result.refused > allowed):
        raise StackError(
            f"{workload.name}, {series.chain}: of {result.requests} requests "
            f"{result.failed} failed and {result.refused} were refused"
        )


def _order(series: Sequence[Series], number: int) -> list[Series]:
    """Another first one each round, and every other round backwards."""
    start = number % max(len(series), 1)
    turned = [*series[start:], *series[:start]]
    return turned if number % 2 == 0 else turned[::-1]


def _progress(workload: Workload, number: int, rounds: int, what: str = "") -> None:
    print(f"    {workload.name}: {what}round {number + 1} of {rounds}", file=sys.stderr, flush=True)
