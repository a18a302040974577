"""The official TypeScript client, in a Node.js process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from demo.stack.sign_in import follow

from .client import (
    NO_ANSWERS,
    Answers,
    Call,
    ClientError,
    Era,
    Json,
    Kind,
    OfficialClient,
    Subscription,
    text_of,
)
from .lines import Program
from .node import DIRECTORY

__all__ = ["ClientError", "Connection", "TypeScriptClient", "Unauthorized", "text_of"]

LISTS: dict[Kind, str] = {
    "tools": "listTools",
    "prompts": "listPrompts",
    "resources": "listResources",
    "resourceTemplates": "listResourceTemplates",
}


class Unauthorized(ClientError):
    """Its `UnauthorizedError`: the user has been sent to the authorization server."""

    def __init__(self, fields: dict, authorization_url: str) -> None:
        super().__init__(fields)
        self.authorization_url = authorization_url


@dataclass(frozen=True)
class Connection:
    """What the client knows once it is connected."""

    protocol_version: str
    session_id: str | None


@dataclass
class TypeScriptCall(Call):
    """A call of the TypeScript client."""

    client: TypeScriptClient
    number: int

    def progress(self) -> list[tuple[float, float | None]]:
        steps = self.client.do("progress", call=self.number)
        return [(step["progress"], step.get("total")) for step in steps]

    def cancel(self) -> None:
        self.client.do("cancel", call=self.number)

    def result(self) -> Json:
        return self.client.do("outcome", call=self.number)


@dataclass
class TypeScriptSubscription(Subscription):
    """A subscription of the TypeScript client."""

    client: TypeScriptClient
    number: int
    honored: Json

    def close(self) -> None:
        self.client.do("unlisten", subscription=self.number)


class TypeScriptClient(OfficialClient):
    """One client with what it keeps: its registration and its tokens."""

    def __init__(self, log: Path) -> None:
        self._program = Program(["node", str(DIRECTORY / "client.js")], log)

    def __enter__(self) -> TypeScriptClient:
        self._program.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def connect(
        self, url: str, *, opens: Sequence[str] | None = None, **options: object
    ) -> Connection:
        """Connect with what the client has; `options` are those of the SDK's `Client`.

        `opens` is the command with which its user opens an address that a server
        asks them to, as the last argument.
        """
        connected = self.do("connect", url=url, options=options, opens=opens)
        return Connection(connected["protocolVersion"], connected.get("sessionId"))

    def open(
        self,
        url: str,
        *,
        token: str | None = None,
        era: Era = "legacy",
        answers: Answers = NO_ANSWERS,
    ) -> None:
        capabilities: Json = {}
        if answers.words is not None:
            capabilities["elicitation"] = {"form": {}, "url": {}}
        if answers.guess is not None:
            capabilities["sampling"] = {}
        if answers.roots is not None:
            capabilities["roots"] = {"listChanged": True}
        mode = {"legacy": "legacy", "modern": {"pin": "2026-07-28"}}[era]
        options = {"capabilities": capabilities, "versionNegotiation": {"mode": mode}}
        self.begin(token)
        self.do("connect", url=url, options=options, answers=asdict(answers))

    def begin(self, token: str | None = None) -> None:
        """Leave, and become a client that has never been here, but may have kept a token."""
        self.do("begin", token=token)

    def start(self, name: str, arguments: Json, meta: Json | None = None) -> Call:
        params = {"name": name, "arguments": arguments, **({"_meta": meta} if meta else {})}
        return TypeScriptCall(self, self.do("start", params=params))

    def listed(self, kind: Kind) -> list[Json]:
        return self.request(LISTS[kind])[kind]

    def read(self, uri: str) -> Json:
        return self.request("readResource", {"uri": uri})

    def subscribe(self, uri: str) -> None:
        self.request("subscribeResource", {"uri": uri})

    def unsubscribe(self, uri: str) -> None:
        self.request("unsubscribeResource", {"uri": uri})

    def listen(self, **what: object) -> Subscription:
        opened = self.do("listen", filter=what)
        return TypeScriptSubscription(self, opened["subscription"], opened["honored"])

    def asked(self) -> list[Json]:
        return self.do("asked")

    def requests(self) -> list[Json]:
        return self.do("requests")

    def cut(self) -> None:
        self.do("cut")

    def finish_sign_in(self, unauthorized: Unauthorized, account: str) -> None:
        """Do what the user does, and tell the client with which URL they came back."""
        self.do("finishAuth", callback=follow(unauthorized.authorization_url, account))

    def sign_in(self, url: str, account: str, **options: Any) -> Connection:
        """Connect without a token, as an application does with a user who signs in."""
        try:
            return self.connect(url, **options)
        except Unauthorized as unauthorized:
            self.finish_sign_in(unauthorized, account)
        return self.connect(url, **options)

    def granted_scopes(self) -> set[str]:
        """The scopes of the client's token."""
        return set((self.do("granted") or "").split())

    def access_token(self) -> str | None:
        """The client's token, if it has needed one."""
        token: str | None = self.do("accessToken")
        return token

    def call_tool(self, name: str, **arguments: object) -> dict:
        """Call a tool."""
        return self.request("callTool", {"name": name, "arguments": arguments})

    def call_tool_with_progress(self, name: str, **arguments: object) -> tuple[dict, list[dict]]:
        """Call a tool; its result and the progress that was told."""
        outcome = self.do("callWithProgress", params={"name": name, "arguments": arguments})
        return outcome["result"], outcome["progress"]

    def call_and_replay(self, url: str, name: str, **arguments: object) -> dict:
        """Call a tool, and again get what came after the first event of its stream."""
        return self.do("callAndReplay", url=url, params={"name": name, "arguments": arguments})

    def request(self, method: str, *args: object) -> dict:
        """Call a method of the SDK's `Client`."""
        return self.do("request", method=method, args=args)

    def notifications(self) -> list[dict]:
        """The notifications that came and that the SDK does not handle itself."""
        return self.do("notifications")

    def close(self) -> None:
        """End the session, as an application does when it is closed."""
        self.do("close")

    def do(self, command: str, **fields: object) -> Any:
        """Let the program do something."""
        outcome = self._program.ask(command, **fields)
        error = outcome.get("error")
        if error is None:
            return outcome["result"]
        if error["type"] == "UnauthorizedError":
            raise Unauthorized(error, outcome["authorizationUrl"])
        raise ClientError(error)

