"""Which functions requests walk through, and which way they go at each condition.

The module is given two functions more, which note what is called and what
conditions hold, and is taken through the usual exchanges in Node.js
(`watched.mjs`), where `stub-host.mjs` stands in for the host. Nothing there
depends on the time or on chance, so the same sources always give the same module.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from demo.stack.errors import StackError
from demo.stack.processes import Processes
from demo.stack.tools import require_node

from .instructions import all_conditions, conditions, first_instruction
from .wasm import (
    CODE,
    EXPORT,
    FUNCTION,
    GLOBAL,
    PREAMBLE,
    TYPE,
    Reader,
    bodies,
    entries,
    imported_functions,
    listed,
    number,
    section,
    sections,
    signed,
    sized,
)

WATCHED = Path(__file__).with_name("watched.mjs")

# What the host finds the notes by: their address, which it sets, and how many
# functions were called so far.
ADDRESS, CALLED = "watch_address", "watch_called"

I32, VOID = 0x7F, 0x40
FUNCTION_TYPE, GLOBAL_EXPORT, MUTABLE = 0x60, 3, 1


@dataclass(frozen=True)
class Seen:
    """What requests do in a module."""

    called: list[int]
    """The functions that are called, in the order in which a request comes by them, by
    their place among those that the module defines."""

    ways: dict[int, tuple[int, int]]
    """By the place among all conditions, of those that were asked: how often one did not
    hold, and how often it did."""


def watch(processes: Processes, module: bytes) -> Seen:
    """Take a module through the usual exchanges."""
    require_node(processes)
    code = dict(sections(module))[CODE]
    size = [str(entries(code)), str(len(all_conditions(bodies(code))))]
    with tempfile.TemporaryDirectory(prefix="mcp-auth-watched-") as directory:
        watched = Path(directory, "watched.wasm")
        watched.write_bytes(with_notes(module))
        status, printed = processes.capture(
            ["node", str(WATCHED), str(watched), *size], seconds=120
        )
    if status != 0:
        raise StackError(f"the stand-in for the host ends with {status}:\n{printed[-2000:]}")
    seen = json.loads(printed)
    return Seen(seen["called"], {place: (no, yes) for place, no, yes in seen["ways"]})


def with_notes(module: bytes) -> bytes:
    """The module, writing notes.

    From the address in the global [`ADDRESS`] on there are numbers of 32 bits: one for
    each function, 0 or when it was called first; and two for each condition, how often
    it did not hold and how often it did.
    """
    found = dict(sections(module))
    types, globals_ = entries(found[TYPE]), entries(found[GLOBAL])
    first = imported_functions(module) + entries(found[FUNCTION])
    notes = Notes(called=first, asked=first + 1, address=globals_, count=globals_ + 1)
    zero = bytes([I32, MUTABLE, 0x41, 0, 0x0B])
    added = {
        TYPE: [
            bytes([FUNCTION_TYPE, 1, I32, 0]),
            bytes([FUNCTION_TYPE, 2, I32, I32, 1, I32]),
        ],
        FUNCTION: [number(types), number(types + 1)],
        GLOBAL: [zero, zero],
        EXPORT: [
            sized(name.encode()) + bytes([GLOBAL_EXPORT]) + number(place)
            for name, place in ((ADDRESS, notes.address), (CALLED, notes.count))
        ],
        CODE: [sized(notes.called_body()), sized(notes.asked_body(entries(found[CODE])))],
    }
    result = bytearray(PREAMBLE)
    for kind, data in sections(module):
        noted = notes.within(data) if kind == CODE else data
        result += section(kind, with_entries(noted, added.get(kind, [])))
    return bytes(result)


def with_entries(data: bytes, added: list[bytes]) -> bytes:
    if not added:
        return data
    reader = Reader(data)
    return number(reader.number() + len(added)) + reader.rest() + b"".join(added)


@dataclass(frozen=True)
class Notes:
    """The indices of the two functions and the two globals."""

    called: int
    asked: int
    address: int
    count: int

    def within(self, code: bytes) -> bytes:
        """The functions, with a call at the beginning of each and before each condition."""
        functions, conditions_before = [], 0
        for place, body in enumerate(bodies(code)):
            start = first_instruction(body)
            parts = [body[:start], call(self.called, place)]
            for offset in conditions(body):
                parts += [body[start:offset], call(self.asked, conditions_before)]
                start = offset
                conditions_before += 1
            functions.append(sized(b"".join([*parts, body[start:]])))
        return listed(functions)

    def called_body(self) -> bytes:
        """(place) -> (), which notes the order of what is called first."""
        get, increment = b"\x23", b"\x23" + number(self.count) + b"\x41\x01\x6a"
        at = b"\x20\x00\x41\x02\x74" + get + number(self.address) + b"\x6a\x22\x00"
        is_new = at + b"\x28\x02\x00\x45"
        write = b"\x20\x00" + increment + b"\x24" + number(self.count)
        write += get + number(self.count) + b"\x36\x02\x00"
        return b"\x00" + is_new + bytes([0x04, VOID]) + write + b"\x0b\x0b"

    def asked_body(self, functions: int) -> bytes:
        """(condition, place) -> condition, which adds one to its number."""
        holds = b"\x20\x00\x45\x45"  # zero? zero?
        index = b"\x20\x01\x41\x01\x74" + holds + b"\x6a\x41" + signed(functions) + b"\x6a"
        at = index + b"\x41\x02\x74\x23" + number(self.address) + b"\x6a\x22\x01"
        one_more = b"\x20\x01\x28\x02\x00\x41\x01\x6a"
        return b"\x00" + at + one_more + b"\x36\x02\x00\x20\x00\x0b"


def call(function: int, place: int) -> bytes:
    return b"\x41" + signed(place) + b"\x10" + number(function)
