"""The ways to the servers: through a gate, and without one as the reference."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .gate import Gate

# For a test whose `way` is through the gate only, in each header mode.
gated = pytest.mark.parametrize("way", ["holding", "plain"], indirect=True)


@dataclass(frozen=True)
class Way:
    """Where the servers are, for one client."""

    gate: Gate
    direct: bool

    @property
    def everything(self) -> str:
        """The everything server, which speaks the legacy era only."""
        return self.gate.everything_itself if self.direct else self.gate.everything

    @property
    def both_eras(self) -> str:
        """The server that speaks both eras."""
        return self.gate.both_eras_itself if self.direct else self.gate.both_eras

    @property
    def quiet(self) -> str:
        """The same server, where it may ask its clients for little; at a gate only."""
        assert not self.direct
        return self.gate.quiet

    def token(self, account: str, resource: str) -> str | None:
        """What a client of this account has kept; nothing where nobody asks for it."""
        return None if self.direct else self.gate.kept_token(account, resource)
