"""Legacy sessions: a client holds an id that is bound to it, the upstream sees its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup
from harness.gate import ENDPOINT, Gate, Outcome, StartGate
from harness.messages import call, modern, modern_headers, request
from harness.recorder import Recorder, Script, Wire
from harness.sites import KEYED, STATE_KEY
from harness.wire import http1, http2

SESSION = "mcp-session-id"
UPSTREAM_ID = "upstream-session/1~"
OTHER_KEY: Json = {"id": "2026-12", "secret": "another-state-key-of-the-tests-in-2026-12"}

INITIALIZE = request(
    "initialize",
    protocolVersion="2025-11-25",
    capabilities={"elicitation": {"url": {}}},
    clientInfo={"name": "e2e", "version": "1"},
)
ECHO = call("echo", message="x")


def opening(upstream_id: str, media: str = "application/json") -> Script:
    """An upstream that opens a session, and says its id with every answer."""

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        message = json.loads(wire.seen.body) if wire.seen.body else {"id": 0}
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": {}})
        if media == "text/event-stream":
            body = f"event: message\ndata: {body}\n\n"
        await wire.answer(body.encode(), f"{SESSION}: {upstream_id}", media=media)

    return script


@pytest.fixture(params=[HOLDING, PLAIN])
def keyed(
    request: pytest.FixtureRequest, shared_gates: Callable[[str], Gate], recorder: Recorder
) -> Gate:
    """A gate with state keys, in each header mode."""
    recorder.script = opening(UPSTREAM_ID)
    return shared_gates(KEYED[request.param])


def opened(gate: Gate, account: str = "reader", **more: str) -> str:
    """Open a session; the id that the client gets."""
    outcome = gate.post(INITIALIZE, account=account, **more)
    assert outcome.status == 200, outcome.response.text
    outcome.passed()
    return str(outcome.response.headers[SESSION])


def within(gate: Gate, session: str, method: str = "POST", **more: str) -> Outcome:
    """A request with a session id."""
    more = {"account": "reader", **more}
    if method == "POST":
        return gate.post(ECHO, headers={SESSION: session}, **more)
    headers = {SESSION: session, "mcp-protocol-version": "2025-11-25"}
    return gate.send(method, headers=headers, **more)


@pytest.mark.parametrize("media", ["application/json", "text/event-stream"])
def test_the_client_and_the_upstream_each_have_an_id_of_their_own(
    keyed: Gate, recorder: Recorder, media: str, protocol: str
) -> None:
    recorder.script = opening(UPSTREAM_ID, media)
    outcome = keyed.post(INITIALIZE, protocol=protocol)
    seen = outcome.passed()
    assert seen.header(SESSION) is None
    ids = outcome.response.headers.get_list(SESSION)
    assert len(ids) == 1 and UPSTREAM_ID not in ids[0]
    assert all("!" <= character <= "~" for character in ids[0])
    assert outcome.response.headers["content-type"] == media
    body = outcome.response.text.removeprefix("event: message\ndata: ")
    assert json.loads(body) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    for method in ("POST", "GET", "DELETE"):
        outcome = within(keyed, ids[0], method, protocol=protocol)
        assert outcome.passed().header(SESSION) == UPSTREAM_ID
        assert outcome.response.headers.get_list(SESSION) == ids


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_session_of_somebody_else_is_not_found(keyed: Gate, method: str, protocol: str) -> None:
    session = opened(keyed, protocol=protocol)
    outcome = within(keyed, session, method, account="writer", protocol=protocol)
    outcome.refused(404, "session").unseen()
    within(keyed, session, method, protocol=protocol).passed()


def test_a_stream_of_somebody_elses_session_cannot_be_resumed(keyed: Gate, protocol: str) -> None:
    session = opened(keyed)
    for each, account in ((session, "writer"), (UPSTREAM_ID, "reader"), ("AAAA", "reader")):
        headers = {SESSION: each, "last-event-id": "event-7", "mcp-protocol-version": "2025-11-25"}
        outcome = keyed.send("GET", headers=headers, account=account, protocol=protocol)
        outcome.refused(404, "session").unseen()
    headers[SESSION] = session
    seen = keyed.send("GET", headers=headers, account="reader", protocol=protocol).passed()
    assert seen.header("last-event-id") == "event-7"
    assert seen.header(SESSION) == UPSTREAM_ID


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    "session", [UPSTREAM_ID, "AAAA", "a" * 4000, "AQEDbmV3" + "A" * 80, "null", "../.."]
)
def test_a_made_up_session_is_not_found(keyed: Gate, session: str, method: str) -> None:
    within(keyed, session, method).refused(404, "session").unseen()


def test_a_session_with_one_character_changed_is_not_found(keyed: Gate) -> None:
    session = opened(keyed)
    for index in (0, 3, len(session) // 2, len(session) - 20, len(session) - 1):
        other = "B" if session[index] != "B" else "C"
        changed = session[:index] + other + session[index + 1 :]
        within(keyed, changed).refused(404, "session").unseen()


def test_the_session_of_one_server_is_none_of_another(keyed: Gate) -> None:
    session = opened(keyed)
    outcome = keyed.post(ECHO, headers={SESSION: session}, path="/notes/mcp")
    outcome.refused(404, "session").unseen()


def test_who_is_not_known_learns_nothing_about_sessions(keyed: Gate) -> None:
    session = opened(keyed)
    for each in (session, "AAAA"):
        outcome = keyed.post(ECHO, account=None, headers={SESSION: each})
        outcome.refused(401, "no_token").unseen()


@pytest.mark.parametrize("send", [http1, http2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("kind", ["two", "bytes"])
def test_a_session_header_that_is_not_one_text_is_a_bad_request(
    keyed: Gate, kind: str, send: Callable[..., object]
) -> None:
    session = opened(keyed).encode()
    values = {"two": [session, session], "bytes": [session + b"\xe9"]}[kind]
    headers = [
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer " + keyed.token("reader").encode()),
        *((SESSION.encode(), value) for value in values),
    ]
    body = json.dumps(ECHO).encode()
    before = len(keyed.recorder.seen)
    if send is http1:
        head = [(b"host", keyed.authority.encode()), (b"content-length", str(len(body)).encode())]
        answer = http1(keyed.ports.gate, f"POST {ENDPOINT} HTTP/1.1", head + headers, body)
    else:
        pseudo = {":method": "POST", ":scheme": "http", ":authority": keyed.authority}
        head = [(name.encode(), value.encode()) for name, value in pseudo.items()]
        answer = http2(keyed.ports.gate, [*head, (b":path", ENDPOINT.encode()), *headers], body)
    assert answer.status == 400
    assert keyed.upstream_since(before) == []


def test_the_modern_era_has_no_sessions(keyed: Gate, protocol: str) -> None:
    message = modern(ECHO)
    headers = {**modern_headers(message), SESSION: "whatever"}
    outcome = keyed.post(message, headers=headers, version="2026-07-28", protocol=protocol)
    assert outcome.passed().header(SESSION) is None
    assert SESSION not in outcome.response.headers


@pytest.mark.parametrize("upstream_id", ["a b", "a" * 2000, "\u00e9"])
def test_an_id_that_no_session_can_have_does_not_reach_the_client(
    keyed: Gate, recorder: Recorder, upstream_id: str
) -> None:
    recorder.script = opening(upstream_id)
    outcome = keyed.post(INITIALIZE)
    assert outcome.status == 502, outcome.response.text
    assert SESSION not in outcome.response.headers
    assert outcome.audit["reason"] == "upstream_session"


@pytest.fixture
def replica(keyed: Gate, start_gate: StartGate) -> Callable[..., Gate]:
    """Starts a gate for the same server as the shared one, with state keys of its own."""

    def start(*keys: Json) -> Gate:
        def change(policy: Json) -> None:
            policy["state_keys"] = list(keys)
            policy["servers"][0] |= {"resource": keyed.resource, "hosts": ["*"]}

        gate = start_gate(Setup(keyed.setup.mode, policy=change))
        gate.use_token("reader", keyed.token("reader"))
        return gate

    return start


def test_gates_with_the_same_key_know_each_others_sessions(
    keyed: Gate, replica: Callable[..., Gate]
) -> None:
    same, other = replica(STATE_KEY), replica(OTHER_KEY)
    session = opened(keyed)
    assert within(same, session).passed().header(SESSION) == UPSTREAM_ID
    within(other, session).refused(404, "session").unseen()
    within(keyed, opened(same)).passed()


def test_keys_rotate_and_a_removed_key_ends_its_sessions(
    keyed: Gate, replica: Callable[..., Gate]
) -> None:
    session = opened(keyed)
    rotated, removed = replica(OTHER_KEY, STATE_KEY), replica(OTHER_KEY)
    assert within(rotated, session).passed().header(SESSION) == UPSTREAM_ID
    newer = opened(rotated)
    within(removed, session).refused(404, "session").unseen()
    within(removed, newer).passed()
    within(keyed, newer).refused(404, "session").unseen()


def test_without_state_keys_ids_pass_as_they_are(gate: Gate, recorder: Recorder) -> None:
    recorder.script = opening(UPSTREAM_ID)
    assert opened(gate) == UPSTREAM_ID
    assert within(gate, UPSTREAM_ID, account="writer").passed().header(SESSION) == UPSTREAM_ID
