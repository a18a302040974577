"""Streams that break off, are given up or are left: through the gate as without it."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from sdk.client import Era, OfficialClient, text_of
from sdk.waiting import wait_until
from sdk.way import Way

both_eras_of_the_protocol = pytest.mark.parametrize("era", ["legacy", "modern"])


def wait_for(words: str, log: Path) -> None:
    def said() -> bool:
        return words in log.read_text(encoding="utf-8")

    wait_until(f"the server says {words!r}", said)


def test_a_call_whose_connection_breaks_is_finished_on_another_one(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras))
    call = client.start("count", {"to": 6, "pause": 60})
    call.wait_for_progress()
    client.cut()
    assert text_of(call.result()) == "counted to 6"
    assert call.progress() == [(step, 6) for step in range(1, 7)]
    assert client.resumptions()


def test_what_the_everything_server_has_said_meanwhile_is_heard_on_another_connection(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.everything, token=way.token("reader", way.everything))
    # This server goes on talking to the first connection, so that the call has to
    # be over when the client comes back, after a second.
    call = client.start("trigger-long-running-operation", {"duration": 0.4, "steps": 4})
    call.wait_for_progress()
    client.cut()
    assert "completed" in text_of(call.result())
    assert call.progress() == [(step, 4) for step in range(1, 5)]
    assert client.resumptions()


def test_a_server_can_end_the_stream_and_be_asked_for_the_rest(
    way: Way, client: OfficialClient
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras))
    call = client.start("poll", {})
    assert text_of(call.result()) == "polled"
    assert call.progress() == [(1, 2), (2, 2)]
    assert client.resumptions()


def test_the_everything_server_tells_progress(way: Way, client: OfficialClient) -> None:
    client.open(way.everything, token=way.token("reader", way.everything))
    call = client.start("trigger-long-running-operation", {"duration": 0.1, "steps": 3})
    assert "completed" in text_of(call.result())
    assert call.progress() == [(1, 3), (2, 3), (3, 3)]


@both_eras_of_the_protocol
def test_progress_is_told_while_a_tool_runs(way: Way, client: OfficialClient, era: Era) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era=era)
    call = client.start("count", {"to": 3})
    assert text_of(call.result()) == "counted to 3"
    assert call.progress() == [(1, 3), (2, 3), (3, 3)]


@both_eras_of_the_protocol
def test_a_server_hears_that_a_call_is_cancelled(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era=era)
    say = f"given up {uuid4()}"
    call = client.start("wait", {"say": say})
    call.wait_for_progress()
    call.cancel()
    wait_for(f"{say}: cancelled", way.gate.servers.both_eras.log)
    assert text_of(client.call("count", to=1)) == "counted to 1"


@both_eras_of_the_protocol
def test_a_server_sees_that_a_connection_is_gone(
    way: Way, client: OfficialClient, era: Era
) -> None:
    client.open(way.both_eras, token=way.token("reader", way.both_eras), era=era)
    say = f"left {uuid4()}"
    client.start("wait", {"say": say}).wait_for_progress()
    client.cut()
    log = way.gate.servers.both_eras.log
    wait_for(f"{say}: disconnected", log)
    # What that means is different: the legacy era has a notification to cancel with.
    if era == "modern":
        wait_for(f"{say}: cancelled", log)
    else:
        assert text_of(client.call("count", to=1)) == "counted to 1"
        assert f"{say}: cancelled" not in log.read_text(encoding="utf-8")
