"""The official TypeScript client, unmodified, against the demonstration's policy."""

from __future__ import annotations

import pytest
from sdk.gate import Gate, both_modes
from sdk.typescript import ClientError, TypeScriptClient, Unauthorized, text_of


@both_modes
def test_without_a_token_the_challenge_leads_through_sign_in_to_a_tool_call(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    with pytest.raises(Unauthorized) as unauthorized:
        typescript.connect(gate.everything)
    typescript.finish_sign_in(unauthorized.value, "reader")

    typescript.connect(gate.everything)
    assert typescript.granted_scopes() == {"mcp:read"}
    tools = {tool["name"] for tool in typescript.request("listTools")["tools"]}
    assert {"echo", "get-tiny-image"} <= tools
    assert text_of(typescript.call_tool("echo", message="hello")) == "Echo: hello"


@both_modes
def test_a_missing_scope_is_a_step_up_after_which_the_same_call_succeeds(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.everything, "writer")
    assert typescript.granted_scopes() == {"mcp:read"}
    with pytest.raises(Unauthorized) as unauthorized:
        typescript.call_tool("get-sum", a=1, b=2)

    typescript.finish_sign_in(unauthorized.value, "writer")
    assert typescript.granted_scopes() == {"mcp:read", "mcp:write"}
    assert text_of(typescript.call_tool("get-sum", a=1, b=2)) == "The sum of 1 and 2 is 3."


def test_a_client_of_both_eras_falls_back_to_initialize(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    connection = typescript.sign_in(gate.everything, "reader", versionNegotiation={"mode": "auto"})
    assert connection.protocol_version == "2025-11-25"
    assert connection.session_id is not None


def test_who_never_gets_the_scope_is_asked_once_for_each_call(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.everything, "reader")
    for _ in range(2):
        before = gate.requests_upstream("everything")
        with pytest.raises(Unauthorized) as unauthorized:
            typescript.call_tool("get-sum", a=1, b=2)
        assert gate.requests_upstream("everything") == before

        typescript.finish_sign_in(unauthorized.value, "reader")
        assert typescript.granted_scopes() == {"mcp:read"}
    assert text_of(typescript.call_tool("echo", message="still here")) == "Echo: still here"


@both_modes
def test_the_model_is_told_which_rule_on_arguments_does_not_hold_and_what_it_wants(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.everything, "writer")
    with pytest.raises(Unauthorized) as unauthorized:
        typescript.call_tool("get-sum", a=1, b=2)
    typescript.finish_sign_in(unauthorized.value, "writer")

    result = typescript.call_tool("get-sum", a=5000, b=2)
    assert result["isError"] is True
    assert 'rule "sum"' in text_of(result)
    assert '"a"' in text_of(result)
    assert "1000" in text_of(result)


def test_arguments_that_never_could_be_allowed_are_no_reason_to_sign_in_again(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.everything, "writer")
    assert typescript.call_tool("get-sum", a=5000, b=2)["isError"] is True


@both_modes
def test_a_tool_for_others_and_one_that_does_not_exist_are_told_apart_by_their_names_only(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    typescript.sign_in(gate.everything, "writer")
    told = []
    for name in ("get-env", "no-such-tool"):
        with pytest.raises(ClientError) as unknown:
            typescript.call_tool(name)
        told.append((unknown.value.code, unknown.value.message.replace(name, "NAME")))
    assert told[0] == told[1]
    assert told[0][0] == -32602


@both_modes
def test_the_tool_for_admins_works_for_an_admin(gate: Gate, typescript: TypeScriptClient) -> None:
    typescript.sign_in(gate.everything, "admin")
    assert "PATH" in text_of(typescript.call_tool("get-env"))


def test_prompts_and_resources_are_decided_too(gate: Gate, typescript: TypeScriptClient) -> None:
    typescript.sign_in(gate.everything, "reader")
    assert typescript.request("getPrompt", {"name": "simple-prompt"})["messages"]
    document = {"uri": "demo://resource/static/document/features.md"}
    assert typescript.request("readResource", document)["contents"]

    with pytest.raises(ClientError) as prompt:
        typescript.request(
            "getPrompt",
            {"name": "resource-prompt", "arguments": {"resourceType": "Text", "resourceId": "1"}},
        )
    assert prompt.value.code == -32602
    with pytest.raises(ClientError) as resource:
        typescript.request("readResource", {"uri": "demo://resource/dynamic/blob/1"})
    assert resource.value.type == "ResourceNotFoundError"
