"""`make run` as a process of its own, on ports of its own."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.stack.places import ROOT, Ports
from demo.stack.ports import answers, free_stack

START_SECONDS = 300


@pytest.fixture
def places(tmp_path: Path) -> tuple[Ports, Path]:
    return free_stack(), tmp_path / "state"


def program(places: tuple[Ports, Path]) -> str:
    """`demo.run`, in other places than its own."""
    ports, state = places
    return (
        "from pathlib import Path\n"
        "from demo.run import main\n"
        "from demo.stack.places import Ports\n"
        f"main({ports!r}, Path({str(state)!r}))\n"
    )


def launch(
    places: tuple[Ports, Path], output: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    return launch_command([sys.executable, "-c", program(places)], output, env)


def launch_command(
    command: list[str], output: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    with open(output, "wb") as file:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def wait_until_it_runs(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "The demonstration runs" not in output.read_text(encoding="utf-8"):
        assert process.poll() is None, output.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, output.read_text(encoding="utf-8")
        time.sleep(0.2)


@pytest.fixture
def demonstration(
    places: tuple[Ports, Path], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A demonstration that has come up, and the file with what it printed."""
    output = tmp_path / "output"
    process = launch(places, output)
    try:
        wait_until_it_runs(process, output)
        yield process, output
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def children_of(parent: int) -> list[int]:
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listing.stdout.split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_that_it_has_started(
    demonstration: tuple[subprocess.Popen[bytes], Path],
    places: tuple[Ports, Path],
    number: signal.Signals,
) -> None:
    process, output = demonstration
    ports, _ = places
    started = children_of(process.pid)
    assert len(started) == 6
    assert all(answers(port) for port in vars(ports).values())

    process.send_signal(number)
    assert process.wait(60) == 0
    assert f"stopped by {number.name}" in output.read_text(encoding="utf-8")
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert not any(answers(port) for port in vars(ports).values())


def test_sigterm_to_make_stops_all_that_make_run_has_started(
    places: tuple[Ports, Path], tmp_path: Path
) -> None:
    ports, _ = places
    # What the recipe runs in place of `python3 -m demo.run`, whose places are fixed.
    python, output = tmp_path / "python3", tmp_path / "output"
    command = shlex.join([sys.executable, "-c", program(places)])
    python.write_text(f'#!/bin/sh\n[ "$*" = "-m demo.run" ] && exec {command}\n', encoding="utf-8")
    python.chmod(0o755)
    # Not as a part of the make that runs the tests.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    make = launch_command(["make", "run", f"PYTHON={python}"], output, env)
    try:
        wait_until_it_runs(make, output)
        [run] = children_of(make.pid)
        started = children_of(run)
        assert len(started) == 6
        assert all(answers(port) for port in vars(ports).values())

        make.send_signal(signal.SIGTERM)
        assert make.wait(60) == -signal.SIGTERM, output.read_text(encoding="utf-8")
        assert "stopped by SIGTERM" in output.read_text(encoding="utf-8")
        assert not any(Path(f"/proc/{pid}").exists() for pid in [run, *started])
        assert not any(answers(port) for port in vars(ports).values())
    finally:
        make.terminate()
        make.wait(60)


def test_it_tells_what_runs_where_and_follows_the_log(
    demonstration: tuple[subprocess.Popen[bytes], Path], places: tuple[Ports, Path]
) -> None:
    _, output = demonstration
    ports, _ = places
    httpx.get(f"{ports.gate_url}/nothing-here")
    deadline = time.monotonic() + 30
    # Envoy writes its access log when its buffer is flushed, not with the answer.
    while "GET /nothing-here" not in output.read_text(encoding="utf-8") and time.monotonic() < deadline:
        time.sleep(0.2)
    printed = output.read_text(encoding="utf-8")
    assert ports.everything in printed
    assert ports.issuer in printed
    assert "GET /nothing-here" in printed


def test_a_second_one_in_the_same_place_is_refused(
    demonstration: tuple[subprocess.Popen[bytes], Path],
    places: tuple[Ports, Path],
    tmp_path: Path,
) -> None:
    second = tmp_path / "second"
    assert launch(places, second).wait(30) == 1
    assert second.read_text(encoding="utf-8") == "error: the demonstration is running already\n"


@pytest.mark.parametrize(
    ("place", "use"),
    [
        ("gate", "the gate"),
        ("envoy_admin", "Envoy's admin interface"),
        ("authorization_server", "the authorization server"),
        ("everything_server", "the everything server"),
        ("notes_server", "the notes server"),
        ("notes_authorization_server", "the authorization server of the notes server"),
        ("token_service", "the token service"),
        ("token_service_filter", "the token service, where the gate asks it"),
    ],
)
def test_a_taken_port_is_named_with_what_it_is_for(
    places: tuple[Ports, Path], tmp_path: Path, place: str, use: str
) -> None:
    port = getattr(places[0], place)
    with socket.create_server(("127.0.0.1", port)):
        assert launch(places, tmp_path / "output").wait(30) == 1
    printed = (tmp_path / "output").read_text(encoding="utf-8")
    assert printed.startswith(f"error: port {port} of 127.0.0.1 is taken")
    assert use in printed


@pytest.mark.parametrize(
    ("present", "complaint"),
    [
        ([], "error: cargo is not on the PATH; install Rust with rustup"),
        (["cargo"], "error: node is not on the PATH; install Node.js 20 or newer"),
        (
            ["cargo", "node", "npm"],
            "error: Node.js 20 or newer is needed; `node --version` says v18",
        ),
    ],
)
def test_a_missing_tool_is_named_with_where_to_get_it(
    places: tuple[Ports, Path], tmp_path: Path, present: list[str], complaint: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in present:
        (tools / name).write_text("#!/bin/sh\necho v18.20.0\n", encoding="ascii")
        (tools / name).chmod(0o755)
    output = tmp_path / "output"
    assert launch(places, output, {**os.environ, "PATH": str(tools)}).wait(30) == 1
    assert output.read_text(encoding="utf-8").startswith(complaint)
