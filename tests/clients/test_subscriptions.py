"""Changes are told through the gate as without it, in the way of each era."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sdk.client import Json, OfficialClient, text_of
from sdk.waiting import wait_until
from sdk.way import Way

# The Python client is ahead: these are requests of the legacy era.
pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")

DOCUMENT = "demo://resource/static/document/features.md"
CHANGES = {
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
}


def of(method: str) -> Callable[[Json], bool]:
    return lambda told: told["method"] == method


def is_change(told: Json) -> bool:
    return told["method"] in CHANGES


@pytest.fixture
def publishing(client: OfficialClient) -> Iterator[Callable[[bool], object]]:
    """Makes the lists of the server longer or shorter again; short at the end."""
    yield lambda shown: client.call("publish", shown=shown)
    client.call("publish", shown=False)


def test_a_subscribed_resource_is_told_of_until_it_is_unsubscribed(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras))
    client.wait_for_stream()
    client.subscribe("notes://open/1")
    for uri in ("notes://open/2", "notes://open/1"):
        client.call("touch", uri=uri)
    [updated] = client.wait_for_notifications(of("notifications/resources/updated"))
    assert updated["params"]["uri"] == "notes://open/1"

    client.unsubscribe("notes://open/1")
    client.subscribe("notes://open/2")
    for uri in ("notes://open/1", "notes://open/2"):
        client.call("touch", uri=uri)
    updates = client.wait_for_notifications(of("notifications/resources/updated"), 2)
    assert [each["params"]["uri"] for each in updates] == ["notes://open/1", "notes://open/2"]


def test_the_everything_server_tells_of_a_subscribed_resource(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.everything, token=way.token("writer", way.everything))
    client.wait_for_stream()
    client.subscribe(DOCUMENT)
    client.call("toggle-subscriber-updates")
    updates = client.wait_for_notifications(of("notifications/resources/updated"))
    assert {each["params"]["uri"] for each in updates} == {DOCUMENT}
    client.call("toggle-subscriber-updates")


def test_the_everything_servers_log_is_heard_on_the_stream_of_the_session(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.everything, token=way.token("reader", way.everything))
    client.wait_for_stream()
    client.subscribe(DOCUMENT)
    [logged] = client.wait_for_notifications(of("notifications/message"))
    assert f"Received Subscribe Resource request for URI: {DOCUMENT}" in logged["params"]["data"]


def test_a_servers_log_is_heard_on_the_stream_of_a_call(way: Way, client: OfficialClient) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras))
    client.call("say", words="some words")
    [logged] = client.wait_for_notifications(of("notifications/message"))
    assert logged["params"] == {"level": "warning", "data": "some words"}


def test_in_the_modern_era_a_servers_log_is_heard_by_who_asks_for_it(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era="modern")
    client.call("say", words="not asked for")
    wanted = {"io.modelcontextprotocol/logLevel": "warning"}
    client.start("say", {"words": "asked for"}, wanted).result()
    [logged] = client.wait_for_notifications(of("notifications/message"))
    assert logged["params"]["data"] == "asked for"


def test_in_the_legacy_era_changes_of_lists_come_on_the_stream_of_the_session(
    way: Way, client: OfficialClient, publishing: Callable[[bool], object]
) -> None:
    client.open(way.both_eras, token=way.token("admin", way.both_eras))
    client.wait_for_stream()
    before = client.names("tools")
    publishing(True)
    told = client.wait_for_notifications(is_change, 3)
    assert {each["method"] for each in told} == CHANGES
    assert client.names("tools") == [*before, "extra", "secret-extra"]


def test_in_the_modern_era_changes_are_told_to_who_listens_until_they_stop(
    way: Way, client: OfficialClient, publishing: Callable[[bool], object]
) -> None:
    client.open(way.both_eras, token=way.token("admin", way.both_eras), era="modern")
    before = client.names("tools")
    wanted = {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourcesListChanged": True,
        "resourceSubscriptions": ["notes://open/1"],
    }
    subscription = client.listen(**wanted)
    assert subscription.honored == wanted

    client.call("touch", uri="notes://open/2")
    client.call("touch", uri="notes://open/1")
    [updated] = client.wait_for_notifications(of("notifications/resources/updated"))
    assert updated["params"]["uri"] == "notes://open/1"
    publishing(True)
    told = client.wait_for_notifications(is_change, 3)
    assert {each["method"] for each in told} == CHANGES
    assert client.names("tools") == [*before, "extra", "secret-extra"]

    subscription.close()
    wait_until("nobody listens", lambda: text_of(client.call("listeners")) == "0")


def test_who_listens_to_less_is_told_less(way: Way, client: OfficialClient) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era="modern")
    subscription = client.listen(promptsListChanged=True)
    assert subscription.honored == {"promptsListChanged": True}
    client.call("touch", uri="notes://open/1")
    client.call("publish", shown=False)
    told = client.wait_for_notifications(lambda each: True)
    assert [each["method"] for each in told] == ["notifications/prompts/list_changed"]
    subscription.close()
