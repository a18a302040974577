"""The outer form of a WebAssembly module (WebAssembly core, binary format)."""

from __future__ import annotations

from collections.abc import Iterator

PREAMBLE = b"\0asm\1\0\0\0"

# The ids of sections.
CUSTOM, TYPE, IMPORT, FUNCTION, GLOBAL, EXPORT, CODE = 0, 1, 2, 3, 6, 7, 10


class Reader:
    """A cursor over the bytes of a module."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def number(self) -> int:
        """An unsigned number (LEB128)."""
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    def take(self, size: int) -> bytes:
        self.position += size
        return self.data[self.position - size : self.position]

    def name(self) -> str:
        return self.take(self.number()).decode()

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.position)

    def is_at_end(self) -> bool:
        return self.position == len(self.data)

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """What is left, as parts with an id and a size: the sections of a module, or of names."""
        while self.position < len(self.data):
            kind = self.byte()
            yield kind, self.take(self.number())


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """The sections with their ids."""
    reader = Reader(module)
    if reader.take(len(PREAMBLE)) != PREAMBLE:
        raise ValueError("this is no WebAssembly module")
    return reader.parts()


def entries(section: bytes) -> int:
    """How many entries a section has, of those that are a list."""
    return Reader(section).number()


def imported_functions(module: bytes) -> int:
    """How many functions are imported: these have the first indices. A module of ours
    imports nothing else, which `check.py` sees to."""
    return entries(dict(sections(module)).get(IMPORT, b"\0"))


def bodies(code: bytes) -> Iterator[bytes]:
    """The functions' bodies, in the section of the code."""
    reader = Reader(code)
    for _ in range(reader.number()):
        yield reader.take(reader.number())


def number(value: int, largest_last: int = 0x7F) -> bytes:
    """An unsigned number (LEB128)."""
    result = bytearray()
    while value > largest_last:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def signed(value: int) -> bytes:
    """A signed number (LEB128) that is not negative: the highest bit of the last byte that
    is not a mark is its sign."""
    return number(value, 0x3F)


def sized(data: bytes) -> bytes:
    """Bytes behind their number, as names and sections are written."""
    return number(len(data)) + data


def listed(items: list[bytes]) -> bytes:
    """Items behind their number."""
    return number(len(items)) + b"".join(items)


def section(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + sized(data)
