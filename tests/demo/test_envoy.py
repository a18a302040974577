"""Which Envoy is taken, and what is said about those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.stack import envoy
from demo.stack.envoy import Envoy
from demo.stack.errors import StackError
from demo.stack.processes import Processes

FROM_PYPI = Envoy(("from-pypi",), "1.40.0", "PyPI")


class Machine:
    """A machine with fake executables only."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", str(directory))
        monkeypatch.delenv("ENVOY", raising=False)
        monkeypatch.setattr(envoy, "from_pypi", lambda _processes, _version: FROM_PYPI)

    def has(self, name: str, version: str, *, wasm: bool = True) -> Path:
        """Put an executable there that answers like an Envoy, or like func-e running one."""
        path = self.directory / name
        path.write_text(
            "#!/bin/sh\n"
            'case "$*" in\n'
            f"*--version*) echo '{name}  version: abcdef/{version}/Clean/RELEASE/BoringSSL' ;;\n"
            f"*validate*) {'exit 0' if wasm else 'echo Unable to create Wasm plugin; exit 1'} ;;\n"
            "esac\n",
            encoding="ascii",
        )
        path.chmod(0o755)
        return path

    def chooses(self, path: Path) -> None:
        """Set $ENVOY."""
        self._monkeypatch.setenv("ENVOY", str(path))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_chosen_one_comes_first(machine: Machine, processes: Processes) -> None:
    machine.has("envoy", "1.40.0")
    chosen = machine.has("my-envoy", "1.38.3")
    machine.chooses(chosen)
    found = envoy.find(processes)
    assert (list(found.command), found.version) == ([str(chosen)], "1.38.3")


def test_then_the_one_on_the_path(machine: Machine, processes: Processes) -> None:
    path = machine.has("envoy", "1.36.0")
    machine.has("func-e", "1.40.0")
    assert list(envoy.find(processes).command) == [str(path)]


def test_then_func_e_with_its_own_command(machine: Machine, processes: Processes) -> None:
    path = machine.has("func-e", "1.39.3")
    assert list(envoy.find(processes).command) == [str(path), "run"]


def test_then_the_package_from_pypi(machine: Machine, processes: Processes) -> None:
    assert envoy.find(processes) is FROM_PYPI


def test_those_that_do_not_fit_are_skipped_with_the_reason(
    machine: Machine, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    old = machine.has("envoy", "1.35.9")
    without = machine.has("func-e", "1.40.0", wasm=False)
    assert envoy.find(processes) is FROM_PYPI
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        f"skipping envoy on the PATH ({old}): it is 1.35.9, and 1.36 is the oldest that works",
        f"skipping func-e on the PATH ({without}): it has no WebAssembly (V8) runtime: "
        "Unable to create Wasm plugin",
    ]


def test_something_else_of_that_name_is_skipped(
    machine: Machine, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.directory / "envoy").write_text("#!/bin/sh\necho a task runner\n", encoding="ascii")
    (machine.directory / "envoy").chmod(0o755)
    assert envoy.find(processes) is FROM_PYPI
    assert "it does not tell its version: a task runner" in capsys.readouterr().err


def test_a_chosen_one_that_does_not_fit_is_an_error(machine: Machine, processes: Processes) -> None:
    machine.has("envoy", "1.40.0")
    machine.chooses(machine.has("my-envoy", "1.20.0"))
    with pytest.raises(StackError, match=r"^\$ENVOY \(.*my-envoy\) does not fit: it is 1\.20\.0"):
        envoy.find(processes)


def test_a_chosen_one_that_is_not_there_is_an_error(machine: Machine, processes: Processes) -> None:
    machine.chooses(machine.directory / "nowhere")
    with pytest.raises(StackError, match=r"^\$ENVOY \(.*nowhere\) does not fit: No such file"):
        envoy.find(processes)


def test_the_probe_tells_a_real_envoy_with_the_runtime(processes: Processes) -> None:
    found = envoy.from_pypi(processes, envoy.PINNED)
    assert found.version == envoy.PINNED
