"""Tasks of both eras, as an upstream and a client speak of them."""

from __future__ import annotations

import base64
import json

from .answers import JSON, event, result, text
from .bootstrap import Json
from .gate import LEGACY, MODERN, Gate, Outcome
from .messages import call, modern, modern_headers, request
from .recorder import Wire

UPSTREAM_ID = 'task "1" / ü'
RELATED = "io.modelcontextprotocol/related-task"
ERAS = [LEGACY, MODERN]


def task(upstream_id: str = UPSTREAM_ID, **members: object) -> Json:
    """What both eras say of a task."""
    return {
        "taskId": upstream_id,
        "status": "working",
        "createdAt": "2026-07-28T00:00:00Z",
        "lastUpdatedAt": "2026-07-28T00:00:00Z",
        **members,
    }


def created(version: str, upstream_id: str = UPSTREAM_ID) -> Json:
    """The answer to a call that makes a task."""
    if version == MODERN:
        return result(resultType="task", **task(upstream_id, ttlMs=None))
    return result(task=task(upstream_id, ttl=None))


def told(version: str, message: Json, upstream_id: str = UPSTREAM_ID) -> Json:
    """The answer to a request about a task."""
    method = message["method"]
    if method == "tasks/result":
        return result(content=[], _meta={RELATED: {"taskId": upstream_id}})
    if version == MODERN and method != "tasks/get":
        return result(resultType="complete")
    more = {"resultType": "complete"} if version == MODERN else {}
    return result(**task(upstream_id), **more)


def modern_with_tasks(message: Json) -> Json:
    """The same as a modern client says it that has declared tasks."""
    message = modern(message)
    extensions = {"io.modelcontextprotocol/tasks": {}}
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {
        "extensions": extensions
    }
    return message


def about(version: str, method: str, task_id: str, **params: object) -> Json:
    """A request about a task."""
    message = request(method, taskId=task_id, **params)
    return modern_with_tasks(message) if version == MODERN else message


def send(gate: Gate, version: str, message: Json, **more: str) -> Outcome:
    """A message with the headers of its era."""
    headers = {}
    if version == MODERN:
        headers = modern_headers(message)
        if "taskId" in message["params"]:
            headers["mcp-name"] = header_safe(message["params"]["taskId"])
    return gate.post(message, version=version, headers=headers, **more)


def header_safe(value: str) -> str:
    """A value of Mcp-Name (MCP 2026-07-28, "Value Encoding")."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def answers(gate: Gate, version: str, upstream_id: str = UPSTREAM_ID, media: str = JSON) -> None:
    """An upstream that makes a task of each call."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        if not wire.seen.complete:
            return
        message = wire.seen.message
        is_call = message["method"] == "tools/call"
        answer = created(version, upstream_id) if is_call else told(version, message, upstream_id)
        answer["id"] = message["id"]
        body = text(answer) if media == JSON else event(answer)
        await wire.answer(body, media=media)

    gate.recorder.script = script


def augmented(version: str, tool: str = "echo", **arguments: object) -> Json:
    """A call whose client takes a task for an answer."""
    message = call(tool, **arguments)
    if version == MODERN:
        return modern_with_tasks(message)
    message["params"]["task"] = {"ttl": 60_000}
    return message


def given(
    gate: Gate, version: str, account: str = "reader", media: str = JSON, tool: str = "echo"
) -> str:
    """Make a task; the id that the client gets."""
    arguments = {"a": 1, "b": 2} if tool == "get-sum" else {}
    outcome = send(gate, version, augmented(version, tool, **arguments), account=account)
    outcome.passed()
    body = outcome.response.content
    message = json.loads(body if media == JSON else body.removeprefix(b"data: "))
    members = message["result"] if version == MODERN else message["result"]["task"]
    return str(members["taskId"])


def methods(version: str) -> list[str]:
    """What a client may do with a task."""
    last = "tasks/update" if version == MODERN else "tasks/result"
    return ["tasks/get", last, "tasks/cancel"]


def params_of(version: str, method: str) -> Json:
    """What else the request says."""
    return {"inputResponses": {}} if method == "tasks/update" else {}
