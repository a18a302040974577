"""The second upstream of the demonstration: a server that wants a token of its own for each user."""

from __future__ import annotations

from . import node, ports
from .places import ROOT
from .processes import Child, Processes

DIRECTORY = ROOT / "demo" / "notes-server"


def install(processes: Processes) -> None:
    """Fetch its packages."""
    node.install(processes, DIRECTORY)


def start(processes: Processes, port: int, issuer: str) -> Child:
    """Start it on a loopback port and wait until it answers; its endpoint is `/mcp`.

    `issuer` is its own authorization server, whose tokens alone it takes.
    """
    child = processes.start(
        "notes-server",
        ["node", str(DIRECTORY / "server.js")],
        env={"PORT": str(port), "ISSUER": issuer},
    )
    processes.wait_until("the notes server answers", lambda: ports.answers(port))
    return child
