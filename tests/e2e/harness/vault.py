"""A gate whose servers need each user's own credential, with the token service that has them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .bootstrap import Json, Setup
from .gate import Gate, Outcome
from .recorder import Seen
from .token_service import KEY, Answer, Asked, HangUp, TokenService

NOTES = "/notes/mcp"
LISTS_FIRST = "/lists-first/mcp"
HASTY = "/hasty/mcp"
KEYS = "/keys/mcp"
CHALLENGED = "/challenged/mcp"
FOR_AGENTS = "/for-agents/mcp"
EXCHANGED = "/exchanged/mcp"

HASTY_TIMEOUT_MS = 500
SERVERS: dict[str, Json] = {
    NOTES: {},
    LISTS_FIRST: {
        "optional_for": [
            "initialize",
            "notifications/initialized",
            "ping",
            "tools/list",
        ]
    },
    HASTY: {"token_service": "hasty"},
    KEYS: {"headers": ["x-api-key", "x-tenant"]},
    CHALLENGED: {"consent_answer": "challenge"},
    FOR_AGENTS: {"consent_answer_by_client": {"client-1": "http_403"}},
    EXCHANGED: {"token_service": "sts"},
}


def setup(mode: str, service: TokenService, *, concurrency: int = 1) -> Setup:
    """The demonstration's server, which needs no credential, and beside it those that do."""

    def policy(policy: Json) -> None:
        origin = policy["servers"][0]["resource"].removesuffix("/everything/mcp")
        policy["token_services"] = [
            service.policy(),
            service.policy(id="hasty", timeout_ms=HASTY_TIMEOUT_MS),
            service.policy("exchange", id="sts"),
        ]
        policy["state_keys"] = [{"id": "1", "secret": "0123456789abcdef0123456789abcdef"}]
        what = {"tools": ["*"], "prompts": ["*"], "resources": ["**"], "methods": ["*"]}
        policy["servers"] += [
            {
                "id": path.split("/")[1],
                "resource": f"{origin}{path}",
                "issuers": ["demo"],
                "metadata": {"resource_name": "The Notes"},
                "allowed_origins": ["http://localhost:6274"],
                "credential": {"token_service": "vault", **source},
                "rules": [{"id": "all", "what": {**what, "except": ["forbidden"]}}],
            }
            for path, source in SERVERS.items()
        ]

    return Setup(mode, concurrency, policy, service.add_cluster)


@dataclass(eq=False, repr=False)
class Vault:
    """The gate and the token service together."""

    gate: Gate
    service: TokenService
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def user(self, path: str = NOTES) -> str:
        """A new user, of whom nothing is remembered."""
        name = f"user{next(self._numbers)}x"
        self.sign_in(name, path)
        return name

    def sign_in(self, name: str, path: str) -> None:
        """A user can use another server as well."""
        resource = f"{self.gate.ports.gate_url}{path}"
        token = self.gate.issuer.token(name, resource, scope="mcp:read mcp:write")
        self.gate.use_token(name, token, path)

    def post(self, user: str, message: Any, path: str = NOTES, **more: Any) -> Outcome:
        """A message of this user."""
        return self.gate.post(message, account=user, path=path, **more)

    def rejects(self, is_rejected: Callable[[Seen], bool], answer: Callable[..., Any]) -> None:
        """The upstream answers so where this holds of a request, and else as usual."""
        usual = self.gate.recorder.script

        async def script(wire: Any) -> None:
            if is_rejected(wire.seen):
                await answer(wire)
            else:
                await usual(wire)

        self.gate.recorder.script = script


def arrived(outcome: Outcome, authorization: str | None) -> Seen:
    """The upstream got the call, once and whole, with this and no other credential."""
    assert outcome.status == 200, outcome.response.text
    assert len(outcome.upstream) == 1, outcome.upstream
    seen = outcome.upstream[0]
    assert seen.complete
    assert seen.header("authorization") == authorization
    assert outcome.audit["outcome"] == "allowed", outcome.audit
    return seen


def refused(outcome: Outcome, status: int, reason: str) -> Outcome:
    """No body reached the upstream, and where headers can be held nothing at all."""
    assert outcome.status == status, (outcome.status, outcome.response.text)
    assert outcome.audit["reason"] == reason, outcome.audit
    if outcome.gate.setup.mode == "holding":
        assert outcome.upstream == []
    for seen in outcome.upstream:
        assert not seen.body and not seen.complete, seen
        assert seen.header("authorization") is None, seen
    return outcome


def slow(vault: Vault) -> tuple[threading.Event, Callable[[Asked], Answer]]:
    """What the service answers as usual, once the test lets it."""
    go_on = threading.Event()

    def script(asked: Asked) -> Answer:
        go_on.wait(10)
        return vault.service.usual(asked)

    return go_on, script


def hang_up(_: Asked) -> Answer:
    """The service dies in the middle of a call."""
    raise HangUp


SECRETS = (KEY, "upstream-user")
