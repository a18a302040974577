"""JSON-RPC messages of MCP clients."""

from __future__ import annotations

from .bootstrap import Json
from .gate import MODERN


def request(method: str, id: object = 1, **params: object) -> Json:
    """A request."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def call(tool: str, id: object = 1, **arguments: object) -> Json:
    """A call of a tool."""
    return request("tools/call", id, name=tool, arguments=arguments)


def notification(method: str, **params: object) -> Json:
    """A notification."""
    return {"jsonrpc": "2.0", "method": method, "params": params}


def modern(message: Json, version: str = MODERN) -> Json:
    """The same with what 2026-07-28 demands of each request."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {**message, "params": {**message["params"], "_meta": meta}}


def modern_headers(message: Json, **changes: str | None) -> dict[str, str]:
    """The headers that mirror a modern message; a change to None leaves one out."""
    headers: dict[str, str | None] = {"mcp-method": message["method"]}
    name = message["params"].get("name") or message["params"].get("uri")
    if name:
        headers["mcp-name"] = name
    headers |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in headers.items() if value is not None}
