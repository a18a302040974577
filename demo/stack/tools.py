"""The tools that the user's machine has to have."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .errors import StackError
from .processes import Processes

OLDEST_NODE = 20


def require_cargo() -> None:
    """Rust, to build the filter and the token service. rustup then fetches the version."""
    if shutil.which("cargo") is None:
        raise StackError("cargo is not on the PATH; install Rust with rustup: https://rustup.rs")


def require_target(processes: Processes, target: str, root: Path) -> None:
    """The target, also where this version of Rust was there before without it:
    rustup fetches a target by itself only together with the version."""
    if shutil.which("rustup") is not None:
        processes.run("fetching the target", ["rustup", "target", "add", target], cwd=root)


def require_node(processes: Processes) -> None:
    """Node.js with npm, for the authorization server and the MCP server."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise StackError(
                f"{tool} is not on the PATH; install Node.js {OLDEST_NODE} or newer: "
                "https://nodejs.org"
            )
    _, output = processes.capture(["node", "--version"])
    found = re.search(r"v(\d+)\.", output)
    if found is None or int(found.group(1)) < OLDEST_NODE:
        raise StackError(
            f"Node.js {OLDEST_NODE} or newer is needed; `node --version` says {output.strip()}"
        )
