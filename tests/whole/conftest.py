"""The parts that every system of these tests is made of, built and installed once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from system import System, postgres

from demo.stack import authorization_server, envoy, notes_server, token_service
from demo.stack.processes import Processes
from module import build as module

StartSystem = Callable[..., System]


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("tools")) as processes:
        authorization_server.install(processes)
        notes_server.install(processes)
        yield processes


@pytest.fixture
def start_system(tools: Processes, tmp_path: Path) -> Iterator[StartSystem]:
    """Starts a system; what differs from the demonstration is given by name.

    What the notes server saw of its calls is checked in the end, whatever the test is about.
    """
    found = envoy.find(tools)
    built = os.environ.get("MCP_AUTH_FILTER_MODULE") or module.build(tools)
    executable = token_service.build(tools)
    started: list[System] = []
    with ExitStack() as running:

        def start(**different: object) -> System:
            copy = Path(shutil.copy(built, tmp_path))
            system = System(found, copy, executable, tmp_path, **different)  # type: ignore[arg-type]
            started.append(running.enter_context(system))
            return system

        yield start
        try:
            for system in started:
                system.check_what_the_upstream_saw()
        except BaseException:
            print_logs(tmp_path)
            raise


@pytest.fixture
def database() -> Iterator[str]:
    """A PostgreSQL of the test's own."""
    where = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("initdb")
    if on_path:
        where.append(Path(on_path).resolve().parent)
    if not where:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with postgres(where[-1]) as url:
        yield url


@pytest.fixture(autouse=True)
def logs_on_failure(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Show the ends of the logs where a test fails."""
    yield
    report = getattr(request.node, "rep_call", None)
    if report is not None and report.failed:
        print_logs(tmp_path)


def print_logs(directory: Path) -> None:
    """Print the ends of the logs."""
    for log in sorted((directory / "logs").glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"--- {log.name}", *lines[-25:], sep="\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    if report.when == "call":
        item.rep_call = report  # type: ignore[attr-defined]
    return report
