"""The token service of the demonstration, which keeps each user's own credential for the notes server."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .authorization_server import RegisteredClient
from .errors import StackError
from .places import LOOPBACK, ROOT, Ports
from .processes import Child, Processes, http_answers
from .tools import require_cargo

# The tests take the profile that `cargo test` has built already.
PROFILE = os.environ.get("MCP_TOKEN_SERVICE_PROFILE", "service")
DIRECTORIES = {"dev": "debug"}
ARTEFACT = ROOT / "target" / DIRECTORIES.get(PROFILE, PROFILE) / "mcp-token-service"

# The ids of the servers in its APIs.
NOTES = "notes"
EVERYTHING = "everything"

# Where Envoy's process and the service's find their secrets (envoy/static.yaml).
FILTER_KEY = "MCP_TOKEN_SERVICE_KEY"
STATE_KEY = "MCP_AUTH_STATE_KEY"
SIGN_IN_SECRET = "MCP_TOKEN_SERVICE_SIGN_IN_SECRET"

# The filter keeps a credential for as long, so that disconnecting shows.
CACHE_SECONDS = 5

# The notes server's access tokens live for a minute; they are renewed in its last ten seconds.
REFRESH_MARGIN_SECONDS = 10


@dataclass(frozen=True)
class Secrets:
    """What the parts of one running stack know of each other; never written anywhere, never shown.

    Only the encryption key has to be in a file, because the service reads it from one.
    """

    filter_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    state_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    sign_in: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def of_envoy(self) -> Mapping[str, str]:
        """The environment of Envoy's process."""
        return {FILTER_KEY: self.filter_key, STATE_KEY: self.state_key}

    @property
    def of_service(self) -> Mapping[str, str]:
        """The environment of the service's process."""
        return {FILTER_KEY: self.filter_key, SIGN_IN_SECRET: self.sign_in}


def sign_in_client(ports: Ports, known: Secrets) -> RegisteredClient:
    """The client as which the service lets people sign in at the gate's authorization server."""
    return RegisteredClient(
        client_id="token-service",
        name="the token service",
        redirect_uris=[f"{ports.token_service_url}/sign-in/callback"],
        client_secret=known.sign_in,
    )


def build(processes: Processes) -> Path:
    """Build the service; cargo knows when there is nothing to do."""
    given = os.environ.get("MCP_TOKEN_SERVICE")
    if given:
        return Path(given)
    require_cargo()
    if PROFILE == "dev":
        # As the native tests do: by itself the package has fewer features of what it
        # depends on, and half of that would be built once more.
        command = ["cargo", "test", "--no-run", "--locked", "--workspace"]
    else:
        command = ["cargo", "build", "--profile", PROFILE, "--locked"]
        command += ["--package", "mcp-token-service"]
    processes.run("the build of the token service", command, cwd=ROOT)
    return ARTEFACT


def start(
    processes: Processes, executable: Path, ports: Ports, known: Secrets, state: Path
) -> Child:
    """Start it and wait until it is ready."""
    child = processes.start(
        "token-service",
        [str(executable), "serve", "--config", str(write(processes, executable, ports, state))],
        env=known.of_service,
    )
    for what, port in (
        ("browsers", ports.token_service),
        ("the filter", ports.token_service_filter),
    ):
        ready = f"http://{LOOPBACK}:{port}/readyz"
        processes.wait_until(f"the token service is ready for {what}", lambda: http_answers(ready))
    return child


def write(processes: Processes, executable: Path, ports: Ports, state: Path) -> Path:
    """Write a configuration, a new encryption key, and a data directory without data.

    The authorization servers forget their clients and grants when they end. What
    an earlier run left could only be refused.
    """
    directory = state / "token-service"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)

    status, key = processes.capture([str(executable), "generate-key"])
    if status != 0:
        raise StackError(f"the token service makes no encryption key:\n{key}")
    key_file = directory / "encryption-key"
    key_file.touch(mode=0o600)
    key_file.write_text(key, encoding="ascii")

    file = directory / "config.json"
    file.write_text(json.dumps(configuration(ports, directory), indent=2), encoding="utf-8")
    return file


def configuration(ports: Ports, directory: Path) -> dict[str, object]:
    """What the service is told (token-service/README.md)."""
    return {
        "data_directory": str(directory),
        "listeners": {
            "public": f"{LOOPBACK}:{ports.token_service}",
            "filter": f"{LOOPBACK}:{ports.token_service_filter}",
        },
        "encryption": {
            "writing_key": "demo",
            "keys": [{"id": "demo", "secret": {"file": str(directory / "encryption-key")}}],
        },
        "public_url": ports.token_service_url,
        "issuers": [
            {
                "issuer": ports.issuer,
                "algorithms": ["RS256"],
                "audiences": [ports.token_service_url],
                "manager": {"claim": "roles", "contains": "admin"},
                "sign_in": {
                    "client_id": "token-service",
                    "client_secret": {"environment": SIGN_IN_SECRET},
                },
            }
        ],
        "filter_keys": [
            {"id": "gate", "secret": {"environment": FILTER_KEY}, "servers": [NOTES]},
        ],
        "gateway_urls": [ports.gate_url],
        # Addresses of this machine are refused unless they are named.
        "outbound": {
            "allow": [
                f"{LOOPBACK}:{ports.notes_authorization_server}",
                f"{LOOPBACK}:{ports.notes_server}",
            ]
        },
        "refresh": {"margin_seconds": REFRESH_MARGIN_SECONDS},
        "cache_seconds": CACHE_SECONDS,
        "servers": [
            {"id": EVERYTHING, "name": "Everything", "authentication": {"type": "none"}},
            {
                "id": NOTES,
                "name": "Notes",
                "resources": [ports.notes],
                "authentication": {
                    "type": "oauth2",
                    "grant": "authorization_code",
                    "provider": {"resource": ports.notes_upstream},
                    "client": {"registration": "dynamic"},
                    "scopes": ["notes:read", "notes:write"],
                },
            },
        ],
    }
