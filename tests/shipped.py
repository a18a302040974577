"""The shipped Envoy configuration, reduced to what most tests are about."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# The clusters of the server that wants a credential, and of the service that has it.
CLUSTERS = ("notes", "token-service")


def without_credentials(config: Json, policy: Json) -> None:
    """Only the everything server, and no secrets; a test adds what it is about."""
    policy["servers"] = [each for each in policy["servers"] if "credential" not in each]
    del policy["token_services"], policy["state_keys"]

    resources = config["static_resources"]
    resources["clusters"] = [
        each for each in resources["clusters"] if each["name"] not in CLUSTERS
    ]
    for listener in resources["listeners"]:
        for chain in listener["filter_chains"]:
            manager = chain["filters"][0]["typed_config"]
            for host in manager["route_config"]["virtual_hosts"]:
                host["routes"] = [
                    each
                    for each in host["routes"]
                    if each.get("route", {}).get("cluster") not in CLUSTERS
                ]
