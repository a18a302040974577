"""Checks the module: what it imports, what it exports, how large it is, and whether it
has hints for V8.

Envoy refuses a module with an import that it does not provide, and only when
the module is loaded, so a new one has to be noticed here.
"""

from __future__ import annotations

import sys

from demo.stack.places import CACHE, ROOT
from demo.stack.processes import Processes

from . import hints
from .build import build
from .wasm import CUSTOM, EXPORT, IMPORT, Reader, sections

LARGEST = 1_048_576

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
    with Processes(CACHE / "logs") as processes:
        module = build(processes)
    data = module.read_bytes()
    found = dict(sections(data))
    imported = imports(found[IMPORT])
    problems = [
        f"imports {module}.{name}, which Envoy does not provide"
        for module, name in imported
        if not is_provided(module, name)
    ]
    problems += [f"does not export {name}" for name in sorted(EXPORTS - exports(found[EXPORT]))]
    if len(data) > LARGEST:
        problems.append(f"has {len(data)} bytes, more than {LARGEST}")
    annotations = {Reader(each).name() for kind, each in sections(data) if kind == CUSTOM}
    if hints.NAME.decode() not in annotations:
        problems.append("has no hints for V8")
    shown = module.relative_to(ROOT)
    for problem in problems:
        print(f"{shown}: {problem}", file=sys.stderr)
    if problems:
        raise SystemExit(1)
    print(f"{shown}: {len(data)} bytes, {len(imported)} imports, all of which Envoy provides")


if __name__ == "__main__":
    main()
