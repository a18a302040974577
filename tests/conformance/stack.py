"""The server itself, and the ways to it: direct, and through a gate of each header mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.stack import node, ports
from demo.stack.envoy import Envoy
from demo.stack.places import LOOPBACK, Ports
from demo.stack.ports import free_ports
from demo.stack.processes import Processes
from tests.e2e.harness import bootstrap
from tests.e2e.harness.bootstrap import Json, Setup
from tests.e2e.harness.issuer import Issuer

HERE = Path(__file__).parent
FIXTURE = HERE / "fixture"
PROXY = HERE / "with-token.js"

# The same server at each path; at the second, every answer of the modern era is an event stream.
PATHS = ("/mcp", "/streams")
ACCOUNT = "suite"

# Of an extension (SEP-2640); a gate refuses methods that are not named to it.
EXTRA_METHODS = ("skills/list", "skills/get", "resources/directory/read")


def install_fixture(processes: Processes) -> None:
    """Fetch its packages."""
    node.install(processes, FIXTURE)


def start_fixture(processes: Processes) -> int:
    """Start the server and wait until it answers; its port."""
    [port] = free_ports(1)
    _start_node(processes, "fixture", FIXTURE / "server.js", port, {})
    return port


@dataclass(frozen=True)
class Gate:
    """A gate, and the proxy before it that adds the token."""

    name: str
    processes: Processes
    proxy_port: int
    audit: Path

    def decisions(self) -> list[Json]:
        """What the gate has written down; complete when it has stopped."""
        return [json.loads(line) for line in self.audit.read_text(encoding="utf-8").splitlines()]


def start_gate(
    processes: Processes,
    envoy: Envoy,
    module: Path,
    issuer: Issuer,
    fixture_port: int,
    mode: str,
    directory: Path,
) -> Gate:
    """Start an Envoy with the filter, and the proxy, which is where its clients see it.

    `processes` are of this gate alone: the log of an Envoy is always called the same.
    """
    gate_port, admin_port, proxy_port = free_ports(3)
    places = Ports(gate_port, admin_port, issuer.port, fixture_port)
    resources = {path: url(proxy_port, path) for path in PATHS}
    # More than one worker, because a session or a state must be good at each of them.
    setup = Setup(mode=mode, concurrency=2, policy=_policy(resources))
    file, _ = bootstrap.write(setup, module, places, directory)
    envoy.start(processes, file, admin_port, concurrency=setup.concurrency)

    tokens = {
        path: issuer.token(ACCOUNT, resource, scope="all") for path, resource in resources.items()
    }
    env = {"TOKENS": json.dumps(tokens), "GATE_PORT": str(gate_port)}
    _start_node(processes, "proxy", PROXY, proxy_port, env)
    return Gate(mode, processes, proxy_port, directory / "audit.log")


def url(port: int, path: str) -> str:
    """Where the suite finds a server."""
    return f"http://{LOOPBACK}:{port}{path}"


def _policy(resources: dict[str, str]) -> Callable[[Json], None]:
    """One account may do everything. All that the gate does besides is on."""

    def change(policy: Json) -> None:
        everything = {"tools": ["*"], "prompts": ["*"], "resources": ["**"], "methods": ["*"]}
        policy["state_keys"] = [{"id": "tests", "secret": "the-state-key-of-the-conformance-tests"}]
        policy["servers"] = [
            {
                "id": path.strip("/"),
                "resource": resource,
                "issuers": ["demo"],
                "scopes": ["all"],
                "extra_methods": EXTRA_METHODS,
                "rules": [{"id": "all", "who": {"subjects": [ACCOUNT]}, "what": everything}],
            }
            for path, resource in resources.items()
        ]

    return change


def _start_node(
    processes: Processes, name: str, program: Path, port: int, env: dict[str, str]
) -> None:
    processes.start(name, ["node", str(program)], env={"PORT": str(port), **env})
    processes.wait_until(f"{name} answers", lambda: ports.answers(port))
