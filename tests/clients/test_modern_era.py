"""The revision 2026-07-28 through the gate, to a server on the newest official SDK."""

from __future__ import annotations

import httpx
import pytest
from mcp import MCPError
from sdk.gate import Gate, both_modes
from sdk import python
from sdk.python import User, connected
from sdk.typescript import ClientError, TypeScriptClient, Unauthorized, text_of

MODERN = "2026-07-28"

# The TypeScript client speaks the legacy era unless it is told to find out.
AUTO = {"versionNegotiation": {"mode": "auto"}}


@both_modes
def test_the_typescript_client_discovers_lists_and_calls(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    connection = typescript.sign_in(gate.both_eras, "reader", **AUTO)
    assert (connection.protocol_version, connection.session_id) == (MODERN, None)

    assert "count" in {tool["name"] for tool in typescript.request("listTools")["tools"]}
    result, progress = typescript.call_tool_with_progress("count", to=3)
    assert text_of(result) == "counted to 3"
    assert [step["progress"] for step in progress] == [1, 2, 3]

    prompt = typescript.request("getPrompt", {"name": "summary", "arguments": {"of": "it"}})
    assert prompt["messages"][0]["content"]["text"] == "Sum up it"
    resource = typescript.request("readResource", {"uri": "notes://open/1"})
    assert resource["contents"][0]["text"] == "the text of notes://open/1"


@both_modes
def test_the_typescript_client_steps_up_and_makes_the_same_call_again(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.both_eras, "writer", **AUTO)
    with pytest.raises(Unauthorized) as unauthorized:
        typescript.call_tool("add", a=1, b=2)
    typescript.finish_sign_in(unauthorized.value, "writer")
    assert text_of(typescript.call_tool("add", a=1, b=2)) == "3"


@both_modes
def test_a_call_that_needs_an_answer_of_the_user_is_made_again_with_it(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.both_eras, "reader", capabilities={"elicitation": {}}, **AUTO)
    assert text_of(typescript.call_tool("ask")) == "the user's answer: decline"


def test_the_typescript_client_is_told_which_rule_on_arguments_does_not_hold(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.both_eras, "writer", **AUTO)
    result = typescript.call_tool("add", a=101, b=2)
    assert result["isError"] is True
    assert text_of(result) == 'Denied by rule "add": "a" must be a number of at most 100'


@both_modes
def test_what_is_for_others_is_unknown(gate: Gate, typescript: TypeScriptClient) -> None:
    typescript.sign_in(gate.both_eras, "writer", **AUTO)
    told = set()
    for name in ("secret", "nobody", "no-such-tool"):
        with pytest.raises(ClientError) as tool:
            typescript.call_tool(name)
        told.add((tool.value.code, tool.value.message.replace(name, "NAME")))
    assert told == {(-32602, "Unknown tool: NAME")}

    with pytest.raises(ClientError, match="Unknown prompt: secret-prompt"):
        typescript.request("getPrompt", {"name": "secret-prompt"})
    with pytest.raises(ClientError) as resource:
        typescript.request("readResource", {"uri": "notes://secret/1"})
    assert resource.value.type == "ResourceNotFoundError"


def test_what_is_for_admins_works_for_an_admin(gate: Gate, typescript: TypeScriptClient) -> None:
    typescript.sign_in(gate.both_eras, "admin", **AUTO)
    assert text_of(typescript.call_tool("secret")) == "the secret"
    assert typescript.request("readResource", {"uri": "notes://secret/1"})["contents"]


def test_a_client_of_the_legacy_era_gets_to_the_same_server(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    connection = typescript.sign_in(gate.both_eras, "reader")
    assert connection.protocol_version == "2025-11-25"
    assert text_of(typescript.call_tool("count", to=1)) == "counted to 1"


@both_modes
@pytest.mark.anyio
async def test_the_python_client_discovers_lists_calls_and_steps_up(gate: Gate) -> None:
    writer = User("writer")
    async with connected(gate.both_eras, writer) as client:
        assert client.protocol_version == MODERN
        assert "count" in {tool.name for tool in (await client.list_tools()).tools}
        assert python.text_of(await client.call_tool("count", {"to": 2})) == "counted to 2"
        assert len(writer.asked) == 1
        assert python.text_of(await client.call_tool("add", {"a": 1, "b": 2})) == "3"
        assert len(writer.asked) == 2


@pytest.mark.anyio
async def test_the_python_client_is_told_what_it_may_not(gate: Gate) -> None:
    async with connected(gate.both_eras, User("writer")) as client:
        result = await client.call_tool("add", {"a": 101, "b": 2})
        assert result.is_error
        assert 'rule "add"' in python.text_of(result)
        with pytest.raises(MCPError, match="Unknown tool: secret") as unknown:
            await client.call_tool("secret")
        assert unknown.value.code == -32602


@pytest.mark.anyio
async def test_a_subscription_to_what_may_not_be_read_is_refused(gate: Gate) -> None:
    async with connected(gate.both_eras, User("reader")) as client:
        with pytest.raises(MCPError, match="Resource not found"):
            async with client.listen(resource_subscriptions=["notes://open/1", "notes://secret/1"]):
                pass


@both_modes
@pytest.mark.parametrize(
    "header",
    [
        {"Mcp-Method": "tools/list"},
        {"Mcp-Name": "count"},
        {"Mcp-Name": "=?base64?Y291bnQ=?="},
        {"MCP-Protocol-Version": "2025-11-25"},
    ],
    ids=["method", "name", "encoded name", "version"],
)
def test_a_header_that_differs_from_the_body_is_a_mismatch(
    gate: Gate, header: dict[str, str]
) -> None:
    answer = call_add(gate, header)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32020
    assert answer.json()["id"] == 7


def test_what_is_refused_does_not_reach_the_server(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.both_eras, "reader", **AUTO)
    before = gate.requests_upstream("both-eras")
    for name in ("secret", "add"):
        with pytest.raises(ClientError):
            typescript.call_tool(name, a=1, b=2)
    assert typescript.call_tool("add", a=101, b=2)["isError"] is True
    assert call_add(gate, {"Mcp-Name": "count"}).status_code == 400
    assert gate.requests_upstream("both-eras") == before


@both_modes
@pytest.mark.parametrize("name", ["add", "=?base64?YWRk?="], ids=["plain", "encoded"])
def test_headers_that_agree_with_the_body_pass(gate: Gate, name: str) -> None:
    answer = call_add(gate, {"Mcp-Name": name})
    assert answer.status_code == 200
    assert answer.json()["result"]["content"] == [{"type": "text", "text": "3"}]


@pytest.mark.parametrize(
    ("header", "status"), [({"Mcp-Param-To": "2"}, 200), ({}, 400)], ids=["sent", "not sent"]
)
def test_a_header_that_repeats_an_argument_is_the_servers_business(
    gate: Gate, header: dict[str, str], status: int
) -> None:
    before = gate.requests_upstream("both-eras")
    answer = call(gate, "count", {"to": 2}, header)
    assert answer.status_code == status
    assert gate.requests_upstream("both-eras") == before + 1


def call_add(gate: Gate, headers: dict[str, str]) -> httpx.Response:
    """Call `add`, which a writer may."""
    return call(gate, "add", {"a": 1, "b": 2}, headers)


def call(gate: Gate, tool: str, arguments: dict, headers: dict[str, str]) -> httpx.Response:
    """Call a tool without an SDK; `headers` replace those that agree with the body."""
    prefix = "io.modelcontextprotocol"
    meta = {
        f"{prefix}/protocolVersion": MODERN,
        f"{prefix}/clientCapabilities": {},
        f"{prefix}/clientInfo": {"name": "raw", "version": "1"},
    }
    return httpx.post(
        gate.both_eras,
        json={
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta},
        },
        headers={
            "Authorization": f"Bearer {gate.token('writer', gate.both_eras)}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
            **headers,
        },
    )
