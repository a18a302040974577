"""The authorization server of the demonstration."""

from __future__ import annotations

import json
import secrets
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import node
from .places import LOOPBACK, ROOT
from .processes import Child, Processes, http_answers

DIRECTORY = ROOT / "demo" / "authorization-server"


@dataclass(frozen=True)
class IntrospectionClient:
    """The credentials with which the gate may ask about opaque tokens."""

    client_id: str = "gate"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


@dataclass(frozen=True)
class Settings:
    """What can be different from one authorization server to the next.

    `jwt_resources` and `opaque_resources` are the resource identifiers that
    tokens may be asked for, and what those tokens look like.
    `client_documents` are client id metadata documents that are answered from
    here instead of the network, by their https URL.
    """

    port: int
    jwt_resources: Sequence[str]
    opaque_resources: Sequence[str] = ()
    introspection_client: IntrospectionClient = field(default_factory=IntrospectionClient)
    client_documents: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AuthorizationServer:
    """A running authorization server."""

    settings: Settings
    child: Child

    @property
    def issuer(self) -> str:
        """Its issuer identifier."""
        return f"http://{LOOPBACK}:{self.settings.port}"

    def key_ids(self) -> list[str]:
        """The ids of the published keys."""
        with urllib.request.urlopen(f"{self.issuer}/jwks", timeout=5) as answer:
            return [key["kid"] for key in json.load(answer)["keys"]]

    def rotate_keys(self, processes: Processes) -> None:
        """From now on a new key signs; the earlier ones stay published."""
        before = len(self.key_ids())
        self.child.signal(signal.SIGUSR2)
        processes.wait_until("a new key is published", lambda: len(self.key_ids()) > before)


def install(processes: Processes) -> None:
    """Fetch its packages."""
    node.install(processes, DIRECTORY)


def start(processes: Processes, settings: Settings, state: Path) -> AuthorizationServer:
    """Start it and wait until it answers; `state` is where its settings are written."""
    state.mkdir(parents=True, exist_ok=True)
    file = state / "authorization-server.json"
    file.touch(mode=0o600)
    file.write_text(
        json.dumps(
            {
                "port": settings.port,
                "jwtResources": list(settings.jwt_resources),
                "opaqueResources": list(settings.opaque_resources),
                "introspectionClient": {
                    "clientId": settings.introspection_client.client_id,
                    "clientSecret": settings.introspection_client.client_secret,
                },
                "clientDocuments": dict(settings.client_documents),
            }
        ),
        encoding="utf-8",
    )
    child = processes.start(
        "authorization-server", ["node", str(DIRECTORY / "server.js"), str(file)]
    )
    server = AuthorizationServer(settings, child)
    discovery = f"{server.issuer}/.well-known/oauth-authorization-server"
    processes.wait_until("the authorization server answers", lambda: http_answers(discovery))
    return server
