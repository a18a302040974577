"""The authorization servers of the demonstration: the gate's own, and that of the notes server.

Both are the same program with other settings.
"""

from __future__ import annotations

import json
import secrets
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

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
class Account:
    """Who can sign in: the scopes that the account may have, and what its tokens say besides."""

    may: Sequence[str]
    claims: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RegisteredClient:
    """A client that is known from the start; a public one without a secret."""

    client_id: str
    name: str
    redirect_uris: Sequence[str]
    client_secret: str | None = field(default=None, repr=False)


# The demonstration's policy (envoy/static.yaml) is written against these.
SCOPES = ("mcp:read", "mcp:write")
ACCOUNTS: Mapping[str, Account] = {
    "reader": Account(["mcp:read"]),
    "writer": Account(SCOPES),
    "admin": Account(SCOPES, {"roles": ["admin"]}),
}

# The same people at another service, which grants what it likes.
NOTES_SCOPES = ("notes:read", "notes:write")
NOTES_ACCOUNTS: Mapping[str, Account] = {name: Account(NOTES_SCOPES) for name in ACCOUNTS}


@dataclass(frozen=True)
class Settings:
    """What can be different from one authorization server to the next.

    `jwt_resources` and `opaque_resources` are the resource identifiers that
    tokens may be asked for, and what those tokens look like.
    `name` is what people sign in to, `process` what the process is called.
    `cookie_prefix` begins the names of its cookies: these do not tell ports
    apart, so that two servers on 127.0.0.1 would take each other's.
    `refresh_tokens` are for clients that ask for offline access, or for all that
    can use one. Where `rotates` is set, each use brings another one, and one that
    comes a second time ends the grant.
    `client_documents` are client id metadata documents that are answered from
    here instead of the network, by their https URL.
    """

    port: int
    jwt_resources: Sequence[str]
    opaque_resources: Sequence[str] = ()
    name: str = "the demonstration"
    process: str = "authorization-server"
    cookie_prefix: str = "demo_as"
    accounts: Mapping[str, Account] = field(default_factory=lambda: ACCOUNTS)
    scopes: Sequence[str] = SCOPES
    clients: Sequence[RegisteredClient] = ()
    access_token_seconds: int = 600
    refresh_tokens: Literal["asked", "always"] = "asked"
    rotates: bool = True
    introspection_client: IntrospectionClient = field(default_factory=IntrospectionClient)
    client_documents: Mapping[str, object] = field(default_factory=dict)


def of_notes(port: int, resource: str, access_token_seconds: int = 60) -> Settings:
    """The authorization server of the notes server, whose resource identifier is `resource`.

    Its access tokens do not live long, so that one sees them refreshed.
    """
    return Settings(
        port=port,
        jwt_resources=[resource],
        name="the notes service",
        process="notes-authorization-server",
        cookie_prefix="notes_as",
        accounts=NOTES_ACCOUNTS,
        scopes=NOTES_SCOPES,
        access_token_seconds=access_token_seconds,
        refresh_tokens="always",
    )


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
    file = state / f"{settings.process}.json"
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
                "name": settings.name,
                "cookiePrefix": settings.cookie_prefix,
                "accounts": {
                    name: {"may": list(account.may), "claims": dict(account.claims)}
                    for name, account in settings.accounts.items()
                },
                "scopes": list(settings.scopes),
                "clients": [
                    {
                        "clientId": client.client_id,
                        "clientSecret": client.client_secret,
                        "name": client.name,
                        "redirectUris": list(client.redirect_uris),
                    }
                    for client in settings.clients
                ],
                "accessTokenSeconds": settings.access_token_seconds,
                "refreshTokens": settings.refresh_tokens,
                "rotates": settings.rotates,
            }
        ),
        encoding="utf-8",
    )
    child = processes.start(
        settings.process, ["node", str(DIRECTORY / "server.js"), str(file)]
    )
    server = AuthorizationServer(settings, child)
    discovery = f"{server.issuer}/.well-known/oauth-authorization-server"
    processes.wait_until(f"the authorization server of {settings.name} answers", lambda: http_answers(discovery))
    return server
