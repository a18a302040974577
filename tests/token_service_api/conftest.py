"""The token service with the demonstration's authorization server, for all tests here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.stack import authorization_server, token_service
from demo.stack.authorization_server import AuthorizationServer, Settings
from demo.stack.places import LOOPBACK, Ports
from demo.stack.ports import free_stack
from demo.stack.processes import Processes, http_answers
from demo.stack.sign_in import Client

REDIRECT_URL = "https://portal.example/done"


@dataclass(frozen=True)
class TokenService:
    """The running service."""

    public: str
    filter: str
    resource: str
    filter_key: str = field(repr=False)
    log: Path = field(repr=False)


@pytest.fixture(scope="session")
def ports() -> Ports:
    return free_stack()


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def issuer(
    processes: Processes, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AuthorizationServer:
    authorization_server.install(processes)
    settings = Settings(
        port=ports.authorization_server,
        jwt_resources=[ports.token_service_url, ports.notes],
    )
    return authorization_server.start(processes, settings, tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="session")
def service(
    processes: Processes,
    ports: Ports,
    issuer: AuthorizationServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> TokenService:
    program = token_service.build(processes)
    state = tmp_path_factory.mktemp("token-service")
    status, key = processes.capture([str(program), "generate-key"])
    assert status == 0, key
    filter_key = secrets.token_urlsafe(32)
    file = state / "config.json"
    file.write_text(json.dumps(configuration(ports, issuer, state)), encoding="utf-8")
    child = processes.start(
        "token-service",
        [str(program), "serve", "--config", str(file)],
        env={"ENCRYPTION_KEY": key.strip(), "FILTER_KEY": filter_key},
    )
    filter_url = f"http://{LOOPBACK}:{ports.token_service_filter}"
    for url in (ports.token_service_url, filter_url):
        processes.wait_until(f"{url} is ready", lambda: http_answers(f"{url}/readyz"))
    return TokenService(
        ports.token_service_url, filter_url, ports.notes, filter_key, child.log
    )


def configuration(
    ports: Ports, issuer: AuthorizationServer, state: Path
) -> Mapping[str, object]:
    per_user = {
        "type": "header",
        "level": "per_user",
        "headers": {"Authorization": "Bearer {{API_KEY}}"},
    }
    # Nothing answers there, and nothing here needs it to.
    endpoints = {
        "issuer": ports.notes_issuer,
        "authorization": f"{ports.notes_issuer}/authorize",
        "token": f"{ports.notes_issuer}/token",
    }
    oauth = {
        "type": "oauth2",
        "provider": {"endpoints": endpoints},
        "client": {"registration": "registered", "client_id": "the service"},
        "scopes": ["notes:read"],
    }
    return {
        "data_directory": str(state / "data"),
        "public_url": ports.token_service_url,
        "listeners": {
            "public": f"{LOOPBACK}:{ports.token_service}",
            "filter": f"{LOOPBACK}:{ports.token_service_filter}",
        },
        "encryption": {
            "writing_key": "1",
            "keys": [{"id": "1", "secret": {"environment": "ENCRYPTION_KEY"}}],
        },
        "issuers": [
            {
                "issuer": issuer.issuer,
                "audiences": [ports.token_service_url],
                "manager": {"claim": "roles", "contains": "admin"},
            }
        ],
        "filter_keys": [
            {
                "id": "gate",
                "secret": {"environment": "FILTER_KEY"},
                "servers": ["everything", "notes"],
            }
        ],
        "redirect_urls": [REDIRECT_URL],
        "gateway_urls": [ports.gate_url],
        "servers": [
            {"id": "everything", "name": "Everything", "authentication": {"type": "none"}},
            {"id": "notes", "name": "Notes", "resources": [ports.notes], "authentication": oauth},
            {"id": "keyed", "name": "A key", "authentication": per_user},
            {"id": "all", "name": "All of it", "sources": ["notes", "keyed"]},
        ],
    }


@pytest.fixture(scope="session")
def tokens(issuer: AuthorizationServer, ports: Ports) -> Mapping[str, str]:
    """Access tokens for the service's APIs, by account."""

    def token(account: str) -> str:
        answer = Client.for_tokens(issuer.issuer).sign_in(
            issuer.issuer,
            account,
            scope="openid mcp:read",
            resource=ports.token_service_url,
            ttl=3600,
        )
        return str(answer["access_token"])

    return {account: token(account) for account in ("reader", "admin")}
