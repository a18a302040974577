"""Loopback ports: free ones for tests, and whether a fixed one is taken."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from dataclasses import fields
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO

from .errors import StackError
from .places import LOOPBACK, Ports


# Below the ports from which Linux (32768) and macOS (49152) choose for connections
# and for listeners without a port, so that none of these takes one of ours before
# we listen on it; and above those of the demonstration.
CHOICE = range(10_240, 32_768)


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on, and that no other process is given
    while this one lives."""
    choice = random.sample(CHOICE, len(CHOICE))
    found = list(islice(filter(_is_ours, choice), count))
    if len(found) < count:
        raise StackError(f"no {count} ports from {CHOICE.start} to {CHOICE.stop - 1} are free")
    return found


def _is_ours(port: int) -> bool:
    """Reserve a port, unless somebody listens, or it was given before."""
    if port in _reserved or is_taken(port):
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _reserved.add(port)
    return True


_reserved: set[int] = set()


@cache
def _reservations() -> IO[bytes]:
    """A file of which each byte stands for a port. Locks of bytes end with their
    process, and are not passed on to its children."""
    file = Path(tempfile.gettempdir()) / f"mcp-auth-filter-ports-{os.getuid()}"
    return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def free_stack() -> Ports:
    """A place for a whole stack beside any other."""
    return Ports(*free_ports(len(fields(Ports))))


def is_taken(port: int) -> bool:
    """Whether something listens there already.

    Asked before Envoy starts: Envoy shares its ports (SO_REUSEPORT), so that a
    second one on the same port starts without complaint and takes half of the
    connections.
    """
    with socket.socket() as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether a connection to the port is accepted."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
