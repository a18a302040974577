"""The official Python client, driven from outside of its event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from httpx2 import Response
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp.client.session import IncomingMessage
from mcp.types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)
from pydantic import BaseModel

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
)
from .python import User, connected

MODES: dict[Era, str] = {"legacy": "legacy", "modern": "auto"}
LISTS: dict[Kind, str] = {
    "tools": "list_tools",
    "prompts": "list_prompts",
    "resources": "list_resources",
    "resourceTemplates": "list_resource_templates",
}


def as_json(model: BaseModel) -> Json:
    """As it is on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


@dataclass
class Wire:
    """What was asked over HTTP, and the event streams that are open."""

    requests: list[Json] = field(default_factory=list)
    _streams: list[Any] = field(default_factory=list)

    async def watch(self, response: Response) -> None:
        request = response.request
        self.requests.append(
            {
                "method": request.method,
                "status": response.status_code,
                "lastEventId": request.headers.get("last-event-id"),
            }
        )
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            self._streams.append(response.extensions["network_stream"])

    async def cut(self) -> None:
        while self._streams:
            await self._streams.pop().aclose()


@dataclass
class Host:
    """The user and the application behind a client."""

    answers: Answers
    asked: list[Json] = field(default_factory=list)
    notifications: list[Json] = field(default_factory=list)

    def callbacks(self) -> dict[str, Any]:
        """Those of the SDK's `Client`; what is not offered has none."""
        offered = {
            "elicitation_callback": (self._elicited, self.answers.words),
            "sampling_callback": (self._sampled, self.answers.guess),
            "list_roots_callback": (self._roots_listed, self.answers.roots),
        }
        answering = {name: hook for name, (hook, answer) in offered.items() if answer is not None}
        return {**answering, "message_handler": self._told}

    def __post_init__(self) -> None:
        self._words = list(self.answers.words or ())

    async def _elicited(
        self, _: ClientRequestContext, params: ElicitRequestFormParams | ElicitRequestURLParams
    ) -> ElicitResult:
        self.asked.append({"method": "elicitation/create", "params": as_json(params)})
        if isinstance(params, ElicitRequestURLParams):
            return ElicitResult(action="accept")
        return ElicitResult(action="accept", content={"word": self._words.pop(0)})

    async def _sampled(
        self, _: ClientRequestContext, params: CreateMessageRequestParams
    ) -> CreateMessageResult:
        self.asked.append({"method": "sampling/createMessage", "params": as_json(params)})
        assert self.answers.guess is not None
        content = TextContent(type="text", text=self.answers.guess)
        return CreateMessageResult(role="assistant", content=content, model="none")

    async def _roots_listed(self, _: ClientRequestContext) -> ListRootsResult:
        self.asked.append({"method": "roots/list"})
        return ListRootsResult(roots=[Root(uri=uri) for uri in self.answers.roots or ()])

    async def _told(self, message: IncomingMessage) -> None:
        if isinstance(message, Exception):
            return
        told = as_json(message)
        if told["method"] != "notifications/progress":
            self.notifications.append(told)


@dataclass
class PythonCall(Call):
    """A call of the Python client."""

    steps: list[tuple[float, float | None]]
    outcome: Future[Json]

    def progress(self) -> list[tuple[float, float | None]]:
        return list(self.steps)

    def cancel(self) -> None:
        self.outcome.cancel()

    def result(self) -> Json:
        return self.outcome.result()


@dataclass
class PythonSubscription(Subscription):
    """A subscription of the Python client."""

    honored: Json
    opened: AbstractContextManager[object]

    def close(self) -> None:
        self.opened.__exit__(None, None, None)


class PythonClient(OfficialClient):
    """One client; a context manager that ends its session."""

    def __enter__(self) -> PythonClient:
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(
        self,
        url: str,
        *,
        token: str | None = None,
        era: Era = "legacy",
        answers: Answers = NO_ANSWERS,
    ) -> None:
        self._host, self._wire = Host(answers), Wire()
        client = connected(
            url,
            User("nobody"),
            token,
            mode=MODES[era],
            watch=self._wire.watch,
            **self._host.callbacks(),
        )
        self._client: Client = self._stack.enter_context(
            self._portal.wrap_async_context_manager(client)
        )

    def start(self, name: str, arguments: Json, meta: Json | None = None) -> Call:
        steps: list[tuple[float, float | None]] = []

        async def told(progress: float, total: float | None, message: str | None) -> None:
            steps.append((progress, total))

        async def outcome() -> Json:
            call = partial(self._client.call_tool, progress_callback=told, meta=meta)
            return await thrown(call, name, arguments)

        return PythonCall(steps, self._portal.start_task_soon(outcome))

    def listed(self, kind: Kind) -> list[Json]:
        return [entry for page in self.pages(kind) for entry in page[kind]]

    def pages(self, kind: Kind) -> list[Json]:
        """The pages of a list, as they came."""
        found, cursor = [], None
        while True:
            page = self._do(getattr(self._client, LISTS[kind]), cursor=cursor)
            found.append(page)
            cursor = page.get("nextCursor")
            if cursor is None:
                return found

    def read(self, uri: str) -> Json:
        return self._do(self._client.read_resource, uri)

    def subscribe(self, uri: str) -> None:
        self._do(self._client.subscribe_resource, uri)

    def unsubscribe(self, uri: str) -> None:
        self._do(self._client.unsubscribe_resource, uri)

    def listen(self, **what: object) -> Subscription:
        names = {
            "toolsListChanged": "tools_list_changed",
            "promptsListChanged": "prompts_list_changed",
            "resourcesListChanged": "resources_list_changed",
            "resourceSubscriptions": "resource_subscriptions",
        }
        wanted = {names[name]: value for name, value in what.items()}
        opened = self._portal.wrap_async_context_manager(self._client.listen(**wanted))
        try:
            subscription = opened.__enter__()
        except MCPError as error:
            raise of_client(error) from error
        return PythonSubscription(as_json(subscription.honored), opened)

    def notifications(self) -> list[Json]:
        return list(self._host.notifications)

    def asked(self) -> list[Json]:
        return list(self._host.asked)

    def requests(self) -> list[Json]:
        return list(self._wire.requests)

    def cut(self) -> None:
        self._portal.call(self._wire.cut)

    def _do(self, method: Callable[..., Awaitable[BaseModel]], *args: Any, **named: Any) -> Json:
        async def outcome() -> Json:
            return await thrown(method, *args, **named)

        return self._portal.call(outcome)


async def thrown(
    method: Callable[..., Awaitable[BaseModel]], *args: Any, **named: Any
) -> Json:
    """What a method of the SDK's `Client` returns, or throws as `ClientError`."""
    try:
        return as_json(await method(*args, **named))
    except MCPError as error:
        raise of_client(error) from error


def of_client(error: MCPError) -> ClientError:
    """Its error as those of the other client are."""
    fields = {"message": error.error.message, "code": error.error.code, "data": error.error.data}
    return ClientError({"type": "MCPError", **fields})
