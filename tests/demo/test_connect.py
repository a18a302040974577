"""The whole demonstration: a server that wants each user's own account, connecting, disconnecting."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import httpx
import pytest
from test_notes_server import call, content
from test_sign_in import parts

from demo.connect import connect, walk
from demo.disconnect import disconnect
from demo.stack.errors import StackError
from demo.stack.places import ROOT, Ports
from demo.stack.ports import is_taken
from demo.token import access_token

# The filter keeps a credential for five seconds.
LONGEST_CACHE = 8


def ask(ports: Ports, account: str, tool: str, **arguments: object) -> httpx.Response:
    """Call a tool of the notes server through the gate."""
    token = access_token({"ACCOUNT": account, "RESOURCE": ports.notes}, ports)
    return call(ports, tool, arguments, token, at=ports.notes)


def link(ports: Ports, account: str) -> str | None:
    """The consent link that a call is answered with, if it is."""
    result = ask(ports, account, "whoami").json()["result"]
    found = re.findall(rf"{re.escape(ports.token_service_url)}/connect/[\w-]+", json.dumps(result))
    assert bool(found) == (result.get("isError") is True), result
    return found[0] if found else None


def wait_for_link(ports: Ports, account: str) -> str:
    """The link, as soon as no worker has the account's credential any more."""
    deadline = time.monotonic() + LONGEST_CACHE
    # Two workers, each with a cache of its own.
    in_a_row = 0
    while in_a_row < 8:
        found = link(ports, account)
        in_a_row = in_a_row + 1 if found else 0
        assert time.monotonic() < deadline
    assert found is not None
    return found


@pytest.fixture
def strangers(running: Ports) -> Ports:
    """Nobody is connected, and the gate remembers nobody's credential."""
    for account in ("reader", "writer", "admin"):
        disconnect(account, running)
    for account in ("reader", "writer", "admin"):
        wait_for_link(running, account)
    return running


def test_first_the_link_then_the_users_own_notes_then_the_link_again(strangers: Ports) -> None:
    assert link(strangers, "writer")
    assert connect("writer", strangers) == "writer is connected to notes"

    # Without a wait, though the gate has just been told that there is no consent.
    told = content(ask(strangers, "writer", "whoami"))
    assert (told["issuer"], told["subject"]) == (strangers.notes_issuer, "writer")
    added = content(ask(strangers, "writer", "add-note", text="buy milk"))["notes"]
    notes = content(ask(strangers, "writer", "list-notes"))["notes"]
    assert (len(notes), notes[-1]) == (added, "buy milk")

    assert disconnect("writer", strangers) == "writer is disconnected from notes"
    wait_for_link(strangers, "writer")


def test_the_server_gets_its_own_token_and_nothing_else_that_is_secret(strangers: Ports) -> None:
    connect("reader", strangers)
    headers = content(ask(strangers, "reader", "whoami"))["headers"]
    assert headers.count("authorization") == 1
    for other in ("cookie", "proxy-authorization", "x-forwarded-access-token", "x-mcp-credential"):
        assert other not in headers


def test_two_accounts_at_the_same_time_are_two_users_there(strangers: Ports) -> None:
    connect("reader", strangers)
    assert link(strangers, "admin")
    connect("admin", strangers)
    for _ in range(10):
        for account in ("reader", "admin"):
            assert content(ask(strangers, account, "whoami"))["subject"] == account
    disconnect("reader", strangers)
    wait_for_link(strangers, "reader")
    assert content(ask(strangers, "admin", "whoami"))["subject"] == "admin"


def test_adding_a_note_wants_a_scope_that_reader_does_not_get(strangers: Ports) -> None:
    connect("reader", strangers)
    answer = ask(strangers, "reader", "add-note", text="buy milk")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_link_is_of_no_use_to_somebody_else(strangers: Ports) -> None:
    found = link(strangers, "reader")
    assert found is not None
    with pytest.raises(StackError, match=r"answers 403"):
        walk(found, "writer")
    assert link(strangers, "reader")
    assert link(strangers, "writer")


def test_a_link_works_once(strangers: Ports) -> None:
    found = link(strangers, "reader")
    assert found is not None
    walk(found, "reader")
    with pytest.raises(StackError, match=r"answers 4\d\d"):
        walk(found, "reader")


def test_connecting_and_disconnecting_twice_is_told(strangers: Ports) -> None:
    assert disconnect("reader", strangers) == "reader is not connected to notes"
    connect("reader", strangers)
    assert connect("reader", strangers) == "reader is connected to notes already"


def test_looking_around_needs_no_consent(strangers: Ports) -> None:
    token = access_token({"ACCOUNT": "reader", "RESOURCE": strangers.notes}, strangers)
    answer = call(strangers, "", {}, token, at=strangers.notes, method="tools/list")
    names = {tool["name"] for tool in answer.json()["result"]["tools"]}
    assert names == {"add-note", "list-notes", "whoami"}


def test_make_token_has_tokens_for_the_apis_of_the_token_service(running: Ports) -> None:
    token = access_token({"ACCOUNT": "admin", "RESOURCE": running.token_service_url}, running)
    assert parts(token)[1]["aud"] == running.token_service_url
    api = f"{running.token_service_url}/api/svc/v1/mcp"
    own = {"Authorization": f"Bearer {token}"}
    status = httpx.get(f"{api}/everything/authorize", headers=own).json()
    assert status["status"] == "authentication_not_required"
    # admin is a manager, who may ask about others.
    about = {"subjectId": "reader", "subjectType": "user"}
    assert httpx.get(f"{api}/notes/auth/status", params=about, headers=own).status_code == 200


@pytest.mark.parametrize("act", [connect, disconnect])
def test_an_unknown_account_is_named_with_those_that_there_are(running: Ports, act: Callable[[str, Ports], str]) -> None:
    with pytest.raises(StackError, match=r"^ACCOUNT: .*reader, writer, admin"):
        act("root", running)
    with pytest.raises(StackError, match=r"^ACCOUNT is missing"):
        act("", running)


@pytest.mark.skipif(is_taken(Ports().authorization_server), reason="a demonstration is running")
@pytest.mark.parametrize("command", ["connect", "disconnect"])
def test_the_commands_say_on_stderr_that_nothing_runs_and_fail(command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", f"demo.{command}"],
        cwd=ROOT,
        env={**os.environ, "ACCOUNT": "reader"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert result.stdout == ""
    assert result.stderr.startswith("error: the demonstration is not running")
