"""The official Python client, unmodified, against the demonstration's policy."""

from __future__ import annotations

import pytest
from mcp import MCPError
from sdk.gate import Gate, both_modes
from sdk.python import User, connected, text_of

pytestmark = pytest.mark.anyio


def has_ended(decisions: list[dict]) -> bool:
    return any(decision["http_method"] == "DELETE" for decision in decisions)


@both_modes
async def test_without_a_token_the_challenge_leads_through_sign_in_to_a_tool_call(
    gate: Gate,
) -> None:
    reader = User("reader")
    async with connected(gate.everything, reader) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"echo", "get-tiny-image"} <= tools
        assert text_of(await client.call_tool("echo", {"message": "hello"})) == "Echo: hello"
    assert [scopes - {"offline_access"} for scopes in reader.asked] == [{"mcp:read"}]


async def test_it_probes_for_the_modern_era_and_falls_back_to_initialize(gate: Gate) -> None:
    reader = User("reader")
    async with connected(gate.everything, reader) as client:
        assert client.protocol_version == "2025-11-25"
    decisions = gate.decisions({"client": reader.client_id}, has_ended)
    posted = [each["method"] for each in decisions if each["http_method"] == "POST"]
    assert posted == ["server/discover", "initialize", "notifications/initialized"]


@both_modes
async def test_a_missing_scope_is_a_step_up_that_the_caller_does_not_notice(gate: Gate) -> None:
    writer = User("writer")
    async with connected(gate.everything, writer) as client:
        await client.call_tool("echo", {"message": "hello"})
        assert len(writer.asked) == 1
        result = await client.call_tool("get-sum", {"a": 1, "b": 2})
        assert text_of(result) == "The sum of 1 and 2 is 3."
    assert [scopes - {"offline_access"} for scopes in writer.asked] == [
        {"mcp:read"},
        {"mcp:read", "mcp:write"},
    ]


@both_modes
async def test_a_token_for_another_server_is_not_taken_and_leads_to_a_sign_in(gate: Gate) -> None:
    reader = User("reader")
    kept = gate.token("admin", gate.both_eras)
    async with connected(gate.everything, reader, kept) as client:
        assert len(reader.asked) == 1
        with pytest.raises(MCPError, match="Unknown tool: get-env"):
            await client.call_tool("get-env")
    assert gate.decisions({"reason": "wrong_audience", "server": "everything", "status": 401})


async def test_who_never_gets_the_scope_is_asked_once_and_then_told(gate: Gate) -> None:
    reader = User("reader")
    async with connected(gate.everything, reader) as client:
        with pytest.raises(MCPError, match="mcp:write"):
            await client.call_tool("get-sum", {"a": 1, "b": 2})
        assert len(reader.asked) == 2
        assert text_of(await client.call_tool("echo", {"message": "still"})) == "Echo: still"


@both_modes
async def test_the_model_is_told_which_rule_on_arguments_does_not_hold_and_what_it_wants(
    gate: Gate,
) -> None:
    async with connected(gate.everything, User("writer")) as client:
        await client.call_tool("get-sum", {"a": 1, "b": 2})
        result = await client.call_tool("get-sum", {"a": 5000, "b": 2})
    assert result.is_error
    assert 'rule "sum"' in text_of(result)
    assert "1000" in text_of(result)


async def test_a_tool_for_others_is_unknown_and_works_for_an_admin(gate: Gate) -> None:
    async with connected(gate.everything, User("writer")) as client:
        with pytest.raises(MCPError, match="Unknown tool: get-env"):
            await client.call_tool("get-env")
    async with connected(gate.everything, User("admin")) as client:
        assert "PATH" in text_of(await client.call_tool("get-env"))
