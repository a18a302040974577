"""The official clients at a server that wants each user's own account, which is not connected yet."""

from __future__ import annotations

import json
import re
import sys
import time

import httpx
import pytest
from mcp import MCPError, UrlElicitationRequiredError
from sdk.python import User, connected
from sdk.python import text_of as python_text
from sdk.typescript import ClientError, TypeScriptClient
from sdk.typescript import text_of as typescript_text

from demo.connect import walk
from demo.disconnect import disconnect
from demo.stack.places import Ports
from demo.stack.sign_in import Client

MODERN = "2026-07-28"
AUTO = {"versionNegotiation": {"mode": "auto"}}
ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
LONGEST_CACHE = 15

# What a TypeScript client's user opens addresses with.
OPENS = [
    sys.executable,
    "-c",
    "import sys; from demo.connect import walk; walk(sys.argv[2], sys.argv[1])",
]


def options(era: str) -> dict:
    """Those of a TypeScript client that speaks this era."""
    return AUTO if era == "modern" else {}


def mode(era: str) -> str:
    """That of a Python client that speaks this era."""
    return "auto" if era == "modern" else "legacy"


@pytest.fixture
def reader(demonstration: Ports) -> str:
    """An account that is not connected, and for which the gate remembers nothing either."""
    disconnect("reader", demonstration)
    answer = Client.for_tokens(demonstration.issuer).sign_in(
        demonstration.issuer, "reader", scope="mcp:read", resource=demonstration.notes
    )
    deadline = time.monotonic() + LONGEST_CACHE
    while "/connect/" not in whoami(demonstration, str(answer["access_token"])):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return "reader"


def whoami(ports: Ports, token: str) -> str:
    """What a client without an SDK is answered."""
    meta = "io.modelcontextprotocol"
    params = {
        "name": "whoami",
        "arguments": {},
        "_meta": {
            f"{meta}/protocolVersion": MODERN,
            f"{meta}/clientCapabilities": {},
            f"{meta}/clientInfo": {"name": "raw", "version": "1"},
        },
    }
    return httpx.post(
        ports.notes,
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "whoami",
        },
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
    ).text


def link_in(text: str, ports: Ports) -> str:
    """The one link to the token service's connect page."""
    [link] = re.findall(rf"{re.escape(ports.token_service_url)}/connect/[\w-]+", text)
    return link


def is_reader_upstream(told: str, ports: Ports) -> bool:
    """Whether that is what `whoami` tells of the reader's own credential."""
    seen = json.loads(told)
    return (seen["issuer"], seen["subject"]) == (ports.notes_issuer, "reader")


@ERAS
def test_the_typescript_client_gets_a_link_and_after_consent_its_next_call_succeeds(
    demonstration: Ports, reader: str, typescript: TypeScriptClient, era: str
) -> None:
    connection = typescript.sign_in(demonstration.notes, reader, **options(era))
    assert (connection.protocol_version == MODERN) == (era == "modern")
    assert typescript.request("listTools")["tools"]

    first = typescript.call_tool("whoami")
    assert first["isError"] is True
    walk(link_in(typescript_text(first), demonstration), reader)
    assert is_reader_upstream(typescript_text(typescript.call_tool("whoami")), demonstration)


@ERAS
@pytest.mark.anyio
async def test_the_python_client_gets_a_link_and_after_consent_its_next_call_succeeds(
    demonstration: Ports, reader: str, era: str
) -> None:
    async with connected(demonstration.notes, User(reader), mode=mode(era)) as client:
        assert (client.protocol_version == MODERN) == (era == "modern")
        first = await client.call_tool("whoami")
        assert first.is_error
        walk(link_in(python_text(first), demonstration), reader)
        second = await client.call_tool("whoami")
        assert is_reader_upstream(python_text(second), demonstration)


def test_a_typescript_client_that_opens_addresses_is_asked_to_and_the_call_goes_through(
    demonstration: Ports, reader: str, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(
        demonstration.notes,
        reader,
        capabilities={"elicitation": {"url": {}}},
        opens=[*OPENS, reader],
        **AUTO,
    )
    assert is_reader_upstream(typescript_text(typescript.call_tool("whoami")), demonstration)


@pytest.mark.anyio
async def test_a_python_client_that_opens_addresses_is_asked_to_and_the_call_goes_through(
    demonstration: Ports, reader: str
) -> None:
    opened: list[str] = []

    def opens(url: str) -> None:
        opened.append(url)
        walk(url, reader)

    async with connected(demonstration.notes, User(reader), opens=opens) as client:
        result = await client.call_tool("whoami")
    assert is_reader_upstream(python_text(result), demonstration)
    assert len(opened) == 1


def test_a_legacy_typescript_client_that_opens_addresses_gets_the_error_for_that(
    demonstration: Ports, reader: str, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(
        demonstration.notes, reader, capabilities={"elicitation": {"url": {}}}
    )
    with pytest.raises(ClientError) as required:
        typescript.call_tool("whoami")
    assert (required.value.type, required.value.code) == ("UrlElicitationRequiredError", -32042)
    [elicitation] = required.value.data["elicitations"]
    assert elicitation["mode"] == "url"
    walk(link_in(elicitation["url"], demonstration), reader)
    assert is_reader_upstream(typescript_text(typescript.call_tool("whoami")), demonstration)


@pytest.mark.anyio
async def test_a_legacy_python_client_that_opens_addresses_gets_the_error_for_that(
    demonstration: Ports, reader: str
) -> None:
    async with connected(
        demonstration.notes, User(reader), mode="legacy", opens=lambda _: None
    ) as client:
        with pytest.raises(MCPError) as required:
            await client.call_tool("whoami")
        error = UrlElicitationRequiredError.from_error(required.value.error)
        [elicitation] = error.elicitations
        walk(link_in(elicitation.url, demonstration), reader)
        result = await client.call_tool("whoami")
        assert is_reader_upstream(python_text(result), demonstration)


def test_a_consent_is_the_users_who_was_asked_and_nobody_elses(
    demonstration: Ports, reader: str, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(demonstration.notes, reader)
    walk(link_in(typescript_text(typescript.call_tool("whoami")), demonstration), reader)
    other = Client.for_tokens(demonstration.issuer).sign_in(
        demonstration.issuer, "writer", scope="mcp:read", resource=demonstration.notes
    )
    assert link_in(whoami(demonstration, str(other["access_token"])), demonstration)
