"""The lists of an upstream behind the demonstration's policy, for a reader."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .answers import Received
from .bootstrap import Json
from .messages import request


@dataclass(frozen=True)
class Listing:
    """One of the four lists: what a reader may see of it, and what not."""

    method: str
    member: str
    name: str
    shown: tuple[str, ...]
    hidden: tuple[str, ...]

    def request(self, id: object = 1, **params: object) -> Json:
        """The request for it."""
        return request(self.method, id, **params)

    def entries(self) -> list[bytes]:
        """Its entries, shown and hidden ones in turns, each as text of an odd kind."""
        names = [name for pair in zip(self.shown, self.hidden, strict=False) for name in pair]
        names += self.shown[len(self.hidden) :] + self.hidden[len(self.shown) :]
        return [odd_entry(self.name, name) for name in names]

    def body(self, id: bytes = b"1") -> bytes:
        """An answer with it, as text of an odd kind."""
        before, after = self.around(id)
        return before + b" ,\t".join(self.entries()) + after

    def around(self, id: bytes = b"1") -> tuple[bytes, bytes]:
        """What stands before and after its entries."""
        before = b'{ "result" :\t{"nextCursor":"p\\u00e4ge/2", "x-first":[1.50, -0.0],"%s": ['
        after = b'], "_meta": {"vendor/x":{"tools":[ ]}}}, "jsonrpc":"2.0","id": %s }'
        return before % self.member.encode(), after % id


def odd_entry(member: str, name: str) -> bytes:
    """An entry that no serialiser would write, with members that nobody knows."""
    entry = (
        f'{{"x-unknown" : {{"a":1.0e+2,"b":"\\u00e9\\/\\"]}}"}},  "{member}":"{name}",'
        f'"description":"é – ☃ 😀", "inputSchema":{{"type":"object", "name":"get-env-not"}} }}'
    )
    return entry.encode()


TOOLS = Listing(
    "tools/list",
    "tools",
    "name",
    # What takes the write scope is shown: a reader can obtain it.
    ("echo", "get-tiny-image", "get-sum", "gzip-file-as-resource", "toggle-simulated-logging"),
    ("get-env", "rm", "Echo"),
)
PROMPTS = Listing(
    "prompts/list",
    "prompts",
    "name",
    ("simple-prompt", "args-prompt"),
    ("resource-prompt", "completable-prompt"),
)
RESOURCES = Listing(
    "resources/list",
    "resources",
    "uri",
    ("demo://resource/static/document/a.md", "demo://resource/dynamic/text/1"),
    (
        "demo://resource/dynamic/blob/1",
        "file:///etc/passwd",
        "demo://resource/dynamic/text/../blob/1",
    ),
)
TEMPLATES = Listing(
    "resources/templates/list",
    "resourceTemplates",
    "uriTemplate",
    ("demo://resource/dynamic/text/{resourceId}",),
    ("demo://resource/dynamic/blob/{resourceId}", "file:///{path}"),
)
LISTINGS = (TOOLS, PROMPTS, RESOURCES, TEMPLATES)


def tool(name: str) -> Json:
    """An ordinary tool."""
    return {"name": name, "inputSchema": {"type": "object"}}


def tools(*names: str, id: object = 1, **members: object) -> Json:
    """An ordinary answer to tools/list."""
    listed = [tool(name) for name in names]
    return {"jsonrpc": "2.0", "id": id, "result": {"tools": listed, **members}}


def names(message: Json) -> list[str]:
    """The tools in an answer."""
    return [each["name"] for each in message["result"]["tools"]]


# What of the list below must not reach a reader, in whatever encoding.
SECRET = "get-env"
MARKS = tuple(SECRET.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def nothing_hidden_in(received: Received) -> None:
    """The tool that the reader may not know of is nowhere in the response."""
    for mark in MARKS:
        assert mark not in received.body, received.body
    assert SECRET not in str(received.headers)


def withheld(received: Received, reason: str | None = None, id: object = 1) -> None:
    """Not one tool came, but an error for the request, or a transfer that broke."""
    nothing_hidden_in(received)
    assert b"echo" not in received.body, received.body
    if received.is_whole:
        sent = received.events if b"data:" in received.body else [received.body]
        (message,) = [json.loads(each) for each in sent]
        assert set(message) == {"jsonrpc", "id", "error"}, message
        assert message["id"] == id
        assert received.audit["withheld"] == reason
    assert reason is None or received.is_whole
