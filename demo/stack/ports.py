"""Loopback ports: free ones for tests, and whether a fixed one is taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import fields

from .places import LOOPBACK, Ports


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on at the moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


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
