"""The outer form of a WebAssembly module (WebAssembly core, binary format)."""

from __future__ import annotations

from collections.abc import Iterator

PREAMBLE = b"\0asm\1\0\0\0"
CUSTOM = 0


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


def number(value: int) -> bytes:
    """An unsigned number (LEB128)."""
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def sized(data: bytes) -> bytes:
    """Bytes behind their number, as names and sections are written."""
    return number(len(data)) + data
