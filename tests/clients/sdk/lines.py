"""A helper program that takes a command per line and answers each with a line."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

# Far more than anything here takes; what has not answered by then never will.
PATIENCE = 40.0


class Program:
    """A running helper; a context manager that ends it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log

    def __enter__(self) -> Program:
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._commands, self._answers = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its input is the end of the program.
        self._commands.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._answers.close()

    def ask(self, command: str, **fields: object) -> dict:
        """Send a command and wait for its answer."""
        self._commands.write(json.dumps({"command": command, **fields}).encode() + b"\n")
        self._commands.flush()
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        try:
            line = self._answers.readline()
        finally:
            watchdog.cancel()
        if not line:
            log = self._log.read_text(encoding="utf-8", errors="replace")
            raise AssertionError(f"no answer to {command}:\n{log}")
        return json.loads(line)
