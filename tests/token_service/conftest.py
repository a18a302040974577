"""One token service, with what it needs, for all tests of this directory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack.places import ROOT
from demo.stack.ports import free_stack
from demo.stack.processes import Processes

# The browser's side is that of the clients' tests.
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from harness import service  # noqa: E402
from harness.people import People  # noqa: E402
from harness.service import TokenService  # noqa: E402
from sdk import node  # noqa: E402
from sdk.browser import require_chromium  # noqa: E402


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def token_service(
    processes: Processes, tmp_path_factory: pytest.TempPathFactory
) -> TokenService:
    return service.start(processes, free_stack(), tmp_path_factory.mktemp("state"))


@pytest.fixture
def people(processes: Processes, tmp_path: Path) -> Iterator[People]:
    """People who have never been here."""
    require_chromium(processes)
    node.install(processes)
    with People(tmp_path / "people.log") as running:
        yield running
