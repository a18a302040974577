"""The Node.js side of these tests."""

from __future__ import annotations

from demo.stack import node, ports
from demo.stack.places import ROOT
from demo.stack.processes import Child, Processes

DIRECTORY = ROOT / "tests" / "clients" / "node"


def install(processes: Processes) -> None:
    """Fetch the SDK and what bundles and browses."""
    node.install(processes, DIRECTORY)


def start_both_eras_server(processes: Processes, port: int) -> Child:
    """Start the server of both eras and wait until it answers."""
    child = processes.start(
        "both-eras-server", ["node", str(DIRECTORY / "both-eras-server.js")], env={"PORT": str(port)}
    )
    processes.wait_until("the server of both eras answers", lambda: ports.answers(port))
    return child
