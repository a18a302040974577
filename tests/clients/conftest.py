"""One authorization server, two MCP servers and two gates for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sdk import configuration, node
from sdk.configuration import Mode
from sdk.client import OfficialClient
from sdk.gate import Gate, Gates, Servers, both_eras, find_module, quiet
from sdk.portal import PythonClient
from sdk.typescript import TypeScriptClient
from sdk.way import Way

from demo.stack import (
    authorization_server,
    bootstrap,
    envoy,
    everything_server,
    token_service,
    whole,
)
from demo.stack.authorization_server import Settings
from demo.stack.places import LOOPBACK, Ports
from demo.stack.ports import free_ports, free_stack
from demo.stack.processes import Processes
from demo.stack.token_service import Secrets


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="session")
def page_port() -> int:
    """Where the tests' own page is served; its origin is allowed."""
    [port] = free_ports(1)
    return port


@pytest.fixture(scope="session")
def gates(
    processes: Processes, page_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gates]:
    authorization_server.install(processes)
    everything_server.install(processes)
    node.install(processes)
    artefact = find_module(processes)
    found = envoy.find(processes)

    holding = free_stack()
    gate_port, admin_port, both_eras_port = free_ports(3)
    plain = replace(holding, gate=gate_port, envoy_admin=admin_port)
    settings = Settings(
        port=holding.authorization_server,
        jwt_resources=[
            resource
            for ports in (holding, plain)
            for resource in (ports.everything, both_eras(ports), quiet(ports))
        ],
    )
    authorization_server.start(processes, settings, tmp_path_factory.mktemp("state"))
    servers = Servers(
        everything_server.start(processes, holding.everything_server),
        node.start_both_eras_server(processes, both_eras_port),
        both_eras_port,
    )

    with ExitStack() as envoys:

        def start(ports: Ports, mode: Mode) -> Gate:
            directory = tmp_path_factory.mktemp(mode)
            file = configuration.write(
                artefact,
                ports,
                both_eras_port=both_eras_port,
                page_origin=f"http://{LOOPBACK}:{page_port}",
                mode=mode,
                directory=directory,
            )
            # A log is named after its child, so each Envoy has a directory of its own.
            own = envoys.enter_context(Processes(directory))
            return Gate(ports, own, found.start(own, file, ports.envoy_admin), servers)

        yield Gates(holding=start(holding, "holding"), plain=start(plain, "plain"))


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """The whole demonstration, with one worker: each has a cache of its own."""
    state = tmp_path_factory.mktemp("demonstration")
    ports, known = free_stack(), Secrets()
    with Processes(state / "logs") as running:
        whole.install(running)
        node.install(running)
        artefact, service = find_module(running), token_service.build(running)
        whole.start_servers(running, service, ports, known, state)
        found = envoy.find(running)
        file = bootstrap.write(artefact, ports, state)
        found.start(running, file, ports.envoy_admin, concurrency=1, secrets=known.of_envoy)
        yield ports


@pytest.fixture
def gate(gates: Gates, request: pytest.FixtureRequest) -> Gate:
    """The gate as it is shipped; in another header mode for tests that ask for it."""
    mode: Mode = getattr(request, "param", "holding")
    return getattr(gates, mode)


@pytest.fixture
def typescript(tmp_path: Path) -> Iterator[TypeScriptClient]:
    """A TypeScript client that has never been here."""
    with TypeScriptClient(tmp_path / "client.log") as client:
        yield client


@pytest.fixture(scope="session")
def typescript_again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypeScriptClient]:
    """A TypeScript client that can begin anew; a process for each takes longer than a test."""
    with TypeScriptClient(tmp_path_factory.mktemp("typescript") / "log") as client:
        yield client


@pytest.fixture(params=["typescript", "python"])
def client(
    request: pytest.FixtureRequest, typescript_again: TypeScriptClient
) -> Iterator[OfficialClient]:
    """Each of the official clients, one after the other."""
    if request.param == "typescript":
        yield typescript_again
        typescript_again.begin()
    else:
        with PythonClient() as python:
            yield python


@pytest.fixture(params=["itself", "holding", "plain"])
def way(request: pytest.FixtureRequest, gates: Gates) -> Way:
    """To the servers themselves, as the reference, and through each of the gates."""
    direct = request.param == "itself"
    return Way(gates.holding if direct else getattr(gates, request.param), direct)


@pytest.fixture
def anyio_backend() -> str:
    """What the Python client's tests run on."""
    return "asyncio"
