"""The shipped Envoy configuration, moved to the places of a test and changed where it asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.stack import bootstrap
from demo.stack.places import Ports
from tests.shipped import without_credentials

from .issuer import INTROSPECTION

Json = dict[str, Any]
HOLDING, PLAIN = "holding", "plain"


def unchanged(_: Json) -> None:
    """For a test that wants it as it is."""


@dataclass(frozen=True)
class Setup:
    """What can be different from one gate to the next."""

    mode: str = HOLDING
    concurrency: int = 1
    policy: Callable[[Json], None] = unchanged
    envoy: Callable[[Json], None] = unchanged


def write(setup: Setup, module: Path, ports: Ports, directory: Path) -> tuple[Path, Json]:
    """Write the bootstrap file; its place, and the policy in it."""
    shipped: Json = yaml.safe_load(bootstrap.render(module, ports))
    policy = json.loads(wasm(shipped)["configuration"]["value"])
    without_credentials(shipped, policy)
    policy["header_mode"] = setup.mode
    setup.policy(policy)

    wasm(shipped)["configuration"]["value"] = json.dumps(policy)
    # Without the flag in plain mode: that is what hosts are like that lack it.
    if setup.mode == PLAIN:
        del wasm(shipped)["allow_on_headers_stop_iteration"]
    _log_to_files(shipped, directory)
    # So that a test can name its requests, and find them again in the audit.
    connection_manager(shipped)["preserve_external_request_id"] = True
    # The shipped routes refuse what belongs to no server. Here only the filter does.
    virtual_host(shipped)["routes"] = [
        {"match": {"prefix": "/"}, "route": {"cluster": "everything", "timeout": "0s"}}
    ]
    setup.envoy(shipped)

    file = directory / "envoy.yaml"
    file.write_text(yaml.safe_dump(shipped), encoding="utf-8")
    return file, policy


def opaque_tokens(policy: Json) -> None:
    """The demonstration's issuer, asked about tokens instead of verified."""
    issuer = policy["issuers"][0]
    del issuer["keys"], issuer["algorithms"]
    issuer["introspection"] = {
        "uri": f"{issuer['issuer']}{INTROSPECTION}",
        "cluster": "authorization-server",
        "client_id": "gate",
        "client_secret": "s3cr3t",
        "timeout_ms": 20_000,
    }
    policy["limits"] = {"key_wait_ms": 20_000}


def connection_manager(config: Json) -> Json:
    """The HTTP connection manager of the gate's listener."""
    chain = config["static_resources"]["listeners"][0]["filter_chains"][0]
    manager: Json = chain["filters"][0]["typed_config"]
    return manager


def virtual_host(config: Json) -> Json:
    """The one virtual host."""
    host: Json = connection_manager(config)["route_config"]["virtual_hosts"][0]
    return host


def wasm(config: Json) -> Json:
    """The configuration of the plugin."""
    plugin: Json = connection_manager(config)["http_filters"][0]["typed_config"]["config"]
    return plugin


def _log_to_files(config: Json, directory: Path) -> None:
    access, audit = connection_manager(config)["access_log"]
    for log, name in ((access, "access.log"), (audit, "audit.log")):
        log["name"] = "envoy.access_loggers.file"
        log["typed_config"]["@type"] = (
            "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
        )
        log["typed_config"]["path"] = str(directory / name)
