"""A token service that is wrong, slow or away: no call goes on without the right credential."""

from __future__ import annotations

import pytest
from harness.messages import call
from harness.token_service import Answer, answer, authenticated, error
from harness.vault import HASTY, NOTES, Vault, arrived, hang_up, refused, slow

ECHO = call("echo")


def header(name: str, value: str) -> Answer:
    return authenticated("upstream-user", headers=[{"name": name, "value": value}])


NOT_UNDERSTOOD: dict[str, Answer] = {
    "nothing": Answer(200, b""),
    "no JSON": Answer(200, b"<html>"),
    "no UTF-8": Answer(200, b'{"status":"authenticated\xff"}'),
    "an array": answer(200, []),
    "an empty object": answer(200, {}),
    "an unknown status": answer(200, {"status": "probably"}),
    "a member twice": Answer(
        200, b'{"status":"authentication_required","status":"authentication_not_required"}'
    ),
    "no headers": authenticated("x", headers=None),
    "a success with status 201": Answer(201, authenticated("upstream-user").body),
    "a success with status 403": Answer(403, authenticated("upstream-user").body),
    "a redirect": Answer(302, b"", {"location": "http://127.0.0.1:1/"}),
    "no content": Answer(204, b""),
    "too much": authenticated("x" * 70_000),
    "an unknown error": error(400, "who_knows"),
    "an error of its own": Answer(500, b"oops"),
}
NOT_FIT: dict[str, Answer] = {
    "no headers": authenticated("x", headers=[]),
    "a line break in a value": header("authorization", "Bearer a\r\nx-mcp-subject: admin"),
    "a NUL in a value": header("authorization", "Bearer a\x00b"),
    "a name with a colon": header(":path", "/admin"),
    "a host": header("host", "elsewhere"),
    "a length": header("content-length", "0"),
    "an encoding": header("transfer-encoding", "chunked"),
    "a cookie": header("cookie", "a=b"),
    "a session": header("mcp-session-id", "s"),
    "an identity": header("x-mcp-subject", "admin"),
    "a name that is none": header("x y", "z"),
    "a header that is not configured": header("x-other", "z"),
}


@pytest.mark.parametrize("wrong", NOT_UNDERSTOOD)
def test_an_answer_that_is_not_understood_is_no_credential(vault: Vault, wrong: str) -> None:
    vault.service.script = lambda _: NOT_UNDERSTOOD[wrong]
    outcome = vault.post(vault.user(), ECHO)
    refused(outcome, 503, "credential_unavailable")
    assert int(outcome.response.headers["retry-after"]) > 0
    assert outcome.error["code"] == 503
    assert outcome.json["id"] == 1
    assert outcome.audit["credential"] == "failed"


@pytest.mark.parametrize("wrong", NOT_FIT)
def test_headers_that_a_credential_must_not_consist_of_reach_nothing(
    vault: Vault, wrong: str
) -> None:
    vault.service.script = lambda _: NOT_FIT[wrong]
    outcome = refused(vault.post(vault.user(), ECHO), 500, "credential_configuration")
    for seen in outcome.upstream:
        assert seen.target == NOTES
        assert seen.header("x-mcp-subject") != "admin"
        assert seen.header("cookie") is None
        assert seen.header("x-other") is None


@pytest.mark.parametrize(
    ("status", "code", "expected", "reason"),
    [
        (400, "invalid_request", 500, "credential_configuration"),
        (400, "invalid_target", 500, "credential_configuration"),
        (404, "unknown_server", 500, "credential_configuration"),
        (400, "invalid_subject_token", 401, "credential_subject_token"),
        (401, "invalid_client", 503, "credential_service_refuses"),
        (403, "access_denied", 403, "credential_access_denied"),
        (409, "refresh_in_progress", 503, "credential_busy"),
        (429, "rate_limited", 503, "credential_busy"),
        (502, "upstream_error", 502, "credential_upstream"),
    ],
)
def test_each_error_of_the_service_has_its_answer(
    vault: Vault, status: int, code: str, expected: int, reason: str
) -> None:
    vault.service.script = lambda _: error(status, code, retry_after="1")
    outcome = refused(vault.post(vault.user(), ECHO), expected, reason)
    assert outcome.json["id"] == 1
    assert (outcome.challenge is not None) == (expected == 401)
    if expected == 401:
        assert 'error="invalid_token"' in (outcome.challenge or "")
        assert "resource_metadata=" in (outcome.challenge or "")
    assert ("retry-after" in outcome.response.headers) == (expected == 503)
    calls = len(vault.service.asked)
    assert calls == (2 if code == "refresh_in_progress" else 1), "it is not asked over and over"


def test_a_refresh_that_is_under_way_is_waited_for_once(vault: Vault) -> None:
    answers = iter([error(409, "refresh_in_progress", retry_after="1")])
    vault.service.script = lambda asked: next(answers, None) or vault.service.usual(asked)
    user = vault.user()
    arrived(vault.post(user, ECHO), f"Bearer {vault.service.credential(user)}")


def test_no_call_waits_longer_than_its_limit(vault: Vault) -> None:
    go_on, vault.service.script = slow(vault)
    try:
        outcome = refused(vault.post(vault.user(HASTY), ECHO, HASTY), 503, "credential_unavailable")
        assert outcome.response.elapsed.total_seconds() < 5
    finally:
        go_on.set()


def test_a_service_that_is_killed_costs_503_and_when_it_is_back_all_is_well(vault: Vault) -> None:
    user = vault.user()
    vault.service.script = hang_up
    refused(vault.post(user, ECHO), 503, "credential_unavailable")
    vault.service.script = None
    vault.service.down()
    try:
        refused(vault.post(user, ECHO), 503, "credential_unavailable")
    finally:
        vault.service.up()
    arrived(vault.post(user, ECHO), f"Bearer {vault.service.credential(user)}")
