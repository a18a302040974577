"""Upstreams that do not take what they get: their challenges never reach the client."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.gate import Outcome
from harness.messages import call, request
from harness.recorder import Seen, Wire
from harness.token_service import Answer, Asked, consent
from harness.vault import LISTS_FIRST, NOTES, Vault, arrived, refused
from harness.wire import Connection

ECHO = call("echo")
CHALLENGE = (
    'www-authenticate: Bearer error="invalid_token", '
    'resource_metadata="https://up.example/.well-known/oauth-protected-resource"'
)
TOO_FEW = 'www-authenticate: Bearer error="insufficient_scope", scope="a b", realm="up.example"'


async def unauthorized(wire: Wire) -> None:
    await wire.ended.wait()
    await wire.answer(b'{"error":"up.example"}', CHALLENGE, status="401 Unauthorized")


async def too_few_scopes(wire: Wire) -> None:
    await wire.ended.wait()
    await wire.answer(b'{"error":"up.example"}', TOO_FEW, status="403 Forbidden")


def no_trace(outcome: Outcome) -> None:
    """Nothing of the upstream's answer is in the client's."""
    assert outcome.challenge is None
    assert "up.example" not in outcome.response.text + str(outcome.response.headers)


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [(unauthorized, 401, "invalid_token"), (too_few_scopes, 403, "insufficient_scope")],
)
def test_a_call_is_told_to_try_again_and_the_next_one_has_a_fresh_credential(
    vault: Vault, protocol: str, answer: object, status: int, error: str
) -> None:
    user = vault.user()
    old = f"Bearer {vault.service.credential(user)}"
    vault.rejects(lambda seen: seen.header("authorization") == old, answer)  # type: ignore[arg-type]

    outcome = vault.post(user, ECHO, protocol=protocol)
    assert outcome.status == 200
    assert outcome.json["result"]["isError"] is True
    assert "try again" in outcome.json["result"]["content"][0]["text"]
    no_trace(outcome)
    assert outcome.audit["reason"] == "credential_rejected"
    assert outcome.audit["credential"] == "rejected"
    assert len(outcome.upstream) == 1, "a call is never sent twice"

    again = vault.post(user, ECHO, protocol=protocol)
    assert vault.service.credential(user) == f"upstream-{user}-2"
    arrived(again, f"Bearer upstream-{user}-2")
    first, second = vault.service.calls_for(user)
    assert "rejected" not in first
    assert second["rejected"] == {"credential_version": "1", "status": status, "error": error}


def test_what_is_no_tool_call_gets_503_with_its_id(vault: Vault) -> None:
    user = vault.user()
    vault.gate.recorder.script = unauthorized
    outcome = vault.post(user, request("tools/list", "l"), NOTES)
    assert (outcome.status, outcome.json["id"]) == (503, "l")
    assert "retry-after" in outcome.response.headers
    no_trace(outcome)

    vault.gate.recorder.script = unauthorized
    outcome = vault.gate.send("GET", NOTES, account=user)
    assert outcome.status == 503
    no_trace(outcome)


def test_an_account_that_is_refused_for_good_ends_in_the_answer_to_a_missing_consent(
    vault: Vault,
) -> None:
    user = vault.user()

    def service(asked: Asked) -> Answer:
        return consent() if "rejected" in asked.json else vault.service.usual(asked)

    vault.service.script = service
    vault.rejects(lambda seen: seen.target == NOTES, unauthorized)
    first = vault.post(user, ECHO)
    assert first.audit["reason"] == "credential_rejected"
    second = refused(vault.post(user, ECHO), 200, "consent_needed")
    assert "https://tokens.example/connect/handle" in second.response.text


def test_many_refusals_of_one_credential_are_one_question(vault: Vault) -> None:
    user = vault.user()
    arrived(vault.post(user, ECHO), f"Bearer {vault.service.credential(user)}")
    old = f"Bearer {vault.service.credential(user)}"
    vault.rejects(lambda seen: seen.header("authorization") == old, unauthorized)
    headers = {"authorization": f"Bearer {vault.gate.token(user, NOTES)}"}
    with ThreadPoolExecutor(10) as pool:
        posts = [
            pool.submit(vault.gate.client().post, NOTES, json=ECHO, headers=headers)
            for _ in range(30)
        ]
        assert {post.result().status_code for post in posts} == {200}
    arrived(vault.post(user, ECHO), f"Bearer upstream-{user}-2")
    rejected = [asked for asked in vault.service.calls_for(user) if "rejected" in asked]
    assert len(rejected) == 1, "nobody refreshes over and over"


def test_an_ordinary_403_passes_without_its_challenge(vault: Vault) -> None:
    async def forbidden(wire: Wire) -> None:
        await wire.ended.wait()
        challenge = 'www-authenticate: Bearer realm="up.example"'
        await wire.answer(b'{"x":1}', challenge, status="403 Forbidden")

    user = vault.user()
    vault.rejects(lambda seen: seen.target == NOTES, forbidden)
    outcome = vault.post(user, ECHO)
    assert (outcome.status, outcome.json) == (403, {"x": 1})
    no_trace(outcome)
    assert outcome.audit["reason"] == "allowed"


def test_a_server_without_credentials_that_answers_401_sends_nobody_to_sign_in(
    vault: Vault,
) -> None:
    def is_everything(seen: Seen) -> bool:
        return seen.header("x-fence") is None

    vault.rejects(is_everything, unauthorized)
    outcome = vault.gate.post(ECHO)
    assert (outcome.status, outcome.json["id"]) == (502, 1)
    assert outcome.audit["reason"] == "upstream_unauthorized"
    no_trace(outcome)

    vault.rejects(is_everything, too_few_scopes)
    outcome = vault.gate.post(ECHO)
    assert outcome.challenge is None


def test_what_went_on_without_a_credential_and_cannot_is_told_of_the_missing_consent(
    vault: Vault,
) -> None:
    vault.service.script = lambda _: consent()
    user = vault.user(LISTS_FIRST)
    vault.rejects(lambda seen: seen.target == LISTS_FIRST, unauthorized)
    outcome = vault.post(user, request("tools/list"), LISTS_FIRST)
    assert outcome.status == 403
    assert outcome.error["data"]["authorizeUrl"] == "https://tokens.example/connect/handle"
    no_trace(outcome)


def test_in_plain_mode_a_credential_that_is_refused_before_the_body_is_dropped_too(
    plain_vault: Vault,
) -> None:
    async def at_once(wire: Wire) -> None:
        await wire.answer(b'{"error":"up.example"}', CHALLENGE, status="401 Unauthorized")

    user, gate = plain_vault.user(), plain_vault.gate
    old = f"Bearer {plain_vault.service.credential(user)}"
    plain_vault.rejects(lambda seen: seen.header("authorization") == old, at_once)
    body = json.dumps(ECHO).encode()
    with Connection(gate.ports.gate) as connection:
        connection.send(
            f"POST {NOTES} HTTP/1.1\r\nhost: {gate.authority}\r\n"
            f"authorization: Bearer {gate.token(user, NOTES)}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body[:5]
        )
        answer = connection.answer()
    assert answer.status == 503
    assert b"up.example" not in answer.body + str(answer.headers).encode()
    arrived(plain_vault.post(user, ECHO), f"Bearer upstream-{user}-2")
