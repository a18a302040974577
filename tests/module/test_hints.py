"""What requests do in a module is noted, and V8 is told which way they mostly go."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from module import hints
from module.instructions import conditions
from module.wasm import (
    CODE,
    CUSTOM,
    EXPORT,
    FUNCTION,
    GLOBAL,
    PREAMBLE,
    TYPE,
    Reader,
    listed,
    section,
    sections,
    sized,
)
from module.watch import ADDRESS, CALLED, Seen, with_notes

MEMORY = 5

# Of three functions of a number, each of which gives one: the first gives 7 if
# it is not 0; the second asks the first, twice; the third is never called.
FIRST = bytes.fromhex("00 2000 0440 4107 0f 0b 4100 0b")
SECOND = bytes.fromhex("01017f 0240 2000 0d00 0b 2000 1000 2000 1000 6a 0b")
THIRD = FIRST


def module() -> bytes:
    functions = [FIRST, SECOND, THIRD]
    parts = {
        TYPE: [bytes.fromhex("60017f017f")],
        FUNCTION: [b"\x00"] * len(functions),
        MEMORY: [b"\x00\x01"],
        GLOBAL: [bytes.fromhex("7f0141000b")],
        EXPORT: [
            sized(b"first") + b"\x00\x00",
            sized(b"second") + b"\x00\x01",
            sized(b"memory") + b"\x02\x00",
        ],
        CODE: list(map(sized, functions)),
    }
    return PREAMBLE + b"".join(section(kind, listed(items)) for kind, items in parts.items())


def in_node(given: bytes, directory: Path, script: str) -> object:
    file = directory / "some.wasm"
    file.write_bytes(given)
    begin = f"""
        const bytes = require('fs').readFileSync({json.dumps(str(file))});
        const wasm = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    """
    done = subprocess.run(
        ["node", "--eval", f"{begin} console.log(JSON.stringify({script}))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_calls_and_conditions_are_noted_and_change_nothing(tmp_path: Path) -> None:
    notes = "new Uint32Array(wasm.memory.buffer, 1024, 3 + 2 * 3)"
    script = f"""(() => {{
        wasm.{ADDRESS}.value = 1024;
        const results = [wasm.second(5), wasm.second(0), wasm.first(1)];
        return [results, [...{notes}], wasm.{CALLED}.value];
    }})()"""
    results, written, called = in_node(with_notes(module()), tmp_path, script)
    assert results == [14, 0, 7]
    order, ways = written[:3], written[3:]
    assert order == [2, 1, 0] and called == 2
    # The first is asked of 5, 5, 0, 0 and 1, the second of 5 and 0.
    assert ways == [2, 3, 1, 1, 0, 0]


def test_only_a_condition_that_was_always_answered_the_same_has_a_hint(tmp_path: Path) -> None:
    hinted = hints.with_hints(module(), Seen([], {0: (0, 9), 1: (4, 5), 2: (3, 0)}))
    before_code = [data for kind, data in sections(hinted) if kind == CUSTOM]
    # Each: the function, how many, the offset of the condition, a byte: likely or not.
    annotation = bytes.fromhex("02  00 01 03 01 01  02 01 03 01 00")
    assert before_code == [sized(hints.NAME) + annotation]
    assert [kind for kind, _ in sections(hinted)][-2:] == [CUSTOM, CODE]
    assert in_node(hinted, tmp_path, "wasm.second(1)") == 14


@pytest.mark.parametrize(
    ("instructions", "offsets"),
    [
        # What looks like a condition is part of a constant, a shuffle or a table.
        ("fd0c" + "04" * 16 + "1a", []),
        ("fd0d" + "0d" * 16, []),
        ("0e 02 04 0d 04", []),
        ("41 04 42 0d 43 04040404 44 0d0d0d0d0d0d0d0d", []),
        ("28 04 0d fd00 04 0d fd54 04 0d 04 fd1b 04", []),
        ("fc0a 04 0d fc0b 04 fc00", []),
        ("10 8d04 11 04 0d 1c 01 04", []),
        ("04 40 0b 0d 00", [1, 4]),
        ("02 8d 04 0b 0d 00", [5]),
    ],
)
def test_conditions_are_told_from_what_looks_like_them(
    instructions: str, offsets: list[int]
) -> None:
    assert conditions(b"\x00" + bytes.fromhex(instructions) + b"\x0b") == offsets


def test_locals_are_no_instructions() -> None:
    assert conditions(bytes.fromhex("02 047f 0d7e 04400b 0b")) == [5]


def test_a_body_of_which_the_end_is_not_seen_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not end"):
        conditions(bytes.fromhex("00 41 0b"))


def test_a_reader_says_where_it_ends() -> None:
    reader = Reader(b"\x01")
    assert not reader.is_at_end()
    reader.byte()
    assert reader.is_at_end()
