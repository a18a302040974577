"""Which core does what: Envoy has one for itself, and the load and the servers have the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Cores:
    """The cores of Envoy and those of everything else; the same where there is only one."""

    envoy: frozenset[int]
    others: frozenset[int]

    @classmethod
    def divided(cls) -> Cores:
        """The first core that we may use for Envoy, the rest for the load."""
        if sys.platform != "linux":
            return cls(frozenset(), frozenset())
        first, *rest = sorted(os.sched_getaffinity(0))
        return cls(frozenset([first]), frozenset(rest or [first]))

    @property
    def apart(self) -> bool:
        """Whether Envoy has a core for itself."""
        return bool(self.envoy) and not self.envoy & self.others

    @contextmanager
    def of(self, cores: frozenset[int]) -> Iterator[None]:
        """What is started inside runs on these cores: a child inherits them."""
        if not cores:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)
