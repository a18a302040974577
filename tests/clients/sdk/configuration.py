"""Envoy's configuration in these tests: the shipped one, with what they add.

Added are a second server, one of both protocol eras, once more the same one where
it may ask its clients for little, the origin of the tests' own page, a host that
users may be sent to, and a state key, so that sessions are bound to their
clients. Left out is the server that wants credentials. What else the shipped
policy says about the everything server stays as it is: these tests are about that
policy too.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Literal

import yaml

from demo.stack import bootstrap
from demo.stack.places import Ports
from tests.shipped import without_credentials

Mode = Literal["holding", "plain"]

# The server of both eras: in the policy, in Envoy's clusters, and in the path.
BOTH_ERAS = "both-eras"
BOTH_ERAS_PATH = f"/{BOTH_ERAS}/mcp"
QUIET = "quiet"
QUIET_PATH = f"/{QUIET}/mcp"

# Where users may be asked to go, of both servers.
LINKED_HOST = "connect.example.com"

# Its tools for everybody who may read.
OPEN_TOOLS = [
    "ask",
    "capabilities",
    "count",
    "extra",
    "interview",
    "link",
    "listeners",
    "poll",
    "publish",
    "say",
    "touch",
    "wait",
]


def write(
    module: Path, ports: Ports, *, both_eras_port: int, page_origin: str, mode: Mode, directory: Path
) -> Path:
    """Write the configuration of one gate where Envoy can read it."""
    configuration = yaml.safe_load(bootstrap.render(module, ports))
    plugin = _plugin(configuration)
    policy = json.loads(plugin["configuration"]["value"])
    without_credentials(configuration, policy)
    for server in (BOTH_ERAS, QUIET):
        _add_upstream(configuration, server, both_eras_port)
    policy["header_mode"] = mode
    policy["servers"][0]["allowed_origins"].append(page_origin)
    policy["state_keys"] = [{"id": "tests", "secret": "the-state-key-of-the-clients-tests"}]
    both_eras = _both_eras_policy(f"{ports.gate_url}{BOTH_ERAS_PATH}")
    quiet = {
        **both_eras,
        "id": QUIET,
        "resource": f"{ports.gate_url}{QUIET_PATH}",
        "client_features": {"sampling": False, "roots": False},
    }
    policy["servers"] += [both_eras, quiet]
    for server in policy["servers"][:2]:
        server["client_features"] = {"url_elicitation_hosts": [LINKED_HOST]}
    plugin["configuration"]["value"] = json.dumps(policy)
    if mode == "plain":
        # This mode is for hosts that cannot be told to hold the headers back.
        del plugin["allow_on_headers_stop_iteration"]

    file = directory / "envoy.yaml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return file


def _both_eras_policy(resource: str) -> dict:
    """One rule for each answer that a caller can get; the tool `nobody` has none."""
    return {
        "id": BOTH_ERAS,
        "resource": resource,
        "issuers": ["demo"],
        "scopes": ["mcp:read"],
        "obtainable_scopes": [{"scopes": ["mcp:write"]}],
        "lists": {"obtainable": "hidden"},
        "rules": [
            {
                "id": "read",
                "who": {"scopes": ["mcp:read"]},
                "what": {
                    "tools": OPEN_TOOLS,
                    "prompts": ["summary", "extra-prompt"],
                    "resources": ["notes://open/*"],
                },
            },
            {
                "id": "add",
                "who": {"scopes": ["mcp:write"]},
                "what": {"tools": ["add"]},
                "arguments": [{"argument": "a", "maximum": 100}],
            },
            {
                "id": "secret",
                "who": {"claims": [{"claim": "roles", "contains": "admin"}]},
                "what": {
                    "tools": ["secret", "secret-extra"],
                    "prompts": ["secret-prompt", "secret-extra-prompt"],
                    "resources": ["notes://secret/*"],
                },
            },
            {"id": "protocol", "who": {"scopes": ["mcp:read"]}, "what": {"methods": ["*"]}},
        ],
    }


def _add_upstream(configuration: dict, name: str, port: int) -> None:
    """A route and a cluster for a server, like those of the everything server."""
    routes = _manager(configuration)["route_config"]["virtual_hosts"][0]["routes"]
    route = copy.deepcopy(routes[0])
    route["name"] = route["route"]["cluster"] = name
    route["match"]["path"] = f"/{name}/mcp"
    routes.insert(0, route)

    clusters = configuration["static_resources"]["clusters"]
    cluster = copy.deepcopy(clusters[0])
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = name
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"]["port_value"] = port
    clusters.append(cluster)


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
