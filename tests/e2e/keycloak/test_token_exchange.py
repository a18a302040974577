"""Upstream credentials from a standard token exchange endpoint (RFC 8693): a real Keycloak."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.bootstrap import HOLDING, PLAIN, Json, Setup
from harness.gate import Gate, StartGate
from harness.issuer import Issuer
from harness.messages import call
from harness.recorder import Recorder

from demo.stack.places import Ports
from demo.stack.ports import free_ports
from demo.stack.processes import Processes

from . import keycloak
from .keycloak import Keycloak

SERVER = "notes"
PATH = f"/{SERVER}/mcp"
UPSTREAM = "notes-upstream"
SECRET = "the-secret-of-the-client-that-exchanges"
ECHO = call("echo")


@pytest.fixture(scope="module")
def gate_port() -> int:
    """Known before Keycloak starts, because its tokens name the resource."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def provider(gate_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    directory = tmp_path_factory.mktemp("keycloak")
    with Processes(directory / "logs") as processes:
        resource = f"http://127.0.0.1:{gate_port}{PATH}"
        yield keycloak.start(processes, directory, resource=resource, secret=SECRET)


@pytest.fixture(params=[HOLDING, PLAIN])
def gate(
    request: pytest.FixtureRequest,
    provider: Keycloak,
    gate_port: int,
    start_gate: StartGate,
    shared_issuer: Issuer,
    recorder: Recorder,
) -> Gate:
    def policy(policy: Json) -> None:
        policy["issuers"].append(
            {
                "id": "keycloak",
                "issuer": provider.issuer,
                "keys": {"discovery": {"cluster": "keycloak"}},
                "algorithms": ["RS256"],
                "token_types": ["JWT"],
            }
        )
        policy["token_services"] = [
            {
                "id": "keycloak",
                "exchange": {
                    "cluster": "keycloak",
                    "url": provider.token_endpoint,
                    "client_id": "gate",
                    "client_secret": SECRET,
                },
            }
        ]
        policy["servers"] = [each for each in policy["servers"] if each["id"] != SERVER]
        policy["servers"].append(
            {
                "id": SERVER,
                "resource": f"http://127.0.0.1:{gate_port}{PATH}",
                "issuers": ["keycloak"],
                "credential": {"token_service": "keycloak", "audience": UPSTREAM},
                # Keycloak's roles are nested in a claim.
                "rules": [
                    {
                        "id": "echo",
                        "who": {"claims": [{"claim": "azp", "equals": "mcp-client"}]},
                        "what": {"tools": ["echo"]},
                    },
                    {
                        "id": "editors",
                        "who": {"claims": [{"claim": "realm_access.roles", "contains": "editor"}]},
                        "what": {"tools": ["get-sum"]},
                    },
                    {"id": "stranger", "what": {"tools": ["get-tiny-image"]}},
                ],
            }
        )

    def envoy(config: Json) -> None:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": provider.port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        config["static_resources"]["clusters"].append(
            {
                "name": "keycloak",
                "connect_timeout": "2s",
                "load_assignment": {"cluster_name": "keycloak", "endpoints": endpoints},
            }
        )

    ports = Ports(gate_port, free_ports(1)[0], shared_issuer.port, recorder.port)
    setup = Setup(request.param, policy=policy, envoy=envoy)
    return start_gate(setup, shared_issuer, ports)


def claims(token: str) -> Json:
    """What a token says, not verified: that is the upstream's business."""
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def bearer(value: str | None) -> str:
    """The token of an Authorization header."""
    assert value is not None
    scheme, _, token = value.partition(" ")
    assert scheme == "Bearer"
    return token


def test_each_user_s_call_carries_a_token_of_that_user_for_the_upstream(
    gate: Gate, provider: Keycloak
) -> None:
    tokens = {user: provider.token(user) for user in ("alice", "bob")}
    users = ["alice", "bob"] * 20

    def send(user: str) -> None:
        response = gate.client().post(
            PATH,
            json=ECHO | {"id": user},
            headers={"authorization": f"Bearer {tokens[user]}", "mcp-protocol-version": "2025-11-25"},
        )
        assert response.status_code == 200, response.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, users))

    seen = [each for each in gate.recorder.seen if each.header("x-mcp-subject")]
    calls = [each for each in seen if b'"echo"' in each.body]
    assert len(calls) == len(users)
    for each in calls:
        token = bearer(each.header("authorization"))
        assert token not in tokens.values()
        said = claims(token)
        user = json.loads(each.body)["id"]
        assert said["preferred_username"] == user
        assert said["sub"] == claims(tokens[user])["sub"]
        assert said["aud"] == UPSTREAM
        assert said["azp"] == "gate"
    # One exchange for each user and no more, for the worker that there is.
    assert len({each.header("authorization") for each in calls}) == 2


def test_a_user_whose_token_may_not_be_exchanged_gets_an_error_and_nothing_goes_on(
    gate: Gate, provider: Keycloak
) -> None:
    token = provider.token("bob", client="stranger")
    outcome = gate.post(call("get-tiny-image"), token=token, path=PATH)
    assert outcome.status == 403, outcome.response.text
    assert "error" in outcome.json
    assert outcome.audit["outcome"] in ("denied", "challenged")
    assert not any(seen.complete and seen.body for seen in outcome.upstream)
    assert token not in outcome.response.text


def test_a_rule_on_a_nested_claim_decides_before_anything_is_exchanged(
    gate: Gate, provider: Keycloak
) -> None:
    allowed = gate.post(
        call("get-sum", a=1, b=2), token=provider.token("alice"), path=PATH
    )
    assert allowed.status == 200
    assert claims(bearer(allowed.upstream[0].header("authorization")))["aud"] == UPSTREAM
    denied = gate.post(call("get-sum", a=1, b=2), token=provider.token("bob"), path=PATH)
    assert denied.error["code"] == -32602
    assert not any(seen.complete and seen.body for seen in denied.upstream)
