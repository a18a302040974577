"""Children start, are waited for, and end with all that they have started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack.errors import StackError
from demo.stack.processes import Processes

# Starts a child of its own in another process group, as func-e does, prints its
# process id, and then runs on.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}], process_group=0)
print(child.pid, flush=True)
time.sleep(60)
"""
GOES = "import time; time.sleep(60)"
STAYS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as running:
        yield running


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return (
        not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="process_group is of Python 3.11")
def test_a_grandchild_in_another_process_group_ends_too(own: Processes) -> None:
    child = own.start("parent", [sys.executable, "-c", PARENT.format(child=GOES)])
    own.wait_until("the grandchild runs", lambda: child.log.read_text() != "")
    grandchild = int(child.log.read_text())
    assert is_alive(grandchild)
    own.stop()
    assert not is_alive(child.pid)
    assert not is_alive(grandchild)


def test_a_child_that_ignores_sigterm_is_killed(
    own: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.stack.processes.GRACE", 0.5)
    child = own.start("stubborn", [sys.executable, "-c", f"print('up', flush=True); {STAYS}"])
    own.wait_until("it runs", lambda: child.log.read_text() != "")
    time.sleep(0.2)
    own.stop()
    assert not is_alive(child.pid)


def test_a_child_that_ends_by_itself_is_named_with_the_end_of_its_log(own: Processes) -> None:
    own.start("frail", [sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"])
    with pytest.raises(StackError, match=r"frail has ended by itself \(status 3\)[\s\S]*luck"):
        own.wait_until("something", lambda: False)


def test_waiting_has_an_end(own: Processes) -> None:
    with pytest.raises(StackError, match=r"the impossible: not within 0 s"):
        own.wait_until("the impossible", lambda: False, seconds=0.1)


def test_a_step_that_fails_is_named(own: Processes) -> None:
    with pytest.raises(StackError, match="^the step failed: "):
        own.run("the step", [sys.executable, "-c", "raise SystemExit(1)"])


def test_one_child_can_be_taken_away_and_the_others_run_on(own: Processes) -> None:
    first = own.start("first", [sys.executable, "-c", GOES])
    second = own.start("second", [sys.executable, "-c", GOES])
    own.stop_child(first)
    own.check()
    assert not is_alive(first.pid)
    assert is_alive(second.pid)
