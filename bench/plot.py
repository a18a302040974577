"""The plot for the README: throughput of each chain, as a share of Envoy's without a filter."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from html import escape

from .rounds import Found
from .targets import throughput_ratios
from .workloads import EXTERNAL, FILTER, NATIVE, NONE, UNCACHED

WORKLOADS = ("warm", "new-RS256", "new-ES256", "new-EdDSA", "arguments-64kib", "http2")
# Readable on a light page and on a dark one.
COLOURS = {
    NATIVE: ("#4e79a7", "jwt_authn (JWT cache) + mcp + rbac"),
    UNCACHED: ("#7f8fa9", "jwt_authn (no cache) + mcp + rbac"),
    EXTERNAL: ("#b0a160", "ext_authz, gRPC"),
    FILTER: ("#e15759", "this filter"),
}
TEXT = "#808080"

WIDTH, LEFT, RIGHT = 760, 190, 60
BAR, GAP, GROUP_GAP, TOP, FOOT = 15, 3, 18, 54, 34


def svg(workloads: Mapping[str, Found]) -> str:
    """One group of bars for each workload that was measured beside Envoy without a filter."""
    parts: list[str] = []
    y = float(TOP)
    scale = WIDTH - LEFT - RIGHT
    for name in WORKLOADS:
        found = workloads.get(name)
        if found is None or NONE not in found.series:
            continue
        chains = [chain for chain in COLOURS if chain in found.series]
        middle = y + len(chains) * (BAR + GAP) / 2 + 4
        parts.append(_text(LEFT - 10, middle, found.title, "end"))
        for chain in chains:
            ratios = throughput_ratios(found, chain, NONE)
            share = statistics.median(ratios)
            length = min(share, 1.1) * scale
            parts.append(
                f'<rect x="{LEFT}" y="{y:.1f}" width="{length:.1f}" height="{BAR}" '
                f'fill="{COLOURS[chain][0]}"/>'
            )
            parts.append(_text(LEFT + length + 6, y + BAR - 4, f"{share:.2f}", "start"))
            y += BAR + GAP
        y += GROUP_GAP
    height = y + FOOT
    full = LEFT + scale
    parts.append(
        f'<line x1="{full}" y1="{TOP - 6}" x2="{full}" y2="{y:.1f}" stroke="{TEXT}" '
        'stroke-dasharray="3 3"/>'
    )
    caption = "requests/s of one worker, as a share of Envoy's without a filter (dashed)"
    parts.append(_text(LEFT, y + 10, caption, "start"))
    x = 10.0
    for colour, label in COLOURS.values():
        parts.append(f'<rect x="{x:.0f}" y="14" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 17, 24, label, "start"))
        x += 34 + 6.4 * len(label)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{TEXT}" text-anchor="{anchor}">{escape(text)}</text>'
    )
