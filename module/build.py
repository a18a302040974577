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
from demo.stack.tools import require_cargo, require_target

from .hints import with_hints
from .order import in_order
from .watch import watch

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
    """The module as cargo builds it."""
    require_cargo()
    require_target(processes, TARGET, root)
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
    parts = [module, *(each.read_bytes() for each in makers())]
    once(artefact.parent, b"\0".join(parts), lambda: arrange(processes, module, artefact))


def makers() -> list[Path]:
    """The files that make the module what it is, besides its sources."""
    kinds = ("*.py", "*.mjs", "package-lock.json")
    return sorted(each for kind in kinds for each in HERE.glob(kind))


def arrange(processes: Processes, module: bytes, artefact: Path) -> None:
    """Write the module with its functions in order, made smaller by wasm-opt, and with
    hints at its conditions."""
    install(processes, HERE)
    say("making the module smaller (wasm-opt), which takes a minute")
    with tempfile.TemporaryDirectory(prefix="mcp-auth-module-") as directory:
        ordered, smaller = (Path(directory, name) for name in ("ordered.wasm", "smaller.wasm"))
        ordered.write_bytes(in_order(module, watch(processes, module).called))
        processes.run(
            "wasm-opt",
            ["node", str(WASM_OPT), str(ordered), *PASSES, "--output", str(smaller)],
        )
        made = smaller.read_bytes()
    artefact.parent.mkdir(parents=True, exist_ok=True)
    # Put in its place in one step: somebody may be reading the old one.
    staged = artefact.with_suffix(".new")
    staged.write_bytes(with_hints(made, watch(processes, made)))
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
