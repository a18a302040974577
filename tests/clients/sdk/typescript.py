"""The official TypeScript client, in a Node.js process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack.sign_in import follow

from .lines import Program
from .node import DIRECTORY


class ClientError(Exception):
    """What the TypeScript client threw."""

    def __init__(self, fields: dict) -> None:
        super().__init__(f"{fields['type']}: {fields['message']}")
        self.type: str = fields["type"]
        self.message: str = fields["message"]
        self.code: object = fields.get("code")


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


class TypeScriptClient:
    """One client with what it keeps: its registration and its tokens."""

    def __init__(self, log: Path) -> None:
        self._program = Program(["node", str(DIRECTORY / "client.js")], log)

    def __enter__(self) -> TypeScriptClient:
        self._program.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.__exit__()

    def connect(self, url: str, **options: object) -> Connection:
        """Connect with what the client has; `options` are those of the SDK's `Client`."""
        connected = self._do("connect", url=url, options=options)
        return Connection(connected["protocolVersion"], connected.get("sessionId"))

    def finish_sign_in(self, unauthorized: Unauthorized, account: str) -> None:
        """Do what the user does, and tell the client with which URL they came back."""
        self._do("finishAuth", callback=follow(unauthorized.authorization_url, account))

    def sign_in(self, url: str, account: str, **options: object) -> Connection:
        """Connect without a token, as an application does with a user who signs in."""
        try:
            return self.connect(url, **options)
        except Unauthorized as unauthorized:
            self.finish_sign_in(unauthorized, account)
        return self.connect(url, **options)

    def granted_scopes(self) -> set[str]:
        """The scopes of the client's token."""
        return set((self._do("granted") or "").split())

    def access_token(self) -> str | None:
        """The client's token, if it needed one."""
        token: str | None = self._do("accessToken")
        return token

    def call_tool(self, name: str, **arguments: object) -> dict:
        """Call a tool."""
        return self.request("callTool", {"name": name, "arguments": arguments})

    def call_tool_with_progress(self, name: str, **arguments: object) -> tuple[dict, list[dict]]:
        """Call a tool; its result and the progress that was told."""
        outcome = self._do("callWithProgress", params={"name": name, "arguments": arguments})
        return outcome["result"], outcome["progress"]

    def call_and_replay(self, url: str, name: str, **arguments: object) -> dict:
        """Call a tool, and again get what came after the first event of its stream."""
        return self._do("callAndReplay", url=url, params={"name": name, "arguments": arguments})

    def request(self, method: str, *args: object) -> dict:
        """Call a method of the SDK's `Client`."""
        return self._do("request", method=method, args=args)

    def notifications(self) -> list[dict]:
        """The notifications that came and that the SDK does not handle itself."""
        return self._do("notifications")

    def close(self) -> None:
        """End the session, as an application does when it is closed."""
        self._do("close")

    def _do(self, command: str, **fields: object) -> Any:
        outcome = self._program.ask(command, **fields)
        error = outcome.get("error")
        if error is None:
            return outcome["result"]
        if error["type"] == "UnauthorizedError":
            raise Unauthorized(error, outcome["authorizationUrl"])
        raise ClientError(error)


def text_of(result: dict) -> str:
    """The text of a tool's result that is one text."""
    [content] = result["content"]
    return content["text"]
