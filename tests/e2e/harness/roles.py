"""The gate with the credential role in the clusters of its servers."""

from __future__ import annotations

import copy
import json

from .bootstrap import HOLDING, Json, Setup, virtual_host, wasm
from .token_service import TokenService

NOTES = "/notes/mcp"
# Goes on without a credential where there is none yet.
EAGER = "/eager/mcp"
# Permitted for itself, but routed to the cluster of notes.
ASTRAY = "/astray/mcp"
# Envoy keeps so little of a request that it cannot repeat a long one.
SMALL = "/small/mcp"
SMALL_BYTES = 2000
# Envoy is told to repeat more often than the role has anything new to offer, and after a 503.
STUBBORN = "/stubborn/mcp"
# Its cluster's role is in a VM of its own.
LONELY = "/lonely/mcp"
# Its cluster's role does not hold the body by itself: it is given what comes after the headers.
STREAMED = "/streamed/mcp"
# A route without the gate.
BYPASS = "/bypass"

_FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig"
_STRING = "type.googleapis.com/google.protobuf.StringValue"
_CODEC = "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
_SERVERS = [NOTES, EAGER, ASTRAY, SMALL, STUBBORN, LONELY, STREAMED]


def setup(service: TokenService, *, concurrency: int = 1) -> Setup:
    """Servers whose credential is set in their cluster, with Envoy's own retry after a 401."""

    def policy(policy: Json) -> None:
        origin = policy["servers"][0]["resource"].removesuffix("/everything/mcp")
        policy["token_services"] = [service.policy()]
        policy["state_keys"] = [{"id": "1", "secret": "0123456789abcdef0123456789abcdef"}]
        what = {"tools": ["*"], "methods": ["*"]}
        policy["servers"] += [
            {
                "id": _name(path),
                "resource": f"{origin}{path}",
                "issuers": ["demo"],
                "credential": {
                    "token_service": "vault",
                    "placed_by": "cluster",
                    "optional_for": ["tools/list"] if path == EAGER else [],
                },
                "rules": [{"id": "all", "what": what}],
            }
            for path in _SERVERS
        ]

    def envoy(config: Json) -> None:
        service.add_cluster(config)
        for path in _SERVERS:
            _add_cluster(config, path)
        routes = virtual_host(config)["routes"]
        routes[:0] = [_route(path, _name(NOTES if path == ASTRAY else path)) for path in _SERVERS]
        bypass = _route(BYPASS, _name(NOTES))
        disabled = {"@type": _FILTER_CONFIG, "disabled": True}
        bypass["typed_per_filter_config"] = {"envoy.filters.http.wasm": disabled}
        routes.insert(0, bypass)

    return Setup(HOLDING, concurrency, policy, envoy)


def _name(path: str) -> str:
    return path.split("/")[1]


def _route(path: str, cluster: str) -> Json:
    policy = {
        "retry_on": "retriable-status-codes",
        "retriable_status_codes": [401, 503] if path == STUBBORN else [401],
        "num_retries": 5 if path == STUBBORN else 1,
        "retry_back_off": {"base_interval": "0.001s"},
    }
    route: Json = {
        "match": {"path": path},
        "route": {"cluster": cluster, "timeout": "0s", "retry_policy": policy},
    }
    if path == SMALL:
        route["per_request_buffer_limit_bytes"] = SMALL_BYTES
    return route


def _add_cluster(config: Json, path: str) -> None:
    """A cluster like that of the everything server, with the role in it."""
    clusters = config["static_resources"]["clusters"]
    everything = next(each for each in clusters if each["name"] == "everything")
    cluster = copy.deepcopy(everything)
    cluster["name"] = cluster["load_assignment"]["cluster_name"] = _name(path)
    plugin = copy.deepcopy(wasm(config))
    if path != STREAMED:
        del plugin["allow_on_headers_stop_iteration"]
    plugin["name"] = f"credential-{_name(path)}"
    value = json.dumps({"role": "credential", "server": _name(path)})
    plugin["configuration"] = {"@type": _STRING, "value": value}
    if path == LONELY:
        plugin["vm_config"]["vm_id"] = "lonely"
    (options,) = cluster["typed_extension_protocol_options"].values()
    options["http_filters"] = [
        {
            # A name of its own: what a route says of a filter counts for every filter of that
            # name, upstream too, so a route that disables the gate would disable the role.
            "name": "mcp-auth-credential",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": plugin,
            },
        },
        {"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": _CODEC}},
    ]
    clusters.append(cluster)
