"""`make test-conformance`: the official conformance suite says the same with the gate as without it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from demo.stack import envoy
from demo.stack.errors import StackError, Stopped
from demo.stack.ports import free_ports
from demo.stack.processes import Processes
from module import build as module
from tests.e2e.harness.issuer import Issuer

from . import stack
from .report import Leg, Report
from .sets import LEGACY_NEWEST, LEGACY_STABLE, MODERN, MODERN_IN_STREAMS, ScenarioSet
from .suite import Suite

MODES = ("holding", "plain")

# The modern era twice, because only there the form of an answer is the server's choice.
RUNS: Sequence[tuple[ScenarioSet, str]] = (
    (LEGACY_STABLE, "/mcp"),
    (LEGACY_NEWEST, "/mcp"),
    (MODERN, "/mcp"),
    (MODERN_IN_STREAMS, "/streams"),
)


def main() -> None:
    """Run everything, and fail for any difference."""
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="conformance-"))
    report = Report()
    try:
        run(directory, report)
    except StackError as error:
        sys.exit(f"error: {error}")
    except Stopped as signal:
        sys.exit(f"stopped by {signal}")

    print(f"\n{time.monotonic() - began:.0f} s")
    if report.problems:
        print("\n".join(["Differences:", *report.problems]))
        sys.exit(f"error: {len(report.problems)} differences; logs and results are in {directory}")
    shutil.rmtree(directory)
    print("No differences: each check has the same outcome with the gate as without it.")


def run(directory: Path, report: Report) -> None:
    """Start all that it takes, and compare set by set."""
    with ExitStack() as running:
        processes = running.enter_context(Processes(directory / "logs"))
        processes.stop_on_signals()
        suite = Suite.install(processes)
        stack.install_fixture(processes)
        found = envoy.find(processes)
        built = os.environ.get("MCP_AUTH_FILTER_MODULE") or module.build(processes)
        artefact = Path(shutil.copy(built, directory))

        issuer = Issuer(free_ports(1)[0]).up()
        running.callback(issuer.down)
        fixture_port = stack.start_fixture(processes)
        gates = []
        for mode in MODES:
            place = directory / mode
            own = running.enter_context(Processes(place))
            gates.append(
                stack.start_gate(own, found, artefact, issuer, fixture_port, mode, place)
            )

        print(f"Envoy {found.version}: {found.origin}")
        ways = [("direct", fixture_port), *((gate.name, gate.proxy_port) for gate in gates)]
        for scenarios, path in RUNS:
            direct, *through = (
                Leg(way, suite.run(scenarios, stack.url(port, path), directory / f"{scenarios.name}, {way}"))
                for way, port in ways
            )
            report.compare(scenarios, direct, through)
            for gate in gates:
                gate.processes.check()

        print()
        for gate in gates:
            gate.processes.stop()
            report.decisions(gate.name, gate.decisions())


if __name__ == "__main__":
    main()
