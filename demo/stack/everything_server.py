"""The upstream of the demonstration: the official MCP server that has a bit of everything."""

from __future__ import annotations

from . import node, ports
from .places import ROOT
from .processes import Child, Processes

DIRECTORY = ROOT / "demo" / "everything-server"
PACKAGE = DIRECTORY / "node_modules" / "@modelcontextprotocol" / "server-everything"


def install(processes: Processes) -> None:
    """Fetch its packages."""
    node.install(processes, DIRECTORY)


def start(processes: Processes, port: int) -> Child:
    """Start it on a loopback port and wait until it answers; its endpoint is `/mcp`."""
    child = processes.start(
        "everything-server",
        [
            "node",
            *("--import", (DIRECTORY / "loopback.js").as_uri()),
            str(PACKAGE / "dist" / "index.js"),
            "streamableHttp",
        ],
        env={"PORT": str(port)},
    )
    processes.wait_until("the everything server answers", lambda: ports.answers(port))
    return child
