"""The chains of filters that are compared, each a listener of one Envoy.

They decide the same: a valid token of the issuer for the resource, its scope,
and a rule that names the tool. Each writes one line for each request, with who
it was and what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import envoy_time
from .material import ISSUER, REMEMBERED, RESOURCE, SCOPE, Material, Rule, rules

Json = dict[str, Any]

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_JWT = "envoy.filters.http.jwt_authn"
_MCP = "envoy.filters.http.mcp"
_AUTHZ = "envoy.filters.http.ext_authz"
_PAYLOAD = "token"
_MOST_BODY_BYTES = 1 << 20

UPSTREAM, AUTHORIZER = "upstream", "authorizer"

# Of the calls that `material.call` makes, these hold.
_LIMIT = 100
_FOLDER = "/srv/"


@dataclass(frozen=True)
class Chain:
    """A listener: its filters, and how a line of its access log begins."""

    name: str
    port: int
    filters: Sequence[Json]
    log_format: str


@dataclass(frozen=True)
class Places:
    """Where the servers are, and where the module is."""

    upstream: int
    authorizer: int
    module: Path


def none(port: int) -> Chain:
    """Envoy alone."""
    return Chain("none", port, [], _line("-", "-", "-", "-"))


def native(
    name: str, port: int, material: Material, count: int, *, cached: bool, arguments: bool = False
) -> Chain:
    """`jwt_authn`, `mcp` and `rbac`, with so many rules."""
    provider: Json = {
        "issuer": ISSUER,
        "audiences": [RESOURCE],
        "payload_in_metadata": _PAYLOAD,
        "local_jwks": {"inline_string": json.dumps(material.jwks)},
    }
    if cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": REMEMBERED}
    filters = [
        _filter(
            _JWT,
            "filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"issuer": provider},
            rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
        ),
        _mcp(arguments),
        _filter(
            "envoy.filters.http.rbac",
            "filters.http.rbac.v3.RBAC",
            rules={"action": "ALLOW", "policies": _policies(rules(count), arguments)},
        ),
    ]
    line = _line(
        f"%DYNAMIC_METADATA({_JWT}:{_PAYLOAD}:sub)%",
        f"%DYNAMIC_METADATA({_JWT}:{_PAYLOAD}:client_id)%",
        f"%DYNAMIC_METADATA({_MCP}:method)%",
        f"%DYNAMIC_METADATA({_MCP}:params:name)%",
    )
    return Chain(name, port, filters, line)


def external(port: int) -> Chain:
    """`ext_authz`, which asks the authorizer with headers and body."""
    service = {"envoy_grpc": {"cluster_name": AUTHORIZER}, "timeout": "5s"}
    asked = _filter(
        _AUTHZ,
        "filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        grpc_service=service,
        with_request_body={"max_request_bytes": _MOST_BODY_BYTES, "pack_as_bytes": True},
    )
    names = ("subject", "client", "method", "tool")
    line = _line(*(f"%DYNAMIC_METADATA({_AUTHZ}:{name})%" for name in names))
    return Chain("ext_authz", port, [asked], line)


def authorizer_settings(material: Material, count: int) -> Json:
    """What the authorizer is told."""
    return {
        "issuer": ISSUER,
        "audience": RESOURCE,
        "scope": SCOPE,
        "tools": [rule.name for rule in rules(count)],
        "cache_entries": REMEMBERED,
        "keys": material.jwks,
    }


def gate(
    name: str,
    port: int,
    places: Places,
    material: Material,
    count: int,
    *,
    arguments: bool = False,
    credential: str | None = None,
) -> Chain:
    """This filter, in the mode that holds headers. `credential` is the path of a token service."""
    wanted = _conditions() if arguments else {}
    server: Json = {
        "id": "bench",
        "resource": RESOURCE,
        "issuers": ["issuer"],
        "scopes": [SCOPE],
        # The other chains do not tell the upstream who calls either.
        "identity_headers": {"subject": None, "issuer": None, "client": None},
        "rules": [
            *(
                {"id": f"rule-{each.name}", "what": {"tools": [_glob(each)]}, **wanted}
                for each in rules(count)
            ),
            {"id": "protocol", "what": {"methods": ["*"]}},
        ],
    }
    policy: Json = {
        "header_mode": "holding",
        # What the access log of this chain reads, and nothing else does.
        "filter_state": ["audit"],
        "issuers": [
            {
                "id": "issuer",
                "issuer": ISSUER,
                "keys": {"inline": material.jwks},
                "algorithms": list(material.keys),
            }
        ],
        "servers": [server],
        "limits": {"token_cache_entries": REMEMBERED},
    }
    if credential is not None:
        server["credential"] = {"token_service": "service"}
        resolve = {
            "cluster": UPSTREAM,
            "url": f"http://token-service.example{credential}",
            "key": "the-key-of-the-filter-at-the-token-service",
        }
        policy["token_services"] = [{"id": "service", "resolve": resolve}]
    plugin = {
        "name": name,
        "root_id": name,
        "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": True,
        "vm_config": {
            # Chains of the same module share a VM, as the servers of one gate do.
            "vm_id": str(places.module),
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": str(places.module)}},
        },
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": json.dumps(policy),
        },
    }
    wasm = _filter("envoy.filters.http.wasm", "filters.http.wasm.v3.Wasm", config=plugin)
    return Chain(name, port, [wasm], "%FILTER_STATE(wasm.mcp_auth.audit:PLAIN)%")


def with_fields(chain: Chain, known: set[str]) -> Chain:
    """The chain of this filter without what an earlier module of it does not know: fields of
    the policy that came later and have a default."""
    (wasm,) = json.loads(json.dumps(chain.filters))
    configuration = wasm["typed_config"]["config"]["configuration"]
    policy = json.loads(configuration["value"])
    kept = {name: value for name, value in policy.items() if name in known}
    configuration["value"] = json.dumps(kept)
    return replace(chain, filters=[wasm])


def bootstrap(chains: Sequence[Chain], places: Places, admin: int, logs: Path) -> Json:
    """The configuration of the one Envoy."""
    http2: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [_listener(chain, logs) for chain in chains],
            "clusters": [
                _cluster(UPSTREAM, places.upstream),
                _cluster(AUTHORIZER, places.authorizer, http2),
            ],
        },
    }


def _line(*who: str) -> str:
    fields = ["%START_TIME%", *who, "%RESPONSE_CODE%", "%RESPONSE_CODE_DETAILS%", "%DURATION%"]
    return " ".join([*fields, "%REQ(X-REQUEST-ID)%"])


def _mcp(arguments: bool) -> Json:
    strict: Json = {
        "traffic_mode": "REJECT_NO_MCP",
        "max_request_body_size": _MOST_BODY_BYTES,
        "reject_duplicate_keys": True,
    }
    if arguments:
        paths = ("params.name", "params.arguments.path", "params.arguments.limit")
        extracted = [{"path": path} for path in paths]
        methods = [{"method": "tools/call", "extraction_rules": extracted}]
        strict["parser_config"] = {"methods": methods}
    return _filter(_MCP, "filters.http.mcp.v3.Mcp", **strict)


def _policies(named: Sequence[Rule], arguments: bool) -> Json:
    """A policy for each rule, and one for what is no call of a tool."""
    scope = _metadata(_JWT, [_PAYLOAD, "scope"], {"string_match": {"contains": SCOPE}})
    further: list[Json] = []
    if arguments:
        at = ["params", "arguments"]
        further = [
            _metadata(_MCP, [*at, "path"], {"string_match": {"prefix": _FOLDER}}),
            _metadata(
                _MCP, [*at, "limit"], {"double_match": {"range": {"start": 0, "end": _LIMIT}}}
            ),
        ]
    policies: Json = {}
    for rule in named:
        match = {"prefix": rule.name} if rule.is_prefix else {"exact": rule.name}
        tool_is = _metadata(_MCP, ["params", "name"], {"string_match": match})
        holds = {"and_rules": {"rules": [tool_is, *further]}} if further else tool_is
        policies[f"rule-{rule.name}"] = {"permissions": [holds], "principals": [scope]}
    is_call = _metadata(_MCP, ["method"], {"string_match": {"exact": "tools/call"}})
    policies["protocol"] = {"permissions": [{"not_rule": is_call}], "principals": [scope]}
    return policies


def _conditions() -> Json:
    return {
        "arguments": [
            {"argument": "path", "matches": f"{_FOLDER}*"},
            {"argument": "limit", "minimum": 0, "maximum": _LIMIT},
        ]
    }


def _glob(rule: Rule) -> str:
    return f"{rule.name}*" if rule.is_prefix else rule.name


def _metadata(filter_name: str, path: Sequence[str], value: Json) -> Json:
    keys = [{"key": key} for key in path]
    return {"metadata": {"filter": filter_name, "path": keys, "value": value}}


def _filter(name: str, kind: str, **config: Any) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSIONS}.{kind}", **config}}


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int, options: Json | None = None) -> Json:
    endpoint = {"endpoint": {"address": _address(port)}}
    explicit = options or {"explicit_http_config": {"http_protocol_options": {}}}
    kind = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {"@type": kind, **explicit}
        },
        # More connections than the load has, so that Envoy refuses nothing.
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
            ]
        },
    }


def _listener(chain: Chain, logs: Path) -> Json:
    line = chain.log_format + envoy_time.FIELDS + "\n"
    log = _filter(
        "envoy.access_loggers.file",
        "access_loggers.file.v3.FileAccessLog",
        path=str(log_of(chain, logs)),
        log_format={"text_format_source": {"inline_string": line}},
    )
    router = _filter("envoy.filters.http.router", "filters.http.router.v3.Router")
    route = {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM, "timeout": "0s"}}
    manager = _filter(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=chain.name,
        codec_type="AUTO",
        # So that a request can be found again in the log.
        preserve_external_request_id=True,
        access_log=[log],
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        http_filters=[*chain.filters, router],
    )
    return {
        "name": chain.name,
        "address": _address(chain.port),
        "filter_chains": [{"filters": [manager]}],
    }


def log_of(chain: Chain, logs: Path) -> Path:
    """Where a chain writes its access log."""
    return logs / f"access-{chain.name}.log"
