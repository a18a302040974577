"""What is measured: each workload is a few series that take turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import chains, material
from .chains import Chain, Places
from .load import H2, Load, Request
from .material import MANY_RULES, RULES, Material

NONE, NATIVE, UNCACHED, EXTERNAL, FILTER = (
    "none",
    "native",
    "native-uncached",
    "ext_authz",
    "filter",
)
NATIVE_MANY, FILTER_MANY = "native-1000", "filter-1000"
NATIVE_ARGUMENTS, FILTER_ARGUMENTS = "native-arguments", "filter-arguments"
FILTER_KEPT, FILTER_ASKED = "filter-credential", "filter-asked"

DESCRIPTIONS = {
    NONE: "no filter",
    NATIVE: "jwt_authn (JWT cache), mcp, rbac",
    UNCACHED: "jwt_authn (no cache), mcp, rbac",
    EXTERNAL: "ext_authz, gRPC authorizer in Go",
    FILTER: "this filter",
    NATIVE_MANY: "jwt_authn (JWT cache), mcp, rbac; 1,000 rules",
    FILTER_MANY: "this filter; 1,000 rules",
    NATIVE_ARGUMENTS: "jwt_authn (JWT cache), mcp, rbac; rules on arguments",
    FILTER_ARGUMENTS: "this filter; rules on arguments",
    FILTER_KEPT: "this filter; upstream credential, remembered",
    FILTER_ASKED: "this filter; upstream credential, asked for each time",
}


@dataclass(frozen=True)
class Series:
    """One chain with what is sent through it."""

    chain: str
    request: Request


@dataclass(frozen=True)
class Workload:
    """Series that are compared, the reference first among those that decide.

    `passes` says whether the requests reach the upstream. `steady` asks for
    latencies at a fixed rate too.
    """

    name: str
    title: str
    series: Sequence[Series]
    load: Load = Load()
    passes: bool = True
    steady: bool = False
    in_short: bool = False


def all_of(made: Material) -> list[Workload]:
    """All workloads that are measured by load; those whose tokens were not made are left out."""
    small, tool = 40, material.tool(RULES)
    warm = Request(material.call(tool, small), made.warm)

    def each(names: Sequence[str], request: Request) -> list[Series]:
        return [Series(name, request) for name in names]

    compared = (NONE, NATIVE, UNCACHED, EXTERNAL, FILTER)
    cached = (NONE, NATIVE, FILTER)
    workloads = [
        Workload("warm", "a token seen before", each(compared, warm), steady=True, in_short=True)
    ]
    for algorithm, tokens in made.tokens.items():
        fresh = Request(warm.body, tokens=tokens)
        workloads.append(
            Workload(
                f"new-{algorithm}",
                f"every token new, {algorithm}",
                [Series(NONE, warm), *each((UNCACHED, EXTERNAL, FILTER), fresh)],
                steady=True,
                in_short=algorithm != "EdDSA",
            )
        )
    many = Request(material.call(material.tool(MANY_RULES), small), made.warm)
    workloads += [
        Workload(
            "rules-1000",
            "1,000 rules",
            [*each((FILTER,), warm), *each((NATIVE_MANY, FILTER_MANY), many)],
            in_short=True,
        ),
        Workload(
            "rules-arguments",
            "rules on arguments",
            each((FILTER, NATIVE_ARGUMENTS, FILTER_ARGUMENTS), warm),
        ),
    ]
    for size, name in ((4096, "4 KiB"), (65536, "64 KiB")):
        large = Request(material.call(tool, size), made.warm)
        workloads.append(
            Workload(
                f"arguments-{name.replace(' ', '').lower()}",
                f"arguments of {name}",
                each((NONE, NATIVE, EXTERNAL, FILTER), large),
                in_short=size == 65536,
            )
        )
    workloads += [
        Workload(
            "credential-cached",
            "upstream credential, remembered",
            each((FILTER, FILTER_KEPT), warm),
            in_short=True,
        ),
        Workload(
            "credential-asked",
            "upstream credential, asked for each time",
            each((FILTER, FILTER_ASKED), warm),
        ),
        Workload(
            "list-1000",
            "tools/list of 1,000 tools",
            each(cached, Request(material.list_tools(), made.warm)),
            in_short=True,
        ),
        Workload(
            "refused-no-token",
            "refused: no token",
            each((NATIVE, EXTERNAL, FILTER), Request(warm.body)),
            passes=False,
            in_short=True,
        ),
        Workload(
            "refused-tool",
            "refused: a forbidden tool",
            each((NATIVE, EXTERNAL, FILTER), Request(material.call("forbidden", small), made.warm)),
            passes=False,
            in_short=True,
        ),
    ]
    for connections in (1, 256):
        workloads.append(
            Workload(
                f"connections-{connections}",
                f"{connections} connection{'s' if connections > 1 else ''}",
                each(cached, warm),
                Load(connections),
            )
        )
    workloads.append(
        Workload("http2", "HTTP/2", each(compared, warm), Load(protocol=H2), steady=True)
    )
    return workloads


Make = Callable[[int], Chain]


def chain_makers(places: Places, made: Material) -> Mapping[str, Make]:
    """How each chain is made, given its port."""

    def native(
        name: str, count: int = RULES, *, cached: bool = True, arguments: bool = False
    ) -> Make:
        return lambda port: chains.native(
            name, port, made, count, cached=cached, arguments=arguments
        )

    def gate(
        name: str, count: int = RULES, *, arguments: bool = False, credential: str | None = None
    ) -> Make:
        return lambda port: chains.gate(
            name, port, places, made, count, arguments=arguments, credential=credential
        )

    return {
        NONE: chains.none,
        NATIVE: native(NATIVE),
        UNCACHED: native(UNCACHED, cached=False),
        EXTERNAL: chains.external,
        FILTER: gate(FILTER),
        NATIVE_MANY: native(NATIVE_MANY, MANY_RULES),
        FILTER_MANY: gate(FILTER_MANY, MANY_RULES),
        NATIVE_ARGUMENTS: native(NATIVE_ARGUMENTS, arguments=True),
        FILTER_ARGUMENTS: gate(FILTER_ARGUMENTS, arguments=True),
        FILTER_KEPT: gate(FILTER_KEPT, credential="/kept"),
        FILTER_ASKED: gate(FILTER_ASKED, credential="/fresh"),
    }
