"""Where the user has to connect an account first, each client is told in the form that it knows."""

from __future__ import annotations

import json

import pytest
from harness.bootstrap import Json
from harness.gate import LEGACY, MODERN, Outcome
from harness.messages import call, modern, modern_headers, notification, request
from harness.recorder import Wire
from harness.token_service import CONNECT, Answer, Asked, consent, error
from harness.vault import CHALLENGED, FOR_AGENTS, LISTS_FIRST, NOTES, Vault, arrived, refused
from harness.wire import Connection

URL = f"{CONNECT}handle"
DETAIL = {"code": "authentication_required", "authType": "oauth", "authorizeUrl": URL}
ECHO = call("echo")


class Connected:
    """The service as it is for users who connect their accounts while the test goes on."""

    def __init__(self, vault: Vault) -> None:
        self.users: set[str] = set()
        self._vault = vault
        vault.service.script = self._answer

    def _answer(self, asked: Asked) -> Answer:
        if asked.subject in self.users:
            return self._vault.service.usual(asked)
        return consent()


@pytest.fixture
def connected(vault: Vault) -> Connected:
    return Connected(vault)


def able(message: Json, capabilities: Json) -> Json:
    """A modern message of a client with these capabilities."""
    sent = modern(message)
    sent["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities
    return sent


def post_modern(
    vault: Vault, user: str, message: Json, capabilities: Json, path: str = NOTES
) -> Outcome:
    sent = able(message, capabilities)
    return vault.post(user, sent, path, version=MODERN, headers=modern_headers(sent))


BY_URL = {"elicitation": {"url": {}}}


def tool_text(outcome: Outcome) -> str:
    refused(outcome, 200, "consent_needed")
    result = outcome.json["result"]
    assert result["isError"] is True
    return str(result["content"][0]["text"])


@pytest.mark.parametrize(
    "message",
    [ECHO, request("prompts/get", name="p"), request("resources/read", uri="demo://a")],
    ids=lambda message: message["method"],
)
def test_a_modern_client_that_opens_urls_is_asked_for_input_and_its_next_call_works(
    vault: Vault, connected: Connected, message: Json
) -> None:
    user = vault.user()
    outcome = refused(post_modern(vault, user, message, BY_URL), 200, "consent_needed")
    result = outcome.json["result"]
    assert result["resultType"] == "input_required"
    ((key, asked),) = result["inputRequests"].items()
    assert asked["method"] == "elicitation/create"
    assert asked["params"]["mode"] == "url"
    assert asked["params"]["url"] == URL
    assert "The Notes" in asked["params"]["message"]
    assert outcome.audit["outcome"] == "challenged"
    assert outcome.audit["credential"] == "consent"

    retry = {
        **message,
        "params": {
            **message["params"],
            "requestState": result["requestState"],
            "inputResponses": {key: {"action": "accept"}},
        },
    }
    # To agree is not to have done it.
    again = refused(post_modern(vault, user, retry, BY_URL), 200, "consent_needed")
    assert again.json["result"]["resultType"] == "input_required"
    connected.users.add(user)
    seen = arrived(
        post_modern(vault, user, retry, BY_URL), f"Bearer {vault.service.credential(user)}"
    )
    assert result["requestState"].encode() not in seen.body


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}])
def test_a_modern_client_that_does_not_gets_the_link_as_the_tools_result(
    vault: Vault, connected: Connected, capabilities: Json
) -> None:
    user = vault.user()
    outcome = post_modern(vault, user, ECHO, capabilities)
    text = tool_text(outcome)
    assert URL in text
    assert "The Notes" in text
    assert outcome.json["result"]["resultType"] == "complete"
    connected.users.add(user)
    arrived(
        post_modern(vault, user, ECHO, capabilities),
        f"Bearer {vault.service.credential(user)}",
    )


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", LEGACY])
def test_a_legacy_client_without_a_session_gets_the_link_as_the_tools_result(
    vault: Vault, connected: Connected, version: str
) -> None:
    user = vault.user()
    outcome = vault.post(user, ECHO, version=version)
    assert URL in tool_text(outcome)
    assert "resultType" not in outcome.json["result"]
    connected.users.add(user)
    arrived(
        vault.post(user, ECHO, version=version), f"Bearer {vault.service.credential(user)}"
    )


def initialize(capabilities: Json, version: str = LEGACY) -> Json:
    return request(
        "initialize",
        protocolVersion=version,
        capabilities=capabilities,
        clientInfo={"name": "c", "version": "1"},
    )


def test_a_legacy_client_that_opens_urls_gets_the_error_for_that(
    vault: Vault, connected: Connected
) -> None:
    user = vault.user()
    outcome = refused(vault.post(user, initialize(BY_URL), version=None), 200, "consent_needed")
    assert outcome.error["code"] == -32042
    (elicitation,) = outcome.error["data"]["elicitations"]
    assert elicitation["mode"] == "url"
    assert elicitation["url"] == URL
    assert elicitation["elicitationId"] == "elicitation-1"


def test_what_a_legacy_client_declared_once_counts_in_its_session(
    vault: Vault, connected: Connected
) -> None:
    """The session is opened without a credential, and the first call that needs one is told."""

    async def open_session(wire: Wire) -> None:
        await wire.ended.wait()
        body = b'{"jsonrpc":"2.0","id":1,"result":{"capabilities":{}}}'
        await wire.answer(body, "mcp-session-id: the-upstreams-own")

    for capabilities, code in ((BY_URL, -32042), ({"elicitation": {}}, None)):
        user = vault.user(LISTS_FIRST)
        vault.gate.recorder.script = open_session
        opened = vault.post(user, initialize(capabilities), LISTS_FIRST, version=None)
        session = opened.response.headers["mcp-session-id"]
        headers = {"mcp-session-id": session}
        outcome = vault.post(user, ECHO, LISTS_FIRST, headers=headers)
        if code is None:
            assert URL in tool_text(outcome)
        else:
            refused(outcome, 200, "consent_needed")
            assert outcome.error["code"] == code
            assert outcome.error["data"]["elicitations"][0]["url"] == URL


def test_requests_that_are_no_tool_calls_get_403_with_the_detail(
    vault: Vault, connected: Connected
) -> None:
    user = vault.user()
    outcome = refused(vault.post(user, request("tools/list", "l")), 403, "consent_needed")
    assert outcome.json["id"] == "l"
    assert outcome.error["data"] == DETAIL
    assert URL in outcome.error["message"]
    assert outcome.challenge is None


def test_notifications_batches_and_streams_get_403_without_an_id(
    vault: Vault, connected: Connected
) -> None:
    user = vault.user()
    outcomes = [
        vault.post(user, notification("notifications/initialized")),
        vault.post(user, [ECHO, request("tools/list", 2)], version="2025-03-26"),
        vault.gate.send("GET", NOTES, account=user),
        vault.gate.send("DELETE", NOTES, account=user),
    ]
    for outcome in outcomes:
        refused(outcome, 403, "consent_needed")
        assert "id" not in outcome.json
        assert outcome.error["data"] == DETAIL


def test_without_a_link_the_user_is_told_whom_to_ask(vault: Vault) -> None:
    detail = {"code": "authentication_required", "authType": "api_key", "appUuid": "app-1"}
    vault.service.script = lambda _: consent(None, detail=detail)
    user = vault.user()
    assert "administrator" in tool_text(post_modern(vault, user, ECHO, BY_URL))
    outcome = refused(vault.post(user, request("tools/list")), 403, "consent_needed")
    assert outcome.error["data"] == detail


def test_a_challenge_is_sent_only_where_it_is_configured(
    vault: Vault, connected: Connected
) -> None:
    user = vault.user(CHALLENGED)
    outcome = refused(vault.post(user, ECHO, CHALLENGED), 401, "consent_needed")
    challenge = outcome.challenge or ""
    assert challenge.startswith('Bearer error="invalid_token"')
    assert f'resource_metadata="{vault.gate.ports.gate_url}/.well-known/' in challenge


def test_single_clients_can_be_told_in_another_form(vault: Vault, connected: Connected) -> None:
    user = vault.user(FOR_AGENTS)
    outcome = refused(vault.post(user, ECHO, FOR_AGENTS), 403, "consent_needed")
    assert outcome.error["data"] == DETAIL
    assert outcome.json["id"] == 1


def test_methods_that_may_go_on_without_do_and_the_others_do_not(
    vault: Vault, connected: Connected
) -> None:
    user = vault.user(LISTS_FIRST)
    for message in (request("tools/list"), request("ping")):
        outcome = vault.post(user, message, LISTS_FIRST)
        arrived(outcome, None)
        assert outcome.audit["credential"] == "consent"
    assert URL in tool_text(vault.post(user, ECHO, LISTS_FIRST))
    batch = [request("tools/list", 2), ECHO]
    refused(
        vault.post(user, batch, LISTS_FIRST, version="2025-03-26"), 403, "consent_needed"
    )
    connected.users.add(user)
    arrived(
        vault.post(user, request("tools/list"), LISTS_FIRST),
        f"Bearer {vault.service.credential(user)}",
    )


def test_a_page_of_an_allowed_origin_can_read_the_answer(
    vault: Vault, connected: Connected
) -> None:
    origin = "http://localhost:6274"
    outcome = vault.post(vault.user(), ECHO, headers={"origin": origin})
    assert URL in tool_text(outcome)
    assert outcome.response.headers["access-control-allow-origin"] == origin
    assert outcome.response.headers["cache-control"] == "no-store"


def test_in_plain_mode_the_answer_waits_for_the_permit(plain_vault: Vault) -> None:
    Connected(plain_vault)
    user = plain_vault.user()
    outcome = plain_vault.post(user, call("forbidden"))
    assert outcome.error["message"] == "Unknown tool: forbidden"
    assert URL not in outcome.response.text


def head(vault: Vault, user: str, body: bytes, path: str = NOTES) -> bytes:
    gate = vault.gate
    return (
        f"POST {path} HTTP/1.1\r\nhost: {gate.authority}\r\n"
        f"authorization: Bearer {gate.token(user, path)}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("failing", [False, True], ids=["consent", "failure"])
def test_in_plain_mode_a_body_that_is_late_gets_the_same_answer(
    plain_vault: Vault, failing: bool
) -> None:
    """The upstream has the head by then, without a credential, and waits for the body."""
    Connected(plain_vault)
    if failing:
        plain_vault.service.script = lambda _: error(502, "upstream_error")
    user, gate = plain_vault.user(), plain_vault.gate
    body = json.dumps(ECHO).encode()
    with Connection(gate.ports.gate) as connection:
        connection.send(head(plain_vault, user, body))
        gate.recorder.wait("the head", lambda: bool(gate.recorder.seen))
        connection.send(body)
        got = connection.answer()
    assert json.loads(got.body)["id"] == 1
    if failing:
        assert got.status == 502
    else:
        assert got.status == 200
        assert URL.encode() in got.body
    assert gate.recorder.seen[0].header("authorization") is None


def test_in_plain_mode_an_upstream_that_answers_the_head_first_is_replaced(
    plain_vault: Vault,
) -> None:
    """Whether the call is permitted is not known then, and Envoy reads no more of it."""
    Connected(plain_vault)
    user, gate = plain_vault.user(), plain_vault.gate
    body = json.dumps(ECHO).encode()

    async def at_once(wire: Wire) -> None:
        await wire.answer(b"secret", "www-authenticate: Bearer secret", status="401 No")

    gate.recorder.script = at_once
    with Connection(gate.ports.gate) as connection:
        connection.send(head(plain_vault, user, body))
        got = connection.answer()
    assert got.status == 502
    assert b"secret" not in got.body + str(got.headers).encode()
    assert URL.encode() not in got.body
