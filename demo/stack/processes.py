"""Child processes that start, are waited for, and end together.

Every child gets a session of its own. A Ctrl-C in the terminal therefore
reaches only us, and whatever a child starts in turn is found again by its
session, even when it has moved to another process group (func-e does that to
the Envoy it runs).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import StackError, Stopped

POLL = 0.05
GRACE = 10.0
TAIL_LINES = 20
STDERR = 2


@dataclass(frozen=True)
class Child:
    """A process that is meant to run until the end."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The process id, which is also its session's."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])


class Processes:
    """The children of one stack; a context manager that leaves none behind."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []
        self._signal: int | None = None

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def children(self) -> Sequence[Child]:
        """The children that were started and not stopped, in the order of their start."""
        return tuple(self._children)

    def stop_on_signals(self) -> None:
        """Let SIGINT, SIGTERM and SIGHUP end the run at the next `check`.

        The handler only takes a note. An exception out of a handler could
        arrive between the start of a child and our knowing of it.
        """

        def note(number: int, _frame: object) -> None:
            self._signal = number

        signal.signal(signal.SIGINT, note)
        signal.signal(signal.SIGTERM, note)
        # Ignored means nohup: the run shall outlive the terminal.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, note)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Child:
        """Start a process that is to run until the end; its output goes to `<name>.log`."""
        log = self._logs / f"{name}.log"
        # Append mode, because Envoy opens /dev/stdout a second time.
        with open(log, "wb"), open(log, "ab") as output:
            process = _spawn(command, cwd, env, output)
        child = Child(name, log, process)
        self._children.append(child)
        return child

    def run(
        self,
        what: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run a step to its end; its output goes to stderr, as it comes."""
        process = _spawn(command, cwd, env, STDERR)
        if self._finish(process) != 0:
            raise StackError(f"{what} failed: {' '.join(command)}")

    def capture(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, seconds: float = 30
    ) -> tuple[int, str]:
        """Run a short command to its end; its exit status and all of its output."""
        with tempfile.TemporaryFile() as output:
            process = _spawn(command, None, env, output)
            status = self._finish(process, seconds)
            output.seek(0)
            return status, output.read().decode("utf-8", errors="replace")

    def wait_until(self, what: str, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something holds, as long as all children live."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{what}: not within {seconds:.0f} s{self._tails()}")
            time.sleep(POLL)

    def check(self) -> None:
        """Complain if a child has ended by itself or a signal has come."""
        if self._signal is not None:
            raise Stopped(signal.Signals(self._signal).name)
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                raise StackError(
                    f"{child.name} has ended by itself (status {status}); "
                    f"the end of {child.log}:\n{child.tail()}"
                )

    def stop(self) -> None:
        """Stop everything, last started first."""
        while self._children:
            _end(self._children[-1].process)
            self._children.pop()

    def stop_child(self, child: Child) -> None:
        """Stop one child, for tests that take a part away."""
        _end(child.process)
        self._children.remove(child)

    def _finish(self, process: subprocess.Popen[bytes], seconds: float | None = None) -> int:
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                status = process.poll()
                if status is not None:
                    return status
                self.check()
                if deadline is not None and time.monotonic() > deadline:
                    raise StackError(f"no end after {seconds:.0f} s: {process.args!r}")
                time.sleep(POLL)
        finally:
            _end(process)

    def _tails(self) -> str:
        return "".join(f"\n--- {child.log}\n{child.tail()}" for child in self._children)


def http_answers(url: str) -> bool:
    """Whether an HTTP server gives any answer there that is not its own failure."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _spawn(
    command: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    output: IO[bytes] | int,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    deadline = time.monotonic() + GRACE
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    members = _session_members(process.pid)
    for pid in members:
        _signal(pid, signal.SIGTERM)
    while members and time.monotonic() < deadline:
        time.sleep(POLL)
        members = _session_members(process.pid)
    for pid in members:
        _signal(pid, signal.SIGKILL)
    process.wait()


def _session_members(session: int) -> list[int]:
    """The living processes of a session."""
    if sys.platform == "linux":
        return [pid for pid in _linux_pids() if _linux_session(pid) == session]
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,stat="], capture_output=True, check=True, text=True
    )
    rows = [line.split(None, 1) for line in listing.stdout.splitlines()]
    return [
        int(pid)
        for pid, state in rows
        if not state.startswith("Z") and _session_of(int(pid)) == session
    ]


def _linux_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _linux_session(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name is in parentheses and may contain anything; the state,
    # parent, group and session follow it.
    state, _parent, _group, session = stat.rpartition(")")[2].split()[:4]
    return None if state == "Z" else int(session)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
