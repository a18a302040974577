"""How long requests are in Envoy, by its own clock: without the load and the upstream.

A client's slowest requests are mostly those that waited for the load generator or the
upstream, which share a core. What a chain adds is in these times.
"""

from __future__ import annotations

import re

# To the end of an access log's line: from a request's first byte to the first one that goes
# to the upstream, and from the answer's first byte to the last one that goes to the client
# (Envoy's access log, `COMMON_DURATION`).
FIELDS = (
    " in-envoy-us=%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%"
    ",%COMMON_DURATION(US_RX_BEG:DS_TX_END:us)%"
)
_FIELDS = re.compile(rb" in-envoy-us=(\d+),(\d+)\n")


def read(log: bytes) -> list[int]:
    """The microseconds of the requests in a log that an upstream has answered."""
    return [int(request) + int(answer) for request, answer in _FIELDS.findall(log)]
