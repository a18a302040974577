"""Virtual environments of the project's own, under `.cache/`.

`python3 -m demo.stack.python_env` prepares the one of the tests and prints the
path of its interpreter.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import StackError
from .places import CACHE, ROOT
from .processes import Processes
from .stamps import once

REQUIREMENTS = ROOT / "tests" / "requirements.txt"


def environment(processes: Processes, name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of a virtual environment that has exactly these packages."""
    directory = CACHE / name
    python = directory / "bin" / "python"

    def create() -> None:
        shutil.rmtree(directory, ignore_errors=True)
        status, output = processes.capture(
            [sys.executable, "-m", "venv", str(directory)], seconds=120
        )
        if status != 0:
            raise StackError(
                f"python3 -m venv does not work here (on Debian, install python3-venv):\n{output}"
            )
        processes.run(
            "the installation of Python packages",
            [
                str(python),
                *("-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *requirements,
            ],
        )

    once(directory, "\n".join([sys.version, *requirements]).encode(), create)
    return python


def for_tests(processes: Processes) -> Path:
    """The interpreter that runs the tests."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    return environment(processes, "venv", packages)


def main() -> None:
    """Prepare the tests' environment."""
    try:
        with Processes(CACHE / "logs") as processes:
            print(for_tests(processes))
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
