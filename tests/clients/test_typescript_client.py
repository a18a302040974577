"""The official TypeScript client, unmodified, against the demonstration's policy."""

from __future__ import annotations

import pytest
from sdk.gate import Gate
from sdk.typescript import ClientError, TypeScriptClient

from demo.stack.sign_in import follow

# Both header modes answer alike, so the flows are run in both.
both_modes = pytest.mark.parametrize("gate", ["holding", "plain"], indirect=True)


def text_of(result: dict) -> str:
    [content] = result["content"]
    return content["text"]


@both_modes
def test_without_a_token_the_challenge_leads_through_sign_in_to_a_tool_call(
    gate: Gate, typescript: TypeScriptClient
) -> None:
    with pytest.raises(ClientError) as unauthorized:
        typescript.connect(gate.everything)
    assert unauthorized.value.type == "UnauthorizedError"
    typescript.finish_auth(follow(unauthorized.value.authorization_url, "reader"))

    typescript.connect(gate.everything)
    assert typescript.granted_scopes() == {"mcp:read"}
    tools = {tool["name"] for tool in typescript.request("listTools")["tools"]}
    assert {"echo", "get-tiny-image"} <= tools
    assert text_of(typescript.call_tool("echo", message="hello")) == "Echo: hello"
