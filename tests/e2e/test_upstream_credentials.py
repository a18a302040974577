"""Each call reaches the upstream with the credential of its own user, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, wasm
from harness.gate import HTTP1, HTTP2, StartGate
from harness.messages import call, notification
from harness.token_service import (
    KEY,
    RESOLVE,
    TOKEN,
    Answer,
    Asked,
    TokenService,
    authenticated,
    error,
    exchanged,
    not_required,
)
from harness.vault import EXCHANGED, KEYS, NOTES, Vault, arrived, hang_up, slow
from harness.vault import setup as vault_setup
from harness.wire import Connection

from demo.stack.ports import free_ports

ECHO = call("echo")


def test_a_call_arrives_with_its_users_credential_and_not_with_the_users_token(
    vault: Vault, protocol: str
) -> None:
    user = vault.user()
    outcome = vault.post(user, ECHO, protocol=protocol)
    seen = arrived(outcome, f"Bearer {vault.service.credential(user)}")
    assert seen.header("x-mcp-subject") == user
    assert outcome.audit["credential"] == "fetched"

    again = vault.post(user, ECHO, protocol=protocol)
    arrived(again, f"Bearer {vault.service.credential(user)}")
    assert again.audit["credential"] == "cached"
    assert len(vault.service.calls_for(user)) == 1


def test_the_service_is_asked_with_the_gates_key_and_the_users_token(vault: Vault) -> None:
    user = vault.user()
    outcome = vault.post(user, ECHO)
    (asked,) = vault.service.asked
    assert asked.path == RESOLVE
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json["server_id"] == "notes"
    assert asked.json["subject"] == {"type": "user", "iss": vault.gate.issuer.url, "id": user}
    assert asked.json["subject_token"] == vault.gate.token(user, NOTES)
    assert asked.json["request_id"] == outcome.request_id


def test_gets_deletes_and_notifications_have_the_credential_too(vault: Vault) -> None:
    user = vault.user()
    expected = f"Bearer {vault.service.credential(user)}"
    outcomes = [
        vault.gate.send("GET", NOTES, account=user),
        vault.gate.send("DELETE", NOTES, account=user),
        vault.post(user, notification("notifications/initialized")),
    ]
    for outcome in outcomes:
        assert [seen.header("authorization") for seen in outcome.upstream] == [expected]


def test_a_server_without_credentials_gets_none_and_nobody_is_asked(vault: Vault) -> None:
    vault.gate.post(ECHO).passed()
    assert vault.service.asked == []


def test_headers_of_the_client_with_the_names_of_the_credential_are_removed(vault: Vault) -> None:
    user = vault.user(KEYS)
    vault.service.script = lambda _: authenticated(
        "", headers=[{"name": "X-Api-Key", "value": f"upstream-{user}"}]
    )
    sent = {"x-api-key": "mine", "x-tenant": "mine"}
    seen = arrived(vault.post(user, ECHO, KEYS, headers=sent), None)
    assert seen.header("x-api-key") == f"upstream-{user}"
    assert seen.header("x-tenant") is None


def test_what_needs_no_credential_arrives_without(vault: Vault) -> None:
    user = vault.user()
    vault.service.script = lambda _: not_required()
    outcome = vault.post(user, ECHO)
    arrived(outcome, None)
    assert outcome.audit["credential"] == "not_needed"


def test_token_exchange_gives_each_user_the_token_for_theirs(vault: Vault) -> None:
    users = [vault.user(EXCHANGED) for _ in range(2)]
    given = {vault.gate.token(user, EXCHANGED): f"upstream-{user}" for user in users}
    vault.service.script = lambda asked: exchanged(given[asked.form["subject_token"]])
    for user in users:
        arrived(vault.post(user, ECHO, EXCHANGED), f"Bearer upstream-{user}")
    assert [asked.path for asked in vault.service.asked] == [TOKEN] * 2
    form = vault.service.asked[0].form
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    assert form["audience"] == "exchanged"


@pytest.mark.parametrize("tool", ["forbidden", "rm -rf"])
def test_nobody_is_asked_for_a_call_that_is_refused(holding_vault: Vault, tool: str) -> None:
    user = holding_vault.user()
    message = call(tool) if tool == "forbidden" else b"{}"
    outcome = holding_vault.post(user, message)
    assert outcome.upstream == []
    assert holding_vault.service.asked == []
    assert "credential" not in outcome.audit


def test_in_plain_mode_the_upstream_sees_the_credential_of_a_call_that_is_refused(
    plain_vault: Vault,
) -> None:
    """Documented: there the headers have to go before the message can be read."""
    user = plain_vault.user()
    outcome = plain_vault.post(user, call("forbidden"))
    assert outcome.error["message"] == "Unknown tool: forbidden"
    for seen in outcome.upstream:
        assert not seen.body and not seen.complete
        assert seen.header("authorization") == f"Bearer {plain_vault.service.credential(user)}"


def test_in_plain_mode_a_refused_call_says_nothing_of_a_failing_service(
    plain_vault: Vault,
) -> None:
    plain_vault.service.script = lambda _: error(502, "upstream_error")
    user = plain_vault.user()
    outcome = plain_vault.post(user, call("forbidden"))
    assert outcome.error["message"] == "Unknown tool: forbidden"
    assert all(seen.header("authorization") is None for seen in outcome.upstream)


CALLS, CONNECTIONS = 1000, 4


def test_two_users_on_the_same_connections_never_get_each_others_credential(
    vault: Vault, protocol: str
) -> None:
    users = [vault.user(), vault.user()]
    # Remembered so shortly that it is fetched and dropped all the time.
    rotation = iter(range(10**9))
    vault.service.script = lambda asked: authenticated(
        f"upstream-{asked.subject}-{next(rotation)}", ttl=1
    )
    gate = vault.gate

    def calls(client: httpx.Client, first: int) -> None:
        for number in range(first, 2 * CALLS, CONNECTIONS):
            # Not by turns, so that each connection has both of them.
            user = users[(number * 7 // 3) % 2]
            headers = {"authorization": f"Bearer {gate.token(user, NOTES)}"}
            got = client.post(NOTES, json=call("echo", f"{user}-{number}"), headers=headers)
            assert got.json()["id"] == f"{user}-{number}", got.text

    def new_client() -> httpx.Client:
        return httpx.Client(
            http1=protocol == HTTP1,
            http2=protocol == HTTP2,
            base_url=gate.ports.gate_url,
            timeout=20,
        )

    clients = [new_client() for _ in range(CONNECTIONS)]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(calls, client, n) for n, client in enumerate(clients)]:
            done.result()
    for client in clients:
        client.close()

    seen = [each for each in gate.recorder.seen if each.complete]
    assert len(seen) == 2 * CALLS
    for each in seen:
        user = str(each.message["id"]).partition("-")[0]
        authorization = each.header("authorization") or ""
        assert authorization.startswith(f"Bearer upstream-{user}-"), (each.message, authorization)
        assert each.header("x-mcp-subject") == user
    for user in users:
        assert sum(user in str(each.message["id"]) for each in seen) > CALLS / 2


def waiting_posts(vault: Vault, user: str, pool: ThreadPoolExecutor, count: int) -> list:
    headers = {"authorization": f"Bearer {vault.gate.token(user, NOTES)}"}
    client = vault.gate.client()
    return [
        pool.submit(client.post, NOTES, json=call("echo", n), headers=headers)
        for n in range(count)
    ]


def test_many_first_calls_of_one_user_cost_one_call_to_the_service(vault: Vault) -> None:
    go_on, vault.service.script = slow(vault)
    user = vault.user()
    with ThreadPoolExecutor(20) as pool:
        posts = waiting_posts(vault, user, pool, 20)
        vault.gate.wait_for_requests(20)
        vault.service.wait_for_calls(1)
        go_on.set()
        assert [each.result().status_code for each in posts] == [200] * 20
    assert len(vault.service.calls_for(user)) == 1
    sent = {seen.header("authorization") for seen in vault.gate.recorder.seen if seen.body}
    assert sent == {f"Bearer {vault.service.credential(user)}"}


def test_it_is_one_call_also_when_the_first_client_leaves_while_it_waits(vault: Vault) -> None:
    go_on, vault.service.script = slow(vault)
    gate, user = vault.gate, vault.user()
    head = (
        f"GET {NOTES} HTTP/1.1\r\nhost: {gate.authority}\r\n"
        f"authorization: Bearer {gate.token(user, NOTES)}\r\n\r\n"
    )
    with Connection(gate.ports.gate) as first, ThreadPoolExecutor(10) as pool:
        first.send(head.encode())
        vault.service.wait_for_calls(1)
        posts = waiting_posts(vault, user, pool, 10)
        gate.wait_for_requests(11)
        first.reset()
        gate.wait_for_requests(10)
        go_on.set()
        assert [each.result().status_code for each in posts] == [200] * 10
    assert len(vault.service.calls_for(user)) == 1
    assert all(seen.method == "POST" for seen in gate.recorder.seen)


@pytest.fixture
def own_service() -> Iterator[TokenService]:
    service = TokenService(free_ports(1)[0]).up()
    yield service
    service.down()


def test_each_worker_asks_once(start_gate: StartGate, own_service: TokenService) -> None:
    workers, users = 2, 8
    gate = start_gate(vault_setup(HOLDING, own_service, concurrency=workers))
    vault = Vault(gate, own_service)
    go_on, own_service.script = slow(vault)
    names = [vault.user() for _ in range(users)]
    with ThreadPoolExecutor(5 * users) as pool:
        posts = [post for name in names for post in waiting_posts(vault, name, pool, 5)]
        gate.wait_for_requests(5 * users)
        go_on.set()
        assert [each.result().status_code for each in posts] == [200] * 5 * users
    for name in names:
        assert 1 <= len(own_service.calls_for(name)) <= workers
    for seen in gate.recorder.seen:
        user = seen.header("x-mcp-subject") or ""
        assert seen.header("authorization") == f"Bearer {own_service.credential(user)}"


def with_flag(envoy: Json) -> None:
    """Plain mode where it need not be: headers can be held, and bodies come meanwhile."""
    wasm(envoy)["allow_on_headers_stop_iteration"] = True


@pytest.mark.parametrize("mode", [HOLDING, PLAIN])
@pytest.mark.parametrize("size", [0, 3000])
def test_a_body_that_comes_in_parts_while_its_request_waits_arrives_whole(
    start_gate: StartGate, own_service: TokenService, mode: str, size: int
) -> None:
    setup = vault_setup(mode, own_service)

    def envoy(config: Json) -> None:
        setup.envoy(config)
        with_flag(config)

    gate = start_gate(replace(setup, envoy=envoy))
    vault = Vault(gate, own_service)
    # So that the request below waits for its credential, and not for keys.
    gate.post(ECHO).passed()
    gate.recorder.forget()
    go_on, own_service.script = slow(vault)
    user = vault.user()
    body = json.dumps(ECHO).encode() + b" " * size
    head = (
        f"POST {NOTES} HTTP/1.1\r\nhost: {gate.authority}\r\n"
        f"authorization: Bearer {gate.token(user, NOTES)}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with Connection(gate.ports.gate) as connection:
        connection.send(head.encode() + body[:9])
        if mode == PLAIN:
            own_service.wait_for_calls(1)
        connection.send(body[9:])
        own_service.wait_for_calls(1)
        assert gate.recorder.seen == []
        go_on.set()
        assert connection.answer().status == 200
    (seen,) = gate.recorder.seen
    assert seen.body == body
    assert seen.header("authorization") == f"Bearer {own_service.credential(user)}"
    assert len(own_service.asked) == 1


def test_a_waiting_call_of_one_user_does_not_hold_up_another(vault: Vault) -> None:
    go_on = threading.Event()
    waiting, other = vault.user(), vault.user()

    def script(asked: Asked) -> Answer:
        if asked.subject == waiting:
            go_on.wait(10)
        return vault.service.usual(asked)

    vault.service.script = script
    with ThreadPoolExecutor(1) as pool:
        (post,) = waiting_posts(vault, waiting, pool, 1)
        vault.service.wait_for_calls(1)
        outcome = vault.post(other, ECHO)
        assert outcome.status == 200
        go_on.set()
        assert post.result().status_code == 200
    by_user = {
        seen.header("x-mcp-subject"): seen.header("authorization")
        for seen in vault.gate.recorder.seen
        if seen.target == NOTES
    }
    assert by_user == {user: f"Bearer {vault.service.credential(user)}" for user in by_user}


def test_what_is_remembered_outlives_a_service_that_is_away(vault: Vault) -> None:
    user = vault.user()
    arrived(vault.post(user, ECHO), f"Bearer {vault.service.credential(user)}")
    vault.service.down()
    try:
        arrived(vault.post(user, ECHO), f"Bearer {vault.service.credential(user)}")
    finally:
        vault.service.up()


@pytest.fixture(params=[HOLDING, PLAIN])
def own_vault(
    request: pytest.FixtureRequest, start_gate: StartGate, own_service: TokenService
) -> Vault:
    """A gate whose counters only this test moves: the filter tells Envoy of them a little later."""
    return Vault(start_gate(vault_setup(request.param, own_service)), own_service)


def count_of(server: str, result: str) -> frozenset[str]:
    return frozenset({f'mcp_server="{server}"', f'mcp_result="{result}"'})


def test_each_result_of_a_credential_is_counted_once_for_its_server(own_vault: Vault) -> None:
    gate, service = own_vault.gate, own_vault.service
    user, other = own_vault.user(), own_vault.user(KEYS)
    service.script = lambda asked: (
        not_required() if asked.json["subject"]["id"] == other else authenticated(f"up-{user}")
    )
    for number in range(40):
        arrived(own_vault.post(user, ECHO), f"Bearer up-{user}")
        if number % 10 == 0:
            arrived(own_vault.post(other, ECHO, KEYS), None)
    wanted = {
        count_of("notes", "fetched"): 1,
        count_of("notes", "cached"): 39,
        count_of("keys", "not_needed"): 4,
    }
    gate.recorder.wait("all of them", lambda: gate.counters("credentials") == wanted)


def test_failed_calls_are_counted(own_vault: Vault) -> None:
    gate = own_vault.gate
    own_vault.service.script = hang_up
    own_vault.post(own_vault.user(), ECHO)
    wanted = {count_of("notes", "failed"): 1}
    gate.recorder.wait("the result", lambda: gate.counters("credentials") == wanted)
    call = frozenset({'mcp_token_service="vault"', 'mcp_problem="no_answer"'})
    assert gate.counters("credential_call_failures") == {call: 1}
