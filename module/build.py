"""Builds the module: `python3 -m module.build`, or `make build`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.node import install
from demo.stack.places import CACHE, ROOT
from demo.stack.processes import Processes
from demo.stack.stamps import once
from demo.stack.tools import require_cargo

from .order import HOT_FUNCTIONS, hot_functions, names, ranks, with_names

TARGET = "wasm32-wasip1"
NAME = "mcp_auth_filter.wasm"
ARTEFACT = ROOT / "target" / "module" / NAME

HERE = Path(__file__).parent
WASM_OPT = HERE / "node_modules" / "binaryen" / "bin" / "wasm-opt"
PASSES = (
    *("-Oz", "--merge-similar-functions", "-Oz"),
    *("--reorder-functions-by-name", "--strip-debug", "--strip-producers"),
)


def compiled(processes: Processes, root: Path = ROOT, target: Path | None = None) -> Path:
    """The module as cargo builds it, with the names of its functions."""
    require_cargo()
    target = target or root / "target"
    processes.run(
        "the build of the filter",
        [
            *("cargo", "build", "--release", "--locked"),
            *("--target", TARGET, "--package", "mcp-auth-filter"),
            *("--target-dir", str(target)),
            *("--config", f"target.{TARGET}.rustflags=['--remap-path-prefix={sources()}=']"),
        ],
        cwd=root,
    )
    return target / TARGET / "release" / NAME


def sources() -> Path:
    """Where cargo keeps the sources of other crates. Messages of panics name files
    there: without this part they are shorter, and the same on every machine."""
    home = os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
    return Path(home) / "registry" / "src"


def build(processes: Processes) -> Path:
    """Build the module as it is shipped, unless that was done for these sources."""
    module = compiled(processes).read_bytes()
    arrange_once(processes, module, ARTEFACT)
    return ARTEFACT


def arrange_once(processes: Processes, module: bytes, artefact: Path) -> None:
    """Arrange the module, unless it is what was arranged here last."""
    tool = (HERE / "package-lock.json").read_bytes()
    inputs = b"\0".join([module, HOT_FUNCTIONS.read_bytes(), " ".join(PASSES).encode(), tool])
    once(artefact.parent, inputs, lambda: arrange(processes, module, artefact))


def arrange(processes: Processes, module: bytes, artefact: Path) -> None:
    """Write the module with its functions in order, made smaller by wasm-opt."""
    install(processes, HERE)
    found, hot = names(module), hot_functions()
    say("making the module smaller (wasm-opt), which takes a minute")
    with tempfile.TemporaryDirectory(prefix="mcp-auth-module-") as directory:
        named = Path(directory, NAME)
        named.write_bytes(with_names(module, ranks(found, hot)))
        artefact.parent.mkdir(parents=True, exist_ok=True)
        # Put in its place in one step: somebody may be reading the old one.
        staged = artefact.with_suffix(".new")
        processes.run(
            "wasm-opt",
            ["node", str(WASM_OPT), str(named), *PASSES, "--output", str(staged)],
        )
        staged.replace(artefact)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Build, and print where the module is."""
    try:
        with Processes(CACHE / "logs") as processes:
            print(build(processes))
    except StackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
