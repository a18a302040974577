"""The shipped Envoy configuration, with the places of one running stack."""

from __future__ import annotations

import re
from pathlib import Path

from .places import ROOT, Ports

SHIPPED = ROOT / "envoy" / "static.yaml"
SHIPPED_MODULE = "/etc/envoy/mcp_auth_filter.wasm"
SHIPPED_PORTS = Ports()

# In the configuration proper, and in the URLs of the policy within it.
_PORT = re.compile(r"(port_value: |127\.0\.0\.1:)(\d+)")


def render(module: Path, ports: Ports) -> str:
    """envoy/static.yaml for this module and these ports, as text.

    Text, because the standard library has no YAML: `make run` needs nothing
    installed. Tests that want another policy parse what comes out.
    """
    moved = {
        str(shipped): str(wanted)
        for shipped, wanted in zip(vars(SHIPPED_PORTS).values(), vars(ports).values(), strict=True)
    }
    shipped = SHIPPED.read_text(encoding="utf-8")
    with_ports = _PORT.sub(lambda place: place[1] + moved.get(place[2], place[2]), shipped)
    return with_ports.replace(SHIPPED_MODULE, str(module))


def write(module: Path, ports: Ports, directory: Path) -> Path:
    """Write the configuration where Envoy can read it."""
    file = directory / "envoy.yaml"
    file.write_text(render(module, ports), encoding="utf-8")
    return file
