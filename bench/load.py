"""The load generators: how each is called, and what it says."""

from __future__ import annotations

import base64
import csv
import itertools
import json
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.processes import Processes

from .affinity import Cores
from .material import HEADERS, PATH
from .tools import Tools

SCRIPT = Path(__file__).with_name("requests.lua")
MICROSECONDS = 1e-6

# More than the connections that are open when a run of wrk ends, whose requests
# have been sent and are not counted.
SENT_UNCOUNTED = 512

# At a fixed rate, so many seconds pass before latencies count: connections are opened then.
OPENING = 0.2
# The p99 of a run at a fixed rate is the median of those of its windows. A pause of the
# machine is longer than a hundredth of a run, and would be the p99 of all of it; it is in
# one window or two. Not shorter than what recurs in a chain, the tick of the filter.
WINDOW = 0.1
# vegeta's own collections of garbage would be the longest latencies; a turn is short.
WITHOUT_COLLECTIONS = {"GOGC": "off"}

H1, H2 = "HTTP/1.1", "HTTP/2"


@dataclass(frozen=True)
class Request:
    """What is sent. `tokens` is a file of tokens that are taken in turn, `token` the only one."""

    body: bytes
    token: str | None = None
    tokens: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def fixed_headers(self) -> dict[str, str]:
        """The headers that every request has."""
        bearer = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {**HEADERS, **self.headers, **bearer}


@dataclass(frozen=True)
class Load:
    """How it is sent."""

    connections: int = 16
    protocol: str = H1
    # HTTP/2: how many connections the requests of `connections` share.
    sessions: int = 4


@dataclass(frozen=True)
class Result:
    """What a run found. Latencies are in seconds."""

    seconds: float
    requests: int
    refused: int
    failed: int
    p50: float
    p99: float


@dataclass(frozen=True)
class SteadyResult(Result):
    """What a run at a fixed rate found: `p99` is the median of its windows, `p99_whole` that
    of all requests."""

    p99_whole: float


class Generator:
    """Runs the load generators on the cores that Envoy does not have."""

    def __init__(self, processes: Processes, tools: Tools, cores: Cores, directory: Path) -> None:
        self._processes = processes
        self._tools = tools
        self._cores = cores
        self._directory = directory
        # How far each file of tokens has come at each port.
        self._next: dict[tuple[int, Path], int] = {}

    def most(self, port: int, request: Request, load: Load, seconds: float) -> Result:
        """As many requests as there are answers."""
        if load.protocol == H2:
            return self._h2load(port, request, load, seconds)
        return self._wrk(port, request, load, seconds)

    def steady(
        self, port: int, request: Request, load: Load, rate: int, seconds: float
    ) -> SteadyResult:
        """So many requests a second, whatever the answers do; latencies as if none had waited."""
        targets = self._directory / "targets.json"
        lasts = OPENING + seconds
        count = int(rate * lasts) + 1
        with open(targets, "w", encoding="ascii") as file:
            for headers in itertools.islice(self._header_sets(port, request), count):
                file.write(json.dumps(_target(port, request.body, headers)) + "\n")
                if request.tokens is None:
                    break
        found = self._directory / "found.bin"
        attack = [
            *(str(self._tools.vegeta), "attack", "-format=json", "-lazy", f"-targets={targets}"),
            *(f"-rate={rate}/1s", f"-duration={lasts}s", f"-output={found}"),
            *(f"-max-connections={load.connections}", f"-connections={load.connections}"),
            *("-workers=64", "-max-workers=1024", "-max-body=0"),
        ]
        if request.tokens is None:
            attack.remove("-lazy")
        if load.protocol == H2:
            attack.append("-h2c")
        self._run(attack, lasts, WITHOUT_COLLECTIONS)
        rows = [str(self._tools.vegeta), "encode", "-to=csv", str(found)]
        return read_vegeta(self._run(rows, lasts), seconds)

    def _wrk(self, port: int, request: Request, load: Load, seconds: float) -> Result:
        headers = self._directory / "headers.txt"
        lines = (f"{name}: {value}\n" for name, value in request.fixed_headers.items())
        headers.write_text("".join(lines), encoding="ascii")
        headers.chmod(0o600)
        tokens: list[str] = []
        if request.tokens is not None:
            tokens = [str(request.tokens), str(self._next.get((port, request.tokens), 0))]
        command = [
            *(self._tools.wrk, "-t1", f"-c{load.connections}", f"-d{seconds:.0f}s"),
            *("--timeout", "30s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}{PATH}"),
            *("--", str(headers), str(self._body(request)), *tokens),
        ]
        output = self._run(command, seconds)
        found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
        if found is None:
            raise StackError(f"wrk found nothing:\n{output}")
        values = json.loads(found[1])
        if request.tokens is not None:
            self._advance(port, request.tokens, values["requests"] + SENT_UNCOUNTED)
        return Result(
            values["seconds"],
            values["requests"],
            values["refused"],
            values["failed"],
            values["p50_us"] * MICROSECONDS,
            values["p99_us"] * MICROSECONDS,
        )

    def _h2load(self, port: int, request: Request, load: Load, seconds: float) -> Result:
        log = self._directory / "h2load.log"
        log.unlink(missing_ok=True)
        streams = max(load.connections // load.sessions, 1)
        sessions = min(load.sessions, load.connections)
        headers = {name.lower(): value for name, value in request.fixed_headers.items()}
        headers[":authority"] = headers.pop("host")
        command = [
            *(self._tools.h2load, f"-c{sessions}", f"-m{streams}", f"-D{seconds:.0f}"),
            *(f"--data={self._body(request)}", f"--log-file={log}"),
            *(f"--header={name}: {value}" for name, value in headers.items()),
            f"http://127.0.0.1:{port}{PATH}",
        ]
        return _read_h2load(self._run(command, seconds), log, seconds)

    def _run(
        self, command: list[str], seconds: float, env: Mapping[str, str] | None = None
    ) -> str:
        with self._cores.of(self._cores.others):
            status, output = self._processes.capture(command, env=env, seconds=seconds + 60)
        if status != 0:
            raise StackError(f"{Path(command[0]).name} failed:\n{output}")
        return output

    def _body(self, request: Request) -> Path:
        body = self._directory / "body.json"
        body.write_bytes(request.body)
        return body

    def _header_sets(self, port: int, request: Request) -> Iterator[dict[str, str]]:
        """The headers of each request, for as long as somebody asks."""
        if request.tokens is None:
            while True:
                yield request.fixed_headers
        tokens = request.tokens.read_text(encoding="ascii").split()
        while True:
            place = self._next.get((port, request.tokens), 0)
            self._advance(port, request.tokens, 1)
            bearer = f"Bearer {tokens[place % len(tokens)]}"
            yield {**request.fixed_headers, "Authorization": bearer}

    def _advance(self, port: int, tokens: Path, count: int) -> None:
        self._next[port, tokens] = self._next.get((port, tokens), 0) + count


def _target(port: int, body: bytes, headers: dict[str, str]) -> dict[str, object]:
    return {
        "method": "POST",
        "url": f"http://127.0.0.1:{port}{PATH}",
        "body": base64.b64encode(body).decode(),
        "header": {name: [value] for name, value in headers.items()},
    }


def read_vegeta(output: str, seconds: float) -> SteadyResult:
    """Of what `vegeta encode` writes: when a request was sent, the status, and what it took.

    Times are in nanoseconds; the status is 0 where there was no answer.
    """
    rows = [
        (int(sent), int(code), int(took))
        for sent, code, took, *_ in csv.reader(output.splitlines())
    ]
    began = min((sent for sent, _, _ in rows), default=0) + int(OPENING * 1e9)
    counted = [row for row in rows if row[0] >= began]
    windows: dict[int, list[float]] = {}
    for sent, _, took in counted:
        windows.setdefault((sent - began) // int(WINDOW * 1e9), []).append(took * 1e-9)
    latencies = [took for window in windows.values() for took in window]
    p99s = [percentile(window, 0.99) for window in windows.values()]
    return SteadyResult(
        seconds=seconds,
        requests=len(counted),
        refused=sum(1 for _, code, _ in counted if code >= 400),
        failed=sum(1 for _, code, _ in counted if code == 0),
        p50=percentile(latencies, 0.5),
        p99=statistics.median(p99s or [0.0]),
        p99_whole=percentile(latencies, 0.99),
    )


def _read_h2load(output: str, log: Path, seconds: float) -> Result:
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if codes is None:
        raise StackError(f"h2load found nothing:\n{output}")
    good, moved, refused, broken = (int(code) for code in codes.groups())
    took = [int(line.split()[2]) for line in log.read_text(encoding="ascii").splitlines()]
    return Result(
        seconds=seconds,
        requests=good + moved + refused + broken,
        refused=refused,
        failed=broken,
        p50=percentile(took, 0.5) * MICROSECONDS,
        p99=percentile(took, 0.99) * MICROSECONDS,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """What this share of the values is not above; 0 where there are none."""
    if not values:
        return 0.0
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
