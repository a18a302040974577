"""One of each server for all tests of the demonstration's parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from test_run import launch, wait_until_it_runs

from demo.stack import authorization_server, everything_server, notes_server
from demo.stack.authorization_server import AuthorizationServer, RegisteredClient, Settings
from demo.stack.places import Ports
from demo.stack.ports import free_stack
from demo.stack.processes import Child, Processes

CLIENT_DOCUMENT = {
    "client_id": "https://client.example/client.json",
    "client_name": "a client with a metadata document",
    "redirect_uris": ["http://127.0.0.1:7777/callback"],
    "token_endpoint_auth_method": "none",
    "scope": "mcp:read",
}


@pytest.fixture(scope="session")
def ports() -> Ports:
    return free_stack()


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def opaque_resource(ports: Ports) -> str:
    return f"{ports.gate_url}/opaque/mcp"


@pytest.fixture(scope="session")
def server(
    processes: Processes,
    ports: Ports,
    opaque_resource: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AuthorizationServer:
    authorization_server.install(processes)
    settings = Settings(
        port=ports.authorization_server,
        jwt_resources=[ports.everything],
        opaque_resources=[opaque_resource],
        clients=[
            RegisteredClient("known", "a client", ["http://127.0.0.1:7777/known"], "its secret")
        ],
        client_documents={CLIENT_DOCUMENT["client_id"]: CLIENT_DOCUMENT},
    )
    return authorization_server.start(processes, settings, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def everything(processes: Processes, ports: Ports) -> Child:
    everything_server.install(processes)
    return everything_server.start(processes, ports.everything_server)


@pytest.fixture(scope="session")
def notes_issuer(
    processes: Processes, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> AuthorizationServer:
    """The authorization server of the notes server."""
    authorization_server.install(processes)
    settings = authorization_server.of_notes(
        ports.notes_authorization_server, ports.notes_upstream
    )
    return authorization_server.start(processes, settings, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def notes(processes: Processes, ports: Ports, notes_issuer: AuthorizationServer) -> Child:
    notes_server.install(processes)
    return notes_server.start(processes, ports.notes_server, notes_issuer.issuer)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """`make run` beside any other, in places of its own."""
    directory = tmp_path_factory.mktemp("run")
    ports, output = free_stack(), directory / "output"
    process = launch((ports, directory / "state"), output)
    try:
        wait_until_it_runs(process, output)
        yield ports
    finally:
        process.terminate()
        process.wait(60)
