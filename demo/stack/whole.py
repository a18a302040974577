"""All parts together, as `make run` and the tests of the whole start them."""

from __future__ import annotations

from pathlib import Path

from . import authorization_server, bootstrap, everything_server, notes_server, token_service
from .authorization_server import Settings
from .envoy import Envoy
from .places import Ports
from .processes import Child, Processes
from .token_service import Secrets


def install(processes: Processes) -> None:
    """Fetch the packages of the authorization servers and the MCP servers."""
    authorization_server.install(processes)
    everything_server.install(processes)
    notes_server.install(processes)


def start_servers(
    processes: Processes, service: Path, ports: Ports, known: Secrets, state: Path
) -> Child:
    """Start everything but Envoy; the token service is what is returned."""
    gates_own = Settings(
        port=ports.authorization_server,
        jwt_resources=[ports.everything, ports.notes, ports.token_service_url],
        clients=[token_service.sign_in_client(ports, known)],
    )
    notes_own = authorization_server.of_notes(
        ports.notes_authorization_server, ports.notes_upstream
    )
    for settings in (gates_own, notes_own):
        authorization_server.start(processes, settings, state)
    everything_server.start(processes, ports.everything_server)
    notes_server.start(processes, ports.notes_server, ports.notes_issuer)
    return token_service.start(processes, service, ports, known, state)


def start(
    processes: Processes, found: Envoy, module: Path, service: Path, ports: Ports, state: Path
) -> None:
    """Start everything, each part as soon as what it needs is there."""
    known = Secrets()
    start_servers(processes, service, ports, known, state)
    found.start(
        processes,
        bootstrap.write(module, ports, state),
        ports.envoy_admin,
        secrets=known.of_envoy,
    )
