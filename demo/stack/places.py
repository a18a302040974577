"""Where the project keeps things on disk, and where its parts listen."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The loopback ports of one running stack. The defaults are those of `make run`."""

    gate: int = 10000
    envoy_admin: int = 9901
    authorization_server: int = 9000
    everything_server: int = 3001
    notes_server: int = 3002
    notes_authorization_server: int = 9001
    token_service: int = 8081
    token_service_filter: int = 8082

    @property
    def gate_url(self) -> str:
        """Where clients reach the gate."""
        return f"http://{LOOPBACK}:{self.gate}"

    @property
    def everything(self) -> str:
        """The public MCP endpoint of the everything server, also its resource identifier."""
        return f"{self.gate_url}/everything/mcp"

    @property
    def notes(self) -> str:
        """The public MCP endpoint of the notes server, also its resource identifier at the gate."""
        return f"{self.gate_url}/notes/mcp"

    @property
    def issuer(self) -> str:
        """The authorization server's issuer identifier."""
        return f"http://{LOOPBACK}:{self.authorization_server}"

    @property
    def notes_upstream(self) -> str:
        """The notes server itself, and its resource identifier at its own authorization server."""
        return f"http://{LOOPBACK}:{self.notes_server}/mcp"

    @property
    def notes_issuer(self) -> str:
        """The issuer identifier of the notes server's own authorization server."""
        return f"http://{LOOPBACK}:{self.notes_authorization_server}"

    @property
    def token_service_url(self) -> str:
        """The token service for browsers and API callers, also the audience of its tokens."""
        return f"http://{LOOPBACK}:{self.token_service}"


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Let one process at a time do a set-up step that others would want to do too.

    `make test` beside `make run` shares the downloaded parts; the second one
    waits and then finds the work done.
    """
    directory = CACHE / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / name, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
