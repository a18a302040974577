"""A real browser with a page that is an MCP client."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.stack.errors import StackError
from demo.stack.processes import Processes

from .lines import Program
from .node import DIRECTORY

CHROMIUM = "/usr/bin/chromium"


def require_chromium(processes: Processes) -> None:
    """Chromium as Debian packages it, installed if that is possible here."""
    if Path(CHROMIUM).exists():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StackError(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    processes.run(
        "the installation of Chromium",
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"],
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )


class Browser:
    """Chromium, and the server of the page; a context manager that ends both."""

    def __init__(self, page_port: int, log: Path) -> None:
        command = ["node", str(DIRECTORY / "browser.js"), str(page_port), CHROMIUM]
        self._program = Program(command, log)

    def __enter__(self) -> Browser:
        self._program.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def work(
        self, host: str, endpoint: str, calls: Sequence[dict], accounts: Sequence[str]
    ) -> dict:
        """Let the page of this host make calls; its user signs in when asked to."""
        task = {"endpoint": endpoint, "calls": list(calls)}
        return self._do("work", host=host, task=task, accounts=list(accounts))

    def send_unasked(self, host: str, endpoint: str, body: str) -> str:
        """Let a page send what needs no preflight; the type of answer that it got."""
        return self._do("sendUnasked", host=host, endpoint=endpoint, body=body)

    def _do(self, command: str, **fields: object) -> Any:
        outcome = self._program.ask(command, **fields)
        assert "error" not in outcome, outcome["error"]
        return outcome["result"]
