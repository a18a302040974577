"""The processes of one run: Envoy on its core, and the servers beside it."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from demo.stack.envoy import Envoy
from demo.stack.errors import StackError
from demo.stack.places import LOOPBACK
from demo.stack.ports import answers, free_ports
from demo.stack.processes import Child, Processes

from . import chains, material
from .affinity import Cores
from .chains import Chain, Places
from .load import Request
from .material import PATH, Material
from .tools import Tools
from .usage import stats

PATIENCE = 10.0
# What of its access logs Envoy has in memory, in bytes.
BUFFERED = "filesystem.write_total_buffered"
# The answer of the upstream to a call of a tool.
DONE = b'"text":"done"'


@dataclass(frozen=True)
class Servers:
    """The upstream and the authorizer, which run for the whole time."""

    upstream: int
    authorizer: int


@dataclass(frozen=True)
class Stage:
    """One Envoy with its chains."""

    envoy: Child
    admin: str
    ports: Mapping[str, int]
    logs: Mapping[str, Path]

    def probe(self, chain: str, request: Request, *, passes: bool) -> None:
        """See that a request is decided on as it should be, and logged with whose it was."""
        self.truncate_logs()
        request_id = str(uuid.uuid4())
        headers = {**request.fixed_headers, "X-Request-Id": request_id}
        subject = "the-same-user"
        if request.tokens is not None:
            with open(request.tokens, encoding="ascii") as tokens:
                headers["Authorization"] = f"Bearer {tokens.readline().strip()}"
            subject = "user-0"
        connection = http.client.HTTPConnection(LOOPBACK, self.ports[chain], timeout=PATIENCE)
        try:
            connection.request("POST", PATH, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        reached = response.status == 200 and (DONE in body or b'"tools"' in body)
        if reached != passes:
            raise StackError(
                f"{chain}: a request that should {'pass' if passes else 'be refused'} got "
                f"{response.status} {body[:200]!r}"
            )
        has_identity = chain != "none" and "Authorization" in headers
        # The authorizer names the caller only where it allows.
        if chain == "ext_authz" and not passes:
            has_identity = False
        self._wait_for_line(chain, request_id, subject if has_identity else "")

    def truncate_logs(self) -> None:
        """Envoy appends, so that what was written can be taken away under it."""
        for log in self.logs.values():
            if log.exists():
                log.write_bytes(b"")

    def wait_until_logged(self) -> None:
        """Until Envoy has written what it holds of its access logs."""
        deadline = time.monotonic() + PATIENCE
        while stats(self.admin, f"^{BUFFERED}$") != {BUFFERED: 0}:
            if time.monotonic() > deadline:
                raise StackError("Envoy does not write its access logs")
            time.sleep(0.02)

    def _wait_for_line(self, chain: str, request_id: str, subject: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            log = self.logs[chain]
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            lines = [line for line in text.splitlines() if request_id in line]
            if lines:
                if len(lines) == 1 and subject in lines[0]:
                    return
                raise StackError(f"{chain}: not one line of {subject} in the access log: {lines}")
            if time.monotonic() > deadline:
                raise StackError(f"{chain}: nothing of a request in the access log")
            time.sleep(0.02)


def start_servers(
    processes: Processes, tools: Tools, cores: Cores, made: Material, directory: Path
) -> Servers:
    """Start the upstream and the authorizer, on the cores of the load."""
    upstream, authorizer = free_ports(2)
    tools_file = directory / "tools.json"
    tools_file.write_bytes(material.listed_tools())
    settings = directory / "authorizer.json"
    settings.write_text(
        json.dumps(chains.authorizer_settings(made, material.RULES)), encoding="utf-8"
    )
    with cores.of(cores.others):
        for name, port, file in (
            ("upstream", upstream, tools_file),
            ("authorizer", authorizer, settings),
        ):
            address = f"{LOOPBACK}:{port}"
            processes.start(name, [str(tools.servers), name, address, str(file)])
            processes.wait_until(f"the {name} answers", partial(answers, port))
    return Servers(upstream, authorizer)


def in_turn(made: Sequence[Chain], number: int) -> Sequence[Chain]:
    """The chains in the order of this round, every other one backwards: what is loaded first
    may find the better places in memory."""
    return made if number % 2 == 0 else made[::-1]


@contextmanager
def envoy_with(
    processes: Processes,
    envoy: Envoy,
    cores: Cores,
    made: Sequence[Chain],
    places: Places,
    directory: Path,
) -> Iterator[Stage]:
    """Run one Envoy with one worker and these chains."""
    (admin,) = free_ports(1)
    config = directory / "envoy.json"
    config.write_text(
        json.dumps(chains.bootstrap(made, places, admin, directory)), encoding="utf-8"
    )
    with cores.of(cores.envoy):
        child = envoy.start(processes, config, admin, concurrency=1)
    try:
        yield Stage(
            child,
            f"http://{LOOPBACK}:{admin}",
            {chain.name: chain.port for chain in made},
            {chain.name: chains.log_of(chain, directory) for chain in made},
        )
    finally:
        processes.stop_child(child)
