"""The credential role in a server's cluster: what the upstream sees of each attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from harness.gate import Gate, Outcome, StartGate
from harness.issuer import Issuer
from harness.messages import call, request
from harness.recorder import Recorder, Seen, Wire
from harness.roles import (
    ASTRAY,
    BYPASS,
    EAGER,
    LONELY,
    NOTES,
    SMALL,
    STREAMED,
    STUBBORN,
    setup,
)
from harness.token_service import (
    Answer,
    Asked,
    HangUp,
    TokenService,
    authenticated,
    consent,
    error,
)
from harness.vault import SECRETS, Vault
from harness.wire import Connection

from demo.stack.envoy import Envoy
from demo.stack.ports import free_ports

ECHO = call("echo")
CHALLENGE = (
    'www-authenticate: Bearer error="invalid_token", '
    'resource_metadata="https://up.example/.well-known/oauth-protected-resource"'
)
TOO_FEW = 'www-authenticate: Bearer error="insufficient_scope", scope="a b", realm="up.example"'


@pytest.fixture(scope="module")
def shared_roles(
    envoy: Envoy,
    module: Path,
    shared_recorder: Recorder,
    shared_issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Vault]:
    service = TokenService(free_ports(1)[0]).up()
    directory = tmp_path_factory.mktemp("roles")
    gate = Gate.start(envoy, module, setup(service), shared_recorder, shared_issuer, directory)
    gate.secrets = SECRETS
    yield Vault(gate, service)
    gate.stop()
    service.down()


@pytest.fixture
def roles(shared_roles: Vault, recorder: Recorder) -> Vault:
    """A gate whose servers get their credentials in their clusters."""
    shared_roles.service.forget()
    return shared_roles


async def unauthorized(wire: Wire) -> None:
    await wire.ended.wait()
    await wire.answer(b'{"error":"up.example"}', CHALLENGE, status="401 Unauthorized")


def credentials(outcome: Outcome) -> list[str | None]:
    """What the upstream saw of each attempt, in order."""
    return [seen.header("authorization") for seen in outcome.upstream]


def no_trace(outcome: Outcome) -> None:
    """Nothing of the upstream's answer is in the client's."""
    assert outcome.challenge is None
    assert "up.example" not in outcome.response.text + str(outcome.response.headers)


def answered(outcome: Outcome, **more: object) -> None:
    """The client has the upstream's answer, as if nothing had happened."""
    assert outcome.status == 200, outcome.response.text
    assert outcome.json["result"] == {"from": "upstream", **more}
    assert outcome.audit["outcome"] == "allowed"


def test_the_upstream_sees_the_users_credential(roles: Vault, protocol: str) -> None:
    user = roles.user()
    for _ in range(2):
        outcome = roles.post(user, ECHO, protocol=protocol)
        answered(outcome)
        assert credentials(outcome) == [f"Bearer upstream-{user}-1"]
        assert outcome.upstream[0].header("x-mcp-subject") == user
    assert len(roles.service.calls_for(user)) == 1


def test_a_get_has_it_too(roles: Vault) -> None:
    user = roles.user()
    outcome = roles.gate.send("GET", NOTES, account=user)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1"]


def test_a_credential_that_is_not_remembered_is_asked_for_once(roles: Vault) -> None:
    user = roles.user()
    roles.service.script = lambda asked: authenticated("upstream-user-0", ttl=0)
    outcome = roles.post(user, ECHO)
    answered(outcome)
    assert len(roles.service.calls_for(user)) == 1


def test_after_a_401_the_client_notices_nothing(roles: Vault, protocol: str) -> None:
    user = roles.user()
    old = f"Bearer upstream-{user}-1"
    roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    outcome = roles.post(user, ECHO, protocol=protocol)
    answered(outcome)
    assert credentials(outcome) == [old, f"Bearer upstream-{user}-2"]
    assert outcome.upstream[0].body == outcome.upstream[1].body
    no_trace(outcome)
    first, second = roles.service.calls_for(user)
    assert "rejected" not in first
    expected = {"credential_version": "1", "status": 401, "error": "invalid_token"}
    assert second["rejected"] == expected

    roles.gate.recorder.forget()
    outcome = roles.post(user, ECHO)
    assert credentials(outcome) == [f"Bearer upstream-{user}-2"]


@pytest.mark.parametrize("path", [NOTES, STUBBORN])
def test_a_401_that_stays_is_no_loop(roles: Vault, path: str) -> None:
    user = roles.user(path)
    roles.rejects(lambda seen: seen.target == path, unauthorized)
    outcome = roles.post(user, ECHO, path)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1", f"Bearer upstream-{user}-2"]
    assert len(roles.service.calls_for(user)) == 2
    no_trace(outcome)
    assert outcome.status == 200
    assert outcome.json["result"]["isError"] is True
    assert outcome.audit["reason"] == "credential_rejected"


def test_a_403_for_want_of_scopes_drops_the_credential(roles: Vault) -> None:
    user = roles.user()
    old = f"Bearer upstream-{user}-1"

    async def too_few_scopes(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(b'{"error":"up.example"}', TOO_FEW, status="403 Forbidden")

    roles.rejects(lambda seen: seen.header("authorization") == old, too_few_scopes)
    outcome = roles.post(user, ECHO)
    assert credentials(outcome) == [old]
    no_trace(outcome)
    assert outcome.audit["reason"] == "credential_rejected"
    again = roles.post(user, ECHO)
    answered(again)
    assert credentials(again) == [f"Bearer upstream-{user}-2"]
    assert roles.service.calls_for(user)[1]["rejected"]["error"] == "insufficient_scope"


def test_a_second_attempt_that_needs_consent_becomes_the_consent_answer(roles: Vault) -> None:
    user = roles.user()

    def service(asked: Asked) -> Answer:
        return consent() if "rejected" in asked.json else roles.service.usual(asked)

    roles.service.script = service
    roles.rejects(lambda seen: seen.target == NOTES, unauthorized)
    outcome = roles.post(user, ECHO)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1"]
    no_trace(outcome)
    assert outcome.status == 200
    assert "https://tokens.example/connect/handle" in outcome.response.text
    assert outcome.audit["reason"] == "consent_needed"


def test_a_second_attempt_without_a_token_service_is_an_error_and_no_consent(
    roles: Vault,
) -> None:
    user = roles.user()

    def service(asked: Asked) -> Answer:
        if "rejected" in asked.json:
            raise HangUp
        return roles.service.usual(asked)

    roles.service.script = service
    roles.rejects(lambda seen: seen.target == NOTES, unauthorized)
    outcome = roles.post(user, ECHO)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1"]
    no_trace(outcome)
    assert outcome.status == 503
    assert outcome.json["id"] == ECHO["id"]
    assert outcome.audit["reason"] == "credential_unavailable"


def test_without_the_gate_no_attempt_is_made(roles: Vault) -> None:
    outcome = roles.post(roles.user(), ECHO, BYPASS, token="anything")
    assert outcome.status == 503
    assert outcome.upstream == []
    outcome = roles.gate.send("GET", BYPASS, headers={"mcp-auth.permit": "1", "authorization": "x"})
    assert (outcome.status, outcome.upstream) == (503, [])


def test_a_permit_for_another_server_is_none(roles: Vault) -> None:
    user = roles.user(ASTRAY)
    outcome = roles.post(user, ECHO, ASTRAY)
    assert (outcome.status, outcome.upstream) == (503, [])


def test_a_role_in_a_vm_of_its_own_refuses_and_says_so_once(roles: Vault) -> None:
    user = roles.user(LONELY)
    for _ in range(3):
        outcome = roles.post(user, ECHO, LONELY)
        assert (outcome.status, outcome.upstream) == (503, [])
    log = roles.gate.envoy.log.read_text(encoding="utf-8", errors="replace")
    assert log.count("no gate in this VM") == 1


def test_what_may_go_without_a_credential_goes_without(roles: Vault) -> None:
    user = roles.user(EAGER)
    roles.service.script = lambda _: consent()
    outcome = roles.post(user, request("tools/list"), EAGER)
    answered(outcome, tools=[])
    assert credentials(outcome) == [None]
    outcome = roles.post(user, ECHO, EAGER)
    assert outcome.upstream == []
    assert outcome.audit["reason"] == "consent_needed"


def test_what_envoy_cannot_repeat_is_told_to_the_client(roles: Vault) -> None:
    user = roles.user(SMALL)
    old = f"Bearer upstream-{user}-1"
    roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    outcome = roles.post(user, call("echo", message="x" * 20_000), SMALL)
    assert credentials(outcome) == [old], "a long body is not sent twice"
    no_trace(outcome)
    assert outcome.json["result"]["isError"] is True
    assert outcome.audit["reason"] == "credential_rejected"
    again = roles.post(user, call("echo", message="x" * 20_000), SMALL)
    answered(again)
    assert credentials(again) == [f"Bearer upstream-{user}-2"]


def test_many_users_at_once_never_get_each_others_credential(roles: Vault) -> None:
    users = [roles.user() for _ in range(8)]
    # Every user's first credential is refused, in the middle of the others' calls.
    roles.rejects(
        lambda seen: (seen.header("authorization") or "").endswith("-1"), unauthorized
    )

    def post(user: str) -> int:
        token = roles.gate.token(user, NOTES)
        headers = {"authorization": f"Bearer {token}"}
        return roles.gate.client().post(NOTES, json=ECHO, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(post, users * 25))
    assert set(statuses) == {200}
    for seen in roles.gate.recorder.seen:
        user = seen.header("x-mcp-subject")
        assert seen.header("authorization") in {f"Bearer upstream-{user}-{n}" for n in (1, 2)}
    for user in users:
        assert len(roles.service.calls_for(user)) == 2


def test_each_worker_finds_its_own_gate(start_gate: StartGate) -> None:
    service = TokenService(free_ports(1)[0]).up()
    try:
        gate = start_gate(setup(service, concurrency=2))
        roles = Vault(gate, service)
        user = roles.user()
        old = f"Bearer upstream-{user}-1"
        roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
        headers = {"authorization": f"Bearer {gate.token(user, NOTES)}"}

        def post(_: int) -> int:
            # A connection for each, so that both workers have some.
            url = f"{gate.ports.gate_url}{NOTES}"
            return httpx.post(url, json=ECHO, headers=headers, timeout=20).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(post, range(60))) == {200}
        seen = {each.header("authorization") for each in gate.recorder.seen}
        assert seen == {old, f"Bearer upstream-{user}-2"}
        for worker in (0, 1):
            assert gate.stat(f"listener.*worker_{worker}.downstream_cx_total") > 0
    finally:
        service.down()


def test_a_client_that_leaves_during_the_second_attempt_keeps_nobody_waiting(
    roles: Vault,
) -> None:
    user = roles.user()
    asked_again, go_on = threading.Event(), threading.Event()

    def service(asked: Asked) -> Answer:
        if "rejected" in asked.json:
            asked_again.set()
            assert go_on.wait(10)
        return roles.service.usual(asked)

    roles.service.script = service
    old = f"Bearer upstream-{user}-1"
    roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    token = roles.gate.token(user, NOTES)
    with ThreadPoolExecutor(1) as pool:
        with Connection(roles.gate.ports.gate) as leaving:
            head = f"GET {NOTES} HTTP/1.1\r\nhost: {roles.gate.authority}\r\n"
            leaving.send(f"{head}authorization: Bearer {token}\r\n\r\n".encode())
            assert asked_again.wait(10)
            staying = pool.submit(roles.gate.send, "GET", NOTES, account=user)
            roles.gate.wait_for_requests(2)
        roles.gate.wait_for_requests(1)
        go_on.set()
        outcome = staying.result(20)
    assert credentials(outcome)[-1] == f"Bearer upstream-{user}-2"
    assert len(roles.service.calls_for(user)) == 2


def test_an_error_of_the_service_at_the_second_attempt_is_the_gates_to_tell(
    roles: Vault,
) -> None:
    user = roles.user()

    def service(asked: Asked) -> Answer:
        if "rejected" in asked.json:
            return error(403, "access_denied")
        return roles.service.usual(asked)

    roles.service.script = service
    roles.rejects(lambda seen: seen.target == NOTES, unauthorized)
    outcome = roles.post(user, ECHO)
    assert outcome.status == 403
    assert outcome.audit["reason"] == "credential_access_denied"
    no_trace(outcome)


def test_a_body_waits_for_the_credential_even_if_envoy_does_not_hold_it(
    roles: Vault, protocol: str
) -> None:
    user = roles.user(STREAMED)
    reached: list[int] = []

    def slow(asked: Asked) -> Answer:
        if "rejected" in asked.json:
            # Long enough for a body that nobody holds to be on its way.
            time.sleep(0.3)
            reached.append(len(roles.gate.recorder.seen))
        return roles.service.usual(asked)

    roles.service.script = slow
    old = f"Bearer upstream-{user}-1"
    roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    message = call("echo", message="x" * 10_000)
    outcome = roles.post(user, message, STREAMED, protocol=protocol)
    answered(outcome)
    assert reached == [1], "only the first attempt, whose credential was refused"
    assert credentials(outcome) == [old, f"Bearer upstream-{user}-2"]
    assert outcome.upstream[0].body == outcome.upstream[1].body


def test_a_refused_attempt_sends_no_body_even_if_envoy_does_not_hold_it(
    roles: Vault, protocol: str
) -> None:
    user = roles.user(STREAMED)

    def service(asked: Asked) -> Answer:
        return consent() if "rejected" in asked.json else roles.service.usual(asked)

    roles.service.script = service
    roles.rejects(lambda seen: seen.target == STREAMED, unauthorized)
    message = call("echo", message="x" * 10_000)
    outcome = roles.post(user, message, STREAMED, protocol=protocol)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1"]
    assert outcome.audit["reason"] == "consent_needed"
    no_trace(outcome)


def test_an_attempt_that_the_role_refuses_is_the_last_whatever_envoy_is_told(
    roles: Vault,
) -> None:
    user = roles.user(STUBBORN)
    failed: list[Asked] = []

    def service(asked: Asked) -> Answer:
        if "rejected" in asked.json and not failed:
            failed.append(asked)
            raise HangUp
        return roles.service.usual(asked)

    roles.service.script = service
    old = f"Bearer upstream-{user}-1"
    roles.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    outcome = roles.post(user, ECHO, STUBBORN)
    # So the client's answer is never one in place of an attempt that has succeeded.
    assert credentials(outcome) == [old]
    assert (outcome.status, outcome.audit["reason"]) == (503, "credential_unavailable")
    again = roles.post(user, ECHO, STUBBORN)
    answered(again)
    assert credentials(again) == [f"Bearer upstream-{user}-2"]


def test_an_upstreams_503_is_repeated_and_the_attempt_that_succeeds_is_what_the_client_gets(
    roles: Vault,
) -> None:
    user = roles.user(STUBBORN)
    failed: list[Seen] = []

    def is_first(seen: Seen) -> bool:
        failed.append(seen)
        return len(failed) == 1

    async def unavailable(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.answer(b"", status="503 Service Unavailable")

    roles.rejects(is_first, unavailable)
    outcome = roles.post(user, ECHO, STUBBORN)
    answered(outcome)
    assert credentials(outcome) == [f"Bearer upstream-{user}-1"] * 2
