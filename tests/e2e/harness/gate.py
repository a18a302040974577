"""One running Envoy with the filter, and how to talk to it."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from demo.stack.envoy import Envoy
from demo.stack.places import LOOPBACK, Ports
from demo.stack.ports import free_ports
from demo.stack.processes import Child, Processes

from . import bootstrap
from .bootstrap import HOLDING, Json, Setup
from .issuer import Issuer
from .recorder import FENCE, PATIENCE, Recorder, Seen

ENDPOINT = "/everything/mcp"
LEGACY = "2025-11-25"
MODERN = "2026-07-28"
HTTP1, HTTP2 = "HTTP/1.1", "HTTP/2"

# Tests wait for lines of the audit log.
FLUSH_MS = 5

# A worker whose VM has died writes one of these.
CRASHES = ("proxy_abort", "Wasm VM failed", "panicked", "Function: proxy_", "wasm trap")


@dataclass
class Outcome:
    """What the client got, and what the upstream saw of it."""

    gate: Gate
    request_id: str
    response: httpx.Response
    upstream: list[Seen]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def json(self) -> Json:
        """The body of the response."""
        return dict(self.response.json())

    @property
    def error(self) -> Json:
        """The JSON-RPC error of the response."""
        return dict(self.json["error"])

    @property
    def challenge(self) -> str | None:
        """The WWW-Authenticate header."""
        return self.response.headers.get("www-authenticate")

    @property
    def audit(self) -> Json:
        """The one audit line."""
        return self.gate.audit(self.request_id)

    def passed(self) -> Seen:
        """Allowed: the upstream got it, once and whole, and its answer came back."""
        assert len(self.upstream) == 1, self.upstream
        assert self.upstream[0].complete
        assert self.upstream[0].header("authorization") is None
        assert self.audit["outcome"] == "allowed", self.audit
        return self.upstream[0]

    def refused(self, status: int, reason: str) -> Outcome:
        """Refused by the gate: no body went on, and in holding mode nothing at all."""
        assert self.status == status, (self.status, self.response.text)
        if self.gate.setup.mode == HOLDING:
            assert self.upstream == []
        for seen in self.upstream:
            assert not seen.body and not seen.complete, seen
            assert seen.header("authorization") is None
        assert self.audit["reason"] == reason, self.audit
        assert self.audit["outcome"] in ("denied", "challenged")
        assert self.audit["status"] == status
        return self

    def unseen(self) -> Outcome:
        """Not even its headers reached the upstream, whatever the mode is."""
        assert self.upstream == [], self.upstream
        return self


@dataclass(eq=False, repr=False)
class Gate:
    """A running gate. One test at a time uses it."""

    setup: Setup
    ports: Ports
    policy: Json
    recorder: Recorder
    issuer: Issuer
    processes: Processes
    directory: Path
    envoy: Child
    secrets: tuple[str, ...] = ()
    _clients: dict[str, httpx.Client] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        envoy: Envoy,
        module: Path,
        setup: Setup,
        recorder: Recorder,
        issuer: Issuer,
        directory: Path,
        ports: Ports | None = None,
    ) -> Gate:
        """Start an Envoy, and wait until it is ready."""
        if ports is None:
            gate, admin = free_ports(2)
            ports = Ports(gate, admin, issuer.port, recorder.port)
        config, policy = bootstrap.write(setup, module, ports, directory)
        processes = Processes(directory)
        child = envoy.start(
            processes, config, ports.envoy_admin, concurrency=setup.concurrency, flush_ms=FLUSH_MS
        )
        return cls(setup, ports, policy, recorder, issuer, processes, directory, child)

    @property
    def authority(self) -> str:
        """Where clients connect to."""
        return f"{LOOPBACK}:{self.ports.gate}"

    @property
    def resource(self) -> str:
        """The resource identifier of the everything server."""
        return self.ports.everything

    def token(self, account: str, path: str = ENDPOINT) -> str:
        """A good access token of an account, always the same one."""
        key = (account, path)
        if key not in self._tokens:
            self._tokens[key] = self.issuer.token(account, f"{self.ports.gate_url}{path}")
        return self._tokens[key]

    def use_token(self, account: str, token: str, path: str = ENDPOINT) -> None:
        """From now on, this is the good token of an account."""
        self._tokens[account, path] = token

    def client(self, protocol: str = HTTP1) -> httpx.Client:
        """A client of one protocol, with its connections."""
        if protocol not in self._clients:
            self._clients[protocol] = httpx.Client(
                http1=protocol == HTTP1,
                http2=protocol == HTTP2,
                base_url=self.ports.gate_url,
                timeout=2 * PATIENCE,
                headers={"user-agent": "e2e"},
            )
        return self._clients[protocol]

    def send(
        self,
        method: str,
        path: str = ENDPOINT,
        *,
        account: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        content: bytes | None = None,
        protocol: str = HTTP1,
    ) -> Outcome:
        """One request as it is given, with a token of the account or the given one."""
        request_id = str(uuid.uuid4())
        sent = list(headers.items() if isinstance(headers, Mapping) else headers or [])
        if account is not None:
            token = self.token(account, path.partition("?")[0])
        if token is not None:
            sent.append(("authorization", f"Bearer {token}"))
        sent.append(("x-request-id", request_id))
        before = len(self.recorder.seen)
        response = self.client(protocol).request(method, path, headers=sent, content=content)
        upstream = self.upstream_since(before)
        # Of a request that was sent before this one, and cut off, the server may hear only now.
        own = [seen for seen in upstream if seen.header("x-request-id") == request_id]
        return Outcome(self, request_id, response, own)

    def post(
        self,
        message: Any,
        *,
        account: str | None = "reader",
        headers: Mapping[str, str] | None = None,
        version: str | None = LEGACY,
        path: str = ENDPOINT,
        **more: Any,
    ) -> Outcome:
        """POST a message, as MCP clients do it."""
        sent = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **({} if version is None else {"mcp-protocol-version": version}),
            **(headers or {}),
        }
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        if "token" in more:
            account = None
        return self.send("POST", path, account=account, headers=sent, content=content, **more)

    def upstream_since(self, before: int) -> list[Seen]:
        """What reached the upstream, without the request that shows that no more is on its way."""
        fence = str(uuid.uuid4())
        token = self.token("reader")
        self.client().post(
            ENDPOINT,
            headers={"authorization": f"Bearer {token}", FENCE: fence},
            json={"jsonrpc": "2.0", "id": fence, "method": "ping"},
        )
        self.recorder.wait(
            "the fence", lambda: any(seen.header(FENCE) == fence for seen in self.recorder.seen)
        )
        return [seen for seen in self.recorder.seen[before:] if seen.header(FENCE) is None]

    def audit(self, request_id: str) -> Json:
        """The audit line of a request; there is exactly one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = self.audit_lines(request_id)
            if lines:
                assert len(lines) == 1, lines
                return lines[0]
            assert time.monotonic() < deadline, f"no audit line for {request_id}"
            time.sleep(0.005)

    def audit_lines(self, request_id: str = "") -> list[Json]:
        """All complete lines of the audit log, or those of one request."""
        lines = self.text("audit.log").split("\n")[:-1]
        parsed = [json.loads(line) for line in lines if request_id in line]
        return [line for line in parsed if not request_id or line.get("request_id") == request_id]

    def text(self, name: str) -> str:
        """One of the logs."""
        file = self.directory / name
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    def admin(self, path: str) -> str:
        """What Envoy's admin interface says."""
        return httpx.get(f"http://{LOOPBACK}:{self.ports.envoy_admin}{path}", timeout=10).text

    def stat(self, name: str) -> int:
        """A counter or a gauge; 0 until it is there."""
        for line in self.admin(f"/stats?filter=^{name}$").splitlines():
            return int(line.rpartition(": ")[2])
        return 0

    def counters(self, name: str) -> dict[frozenset[str], int]:
        """The filter's counters of this name, by their labels as Prometheus has them.

        The filter tells Envoy of decisions and credentials a little later, so
        those of an earlier test may still be on their way.
        """
        pattern = rf"^mcp_auth_{name}\{{(.*)\}} (\d+)$"
        found = re.findall(pattern, self.admin("/stats/prometheus"), re.M)
        return {frozenset(labels.split(",")): int(count) for labels, count in found}

    def wait_for_requests(self, count: int) -> None:
        """Wait until Envoy has exactly that many requests that are not answered."""
        active = "http.gate.downstream_rq_active"
        self.recorder.wait(f"{count} requests at Envoy", lambda: self.stat(active) == count)

    def get_head(self, account: str) -> bytes:
        """A whole HTTP/1.1 GET, for tests that leave before it is answered."""
        line = f"GET {ENDPOINT} HTTP/1.1\r\nhost: {self.authority}\r\n"
        return f"{line}authorization: Bearer {self.token(account)}\r\n\r\n".encode()

    def stop(self) -> None:
        """Stop it, and look for what must not be in its logs."""
        stats = self.admin("/stats")
        for client in self._clients.values():
            client.close()
        self.processes.stop()
        log = self.envoy.log.read_text(encoding="utf-8", errors="replace")
        for crash in CRASHES:
            assert crash not in log, f"{crash} in {self.envoy.log}"
        written = {"log": log, "stats": stats}
        written |= {name: self.text(name) for name in ("access.log", "audit.log")}
        for secret in self.issuer.secrets() | set(self.secrets):
            for name, text in written.items():
                assert secret not in text, f"a token is in Envoy's {name}"


StartGate = Callable[..., Gate]
