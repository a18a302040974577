"""The token service's program."""

from __future__ import annotations

import json
import os
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.places import ROOT
from demo.stack.processes import Processes
from demo.stack.tools import require_cargo

PACKAGE = "mcp-token-service"
PROFILE = "service"


def build(processes: Processes) -> Path:
    """Build it, or take the one that `$MCP_TOKEN_SERVICE` names."""
    given = os.environ.get("MCP_TOKEN_SERVICE")
    if given:
        return Path(given)
    require_cargo()
    command = ["cargo", "build", "--locked", "--profile", PROFILE, "--package", PACKAGE]
    processes.run("the build of the token service", command, cwd=ROOT)
    status, output = processes.capture(
        ["cargo", "metadata", "--no-deps", "--format-version=1", "--quiet"]
    )
    if status != 0:
        raise StackError(f"cargo metadata:\n{output}")
    return Path(json.loads(output)["target_directory"]) / PROFILE / PACKAGE
