"""`make bench`: measure, print, and write down what was found."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from demo.stack import envoy as envoys
from demo.stack.errors import StackError, Stopped
from demo.stack.places import ROOT, exclusive
from demo.stack.ports import free_ports
from demo.stack.processes import Processes
from module import build as module

from . import material, memory, plot, report, rounds, streams, tools, workloads
from .affinity import Cores
from .chains import Places
from .load import Generator
from .rounds import Timing
from .stage import Stage, envoy_with, in_turn, start_servers
from .targets import Results, judge
from .tools import DIRECTORY

RESULTS = ROOT / "bench" / "results"
FEWEST_ROUNDS = 7
TURNS, LATENCY_TURNS, SHORT_TURNS = 3, 5, 1
SECONDS = 1.0
MORE_TOKENS, SHORT_MORE_TOKENS = 50_000, 10_000


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    short: bool
    rounds: int
    turns: int
    latency_turns: int
    seconds: float
    only: frozenset[str]
    more_tokens: int
    module: Path | None

    def wants(self, name: str, in_short: bool) -> bool:
        """Whether a part is measured."""
        return name in self.only if self.only else in_short or not self.short


def say(text: str) -> None:
    """Tell how far it has come."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(wanted: Wanted, processes: Processes, directory: Path) -> bool:
    """Measure; whether all targets that were measured are met."""
    cores = Cores.divided()
    if not cores.apart:
        say("Envoy cannot have a core for itself here, so the numbers depend on the load's own")
    say("building the filter, the servers and the load generator")
    found_tools = tools.prepare(processes)
    built = wanted.module or module.build(processes)
    artefact = Path(shutil.copy(built, directory / "filter.wasm"))
    envoy = envoys.find(processes)
    say(f"Envoy {envoy.version}: {envoy.origin}")

    # Which workloads there are does not depend on the tokens that were made for them.
    algorithms = [
        algorithm
        for algorithm in material.ALGORITHMS
        if wanted.wants(f"new-{algorithm}", algorithm != "EdDSA")
    ]
    if wanted.wants("memory", True) and not algorithms:
        algorithms = ["ES256"]
    say(f"signing {material.DIFFERENT:,} tokens each: {', '.join(algorithms) or 'none'}")
    made = material.make(directory, algorithms, material.DIFFERENT)
    servers = start_servers(processes, found_tools, cores, made, directory)
    places = Places(servers.upstream, servers.authorizer, artefact)
    generator = Generator(processes, found_tools, cores, directory)
    makers = workloads.chain_makers(places, made)
    chosen = [
        workload
        for workload in workloads.all_of(made)
        if wanted.wants(workload.name, workload.in_short)
    ]
    results = Results({})
    measured: Mapping[str, rounds.Found] = {}
    found_streams, found_memory = None, None
    timing = Timing(wanted.rounds, wanted.turns, wanted.latency_turns, wanted.seconds)

    with_streams = wanted.wants("stream", True)
    names = {series.chain for workload in chosen for series in workload.series}
    if with_streams:
        names |= {workloads.NONE, workloads.NATIVE, workloads.FILTER}
    listed = [name for name in makers if name in names]
    ports = free_ports(len(listed))
    listeners = [makers[name](port) for name, port in zip(listed, ports, strict=True)]

    def open_stage(number: int) -> AbstractContextManager[Stage]:
        return envoy_with(processes, envoy, cores, in_turn(listeners, number), places, directory)

    if chosen:
        say(f"{len(chosen)} workloads in {wanted.rounds} rounds")
        measured = rounds.measure(open_stage, generator, chosen, timing, processes.check)
        for found in measured.values():
            report.print_workload(found)
    if with_streams:
        say("event streams")
        with open_stage(0) as stage:
            found_streams = streams.measure(stage, cores, made, wanted.rounds, processes.check)
        report.print_streams(found_streams)

    if wanted.wants("memory", True):
        say("memory")
        (port,) = free_ports(1)
        alone = [makers[workloads.FILTER](port)]
        tokens = made.tokens[algorithms[-1]]
        body = material.call(material.tool(material.RULES))
        with envoy_with(processes, envoy, cores, alone, places, directory) as stage:
            found_memory = memory.measure(
                stage, generator, artefact, body, tokens, wanted.more_tokens, processes
            )
        report.print_memory(found_memory)

    results = Results(measured, found_streams, found_memory)
    verdicts = judge(results)
    report.print_verdicts(verdicts)
    circumstances = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": report.commit(),
        "envoy": f"{envoy.version} ({envoy.origin})",
        "tools": found_tools.versions,
        "machine": report.machine(),
        "own_core": cores.apart,
        "rounds": wanted.rounds,
        "turns": wanted.turns,
        "latency_turns": wanted.latency_turns,
        "seconds": wanted.seconds,
    }
    write(results, report.as_json(results, verdicts, circumstances))
    return all(verdict.met for verdict in verdicts)


def write(results: Results, document: str) -> None:
    """Write the results and the plot."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / time.strftime("%Y%m%d-%H%M%S.json", time.gmtime())
    file.write_text(document + "\n", encoding="utf-8")
    drawn = file.with_suffix(".svg")
    drawn.write_text(plot.svg(results.workloads), encoding="utf-8")
    print()
    for each in (file, drawn):
        print(f"written: {each.relative_to(ROOT)}")


def arguments() -> Wanted:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the main workloads, a turn each")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each turn takes")
    parser.add_argument(
        "--only", default="", help="names of workloads, with commas; also `stream` and `memory`"
    )
    parser.add_argument(
        "--tokens",
        type=int,
        help="how many tokens the memory is measured with, after the cache is full",
    )
    parser.add_argument("--module", type=Path, help="a module that was built before")
    given = parser.parse_args()
    more = given.tokens or (SHORT_MORE_TOKENS if given.short else MORE_TOKENS)
    only = frozenset(name for name in given.only.split(",") if name)
    turns = (SHORT_TURNS, SHORT_TURNS) if given.short else (TURNS, LATENCY_TURNS)
    seconds = max(given.seconds, 1.0)
    return Wanted(given.short, given.rounds, *turns, seconds, only, more, given.module)


def main() -> None:
    """Measure until done or stopped; what was started is stopped in any case."""
    wanted = arguments()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    try:
        with (
            exclusive("bench"),
            tempfile.TemporaryDirectory(prefix="run-", dir=DIRECTORY) as temporary,
            Processes(Path(temporary) / "logs") as processes,
        ):
            processes.stop_on_signals()
            run(wanted, processes, Path(temporary))
    except Stopped as signal:
        sys.exit(f"stopped by {signal}")
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
