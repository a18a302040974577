"""The programs that the benchmark needs, and the servers that it builds itself."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.places import CACHE, ROOT
from demo.stack.processes import Processes
from demo.stack.stamps import once

SERVERS = ROOT / "bench" / "servers"
DIRECTORY = CACHE / "bench"

# The load at a fixed rate, with a token of its own for each request.
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"


@dataclass(frozen=True)
class Tools:
    """Where the programs are; `versions` is for the report."""

    wrk: str
    h2load: str
    vegeta: Path
    servers: Path
    versions: dict[str, str]


def prepare(processes: Processes) -> Tools:
    """Find what the machine has to have, and build the rest.

    wrk finds the throughput over HTTP/1.1, because a Lua script can give each
    request another token and costs the least of a core; h2load (nghttp2) does
    over HTTP/2; vegeta finds the latency, because it keeps to a rate whatever
    the answers do.
    """
    wrk = _required("wrk", "on Debian: apt-get install wrk")
    h2load = _required("h2load", "on Debian: apt-get install nghttp2-client")
    go = _required("go", "install Go 1.26 or newer: https://go.dev")
    vegeta = _build(
        processes,
        "vegeta",
        VEGETA.encode(),
        [go, "install", VEGETA],
        ROOT,
    )
    sources = sorted(path for path in SERVERS.iterdir() if path.is_file())
    servers = _build(
        processes,
        "servers",
        b"".join(path.read_bytes() for path in sources),
        [go, "install", "."],
        SERVERS,
    )
    versions = {
        "wrk": _first_line(processes, [wrk, "-v"]),
        "h2load": _first_line(processes, [h2load, "--version"]),
        "vegeta": VEGETA.rpartition("@")[2],
        "go": _first_line(processes, [go, "version"]),
    }
    return Tools(wrk, h2load, vegeta, servers, versions)


def _required(name: str, how: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise StackError(f"{name} is not on the PATH, and the benchmark needs it; {how}")
    return path


def _build(processes: Processes, name: str, inputs: bytes, command: list[str], cwd: Path) -> Path:
    directory = DIRECTORY / name
    where = {"GOBIN": str(directory), "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}

    def build() -> None:
        shutil.rmtree(directory, ignore_errors=True)
        processes.run(f"the build of {name}", command, cwd=cwd, env=where)

    once(directory, inputs, build)
    return directory / name


def _first_line(processes: Processes, command: list[str]) -> str:
    _, output = processes.capture(command)
    return output.partition("\n")[0].partition(" Copyright")[0].strip()
