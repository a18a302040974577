"""Where the instructions with a condition are (WebAssembly core 5.4)."""

from __future__ import annotations

from collections.abc import Iterable

from .wasm import Reader

IF, BR_IF, END = 0x04, 0x0D, 0x0B

# How many numbers (LEB128) follow an opcode, where any do.
NUMBERS = {
    **dict.fromkeys([0x02, 0x03, 0x04], 1),  # block, loop, if: a type
    **dict.fromkeys([0x0C, 0x0D, 0x10, 0x12], 1),  # br, br_if, call, return_call
    **dict.fromkeys([0x11, 0x13], 2),  # call_indirect, return_call_indirect
    **dict.fromkeys(range(0x20, 0x27), 1),  # locals, globals, tables
    **dict.fromkeys(range(0x28, 0x3F), 2),  # loads and stores: alignment, offset
    **dict.fromkeys([0x3F, 0x40], 1),  # memory.size, memory.grow
    **dict.fromkeys([0x41, 0x42], 1),  # i32.const, i64.const
    **dict.fromkeys([0xD0, 0xD2], 1),  # ref.null, ref.func
}
# How many bytes.
BYTES = {0x43: 4, 0x44: 8}  # f32.const, f64.const

BR_TABLE, SELECT_OF_TYPE = 0x0E, 0x1C
# The first of two opcodes.
SATURATING_AND_BULK, VECTOR = 0xFC, 0xFD
BULK_NUMBERS = {8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}


def conditions(body: bytes) -> list[int]:
    """The offsets of each `if` and `br_if` in the body of a function, from its beginning,
    which is where it says what locals it has."""
    reader = Reader(body)
    reader.position = first_instruction(body)
    found, opcode = [], END
    while not reader.is_at_end():
        offset = reader.position
        opcode = reader.byte()
        skip_immediates(reader, opcode)
        if opcode in (IF, BR_IF):
            found.append(offset)
    if opcode != END:
        raise ValueError("the body of a function does not end with its last instruction")
    return found


def first_instruction(body: bytes) -> int:
    """Where the instructions begin."""
    reader = Reader(body)
    for _ in range(reader.number()):
        reader.number()  # how many
        reader.byte()  # of what type
    return reader.position


def skip_immediates(reader: Reader, opcode: int) -> None:
    """Go over what follows an opcode."""
    if opcode == BR_TABLE:
        skip_numbers(reader, reader.number() + 1)
    elif opcode == SELECT_OF_TYPE:
        skip_numbers(reader, reader.number())
    elif opcode == SATURATING_AND_BULK:
        skip_numbers(reader, BULK_NUMBERS.get(reader.number(), 0))
    elif opcode == VECTOR:
        skip_vector(reader, reader.number())
    else:
        skip_numbers(reader, NUMBERS.get(opcode, 0))
        reader.take(BYTES.get(opcode, 0))


def skip_vector(reader: Reader, opcode: int) -> None:
    """v128: loads and stores, of whole vectors and of lanes; constants and shuffles; lanes."""
    is_memory = opcode <= 11 or 84 <= opcode <= 93
    is_lane = 21 <= opcode <= 34 or 84 <= opcode <= 91
    skip_numbers(reader, 2 if is_memory else 0)
    reader.take(16 if opcode in (12, 13) else int(is_lane))


def skip_numbers(reader: Reader, count: int) -> None:
    for _ in range(count):
        reader.number()


def all_conditions(functions: Iterable[bytes]) -> list[tuple[int, int]]:
    """The conditions in these bodies, each with the place of its body and its offset there."""
    return [
        (place, offset) for place, body in enumerate(functions) for offset in conditions(body)
    ]
