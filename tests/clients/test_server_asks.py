"""What a server asks of a client is asked and answered through the gate as without it."""

from __future__ import annotations

import json

import anyio
import pytest
from mcp import MCPError
from mcp.types import (
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    InputRequiredResult,
    ListRootsResult,
    TextContent,
)
from sdk.client import Answers, ClientError, Era, Json, OfficialClient, text_of
from sdk.portal import Host
from sdk.python import User, connected
from sdk.way import Way, gated

both_eras_of_the_protocol = pytest.mark.parametrize("era", ["legacy", "modern"])

ANSWERS = Answers(words=["first", "last"], guess="a guess", roots=["file:///home/somebody"])

RESPONSES = {
    "first": ElicitResult(action="accept", content={"word": "first"}),
    "guess": CreateMessageResult(
        role="assistant", content=TextContent(type="text", text="a guess"), model="none"
    ),
    "places": ListRootsResult(roots=[]),
}


def asked_methods(client: OfficialClient) -> list[str]:
    return [each["method"] for each in client.asked()]


@both_eras_of_the_protocol
def test_a_tool_asks_for_all_that_a_client_offers_and_goes_on_with_what_it_knows(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(
        way.both_eras, token=way.token("reader", way.both_eras), era=era, answers=ANSWERS
    )
    assert text_of(client.call("interview")) == "first, a guess, file:///home/somebody, last"
    assert sorted(asked_methods(client)) == [
        *("elicitation/create", "elicitation/create", "roots/list", "sampling/createMessage")
    ]


def test_the_everything_server_gets_a_completion(way: Way, client: OfficialClient) -> None:
    client.open(way.everything, token=way.token("reader", way.everything), answers=ANSWERS)
    result = client.call("trigger-sampling-request", prompt="Guess", maxTokens=10)
    assert "a guess" in text_of(result)
    [asked] = [each for each in client.asked() if each["method"] == "sampling/createMessage"]
    assert asked["params"]["messages"][0]["content"]["text"].endswith("context: Guess")


def test_the_everything_server_gets_the_users_answer(way: Way, client: OfficialClient) -> None:
    client.open(way.everything, token=way.token("reader", way.everything), answers=ANSWERS)
    content = client.call("trigger-elicitation-request")["content"]
    assert "provided the requested information" in content[0]["text"]
    assert "elicitation/create" in asked_methods(client)


def test_the_everything_server_gets_the_roots(way: Way, client: OfficialClient) -> None:
    client.open(way.everything, token=way.token("reader", way.everything), answers=ANSWERS)
    # It asks on the stream of the session, and does not ask again.
    client.wait_for_stream()
    assert "file:///home/somebody" in text_of(client.call("get-roots-list"))


@pytest.mark.anyio
async def test_a_server_checks_the_state_that_it_gets_back(way: Way) -> None:
    token = await anyio.to_thread.run_sync(way.token, "reader", way.both_eras)
    host = Host(ANSWERS)
    async with connected(way.both_eras, User("reader"), token, **host.callbacks()) as client:

        async def round_with(state: str | None) -> CallToolResult | InputRequiredResult:
            return await client.session.call_tool(
                "interview",
                {},
                input_responses=RESPONSES,
                request_state=state,
                allow_input_required=True,
            )

        first = await round_with(None)
        assert isinstance(first, InputRequiredResult)
        state = first.request_state
        assert state is not None
        middle = len(state) // 2
        changed = "A" if state[middle] != "A" else "B"
        with pytest.raises(MCPError) as forged:
            await round_with(f"{state[:middle]}{changed}{state[middle + 1 :]}")
        assert forged.value.error.code == -32602

        second = await round_with(state)
        assert isinstance(second, InputRequiredResult)
        assert second.request_state != state
        assert set(second.input_requests or ()) == {"last"}


@both_eras_of_the_protocol
def test_a_server_is_told_what_a_client_offers(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(
        way.both_eras, token=way.token("reader", way.both_eras), era=era, answers=ANSWERS
    )
    assert offered(client) == {
        "elicitation": {"form": {}, "url": {}},
        "sampling": {},
        "roots": {"listChanged": True},
    }


@both_eras_of_the_protocol
@gated
def test_a_server_that_may_not_ask_is_told_that_the_client_cannot_answer(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(way.quiet, token=way.token("reader", way.quiet), era=era, answers=ANSWERS)
    assert offered(client) == {"elicitation": {"form": {}}}
    assert text_of(client.call("count", to=1)) == "counted to 1"


@both_eras_of_the_protocol
def test_an_address_on_an_allowed_host_is_opened(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(
        way.both_eras, token=way.token("reader", way.both_eras), era=era, answers=ANSWERS
    )
    url = "https://connect.example.com/account"
    assert text_of(client.call("link", url=url, patience=10_000)) == "accept"
    [asked] = client.asked()
    assert asked["params"]["url"] == url


@gated
def test_in_the_legacy_era_an_address_elsewhere_is_not_asked_for(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), answers=ANSWERS)
    url = "https://connect.example.com.example.net/account"
    assert text_of(client.call("link", url=url, patience=300)) == "no answer"
    assert client.asked() == []


@gated
def test_in_the_modern_era_an_address_elsewhere_is_an_error(
    way: Way, client: OfficialClient
) -> None:
    client.open(
        way.both_eras, token=way.token("reader", way.both_eras), era="modern", answers=ANSWERS
    )
    url = "https://connect.example.com.example.net/account"
    with pytest.raises(ClientError) as refused:
        client.call("link", url=url, patience=300)
    assert url not in refused.value.message
    assert client.asked() == []


def test_the_everything_server_has_an_address_on_an_allowed_host_opened(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.everything, token=way.token("reader", way.everything), answers=ANSWERS)
    url = "https://connect.example.com/account"
    result = client.call("trigger-url-elicitation", url=url, message="Open this")
    assert "User completed the URL elicitation flow" in result["content"][0]["text"]
    assert url in [each.get("params", {}).get("url") for each in client.asked()]


@gated
def test_an_error_with_an_address_elsewhere_is_not_passed_on(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.everything, token=way.token("reader", way.everything), answers=ANSWERS)
    url = "https://connect.example.com/account"
    with pytest.raises(ClientError) as refused:
        client.call("trigger-url-elicitation", url=url, message="Open this", errorPath=True)
    assert refused.value.code != -32042
    assert "modelcontextprotocol.io" not in json.dumps([refused.value.message, refused.value.data])


def offered(client: OfficialClient) -> Json:
    """What the server has been told that the client offers."""
    told: Json = json.loads(text_of(client.call("capabilities")))
    return told
