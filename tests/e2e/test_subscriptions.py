"""Subscriptions have only what their caller may read, and tasks of the caller's own."""

from __future__ import annotations

import pytest
from harness.answers import (
    event,
    receive,
    result,
    streams,
)
from harness.bootstrap import Json
from harness.gate import LEGACY, MODERN, Gate
from harness.messages import call, modern, modern_headers, notification, request
from harness.tasks import (
    ERAS,
    UPSTREAM_ID,
    answers,
    given,
    modern_with_tasks,
    send,
    task,
)

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
READABLE = "demo://resource/dynamic/text/1"
FORBIDDEN = "demo://resource/dynamic/blob/1"


def listen(id: object = "l-1", **notifications: object) -> Json:
    return modern_with_tasks(request("subscriptions/listen", id, notifications=notifications))


def updated(uri: str, subscription: object = "l-1") -> Json:
    message = notification("notifications/resources/updated", uri=uri)
    if subscription is not None:
        message["params"]["_meta"] = {SUBSCRIPTION: subscription}
    return message


def test_a_subscription_names_only_what_the_caller_may_read(keyed: Gate, protocol: str) -> None:
    for uris in ([FORBIDDEN], [READABLE, FORBIDDEN]):
        outcome = send(keyed, MODERN, listen(resourceSubscriptions=uris), protocol=protocol)
        assert outcome.audit["outcome"] == "denied"
        assert outcome.json["error"]["code"] == -32602
        assert all(not seen.body for seen in outcome.upstream)
    send(keyed, MODERN, listen(resourceSubscriptions=[READABLE]), protocol=protocol).passed()


def test_a_subscription_has_its_own_notifications_and_what_the_caller_may_read_only(
    keyed: Gate, protocol: str
) -> None:
    acknowledged = notification("notifications/subscriptions/acknowledged", notifications={})
    acknowledged["params"]["_meta"] = {SUBSCRIPTION: "l-1"}
    changed = notification("notifications/tools/list_changed")
    changed["params"]["_meta"] = {SUBSCRIPTION: "l-1"}
    passing = [acknowledged, updated(READABLE), changed]
    keyed.recorder.script = streams(
        event(acknowledged),
        event(updated(READABLE), b"id: 1"),
        event(updated(FORBIDDEN), b"id: 2"),
        event(updated(READABLE, "l-2"), b"id: 3"),
        event(updated(READABLE, 1), b"id: 4"),
        event(updated("demo://resource/dynamic/text/../blob/1")),
        event(changed, b"id: 5"),
    )
    message = listen(resourceSubscriptions=[READABLE])
    received = receive(
        keyed, message, version=MODERN, headers=modern_headers(message), protocol=protocol
    )
    assert received.messages == passing
    assert FORBIDDEN.encode() not in received.body
    # A client that resumes does so behind what it was not to have.
    assert b"id: 4\n" in received.body
    assert received.audit["withheld"] == "subscription"


@pytest.mark.parametrize("version", ERAS)
def test_updates_of_what_the_caller_may_not_read_are_dropped_on_every_stream(
    keyed: Gate, version: str
) -> None:
    stream = [event(updated(uri, None)) for uri in (FORBIDDEN, READABLE)]
    keyed.recorder.script = streams(*stream, event(result()))
    message = modern(call("echo")) if version == MODERN else call("echo")
    headers = modern_headers(message) if version == MODERN else {}
    received = receive(keyed, message, version=version, headers=headers)
    assert received.body == stream[1] + event(result())
    if version == LEGACY:
        received = receive(keyed)
        assert received.body == stream[1] + event(result())


def test_tasks_can_be_listened_to_by_their_own_ids(keyed: Gate, protocol: str) -> None:
    answers(keyed, MODERN)
    held, other = given(keyed, MODERN), given(keyed, MODERN, account="writer")
    status = notification("notifications/tasks", **task())
    status["params"]["_meta"] = {SUBSCRIPTION: "l-1"}
    keyed.recorder.script = streams(event(status))
    message = listen(taskIds=[held])
    headers = modern_headers(message)
    received = receive(keyed, message, version=MODERN, headers=headers, protocol=protocol)
    (got,) = received.messages
    assert got["params"] == {**status["params"], "taskId": held}
    (seen,) = (
        seen for seen in keyed.upstream_since(0) if seen.message["method"] == message["method"]
    )
    assert seen.message["params"]["notifications"] == {"taskIds": [UPSTREAM_ID]}
    for ids in ([other], [held, other], [UPSTREAM_ID]):
        outcome = send(keyed, MODERN, listen(taskIds=ids), protocol=protocol)
        outcome.refused(200, "task")
