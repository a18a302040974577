"""A token service with the authorization servers and the notes server of the demonstration."""

from __future__ import annotations

import json
import secrets
import signal
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.stack import authorization_server, notes_server, token_service
from demo.stack.authorization_server import RegisteredClient, Settings
from demo.stack.places import LOOPBACK, Ports
from demo.stack.processes import Child, Processes, http_answers
from demo.stack.sign_in import Client


@dataclass
class TokenService:
    """The running service."""

    ports: Ports
    executable: Path
    directory: Path
    processes: Processes
    child: Child

    @property
    def url(self) -> str:
        """Its public address."""
        return self.ports.token_service_url

    @property
    def portal(self) -> str:
        """Where a flow may end instead; to a browser, another origin."""
        return portal(self.ports)

    def token(self, account: str) -> str:
        """An access token of this account for the service's APIs."""
        answer = Client.for_tokens(self.ports.issuer).sign_in(
            self.ports.issuer, account, scope="mcp:read", resource=self.url
        )
        return str(answer["access_token"])

    def get(self, path: str, account: str, **query: str) -> Mapping[str, object]:
        """Ask one of the APIs as this account."""
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(
            url, headers={"Authorization": f"Bearer {self.token(account)}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))

    def authorize(self, server: str, account: str, **query: str) -> Mapping[str, object]:
        """Whether the account can use the server, and if not, its link (seed 000)."""
        return self.get(f"/api/svc/v1/mcp/{server}/authorize", account, **query)

    def link(self, server: str, account: str, **query: str) -> str:
        """The link with which the account can connect the server."""
        return str(self.authorize(server, account, **query)["authorization_endpoint"])

    def restart_after_kill(self) -> None:
        """End it with SIGKILL, and start it again."""
        self.child.signal(signal.SIGKILL)
        self.child.process.wait()
        self.processes.stop_child(self.child)
        self.child = run(self.processes, self.executable, self.ports, self.directory)


def start(processes: Processes, ports: Ports, directory: Path) -> TokenService:
    """Start the authorization servers, the notes server and the service."""
    executable = token_service.build(processes)
    authorization_server.install(processes)
    notes_server.install(processes)
    sign_in = RegisteredClient(
        "token-service", "the token service", [f"{ports.token_service_url}/sign-in/callback"]
    )
    settings = Settings(
        port=ports.authorization_server,
        jwt_resources=[ports.token_service_url],
        clients=[sign_in],
    )
    authorization_server.start(processes, settings, directory / "issuer")
    settings = authorization_server.of_notes(ports.notes_authorization_server, ports.notes_upstream)
    authorization_server.start(processes, settings, directory / "notes")
    notes_server.start(processes, ports.notes_server, ports.notes_issuer)
    own = directory / "service"
    own.mkdir(mode=0o700)
    status, key = processes.capture([str(executable), "generate-key"])
    assert status == 0, key
    (own / "key").touch(mode=0o600)
    (own / "key").write_text(key, encoding="ascii")
    (own / "config.json").write_text(json.dumps(configuration(ports, own)), encoding="utf-8")
    child = run(processes, executable, ports, own)
    return TokenService(ports, executable, own, processes, child)


def run(processes: Processes, executable: Path, ports: Ports, directory: Path) -> Child:
    """Start the service alone and wait until it is ready."""
    child = processes.start(
        "token-service", [str(executable), "serve", "--config", str(directory / "config.json")]
    )
    ready = f"{ports.token_service_url}/readyz"
    processes.wait_until("the token service is ready", lambda: http_answers(ready))
    return child


def portal(ports: Ports) -> str:
    """An address to return to that some page answers."""
    return f"http://localhost:{ports.token_service}/connected"


def configuration(ports: Ports, directory: Path) -> Mapping[str, object]:
    """Three servers that want something of their users, and one made of them."""
    notes = {
        "type": "oauth2",
        "provider": {"resource": ports.notes_upstream},
        "client": {"registration": "dynamic"},
        "scopes": ["notes:read", "notes:write"],
    }
    archive = {
        **notes,
        "provider": {"issuer": ports.notes_issuer},
        "scopes": ["notes:read"],
        "resource": ports.notes_upstream,
    }
    tickets = {
        "type": "header",
        "level": "per_user",
        "headers": {"Authorization": "Bearer {{TICKET_KEY}}"},
    }
    return {
        "data_directory": str(directory),
        "encryption": {
            "writing_key": "1",
            "keys": [{"id": "1", "secret": {"file": str(directory / "key")}}],
        },
        "listeners": {
            "public": f"{LOOPBACK}:{ports.token_service}",
            "filter": f"{LOOPBACK}:{ports.token_service_filter}",
        },
        "public_url": ports.token_service_url,
        "issuers": [
            {
                "issuer": ports.issuer,
                "manager": {"claim": "roles", "contains": "admin"},
                "sign_in": {"client_id": "token-service"},
            }
        ],
        "redirect_urls": [portal(ports)],
        "gateway_urls": [ports.gate_url],
        "outbound": {
            "allow": [
                f"{LOOPBACK}:{ports.notes_authorization_server}",
                f"{LOOPBACK}:{ports.notes_server}",
            ]
        },
        "servers": [
            {"id": "open", "name": "Open", "authentication": {"type": "none"}},
            {"id": "notes", "name": "Notes", "authentication": notes},
            {"id": "archive", "name": "Archive", "authentication": archive},
            {"id": "tickets", "name": "Tickets", "authentication": tickets},
            {"id": "all", "name": "All of it", "sources": ["notes", "archive", "tickets", "open"]},
        ],
    }
