"""The notes server, which takes tokens of its own authorization server and no others."""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode

import httpx
import httpx2
import pytest
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from test_everything_server import other_addresses

from demo.stack.authorization_server import AuthorizationServer
from demo.stack.places import Ports
from demo.stack.ports import answers
from demo.stack.processes import Child
from demo.stack.sign_in import Client

pytestmark = pytest.mark.usefixtures("notes")

MODERN = "2026-07-28"
META = "io.modelcontextprotocol"
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def token(issuer: str, account: str, resource: str, ttl: int = 60) -> str:
    answer = Client.for_tokens(issuer).sign_in(
        issuer, account, scope="openid notes:read notes:write", resource=resource, ttl=ttl
    )
    return str(answer["access_token"])


def expiry(token: str) -> float:
    """The `exp` of a JWT."""
    payload = token.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])


@pytest.fixture
def reader(notes_issuer: AuthorizationServer, ports: Ports) -> str:
    return token(notes_issuer.issuer, "reader", ports.notes_upstream)


@pytest.fixture
def writer(notes_issuer: AuthorizationServer, ports: Ports) -> str:
    return token(notes_issuer.issuer, "writer", ports.notes_upstream)


def ask(
    ports: Ports,
    method: str,
    params: dict | None = None,
    authorization: str | None = None,
    at: str | None = None,
    **headers: str,
) -> httpx.Response:
    """A request of the legacy era, to the server itself or where it is `at`."""
    sent = {"Accept": "application/json, text/event-stream", **headers}
    if authorization is not None:
        sent["Authorization"] = authorization
    message: dict = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    if not method.startswith("notifications/"):
        message["id"] = 1
    return httpx.post(at or ports.notes_upstream, headers=sent, json=message)


def call(
    ports: Ports,
    tool: str,
    arguments: dict,
    bearer: str | None,
    *,
    at: str | None = None,
    method: str = "tools/call",
) -> httpx.Response:
    """A request of the modern era, which needs no session; a tool call, if nothing else is said."""
    meta = {
        f"{META}/protocolVersion": MODERN,
        f"{META}/clientCapabilities": {},
        f"{META}/clientInfo": {"name": "test", "version": "1"},
    }
    target = {"name": tool, "arguments": arguments} if tool else {}
    named = {"Mcp-Name": tool} if tool else {}
    return ask(
        ports,
        method,
        {**target, "_meta": meta},
        None if bearer is None else f"Bearer {bearer}",
        at=at,
        **{"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **named},
    )


def content(answer: httpx.Response) -> dict:
    """What a tool answered: the same as text and as data."""
    assert answer.status_code == 200, answer.text
    body = answer.text
    if answer.headers["Content-Type"].startswith("text/event-stream"):
        [body] = re.findall(r"^data: (\{.*)$", body, re.MULTILINE)
    result = json.loads(body)["result"]
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return result["structuredContent"]


def session(ports: Ports, authorization: str | None = None) -> dict[str, str]:
    opened = ask(ports, "initialize", INITIALIZE, authorization)
    assert opened.status_code == 200
    return {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}


def test_it_answers_on_loopback_only(ports: Ports) -> None:
    assert answers(ports.notes_server)
    for address in other_addresses():
        assert not answers(ports.notes_server, address), address


def test_under_another_name_or_from_a_page_of_another_origin_it_is_not_reached(
    ports: Ports,
) -> None:
    for header in ({"Host": "rebound.example"}, {"Origin": "https://page.example"}):
        assert ask(ports, "ping", **header).status_code == 403


def test_whoami_tells_the_user_of_the_token_and_the_names_of_the_headers(
    ports: Ports, reader: str
) -> None:
    told = content(call(ports, "whoami", {}, reader))
    assert (told["issuer"], told["subject"]) == (ports.notes_issuer, "reader")
    assert {"authorization", "mcp-name", "content-type"} <= set(told["headers"])
    assert told["headers"] == sorted(told["headers"])
    assert reader not in json.dumps(told)


def test_each_user_has_notes_of_their_own(ports: Ports, reader: str, writer: str) -> None:
    before = content(call(ports, "list-notes", {}, writer))["notes"]
    content(call(ports, "add-note", {"text": "buy milk"}, reader))
    content(call(ports, "add-note", {"text": "buy eggs"}, reader))
    assert content(call(ports, "list-notes", {}, reader))["notes"][-2:] == ["buy milk", "buy eggs"]
    assert content(call(ports, "list-notes", {}, writer))["notes"] == before


def test_the_notes_of_a_user_are_bounded(
    ports: Ports, notes_issuer: AuthorizationServer
) -> None:
    admin = token(notes_issuer.issuer, "admin", ports.notes_upstream)
    for number in range(100):
        content(call(ports, "add-note", {"text": str(number)}, admin))
    over = call(ports, "add-note", {"text": "one too many"}, admin).json()["result"]
    assert over["isError"] is True
    assert len(content(call(ports, "list-notes", {}, admin))["notes"]) == 100
    long = call(ports, "add-note", {"text": "x" * 1001}, admin).json()["result"]
    assert long["isError"] is True


def test_without_a_token_there_is_a_challenge_that_leads_to_its_metadata(ports: Ports) -> None:
    for answer in (
        call(ports, "whoami", {}, None),
        ask(ports, "tools/call", {"name": "whoami"}, **session(ports)),
        ask(ports, "prompts/list", **session(ports)),
    ):
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert "error=" not in challenge
        [metadata_url] = re.findall(r'resource_metadata="([^"]+)"', challenge)
    metadata = httpx.get(metadata_url).json()
    assert metadata["resource"] == ports.notes_upstream
    assert metadata["authorization_servers"] == [ports.notes_issuer]


def test_looking_around_needs_no_token(ports: Ports) -> None:
    opened = session(ports)
    assert ask(ports, "notifications/initialized", **opened).status_code == 202
    assert ask(ports, "ping", **opened).status_code == 200
    listed = ask(ports, "tools/list", **opened)
    assert re.findall(r'"name":"([a-z-]+)"', listed.text) == ["add-note", "list-notes", "whoami"]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer not.a.token", "Bearer opaque", "Basic cmVhZGVyOg==", "Bearer", "Bearer a b"],
)
def test_a_token_that_is_there_has_to_be_valid_also_where_none_is_needed(
    ports: Ports, authorization: str
) -> None:
    answer = ask(ports, "initialize", INITIALIZE, authorization)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_of_the_gates_authorization_server_is_refused(
    ports: Ports, server: AuthorizationServer
) -> None:
    foreign = token(server.issuer, "reader", ports.everything)
    answer = call(ports, "whoami", {}, foreign)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_an_expired_token_is_refused(ports: Ports, notes_issuer: AuthorizationServer) -> None:
    short = token(notes_issuer.issuer, "reader", ports.notes_upstream, ttl=5)
    content(call(ports, "whoami", {}, short))
    time.sleep(max(0.0, expiry(short) + 0.1 - time.time()))
    answer = call(ports, "whoami", {}, short)
    assert answer.status_code == 401
    assert "expired" in answer.headers["WWW-Authenticate"]


def test_a_token_that_was_tampered_with_is_refused(ports: Ports, reader: str, writer: str) -> None:
    header, _, signature = reader.split(".")
    forged = ".".join([header, writer.split(".")[1], signature])
    assert call(ports, "whoami", {}, forged).status_code == 401


def test_a_session_belongs_to_the_first_user_that_it_is_used_by(
    ports: Ports, reader: str, writer: str
) -> None:
    opened = session(ports)
    whoami = {"name": "whoami", "arguments": {}}
    told = content(ask(ports, "tools/call", whoami, f"Bearer {reader}", **opened))
    assert told["subject"] == "reader"
    assert ask(ports, "tools/call", whoami, f"Bearer {writer}", **opened).status_code == 404
    assert httpx.delete(ports.notes_upstream, headers=opened).status_code == 401
    own = {**opened, "Authorization": f"Bearer {reader}"}
    assert httpx.delete(ports.notes_upstream, headers=own).status_code == 200
    assert ask(ports, "ping", **opened).status_code == 404


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_gets_along_with_it_in_both_eras(
    ports: Ports, reader: str, mode: str
) -> None:
    headers = {"Authorization": f"Bearer {reader}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        McpClient(streamable_http_client(ports.notes_upstream, http_client=http), mode=mode) as mcp,
    ):
        assert mcp.protocol_version == {"auto": MODERN, "legacy": "2025-11-25"}[mode]
        result = await mcp.call_tool("whoami")
        assert result.structured_content["subject"] == "reader"
