"""npm packages from committed lock files."""

from __future__ import annotations

from pathlib import Path

from .processes import Processes
from .stamps import once
from .tools import require_node


def install(processes: Processes, directory: Path) -> None:
    """`npm ci` in the directory, unless its lock file is installed already."""
    require_node(processes)
    once(
        directory / "node_modules",
        (directory / "package-lock.json").read_bytes(),
        lambda: processes.run(
            "the installation of npm packages",
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=directory,
        ),
    )
