"""The gate of these tests: the shipped configuration, with what the tests add to it.

Added are a second server, one of both protocol eras, and the origin of the
tests' own page. What the shipped policy says about the everything server stays
as it is: these tests are about that policy too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import yaml

from demo.stack import bootstrap, envoy, module
from demo.stack.envoy import Envoy
from demo.stack.places import LOOPBACK, Ports
from demo.stack.processes import Child, Processes
from demo.stack.sign_in import Client

Mode = Literal["holding", "plain"]

# The server of both eras in the policy, in Envoy's clusters, and as a path.
NOTES = "notes"


@dataclass(frozen=True)
class Gate:
    """A running Envoy with the filter."""

    ports: Ports
    processes: Processes
    child: Child

    @property
    def everything(self) -> str:
        """The endpoint of the everything server, which speaks the legacy era only."""
        return self.ports.everything

    @property
    def everything_itself(self) -> str:
        """The same server without the gate."""
        return f"http://{LOOPBACK}:{self.ports.everything_server}/mcp"

    @property
    def notes(self) -> str:
        """The endpoint of the server that speaks both eras."""
        return notes(self.ports)

    def token(self, account: str, resource: str) -> str:
        """An access token with all that an account may have, without a client."""
        answer = Client.for_tokens(self.ports.issuer).sign_in(
            self.ports.issuer, account, scope="mcp:read mcp:write", resource=resource
        )
        return str(answer["access_token"])

    def requests_upstream(self, cluster: str) -> int:
        """How many requests a server behind the gate has been sent."""
        name = f"cluster.{cluster}.upstream_rq_total"
        stats = httpx.get(
            f"http://{LOOPBACK}:{self.ports.envoy_admin}/stats",
            params={"filter": f"^{re.escape(name)}$"},
        )
        return int(stats.text.removeprefix(f"{name}:"))

    def decisions(
        self, about: Mapping[str, object], until: Callable[[list[dict]], bool] = bool
    ) -> list[dict]:
        """The audit lines with these members, as soon as they are complete.

        Envoy writes them at the end of each request, and not at once.
        """
        found: list[dict] = []

        def complete() -> bool:
            lines = self.child.log.read_text(encoding="utf-8", errors="replace").splitlines()
            audit = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
            found[:] = [each for each in audit if about.items() <= each.items()]
            return until(found)

        self.processes.wait_until("the audit lines are written", complete)
        return found


@dataclass(frozen=True)
class Gates:
    """A gate for each header mode, before the same servers."""

    holding: Gate
    plain: Gate


def notes(ports: Ports) -> str:
    """The resource identifier of the server of both eras."""
    return f"{ports.gate_url}/{NOTES}/mcp"


def find_module(processes: Processes) -> Path:
    """The filter: `$MCP_AUTH_FILTER_MODULE` if that is set, else built from the sources."""
    given = os.environ.get("MCP_AUTH_FILTER_MODULE")
    return Path(given) if given else module.build(processes)


def start(
    processes: Processes,
    found: Envoy,
    artefact: Path,
    *,
    ports: Ports,
    notes_port: int,
    page_origin: str,
    mode: Mode,
    directory: Path,
) -> Gate:
    """Start Envoy with the filter in one header mode."""
    configuration = yaml.safe_load(bootstrap.render(artefact, ports))
    _add_notes(configuration, notes_port)
    plugin = _plugin(configuration)
    policy = json.loads(plugin["configuration"]["value"])
    policy["header_mode"] = mode
    policy["servers"][0]["allowed_origins"].append(page_origin)
    policy["servers"].append(_notes_policy(notes(ports)))
    plugin["configuration"]["value"] = json.dumps(policy)
    if mode == "plain":
        # This mode is for hosts that cannot be told to hold the headers back.
        del plugin["allow_on_headers_stop_iteration"]
    file = directory / "envoy.yaml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return Gate(ports, processes, found.start(processes, file, ports.envoy_admin, concurrency=1))


def find_envoy(processes: Processes) -> Envoy:
    """The Envoy that `make run` would take."""
    return envoy.find(processes)


def _manager(configuration: dict) -> dict:
    [listener] = configuration["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def _plugin(configuration: dict) -> dict:
    [plugin] = (
        each["typed_config"]["config"]
        for each in _manager(configuration)["http_filters"]
        if each["name"] == "envoy.filters.http.wasm"
    )
    return plugin


def _add_notes(configuration: dict, port: int) -> None:
    """A route and a cluster like those of the everything server."""
    routes = _manager(configuration)["route_config"]["virtual_hosts"][0]["routes"]
    route = json.loads(json.dumps(routes[0]))
    route["name"] = NOTES
    route["match"]["path"] = f"/{NOTES}/mcp"
    route["route"]["cluster"] = NOTES
    routes.insert(0, route)

    clusters = configuration["static_resources"]["clusters"]
    cluster = json.loads(json.dumps(clusters[0]))
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = NOTES
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
    clusters.append(cluster)


def _notes_policy(resource: str) -> dict:
    """One rule for each answer that a caller can get."""
    return {
        "id": NOTES,
        "resource": resource,
        "issuers": ["demo"],
        "scopes": ["mcp:read"],
        "obtainable_scopes": [{"scopes": ["mcp:write"]}],
        "rules": [
            {"id": "read-tools", "who": {"scopes": ["mcp:read"]}, "what": {"tools": ["count", "touch"]}},
            {
                "id": "add",
                "who": {"scopes": ["mcp:write"]},
                "what": {"tools": ["add"]},
                "arguments": [{"argument": "a", "maximum": 100}],
            },
            {
                "id": "secret",
                "who": {"claims": [{"claim": "roles", "contains": "admin"}]},
                "what": {"tools": ["secret"], "prompts": ["secret-prompt"], "resources": ["notes://secret/*"]},
            },
            {
                "id": "read",
                "who": {"scopes": ["mcp:read"]},
                "what": {"prompts": ["summary"], "resources": ["notes://open/*"]},
            },
            {"id": "protocol", "who": {"scopes": ["mcp:read"]}, "what": {"methods": ["*"]}},
        ],
    }
