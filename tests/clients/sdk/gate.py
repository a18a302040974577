"""A running gate, and what can be seen of it from outside."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

from demo.stack.places import LOOPBACK, Ports
from demo.stack.processes import Child, Processes
from demo.stack.sign_in import Client
from module import build as module

from .configuration import BOTH_ERAS_PATH, QUIET_PATH

# For a test whose `gate` is to be one of each header mode, one after the other.
both_modes = pytest.mark.parametrize("gate", ["holding", "plain"], indirect=True)


@dataclass(frozen=True)
class Servers:
    """The MCP servers behind the gates."""

    everything: Child
    both_eras: Child
    both_eras_port: int


@dataclass(frozen=True, eq=False)
class Gate:
    """A running Envoy with the filter, and the servers behind it."""

    ports: Ports
    processes: Processes
    envoy: Child
    servers: Servers

    @property
    def everything(self) -> str:
        """The endpoint of the everything server, which speaks the legacy era only."""
        return self.ports.everything

    @property
    def everything_itself(self) -> str:
        """The same server without the gate."""
        return f"http://{LOOPBACK}:{self.ports.everything_server}/mcp"

    @property
    def both_eras(self) -> str:
        """The endpoint of the server that speaks both eras."""
        return both_eras(self.ports)

    @property
    def both_eras_itself(self) -> str:
        """The same server without the gate."""
        return f"http://{LOOPBACK}:{self.servers.both_eras_port}/mcp"

    @property
    def quiet(self) -> str:
        """The same server, where it may ask its clients for little."""
        return quiet(self.ports)

    @cache
    def kept_token(self, account: str, resource: str) -> str:
        """One token of an account for all tests."""
        return self.token(account, resource)

    def token(self, account: str, resource: str) -> str:
        """An access token with all that an account may have, got without an MCP client."""
        answer = Client.for_tokens(self.ports.issuer).sign_in(
            self.ports.issuer, account, scope="mcp:read mcp:write", resource=resource, ttl=3600
        )
        return str(answer["access_token"])

    def requests_upstream(self, cluster: str) -> int:
        """How many requests Envoy has begun to send to a server."""
        name = f"cluster.{cluster}.upstream_rq_total"
        stats = httpx.get(
            f"http://{LOOPBACK}:{self.ports.envoy_admin}/stats",
            params={"filter": f"^{re.escape(name)}$"},
        )
        return int(stats.text.removeprefix(f"{name}:"))

    def decisions(
        self, about: Mapping[str, object], until: Callable[[list[dict]], bool] = bool
    ) -> list[dict]:
        """The audit lines with these members, as soon as they are complete.

        Envoy writes them at the end of each request, and not at once.
        """
        found: list[dict] = []

        def complete() -> bool:
            log = self.envoy.log.read_text(encoding="utf-8", errors="replace")
            # The last line may be cut off.
            lines = log.split("\n")[:-1]
            audit = [json.loads(line) for line in lines if line.startswith("{")]
            found[:] = [each for each in audit if about.items() <= each.items()]
            return until(found)

        self.processes.wait_until(f"the audit lines about {about} are written", complete)
        return found


@dataclass(frozen=True)
class Gates:
    """A gate for each header mode, before the same servers."""

    holding: Gate
    plain: Gate


def both_eras(ports: Ports) -> str:
    """The resource identifier of the server of both eras."""
    return f"{ports.gate_url}{BOTH_ERAS_PATH}"


def quiet(ports: Ports) -> str:
    """The resource identifier of the same server, where it may ask its clients for little."""
    return f"{ports.gate_url}{QUIET_PATH}"


def find_module(processes: Processes) -> Path:
    """The filter: `$MCP_AUTH_FILTER_MODULE` if that is set, else built from the sources."""
    given = os.environ.get("MCP_AUTH_FILTER_MODULE")
    return Path(given) if given else module.build(processes)
