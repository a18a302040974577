"""What the chains have in common: keys, tokens, messages, rules, and what the servers are told."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.tokens import Key, signed

ISSUER = "https://issuer.example"
RESOURCE = "https://mcp.example/mcp"
PATH = "/mcp"
SCOPE = "mcp:read"

ALGORITHMS = ("RS256", "ES256", "EdDSA")
TOKEN_SECONDS = 24 * 3600

# What each chain may remember of tokens, and how many different ones are offered
# in turn where each is to be new. More than are remembered, so that none is
# known any more when its turn comes again.
REMEMBERED = 10_000
DIFFERENT = 12_000

RULES, MANY_RULES = 20, 1000
# Every fourth rule is about a prefix, the others about one tool each.
PATTERN_EVERY = 4

LISTED_TOOLS = 1000
LISTED_TOOL_BYTES = 400

HEADERS = {
    "Host": "mcp.example",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-11-25",
}


@dataclass(frozen=True)
class Rule:
    """A rule about one tool, or about all whose names begin so."""

    name: str
    is_prefix: bool


@dataclass(frozen=True)
class Material:
    """Keys, tokens by algorithm, and the token that is always the same."""

    keys: dict[str, Key]
    warm: str
    tokens: dict[str, Path]

    @property
    def jwks(self) -> dict[str, object]:
        """The public keys."""
        return {"keys": [key.jwk() for key in self.keys.values()]}


def rules(count: int) -> list[Rule]:
    """So many rules, of which the one for `tool` is in the middle."""
    return [
        Rule(f"area-{index:04}-", True)
        if index % PATTERN_EVERY == PATTERN_EVERY - 1
        else Rule(f"tool-{index:04}", False)
        for index in range(count)
    ]


def tool(count: int) -> str:
    """The tool that is called where there are so many rules."""
    return f"tool-{count // 2:04}"


def call(name: str, argument_bytes: int = 0) -> bytes:
    """A call of a tool with arguments of about this size."""
    arguments = {"path": "/srv/data", "limit": 10, "text": ""}
    least = len(json.dumps(arguments))
    # Words, as a model writes them, and now and then something that JSON escapes.
    words = 'the quick brown fox said "hello" and then went on its way; '
    missing = max(argument_bytes - least, 0)
    arguments["text"] = (words * (missing // len(words) + 1))[
        : missing * len(words) // (len(words) + 2)
    ]
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }
    return json.dumps(message, separators=(",", ":")).encode()


def list_tools() -> bytes:
    """A request for the list of tools."""
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'


def listed_tools() -> bytes:
    """The list of tools as the upstream gives it: half of them named by rules."""
    tools = []
    for index in range(LISTED_TOOLS):
        name = f"tool-{index:04}" if index % 2 else f"hidden-{index:04}"
        entry = {
            "name": name,
            "description": "",
            "inputSchema": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
                "required": ["path"],
            },
        }
        short = LISTED_TOOL_BYTES - len(json.dumps(entry))
        entry["description"] = ("Reads what is stored at the path. " * 20)[:short]
        tools.append(entry)
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()


def make(directory: Path, algorithms: Sequence[str], different: int) -> Material:
    """New keys and tokens; the tokens of each algorithm are the lines of a file."""
    keys = {algorithm: Key.new(algorithm, algorithm.lower()) for algorithm in ALGORITHMS}
    tokens = {}
    for algorithm in algorithms:
        file = directory / f"tokens-{algorithm}.txt"
        with open(file, "w", encoding="ascii") as lines:
            for index in range(different):
                lines.write(_token(keys[algorithm], f"user-{index}") + "\n")
        file.chmod(0o600)
        tokens[algorithm] = file
    return Material(keys, _token(keys["RS256"], "the-same-user"), tokens)


def _token(key: Key, subject: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": subject,
        "aud": RESOURCE,
        "client_id": "bench",
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": secrets.token_urlsafe(12),
        "scope": f"openid {SCOPE}",
    }
    return signed({"alg": key.alg, "typ": "at+jwt", "kid": key.kid}, claims, key)
