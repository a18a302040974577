"""The everything server, which would listen on every address if it were let."""

from __future__ import annotations

import socket

import httpx

from demo.stack.places import Ports
from demo.stack.ports import answers
from demo.stack.processes import Child


def other_addresses() -> set[str]:
    """Addresses of this machine that are not 127.0.0.1; always at least one."""
    found = {"127.0.0.2", "::1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; it makes the kernel choose the outgoing address.
            probe.connect(("192.0.2.1", 9))
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    return found - {"127.0.0.1"}


def test_it_answers_on_loopback_only(everything: Child, ports: Ports) -> None:
    assert answers(ports.everything_server)
    for address in other_addresses():
        assert not answers(ports.everything_server, address), address


def test_it_speaks_mcp(everything: Child, ports: Ports) -> None:
    answer = httpx.post(
        f"http://127.0.0.1:{ports.everything_server}/mcp",
        headers={"Accept": "application/json, text/event-stream"},
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Mcp-Session-Id"]
