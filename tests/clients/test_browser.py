"""A client in a web page: one of an allowed origin works, one of any other does not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sdk.browser import Browser, require_chromium
from sdk.gate import Gate, both_modes

from demo.stack.processes import Processes

# The same page at two origins, of which the policy lists the first.
ALLOWED = "127.0.0.1"
FOREIGN = "localhost"

ECHO = {"name": "echo", "arguments": {"message": "from a page"}}
SUM = {"name": "get-sum", "arguments": {"a": 1, "b": 2}}
TOO_MUCH = {"name": "get-sum", "arguments": {"a": 5000, "b": 2}}


@pytest.fixture(scope="module")
def browser(
    processes: Processes, page_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    require_chromium(processes)
    with Browser(page_port, tmp_path_factory.mktemp("browser") / "browser.log") as browser:
        yield browser


def texts(outcome: dict) -> list[str]:
    return [result["content"][0]["text"] for result in outcome["results"]]


@both_modes
def test_a_page_of_an_allowed_origin_signs_in_and_calls_a_tool(
    gate: Gate, browser: Browser
) -> None:
    outcome = browser.work(ALLOWED, gate.everything, [ECHO], ["reader"])
    assert texts(outcome) == ["Echo: from a page"]


def test_a_page_steps_up_and_makes_the_same_call_again(gate: Gate, browser: Browser) -> None:
    outcome = browser.work(ALLOWED, gate.everything, [ECHO, SUM], ["writer", "writer"])
    assert texts(outcome) == ["Echo: from a page", "The sum of 1 and 2 is 3."]


@both_modes
def test_a_page_is_told_which_rule_its_arguments_break_and_can_go_on(
    gate: Gate, browser: Browser
) -> None:
    calls = [SUM, TOO_MUCH, ECHO]
    outcome = browser.work(ALLOWED, gate.everything, calls, ["writer", "writer"])
    denial = 'Denied by rule "sum": "a" must be a number from -1000 to 1000'
    assert texts(outcome) == ["The sum of 1 and 2 is 3.", denial, "Echo: from a page"]
    assert [bool(result.get("isError")) for result in outcome["results"]] == [False, True, False]
    assert gate.decisions({"outcome": "denied", "target": "get-sum", "rule": "sum", "status": 200})


@both_modes
@pytest.mark.parametrize("name", ["get-env", "no-such-tool"])
def test_a_hidden_tool_is_to_a_page_one_that_does_not_exist(
    gate: Gate, browser: Browser, name: str
) -> None:
    outcome = browser.work(
        ALLOWED, gate.everything, [ECHO, {"name": name, "arguments": {}}], ["writer"]
    )
    assert outcome == {"error": f"ProtocolError: Unknown tool: {name}"}
    assert gate.decisions({"outcome": "denied", "target": name, "status": 200})


def test_a_page_of_a_foreign_origin_cannot_even_ask(gate: Gate, browser: Browser) -> None:
    before = gate.requests_upstream("everything")
    assert browser.work(FOREIGN, gate.everything, [ECHO], []) == {
        "error": "TypeError: Failed to fetch"
    }
    assert gate.decisions({"http_method": "OPTIONS", "reason": "foreign_origin", "status": 403})
    assert gate.requests_upstream("everything") == before


def test_what_a_foreign_page_sends_without_asking_is_refused(gate: Gate, browser: Browser) -> None:
    before = gate.requests_upstream("everything")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ECHO}
    assert browser.send_unasked(FOREIGN, gate.everything, json.dumps(call)) == "opaque"
    assert gate.decisions({"http_method": "POST", "reason": "foreign_origin", "status": 403})
    assert gate.requests_upstream("everything") == before
