"""`make bench-compare BASE=commit`: this tree beside an earlier one, as ratios.

Both modules stand in one Envoy and take turns. The instructions of the core are
counted by callgrind, and those of Envoy by the processor: on a machine where
seconds differ from run to run, these do not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from demo.stack import envoy as envoys
from demo.stack.errors import StackError, Stopped
from demo.stack.places import ROOT, exclusive
from demo.stack.ports import free_ports
from demo.stack.processes import Processes
from module import build as module

from . import chains, material, report, rounds, tools
from .affinity import Cores
from .chains import Chain, Places
from .load import Generator
from .material import MANY_RULES, RULES, Material
from .rounds import Timing
from .stage import Stage, envoy_with, in_turn, start_servers
from .targets import throughput_ratios
from .tools import DIRECTORY
from .workloads import FILTER, FILTER_KEPT, FILTER_MANY, Series, Workload, all_of

WORKLOADS = (
    "warm", "new-ES256", "rules-1000", "arguments-64kib", "credential-cached", "list-1000",
    "refused-no-token", "refused-tool",
)  # fmt: skip
BASE = "base"
ROUNDS, TURNS, SECONDS = 7, 3, 1.0

# A scenario is run so often, and so often: the difference is without its making ready.
FEW, MANY = 10, 60
LONGEST_OUTPUT = 2000
SCHEMA = Path("envoy", "policy.schema.json")
BENCHES = ("benches", "Cargo.toml", "Cargo.lock")


@dataclass(frozen=True)
class Tree:
    """A tree, and where it is built. Not in the same place as another one: to cargo, the
    package would be the same, and what is built of one the other's too."""

    directory: Path
    target: Path


def say(text: str) -> None:
    """Tell how far it has come."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def check_out(processes: Processes, base: str) -> Tree:
    """The files of the base commit, in a place of their own."""
    git = ["git", "-C", str(ROOT)]
    status, found = processes.capture([*git, "rev-parse", "--verify", f"{base}^{{commit}}"])
    if status != 0:
        raise StackError(f"{base} is no commit:\n{found}")
    commit = found.strip()
    say(f"base: {commit[:12]}")
    tree = DIRECTORY / BASE
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    archive = DIRECTORY / "base.tar"
    processes.run("the export of the base", [*git, "archive", f"--output={archive}", commit])
    # With the time of now: to cargo, files of the commit's time would not have changed.
    processes.run("unpacking the base", ["tar", "-xmf", str(archive), "-C", str(tree)])
    archive.unlink()
    return Tree(tree, DIRECTORY / "base-target")


def build(processes: Processes, tree: Tree, artefact: Path) -> Path:
    """The module of a tree, arranged as this tree does it, so that only sources differ."""
    built = module.compiled(processes, tree.directory, tree.target)
    module.arrange(processes, built.read_bytes(), artefact)
    return artefact


# === requests ===


def fields_of(tree: Tree) -> set[str]:
    """The top-level fields of a policy that the module of a tree knows."""
    schema = json.loads((tree.directory / SCHEMA).read_text(encoding="utf-8"))
    return set(schema["$defs"]["gate"]["properties"])


def paired(workload: Workload) -> tuple[str, Workload]:
    """The series of the filter that a workload is about, and the same with the base beside it."""
    wanted = {FILTER_MANY, FILTER_KEPT} & {series.chain for series in workload.series}
    name = wanted.pop() if wanted else FILTER
    ours = next(series for series in workload.series if series.chain == name)
    theirs = Series(f"{BASE}-{name}", ours.request)
    return name, replace(workload, series=(theirs, ours), steady=False)


def both(
    name: str, ports: Sequence[int], ours: Places, theirs: Places, made: Material, known: set[str]
) -> list[Chain]:
    """A chain with this module, and one with the base's, which knows of these fields."""
    count = MANY_RULES if name == FILTER_MANY else RULES
    credential = "/kept" if name == FILTER_KEPT else None
    ours_now, theirs_now = (
        chains.gate(called, port, places, made, count, credential=credential)
        for called, port, places in zip(
            (name, f"{BASE}-{name}"), ports, (ours, theirs), strict=True
        )
    )
    return [ours_now, chains.with_fields(theirs_now, known)]


def compare_requests(
    processes: Processes,
    modules: Mapping[str, Path],
    known: set[str],
    timing: Timing,
    directory: Path,
) -> None:
    """The workloads, with both modules in turn."""
    cores = Cores.divided()
    found_tools = tools.prepare(processes)
    envoy = envoys.find(processes)
    made = material.make(directory, ["ES256"], material.DIFFERENT)
    servers = start_servers(processes, found_tools, cores, made, directory)
    ours, theirs = (
        Places(servers.upstream, servers.authorizer, modules[which]) for which in ("this", BASE)
    )
    generator = Generator(processes, found_tools, cores, directory)
    pairs = [paired(each) for each in all_of(made) if each.name in WORKLOADS]
    listeners: list[Chain] = []
    for name in dict.fromkeys(name for name, _ in pairs):
        listeners += both(name, free_ports(2), ours, theirs, made, known)

    def open_stage(number: int) -> AbstractContextManager[Stage]:
        return envoy_with(processes, envoy, cores, in_turn(listeners, number), ours, directory)

    measured = rounds.measure(
        open_stage, generator, [workload for _, workload in pairs], timing, processes.check
    )
    rows = []
    for name, workload in pairs:
        found = measured[workload.name]
        turns = list(
            zip(found.series[name].turns, found.series[f"{BASE}-{name}"].turns, strict=True)
        )
        ratios = throughput_ratios(found, name, f"{BASE}-{name}")
        cpu = [one.cpu_us / other.cpu_us for one, other in turns]
        counted = [
            one.instructions / other.instructions
            for one, other in turns
            if one.instructions and other.instructions
        ]
        figures = (ratios, cpu, counted)
        rows.append([workload.title, *(report.spread(figure, ".3f") for figure in figures)])
    print("\nthis tree, of the base (median of the rounds; least and most)")
    report.print_table(["", "requests/s", "processor time", "Envoy's instructions"], rows)


# === instructions ===


def compare_instructions(processes: Processes, this: Tree, base: Tree) -> None:
    """The instructions of each scenario of `benches/`, in both trees."""
    if shutil.which("valgrind") is None:
        say(
            "valgrind is not on the PATH, so no instructions are counted; "
            "on Debian: apt-get install valgrind"
        )
        return
    # The scenarios are this tree's: what is compared is the core below them.
    for each in BENCHES:
        source, target = this.directory / each, base.directory / each
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    programs = {}
    for which, tree in (("this", this), (BASE, base)):
        say(f"building the counts of {which}")
        program = _build_counts(processes, tree)
        if program is None:
            say(f"the scenarios do not fit {which}, so no instructions are counted")
            return
        programs[which] = program
    status, names = processes.capture([str(programs["this"]), "names"])
    if status != 0:
        raise StackError(f"the counts cannot be made:\n{names}")
    rows = []
    for name in names.split():
        say(f"instructions: {name}")
        ours, theirs = (_instructions(processes, programs[which], name) for which in ("this", BASE))
        ratio = "–" if not (ours and theirs) else f"{ours / theirs:.3f}"
        rows.append([name, *(f"{each:,}" if each else "–" for each in (theirs, ours)), ratio])
    print("\ninstructions of the core each time (callgrind)")
    report.print_table(["", BASE, "this tree", "ratio"], rows)


def _build_counts(processes: Processes, tree: Tree) -> Path | None:
    """The program that runs scenarios; nothing where they do not fit the tree."""
    command = ["cargo", "bench", "--no-run", "--bench", "counts", "--package", "mcp-auth-filter"]
    where = {"CARGO_TARGET_DIR": str(tree.target), "CARGO_TERM_COLOR": "never"}
    status, output = processes.capture(
        [*command, "--manifest-path", str(tree.directory / "Cargo.toml")], env=where, seconds=3600
    )
    found = re.search(r"Executable .*\((.*)\)", output)
    if status != 0 or found is None:
        print(output[-LONGEST_OUTPUT:], file=sys.stderr)
        return None
    # Relative to the directory of this process, or absolute.
    return Path(found[1]).resolve()


def _instructions(processes: Processes, program: Path, name: str) -> int | None:
    """Instructions of one time; nothing where the program does not get through."""
    counts = []
    for times in (FEW, MANY):
        status, output = processes.capture(
            [
                *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
                *(str(program), name, str(times)),
            ],
            seconds=600,
        )
        found = re.search(r"Collected : (\d+)", output)
        if status != 0 or found is None:
            return None
        counts.append(int(found[1]))
    return round((counts[1] - counts[0]) / (MANY - FEW))


def main() -> None:
    """Compare until done or stopped."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--no-requests", action="store_true", help="count instructions only")
    given = parser.parse_args()
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    try:
        with (
            exclusive("bench"),
            tempfile.TemporaryDirectory(prefix="compare-", dir=DIRECTORY) as temporary,
            Processes(Path(temporary) / "logs") as processes,
        ):
            processes.stop_on_signals()
            directory = Path(temporary)
            this = Tree(ROOT, Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")))
            base = check_out(processes, given.base)
            if not given.no_requests:
                say("building both modules")
                modules = {
                    which: build(processes, tree, directory / f"{which}.wasm")
                    for which, tree in (("this", this), (BASE, base))
                }
                timing = Timing(given.rounds, TURNS, TURNS, max(given.seconds, 1.0))
                compare_requests(processes, modules, fields_of(base), timing, directory)
            compare_instructions(processes, this, base)
    except Stopped as signal:
        sys.exit(f"stopped by {signal}")
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
