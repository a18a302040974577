"""Waiting for what comes by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL = 0.02


def wait_until(what: str, condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(POLL)
