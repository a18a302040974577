"""Which way is likely at a condition, told to V8.

V8 lays the blocks of a function out as they come: what every request does, and
between it what hardly any does. Where a condition has a hint (WebAssembly core,
annotation `metadata.code.branch_hint`), the unlikely side goes behind the rest of
the function, and what a request walks through takes fewer lines of the instruction
cache. A host that knows no hints ignores them.
"""

from __future__ import annotations

from .instructions import all_conditions
from .wasm import (
    CODE,
    CUSTOM,
    PREAMBLE,
    bodies,
    imported_functions,
    listed,
    number,
    section,
    sections,
    sized,
)
from .watch import Seen

NAME = b"metadata.code.branch_hint"
HINT_BYTES = 1


def with_hints(module: bytes, seen: Seen) -> bytes:
    """The module with a hint at each condition that was always answered the same."""
    first = imported_functions(module)
    hints: dict[int, list[bytes]] = {}
    code = dict(sections(module))[CODE]
    for place, (function, offset) in enumerate(all_conditions(bodies(code))):
        not_so, so = seen.ways.get(place, (0, 0))
        if bool(not_so) != bool(so):
            hint = number(offset) + bytes([HINT_BYTES, so > 0])
            hints.setdefault(first + function, []).append(hint)
    functions = [number(function) + listed(each) for function, each in hints.items()]
    result = bytearray(PREAMBLE)
    for kind, data in sections(module):
        if kind == CODE:
            result += section(CUSTOM, sized(NAME) + listed(functions))
        result += section(kind, data)
    return bytes(result)
