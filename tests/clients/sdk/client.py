"""What the official clients have in common, so that a test is written once for each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .waiting import wait_until

Json = dict[str, Any]
Era = Literal["legacy", "modern"]
Kind = Literal["tools", "prompts", "resources", "resourceTemplates"]

KINDS: tuple[Kind, ...] = ("tools", "prompts", "resources", "resourceTemplates")


@dataclass(frozen=True)
class Answers:
    """What the user and the application behind a client answer a server.

    `None` is what the client does not offer. `words` are the user's, one for
    each form; addresses they open whenever they are asked to.
    """

    words: Sequence[str] | None = None
    guess: str | None = None
    roots: Sequence[str] | None = None


NO_ANSWERS = Answers()


class ClientError(Exception):
    """What a client threw."""

    def __init__(self, fields: Json) -> None:
        super().__init__(f"{fields['type']}: {fields['message']}")
        self.type: str = fields["type"]
        self.message: str = fields["message"]
        self.code: object = fields.get("code")
        self.data: Any = fields.get("data")


class Call(ABC):
    """A call that goes on."""

    @abstractmethod
    def progress(self) -> list[tuple[float, float | None]]:
        """The progress that was told so far, and the total of each."""

    @abstractmethod
    def cancel(self) -> None:
        """Lose patience."""

    @abstractmethod
    def result(self) -> Json:
        """Wait for the result."""

    def wait_for_progress(self) -> None:
        """Wait until some progress was told."""
        wait_until("progress is told", lambda: bool(self.progress()))


class Subscription(ABC):
    """An open `subscriptions/listen`; `honored` is what the server agreed to."""

    honored: Json

    @abstractmethod
    def close(self) -> None:
        """End it."""


class OfficialClient(ABC):
    """One client with its user, connected to one server."""

    @abstractmethod
    def open(
        self,
        url: str,
        *,
        token: str | None = None,
        era: Era = "legacy",
        answers: Answers = NO_ANSWERS,
    ) -> None:
        """Connect as a new client, in this era, perhaps with a token that it has kept."""

    @abstractmethod
    def start(self, name: str, arguments: Json, meta: Json | None = None) -> Call:
        """Make a call that goes on; `meta` is its `_meta`."""

    @abstractmethod
    def listed(self, kind: Kind) -> list[Json]:
        """All entries of a list, of all its pages."""

    @abstractmethod
    def read(self, uri: str) -> Json:
        """Read a resource."""

    @abstractmethod
    def subscribe(self, uri: str) -> None:
        """Subscribe to a resource, as in the legacy era."""

    @abstractmethod
    def unsubscribe(self, uri: str) -> None:
        """Unsubscribe from it."""

    @abstractmethod
    def listen(self, **what: object) -> Subscription:
        """Subscribe to changes, as in the modern era; named as in the protocol."""

    @abstractmethod
    def notifications(self) -> list[Json]:
        """The notifications that came so far, without those about progress."""

    @abstractmethod
    def asked(self) -> list[Json]:
        """What the server has asked of the client so far."""

    @abstractmethod
    def requests(self) -> list[Json]:
        """The client's HTTP requests that were answered: `method`, `status`, `lastEventId`."""

    @abstractmethod
    def cut(self) -> None:
        """Cut the connections of all open event streams."""

    def call(self, name: str, **arguments: object) -> Json:
        """Call a tool."""
        return self.start(name, arguments).result()

    def names(self, kind: Kind) -> list[str]:
        """The names of all entries of a list; of resources, their URIs."""
        member = {"resources": "uri", "resourceTemplates": "uriTemplate"}.get(kind, "name")
        return [entry[member] for entry in self.listed(kind)]

    def wait_for_stream(self) -> None:
        """Wait until the stream that belongs to no request is open."""

        def is_open() -> bool:
            requests = self.requests()
            return any(each["method"] == "GET" and each["status"] == 200 for each in requests)

        wait_until("the stream of the session is open", is_open)

    def wait_for_notifications(self, is_one: Callable[[Json], bool], count: int = 1) -> list[Json]:
        """Wait for so many notifications of a sort; all that have come."""
        found: list[Json] = []

        def have_come() -> bool:
            found[:] = filter(is_one, self.notifications())
            return len(found) >= count

        wait_until("the notifications have come", have_come)
        return found

    def resumptions(self) -> list[str]:
        """The last events that the client named when it came back for the rest."""
        return [each["lastEventId"] for each in self.requests() if each["lastEventId"]]


def text_of(result: Json) -> str:
    """The text of a tool's result that is one text."""
    [content] = result["content"]
    return content["text"]
