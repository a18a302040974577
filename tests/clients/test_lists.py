"""Lists through the gate have what the caller may use, and nothing else of them is changed."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import httpx2
import pytest
from sdk.client import KINDS, Era, Json, Kind, OfficialClient
from sdk.gate import Gate, both_modes
from sdk.portal import PythonClient
from sdk.python import User, connected
from sdk.way import Way, gated

both_eras_of_the_protocol = pytest.mark.parametrize("era", ["legacy", "modern"])

ACCOUNTS = ("reader", "writer", "admin")
NAMES: dict[Kind, str] = {
    "tools": "name",
    "prompts": "name",
    "resources": "uri",
    "resourceTemplates": "uriTemplate",
}

# What the server of both eras lists and these accounts may not use. Its entry
# hides what they would have to ask more scopes for.
NOT_FOR_READERS = {
    "tools": {"add", "nobody", "secret"},
    "prompts": {"secret-prompt"},
    "resources": {"notes://secret/1", "notes://secret/2", "notes://secret/3"},
    "resourceTemplates": {"notes://secret/{id}", "files://{+path}"},
}
NOT_FOR_WRITERS = {**NOT_FOR_READERS, "tools": {"nobody", "secret"}}
NOT_FOR_ADMINS = {
    "tools": {"nobody"},
    "prompts": set(),
    "resources": set(),
    "resourceTemplates": {"files://{+path}"},
}
HIDDEN = {"reader": NOT_FOR_READERS, "writer": NOT_FOR_WRITERS, "admin": NOT_FOR_ADMINS}

# Of the everything server, by the shipped policy, which shows what more scopes
# would be needed for.
HIDDEN_EVERYTHING = {
    "tools": {"get-env"},
    "prompts": {"completable-prompt", "resource-prompt"},
    "resources": set(),
    "resourceTemplates": {"demo://resource/dynamic/blob/{resourceId}"},
}
NOTHING_HIDDEN = {kind: set() for kind in KINDS}


def without(entries: list[Json], kind: Kind, hidden: dict[str, set[str]]) -> list[Json]:
    """The entries that are left, as they are; the hidden ones must have been there."""
    names = {entry[NAMES[kind]] for entry in entries}
    assert hidden[kind] <= names
    return [entry for entry in entries if entry[NAMES[kind]] not in hidden[kind]]


@gated
@both_eras_of_the_protocol
def test_everybody_sees_exactly_what_they_may_use(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(way.gate.both_eras_itself, era=era)
    whole = {kind: client.listed(kind) for kind in KINDS}
    for account in ACCOUNTS:
        client.open(way.both_eras, token=way.token(account, way.both_eras), era=era)
        for kind in KINDS:
            expected = without(whole[kind], kind, HIDDEN[account])
            assert client.listed(kind) == expected, (account, kind)


@gated
def test_everybody_sees_what_they_may_use_or_obtain_of_the_everything_server(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.gate.everything_itself)
    whole = {kind: client.listed(kind) for kind in KINDS}
    for account in ACCOUNTS:
        hidden = NOTHING_HIDDEN if account == "admin" else HIDDEN_EVERYTHING
        client.open(way.everything, token=way.token(account, way.everything))
        for kind in KINDS:
            assert client.listed(kind) == without(whole[kind], kind, hidden), (account, kind)


@pytest.fixture
def python() -> Iterator[PythonClient]:
    """The client that shows single pages."""
    with PythonClient() as client:
        yield client


@gated
@both_eras_of_the_protocol
@pytest.mark.parametrize("kind", KINDS)
def test_pages_are_those_of_the_server_with_less_on_them(
    way: Way, python: PythonClient, era: Era, kind: Kind
) -> None:
    python.open(way.gate.both_eras_itself, era=era)
    whole = python.pages(kind)
    assert len(whole) > 1 or kind == "prompts"
    hidden = HIDDEN["reader"]

    def filtered(page: Json) -> Json:
        left = [each for each in page[kind] if each[NAMES[kind]] not in hidden[kind]]
        # A list of one's own is not for a cache that others share.
        scope = {"cacheScope": "private"} if era == "modern" else {}
        return {**page, kind: left, **scope}

    python.open(way.both_eras, token=way.token("reader", way.both_eras), era=era)
    assert python.pages(kind) == [filtered(page) for page in whole]


def test_the_server_itself_lets_everybody_share_its_lists(
    gate: Gate, python: PythonClient
) -> None:
    python.open(gate.both_eras_itself, era="modern")
    assert {page["cacheScope"] for page in python.pages("tools")} == {"public"}


@gated
@both_eras_of_the_protocol
def test_what_is_new_in_a_list_is_shown_to_who_may_use_it(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era=era)
    before = {kind: client.names(kind) for kind in KINDS}
    try:
        client.call("publish", shown=True)
        added = {kind: set(client.names(kind)) - set(before[kind]) for kind in KINDS}
    finally:
        client.call("publish", shown=False)
    assert added == {
        "tools": {"extra"},
        "prompts": {"extra-prompt"},
        "resources": {"notes://open/extra"},
        "resourceTemplates": set(),
    }
    assert {kind: client.names(kind) for kind in KINDS} == before


class OneConnection(httpx2.AsyncBaseTransport):
    """The same kept connection for several clients, which does not end with one of them."""

    def __init__(self) -> None:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1)
        self._kept = httpx2.AsyncHTTPTransport(limits=limits)
        self.local_addresses: list[object] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._kept.handle_async_request(request)
        stream = response.extensions["network_stream"]
        self.local_addresses.append(stream.get_extra_info("client_addr"))
        return response

    async def close(self) -> None:
        await self._kept.aclose()


@both_modes
@pytest.mark.anyio
async def test_two_people_on_one_connection_see_a_list_each(gate: Gate) -> None:
    tokens = {
        account: await anyio.to_thread.run_sync(gate.kept_token, account, gate.both_eras)
        for account in ("reader", "admin")
    }
    connection = OneConnection()
    async with (
        connected(gate.both_eras, User("x"), tokens["reader"], transport=connection) as reader,
        connected(gate.both_eras, User("y"), tokens["admin"], transport=connection) as admin,
    ):
        for _ in range(5):
            for client, hidden in ((reader, True), (admin, False)):
                resources = (await client.list_resources()).resources
                secret = [each for each in resources if each.uri.startswith("notes://secret/")]
                assert secret == [] if hidden else len(secret) == 3
    await connection.close()
    assert len(connection.local_addresses) >= 10
    assert len(set(connection.local_addresses)) == 1
