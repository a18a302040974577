"""The filter itself, as a WebAssembly module."""

from __future__ import annotations

from pathlib import Path

from .places import ROOT
from .processes import Processes
from .tools import require_cargo

TARGET = "wasm32-wasip1"
ARTEFACT = ROOT / "target" / TARGET / "release" / "mcp_auth_filter.wasm"


def build(processes: Processes) -> Path:
    """Build the module; cargo knows when there is nothing to do."""
    require_cargo()
    processes.run(
        "the build of the filter",
        [
            *("cargo", "build", "--release", "--locked"),
            *("--target", TARGET, "--package", "mcp-auth-filter"),
        ],
        cwd=ROOT,
    )
    return ARTEFACT
