"""The official Python client, unmodified, with a user who signs in when it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp.types import (
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    TextContent,
)
from pydantic import AnyUrl

from demo.stack.sign_in import follow

CALLBACK = AnyUrl("http://127.0.0.1:7777/callback")


@dataclass
class User:
    """Who sits before the client; `asked` are the scopes of each sign-in."""

    account: str
    client_id: str = ""
    asked: list[set[str]] = field(default_factory=list)
    _callback: str = ""

    async def redirected(self, authorization_url: str) -> None:
        """The client opens a browser window."""
        request = _parameters(authorization_url)
        self.client_id = request["client_id"]
        self.asked.append(set(request["scope"].split()))
        self._callback = await anyio.to_thread.run_sync(follow, authorization_url, self.account)

    async def came_back(self) -> AuthorizationCodeResult:
        """The browser arrives at the client's own address."""
        return AuthorizationCodeResult.model_validate(_parameters(self._callback))


class MemoryStorage:
    """Where the client keeps its registration and its tokens."""

    def __init__(self, tokens: OAuthToken | None) -> None:
        self._tokens = tokens
        self._client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self._tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info


@asynccontextmanager
async def connected(
    url: str,
    user: User,
    token: str | None = None,
    *,
    mode: str = "auto",
    opens: Callable[[str], object] | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
    watch: Callable[[httpx2.Response], Awaitable[None]] | None = None,
    **callbacks: Any,
) -> AsyncIterator[Client]:
    """A client that has never been here, but may have kept a token, connected.

    One whose user `opens` the addresses that a server asks them to says so. Its
    requests go over the `transport`, and `watch` sees the answers as they begin;
    `callbacks` are those of the SDK's `Client`.
    """

    async def elicited(
        _: ClientRequestContext, asked: ElicitRequestFormParams | ElicitRequestURLParams
    ) -> ElicitResult:
        assert opens is not None
        assert isinstance(asked, ElicitRequestURLParams)
        await anyio.to_thread.run_sync(opens, asked.url)
        return ElicitResult(action="accept")

    kept = None if token is None else OAuthToken(access_token=token)
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="the Python client", redirect_uris=[CALLBACK]
        ),
        storage=MemoryStorage(kept),
        redirect_handler=user.redirected,
        callback_handler=user.came_back,
    )
    if opens is not None:
        callbacks["elicitation_callback"] = elicited
    async with (
        httpx2.AsyncClient(
            auth=provider,
            timeout=30,
            transport=transport,
            event_hooks={"response": [watch] if watch else []},
        ) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, **callbacks) as client,
    ):
        yield client


def text_of(result: CallToolResult) -> str:
    """The text of a tool's result that is one text."""
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def _parameters(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
