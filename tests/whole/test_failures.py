"""What a user sees when a part is down, slow or killed: the right credential, an error, or a link."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import StartSystem
from system import CALL_LIMIT, System

from demo.connect import walk
from demo.stack.browser import Browser

ACCOUNTS = ("reader", "writer")


def subject(answer: httpx.Response) -> str | None:
    """Whom the notes server took the caller for; None for an answer of the gate's own."""
    body = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        [body] = re.findall(r"^data: (\{.*)$", body, re.MULTILINE)
    result = json.loads(body).get("result") if body else None
    if answer.status_code != 200 or not result or result.get("isError"):
        return None
    return str(result["structuredContent"]["subject"])


def link(answer: httpx.Response) -> str | None:
    """The consent link in an answer."""
    found = re.search(r"http://[\w.:]+/connect/[\w-]+", answer.text)
    return found.group(0) if found else None


def eventually(what: str, condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def works(system: System, account: str = "reader") -> bool:
    """A call goes through, as this account."""
    told = subject(system.call(account))
    assert told in (None, account)
    return told == account


class Careful(Browser):
    """Stops where the provider sends the user back to the token service."""

    def __init__(self) -> None:
        super().__init__()
        self.callback: str | None = None

    def leave(self, url: str) -> bool:
        if self.callback is None and urllib.parse.urlsplit(url).path == "/oauth/callback":
            self.callback = url
            return False
        return True


class Held:
    """Keeps a request at the provider until it is let go; then hangs up, or not.

    Inside `with` it is let go in the end, so that nobody waits for it where a test fails.
    """

    def __init__(self, grant: str = "refresh_token") -> None:
        self.there = threading.Event()
        self.go = threading.Event()
        self.result = True
        self.replica = 0
        self._grant = grant

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()

    def __call__(self, form: dict[str, str]) -> bool:
        if form["grant_type"] != self._grant:
            return True
        self.replica = int(form["replica"])
        self.there.set()
        self.go.wait(60)
        return self.result

    def release(self, result: bool) -> None:
        """Let it go on, or hang up."""
        self.result = result
        self.go.set()


def kill_in(system: System, held: Held) -> list[httpx.Response]:
    """Call until a refresh is held, and kill the replica that is at it; what the calls got."""

    def calls() -> list[httpx.Response]:
        answers = []
        while not held.go.is_set():
            answers.append(system.call("reader"))
        return answers

    with ThreadPoolExecutor(1) as pool, held:
        calling = pool.submit(calls)
        assert held.there.wait(20), "no refresh"
        system.kill(held.replica)
        held.release(False)
        return calling.result()


def test_a_service_that_is_killed_is_an_error_and_after_its_restart_nobody_is_asked_again(
    start_system: StartSystem,
) -> None:
    system = start_system()
    for account in ACCOUNTS:
        assert link(system.call(account))
        system.connect(account)
        assert works(system, account)

    system.kill()
    # Each of the two workers has a cache of its own.
    eventually(
        "the caches have ended",
        lambda: {system.call(account).status_code for account in ACCOUNTS * 8} == {503},
    )
    for account in ACCOUNTS:
        started = time.monotonic()
        answer = system.call(account)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert link(answer) is None
        assert time.monotonic() - started < CALL_LIMIT

    system.restart()
    for account in ACCOUNTS:
        eventually("calls work again", lambda account=account: works(system, account))


def test_killed_after_a_refresh_the_service_has_what_the_refresh_brought(
    start_system: StartSystem,
) -> None:
    system = start_system(access_token_seconds=4)
    system.connect("reader")
    eventually("a refresh", lambda: works(system) and system.provider.refreshes >= 1)
    system.kill()
    system.restart()
    # The refresh token from before would be refused, and end the grant.
    for _ in range(2):
        before = system.provider.refreshes
        eventually(
            "another refresh", lambda before=before: works(system) and system.provider.refreshes > before
        )


def test_killed_before_the_provider_has_seen_the_refresh_it_is_made_again(
    start_system: StartSystem,
) -> None:
    system = start_system(access_token_seconds=4)
    system.connect("reader")
    held = Held()
    system.provider.before = held
    answers = kill_in(system, held)
    for answer in answers:
        assert subject(answer) in (None, "reader")
        assert link(answer) is None
    system.provider.before = lambda form: True
    system.restart()
    eventually("the connection is still there", lambda: works(system))


@pytest.mark.parametrize("rotates", [False, True])
def test_killed_between_the_providers_answer_and_its_arrival_the_user_is_at_worst_asked_again(
    start_system: StartSystem, rotates: bool
) -> None:
    system = start_system(access_token_seconds=4, rotates=rotates)
    system.connect("reader")
    held = Held()
    system.provider.after = held
    for answer in kill_in(system, held):
        assert subject(answer) in (None, "reader")
    system.provider.after = lambda form: True
    system.restart()
    if not rotates:
        eventually("the connection is still there", lambda: works(system))
        return
    # The new refresh token was lost with the process, and the old one is used
    # up: the provider ends the grant. The user is told so, by the link.
    eventually("the link", lambda: link(system.call("reader")) is not None)
    system.connect("reader")
    eventually("calls work again", lambda: works(system))


def test_killed_while_a_user_consents_the_service_takes_the_callback_after_its_restart(
    start_system: StartSystem,
) -> None:
    system = start_system()
    consent = link(system.call("reader"))
    assert consent is not None
    browser = Careful()
    walk(consent, "reader", browser)
    assert browser.callback is not None
    system.kill()
    system.restart()
    page = browser.open(browser.callback)
    assert page.status == 200, page.text
    eventually("calls work", lambda: works(system))


def test_killed_while_a_code_is_exchanged_the_service_gives_a_new_link_and_keeps_the_rest(
    start_system: StartSystem,
) -> None:
    system = start_system()
    system.connect("writer")
    # The code has not come to the provider, or is used up.
    for account, phase in (("reader", "before"), ("admin", "after")):
        consent = link(system.call(account))
        assert consent is not None
        browser = Careful()
        walk(consent, account, browser)
        assert browser.callback is not None
        held = Held("authorization_code")
        setattr(system.provider, phase, held)
        with ThreadPoolExecutor(1) as pool, held:
            coming_back = pool.submit(browser.open, browser.callback)
            assert held.there.wait(20)
            system.kill()
            held.release(False)
            with pytest.raises(OSError):
                coming_back.result()
        setattr(system.provider, phase, lambda form: True)
        system.restart()
        # The state was used up; what is half done is begun anew.
        page = browser.open(browser.callback)
        assert page.status == 410, page.text
        eventually("a link", lambda account=account: link(system.call(account)) is not None)
        again = link(system.call(account))
        assert again is not None
        assert again != consent
        walk(again, account)
        for connected in ("writer", account):
            eventually("calls work", lambda connected=connected: works(system, connected))


def test_two_users_at_the_same_time_never_have_each_others_credential(
    start_system: StartSystem,
) -> None:
    system = start_system(access_token_seconds=6)
    accounts = ("reader", "writer", "admin")
    for account in accounts:
        system.connect(account)
        assert works(system, account)

    def call(number: int) -> tuple[str, str | None, int]:
        account = accounts[number % len(accounts)]
        answer = system.call(account)
        return account, subject(answer), answer.status_code

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(call, range(3000)))
    wrong = [each for each in told if each[1] not in (None, each[0])]
    assert wrong == []
    failed = [each for each in told if each[1] is None]
    assert failed == []
    assert system.provider.refreshes >= len(accounts)


def test_two_replicas_under_load_refresh_once_and_lose_no_connection(
    start_system: StartSystem, database: str
) -> None:
    system = start_system(postgres=database, replica_count=2, access_token_seconds=6)
    for account in ACCOUNTS:
        system.connect(account)
    before = [system.resolves(number) for number in range(2)]
    started = time.monotonic()

    def load(account: str) -> list[tuple[str | None, int]]:
        told = []
        while time.monotonic() < started + 20:
            answer = system.call(account)
            told.append((subject(answer), answer.status_code))
        return told

    with ThreadPoolExecutor(8) as pool:
        runs = {pool.submit(load, account): account for account in ACCOUNTS * 4}
        for run, account in runs.items():
            assert {each[0] for each in run.result()} == {account}, run.result()[-5:]
    used = [form["refresh_token"] for form in system.provider.forms if "refresh_token" in form]
    assert len(set(used)) == len(used), "a refresh token was used twice"
    assert len(used) >= 8
    for account in ACCOUNTS:
        assert len(system.upstream.credentials(account)) > 1, f"no refresh for {account}"
    for number, count in enumerate(before):
        assert system.resolves(number) > count, f"replica {number} was not asked"


def test_of_two_replicas_one_goes_on_with_the_refresh_in_which_the_other_is_killed(
    start_system: StartSystem, database: str
) -> None:
    system = start_system(postgres=database, replica_count=2, access_token_seconds=4)
    system.connect("reader")
    held = Held()
    system.provider.before = held

    answers = kill_in(system, held)
    system.provider.before = lambda form: True
    other = 1 - held.replica

    def renewed_by_the_other() -> bool:
        answers.append(system.call("reader"))
        refreshes = system.provider.refreshes_by_replica
        return subject(answers[-1]) is not None and refreshes[other] > 0

    # The lease of the one that is gone has to run out.
    eventually("the other one's refresh", renewed_by_the_other)
    assert {subject(answer) for answer in answers} <= {None, "reader"}
    assert [link(answer) for answer in answers if link(answer)] == []
    assert system.provider.refreshes_by_replica[held.replica] == 1


def test_a_slow_token_service_costs_no_more_than_the_limit(start_system: StartSystem) -> None:
    system = start_system(access_token_seconds=4)
    system.connect("reader")
    assert works(system)
    held = Held()
    system.provider.before = held
    deadline = time.monotonic() + 15
    while not held.there.is_set():
        assert time.monotonic() < deadline
        system.call("reader")
    slowest = 0.0
    until = time.monotonic() + 8
    while time.monotonic() < until:
        started = time.monotonic()
        answer = system.call("reader")
        slowest = max(slowest, time.monotonic() - started)
        assert subject(answer) in (None, "reader")
        assert link(answer) is None
    assert slowest < CALL_LIMIT
    # The provider never acted on it, so that the refresh token is still good.
    held.release(False)
    system.provider.before = lambda form: True
    eventually("calls work again", lambda: works(system))
