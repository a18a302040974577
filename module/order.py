"""The order of the functions in the module.

Envoy's V8 compiles a module whole and lays its functions out in their order.
What a request walks through is a twentieth of them: side by side they take fewer
lines of the instruction cache and entries of its TLB. `hot-functions.txt` names
them in the order in which a request comes by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .wasm import CUSTOM, PREAMBLE, Reader, number, sections, sized

HOT_FUNCTIONS = Path(__file__).with_name("hot-functions.txt")

# Within the section "name": the names of functions.
FUNCTIONS = 1

# In a symbol of Rust (RFC 2603): the disambiguator of a crate, which changes
# with its version, and references to places behind it.
UNSTABLE = re.compile(r"Cs[0-9A-Za-z]*_(?=\d)|B[0-9A-Za-z]*_")


def stable(name: str) -> str:
    """A function's name without what differs between builds. Functions may share it."""
    return UNSTABLE.sub("", name)


def hot_functions() -> list[str]:
    """The functions on the path of a request, by their stable names."""
    return HOT_FUNCTIONS.read_text(encoding="ascii").splitlines()


def names(module: bytes) -> dict[int, str]:
    """The functions' names by index."""
    for kind, section in sections(module):
        reader = Reader(section)
        if kind != CUSTOM or reader.name() != "name":
            continue
        for part, data in reader.parts():
            if part == FUNCTIONS:
                found = Reader(data)
                return {found.number(): found.name() for _ in range(found.number())}
    return {}


def share_found(found: Mapping[int, str], hot: Sequence[str]) -> float:
    """How many of the hot functions are there, of 1."""
    known = set(map(stable, found.values()))
    return sum(name in known for name in hot) / len(hot)


def ranks(found: Mapping[int, str], hot: Sequence[str]) -> dict[int, str]:
    """Names by which the functions stand in order: the hot ones first, in theirs."""
    order = {name: place for place, name in enumerate(hot)}
    places = {index: order.get(stable(name), len(hot)) for index, name in found.items()}
    return {index: f"{place:05}-{index:05}" for index, place in places.items()}


def with_names(module: bytes, given: Mapping[int, str]) -> bytes:
    """The module with these names of functions, and no other names."""
    result = bytearray(PREAMBLE)
    for kind, section in sections(module):
        if kind != CUSTOM or Reader(section).name() != "name":
            result += bytes([kind]) + sized(section)
    entries = b"".join(number(index) + sized(name.encode()) for index, name in given.items())
    functions = bytes([FUNCTIONS]) + sized(number(len(given)) + entries)
    return bytes(result + bytes([CUSTOM]) + sized(sized(b"name") + functions))
