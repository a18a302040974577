"""The gate, the token service and the notes server with its provider, with faults between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import yaml
from between import Provider, Upstream

from demo.connect import connect
from demo.stack import authorization_server, bootstrap, notes_server, token_service
from demo.stack.authorization_server import Settings
from demo.stack.envoy import Envoy
from demo.stack.places import LOOPBACK, ROOT, Ports
from demo.stack.ports import free_ports, free_stack
from demo.stack.processes import Child, Processes, http_answers
from demo.stack.token_service import Secrets
from demo.token import access_token

MODERN = "2026-07-28"
META = "io.modelcontextprotocol"
# Every call is answered within this time, whatever is broken: the filter waits
# five seconds for the token service.
CALL_LIMIT = 8.0
POSTGRES = ROOT / "token-service" / "tests" / "support" / "postgres.sh"


@dataclass
class Replica:
    """One process of the token service."""

    config: Path
    ports: Ports
    child: Child


@dataclass
class System:
    """All parts, running."""

    envoy: Envoy
    module: Path
    executable: Path
    directory: Path
    postgres: str | None = None
    replica_count: int = 1
    access_token_seconds: int = 60
    rotates: bool = True
    ports: Ports = field(default_factory=free_stack)
    known: Secrets = field(default_factory=Secrets)
    replicas: list[Replica] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.processes = Processes(self.directory / "logs")
        self._tokens: dict[str, str] = {}
        self._client = httpx.Client(timeout=CALL_LIMIT)

    def __enter__(self) -> System:
        self.processes.__enter__()
        try:
            self._start()
        except BaseException:
            self.processes.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.processes.stop()
        self.provider.stop()
        self.upstream.stop()

    def connect(self, account: str) -> None:
        """Walk through the consent pages."""
        connect(account, self.ports)

    def call(self, account: str, tool: str = "whoami", **arguments: object) -> httpx.Response:
        """Call a tool of the notes server through the gate; it is never waited for too long."""
        if account not in self._tokens:
            request = {"ACCOUNT": account, "RESOURCE": self.ports.notes, "TTL": "3600"}
            self._tokens[account] = access_token(request, self.ports)
        meta = {f"{META}/protocolVersion": MODERN, f"{META}/clientCapabilities": {}}
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        return self._client.post(
            self.ports.notes,
            # The id is how a request is known for this account's wherever it arrives.
            json={"jsonrpc": "2.0", "id": account, "method": "tools/call", "params": params},
            headers={
                "accept": "application/json, text/event-stream",
                "authorization": f"Bearer {self._tokens[account]}",
                "mcp-protocol-version": MODERN,
                "mcp-method": "tools/call",
                "mcp-name": tool,
            },
        )

    def check_what_the_upstream_saw(self) -> None:
        """Every call that came to the notes server had its caller's credential, and no other."""
        assert self.upstream.arrivals, "nothing came to the notes server"
        faults = self.upstream.faults(
            self.ports.notes_issuer,
            self.ports.notes_upstream,
            self.ports.issuer,
            self._tokens.values(),
        )
        some = "\n".join(faults[:20])
        assert not faults, f"{len(faults)} of {len(self.upstream.arrivals)} requests:\n{some}"

    def kill(self, replica: int = 0) -> None:
        """End a replica as a crash would."""
        child = self.replicas[replica].child
        os.kill(child.pid, signal.SIGKILL)
        child.process.wait()
        self.processes.stop_child(child)

    def restart(self, replica: int = 0) -> None:
        """Start a replica again on what it has left behind."""
        known = self.replicas[replica]
        self.replicas[replica] = self._launch(known.config, known.ports, replica)

    def resolves(self, replica: int) -> int:
        """How often a replica has answered the filter with a credential."""
        port = self.replicas[replica].ports.token_service_filter
        metrics = self._client.get(f"http://{LOOPBACK}:{port}/metrics").text
        name = 'token_service_resolves_total{status="authenticated"}'
        counts = [line.split()[1] for line in metrics.splitlines() if line.startswith(name)]
        return sum(int(count) for count in counts)

    def service_log(self, replica: int = 0) -> str:
        """What a replica has logged since its last start."""
        return self.replicas[replica].child.log.read_text(encoding="utf-8", errors="replace")

    def _start(self) -> None:
        notes_own = authorization_server.of_notes(
            self.ports.notes_authorization_server,
            self.ports.notes_upstream,
            self.access_token_seconds,
        )
        gates_own = Settings(
            port=self.ports.authorization_server,
            jwt_resources=[self.ports.notes, self.ports.token_service_url],
            clients=[token_service.sign_in_client(self.ports, self.known)],
        )
        for settings in (gates_own, replace(notes_own, rotates=self.rotates)):
            authorization_server.start(self.processes, settings, self.directory)
        notes_server.start(self.processes, self.ports.notes_server, self.ports.notes_issuer)
        self.upstream = Upstream(self.ports.notes_server)
        self.provider = Provider(self.ports.notes_issuer)
        self._start_replicas()
        found = self._bootstrap()
        self.envoy.start(
            self.processes, found, self.ports.envoy_admin, secrets=self.known.of_envoy
        )

    def _start_replicas(self) -> None:
        first = token_service.write(self.processes, self.executable, self.ports, self.directory)
        config = json.loads(first.read_text(encoding="utf-8"))
        issuer = self.ports.notes_issuer
        authentication = config["servers"][1]["authentication"]
        authentication["provider"] = {
            "endpoints": {
                "issuer": issuer,
                "authorization": f"{issuer}/auth",
                "registration": f"{issuer}/reg",
                "revocation": f"{issuer}/token/revocation",
            }
        }
        authentication["resource"] = self.ports.notes_upstream
        config["outbound"]["allow"].append(f"{LOOPBACK}:{self.provider.port}")
        # A busy machine may take a second to answer, in which a token must not end.
        margin = self.access_token_seconds // 2
        config["refresh"] = {"margin_seconds": margin, "cooldown_seconds": 1, "lease_seconds": 8}
        # A lease is longer than a call to a provider.
        config["outbound"]["timeout_seconds"] = 5
        config["cache_seconds"] = 1
        if self.postgres is not None:
            config["database"] = {"url": {"environment": "DATABASE_URL"}}
        for number in range(self.replica_count):
            endpoints = authentication["provider"]["endpoints"]
            endpoints["token"] = self.provider.token_endpoint(number)
            ports = self.ports
            if number:
                public, private = free_ports(2)
                ports = replace(ports, token_service=public, token_service_filter=private)
            config["listeners"] = {
                "public": f"{LOOPBACK}:{ports.token_service}",
                "filter": f"{LOOPBACK}:{ports.token_service_filter}",
            }
            file = first.with_name(f"replica-{number}.json")
            file.write_text(json.dumps(config), encoding="utf-8")
            self.replicas.append(self._launch(file, ports, number))

    def _launch(self, config: Path, ports: Ports, number: int) -> Replica:
        child = self.processes.start(
            f"token-service-{number}",
            [str(self.executable), "serve", "--config", str(config)],
            env={**self.known.of_service, "DATABASE_URL": self.postgres or ""},
        )
        for port in (ports.token_service, ports.token_service_filter):
            ready = f"http://{LOOPBACK}:{port}/readyz"
            self.processes.wait_until("the token service is ready", lambda at=ready: http_answers(at))
        return Replica(config, ports, child)

    def _bootstrap(self) -> Path:
        file = bootstrap.write(self.module, self.ports, self.directory)
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        places = {
            "token-service": [replica.ports.token_service_filter for replica in self.replicas],
            "notes": [self.upstream.port],
        }
        for cluster in config["static_resources"]["clusters"]:
            if cluster["name"] in places:
                endpoints = [_endpoint(port) for port in places[cluster["name"]]]
                cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
        text = yaml.safe_dump(config)
        # A second is long for these tests, and short for what they wait for.
        file.write_text(text.replace('"cache_seconds": 5', '"cache_seconds": 1'), encoding="utf-8")
        return file


def _endpoint(port: int) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}}


@contextmanager
def postgres(binaries: Path) -> Iterator[str]:
    """The URL of a database in a PostgreSQL of its own."""
    command = ["sh", "-c", POSTGRES.read_text(encoding="utf-8"), "postgres.sh", str(binaries)]
    if os.geteuid() == 0:
        # It does not run as root; the script may be where its user cannot read.
        command = ["runuser", "-u", "postgres", "--", *command]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("ready "), line
        try:
            yield f"postgres://tester@localhost/postgres?host={line.split()[1]}"
        finally:
            server.stdin.close()


