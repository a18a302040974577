"""Checks the module: what it imports, what it exports, and how large it is.

Envoy refuses a module with an import that it does not provide, and only when
the module is loaded, so a new one has to be noticed here.
"""

from __future__ import annotations

import sys
from pathlib import Path

MODULE = Path("target/wasm32-wasip1/release/mcp_auth_filter.wasm")
LARGEST = 1_400_000

# Functions of the proxy-wasm ABI 0.2.1, which Envoy has all of.
PROXY_WASM_PREFIX = "proxy_"
# What Envoy's host has of WASI (preview 1) and a Rust module needs.
WASI = {
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
}
EXPORTS = {"_initialize", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate", "memory"}


class Reader:
    """A cursor over the bytes of a module (WebAssembly core, binary format)."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def number(self) -> int:
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


def sections(module: bytes) -> dict[int, bytes]:
    """The sections by id; custom ones (id 0) do not matter here."""
    reader = Reader(module)
    if reader.take(8) != b"\0asm\1\0\0\0":
        raise SystemExit(f"{MODULE} is no WebAssembly module")
    found = {}
    while reader.position < len(module):
        section = reader.byte()
        found[section] = reader.take(reader.number())
    return found


def imports(section: bytes) -> list[tuple[str, str]]:
    """Module and name of every import. All have to be functions."""
    reader = Reader(section)
    found = []
    for _ in range(reader.number()):
        module, name, kind = reader.name(), reader.name(), reader.byte()
        if kind != 0:
            raise SystemExit(f"{module}.{name} is an import that is no function")
        reader.number()
        found.append((module, name))
    return found


def exports(section: bytes) -> set[str]:
    """The names of all exports."""
    reader = Reader(section)
    found = set()
    for _ in range(reader.number()):
        found.add(reader.name())
        reader.byte()
        reader.number()
    return found


def is_provided(module: str, name: str) -> bool:
    """Whether Envoy has this function."""
    if module == "env":
        return name.startswith(PROXY_WASM_PREFIX)
    return module == "wasi_snapshot_preview1" and name in WASI


def main() -> None:
    data = MODULE.read_bytes()
    found = sections(data)
    imported = imports(found[2])
    problems = [
        f"imports {module}.{name}, which Envoy does not provide"
        for module, name in imported
        if not is_provided(module, name)
    ]
    problems += [f"does not export {name}" for name in sorted(EXPORTS - exports(found[7]))]
    if len(data) > LARGEST:
        problems.append(f"has {len(data)} bytes, more than {LARGEST}")
    for problem in problems:
        print(f"{MODULE}: {problem}", file=sys.stderr)
    if problems:
        raise SystemExit(1)
    print(f"{MODULE}: {len(data)} bytes, {len(imported)} imports, all of which Envoy provides")


if __name__ == "__main__":
    main()
