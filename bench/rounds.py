"""Rounds: the series of a workload take turns, so that what changes with time changes for all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field

from demo.stack.errors import StackError

from .instructions import Instructions
from .load import Generator, Result
from .stage import Stage
from .usage import cpu_seconds, stats
from .workloads import FILTER, NATIVE, UNCACHED, Series, Workload

# What the latency is measured at, as a share of what the slower chain can do.
SHARE = 0.5
# A chain that can hardly do that rate would show its own limit instead.
MOST_SHARE = 0.8

# So much longer, since one request in a hundred says what is found.
STEADY_TURNS = 2

# For so many seconds each series runs in a new Envoy before it is measured.
WARM_UP_SECONDS = 1.0

# Answers that were cut off when the time was over, or refused for a moment.
MOST_FAILED_SHARE = 0.001


@dataclass(frozen=True)
class Turn:
    """One series in one round. `busy` is how much of a core Envoy used; `instructions` are
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
    """Latencies at a fixed rate, in microseconds."""

    p50_us: float
    p99_us: float


@dataclass
class Measured:
    """All rounds of one series."""

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
    """How long, and how often."""

    rounds: int
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
                    stage, generator, workload, number, timing.seconds, check, found[workload.name]
                )
    steady = [workload for workload in workloads if workload.steady]
    if steady:
        with open_stage(0) as stage:
            for workload in steady:
                _measure_latency(stage, generator, workload, timing, check, found[workload.name])
    return found


def _measure_round(
    stage: Stage,
    generator: Generator,
    workload: Workload,
    number: int,
    seconds: float,
    check: Callable[[], None],
    found: Found,
) -> None:
    order = _order(workload.series, number)
    for series in order:
        stage.probe(series.chain, series.request, passes=workload.passes)
        _turn(stage, generator, workload, series, WARM_UP_SECONDS)
    for series in order:
        check()
        turn = _turn(stage, generator, workload, series, seconds)
        found.series[series.chain].turns.append(turn)


def _measure_latency(
    stage: Stage,
    generator: Generator,
    workload: Workload,
    timing: Timing,
    check: Callable[[], None],
    found: Found,
) -> None:
    throughput = {
        name: sorted(turn.throughput for turn in measured.turns)[timing.rounds // 2]
        for name, measured in found.series.items()
    }
    slower = min(throughput[name] for name in (NATIVE, UNCACHED, FILTER) if name in throughput)
    found.rate = max(int(slower * SHARE), 1)
    able = [
        series for series in workload.series if found.rate <= throughput[series.chain] * MOST_SHARE
    ]
    for series in able:
        _turn(stage, generator, workload, series, WARM_UP_SECONDS)
    for number in range(timing.rounds):
        for series in _order(able, number):
            check()
            stage.truncate_logs()
            port = stage.ports[series.chain]
            seconds = timing.seconds * STEADY_TURNS
            result = generator.steady(port, series.request, workload.load, found.rate, seconds)
            _must_be_good(workload, series, result)
            steady = SteadyTurn(result.p50 * 1e6, result.p99 * 1e6)
            found.series[series.chain].steady.append(steady)
        _progress(workload, number, timing.rounds, "latency ")


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
