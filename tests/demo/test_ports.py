"""Ports of tests that run beside each other."""

from __future__ import annotations

import random
import socket
import subprocess
import sys

import pytest

from demo.stack.places import LOOPBACK, ROOT
from demo.stack.ports import CHOICE, free_ports

ASK_FOR = """
import sys
from demo.stack import ports
ports.CHOICE = range(int(sys.argv[1]), int(sys.argv[1]) + 1)
print(ports.free_ports(1))
"""


def given_elsewhere(port: int) -> bool:
    """Whether another process is given this port when it asks for just this one. The
    process is gone when this returns."""
    command = [sys.executable, "-c", ASK_FOR, str(port)]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    if asked.returncode == 0:
        assert asked.stdout == f"[{port}]\n"
        return True
    assert f"no 1 ports from {port} to {port} are free" in asked.stderr
    return False


@pytest.fixture
def unused() -> int:
    """A port that nobody has."""
    return next(filter(given_elsewhere, random.sample(CHOICE, 20)))


def test_a_port_that_one_process_was_given_is_given_to_no_other() -> None:
    [port] = free_ports(1)
    assert not given_elsewhere(port)


def test_a_port_is_given_again_when_the_process_that_had_it_is_gone(unused: int) -> None:
    assert given_elsewhere(unused)


def test_a_port_on_which_somebody_listens_is_not_given(unused: int) -> None:
    with socket.create_server((LOOPBACK, unused)):
        assert not given_elsewhere(unused)


def test_ports_are_different_each_time() -> None:
    assert len({*free_ports(50), *free_ports(50)}) == 100
