"""The demonstration's own authorization server and MCP server behind the gate."""

from __future__ import annotations

import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.bootstrap import PLAIN, Json, Setup, virtual_host
from harness.gate import ENDPOINT, Gate, StartGate
from harness.issuer import Issuer
from harness.messages import call, request
from harness.recorder import Recorder

from demo.stack import authorization_server, everything_server
from demo.stack.authorization_server import AuthorizationServer, IntrospectionClient, Settings
from demo.stack.places import Ports
from demo.stack.ports import free_stack
from demo.stack.processes import Processes
from demo.stack.sign_in import Client

ECHO = call("echo", message="hello")
GATE = IntrospectionClient("gate", "s3cr3t & more")


@pytest.fixture(scope="module")
def place() -> Ports:
    return free_stack()


@pytest.fixture(scope="module")
def server(
    tools: Processes, place: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AuthorizationServer]:
    authorization_server.install(tools)
    settings = Settings(
        port=place.authorization_server,
        jwt_resources=[place.everything],
        opaque_resources=[f"{place.gate_url}/opaque/mcp"],
        introspection_client=GATE,
    )
    running = authorization_server.start(tools, settings, tmp_path_factory.mktemp("server"))
    yield running
    tools.stop_child(running.child)


def sign_in(server: AuthorizationServer, resource: str) -> str:
    answer = Client.for_tokens(server.issuer).sign_in(
        server.issuer, "reader", scope="mcp:read", resource=resource
    )
    return str(answer["access_token"])


def at(place: Ports, recorder: Recorder) -> Ports:
    return Ports(place.gate, place.envoy_admin, place.authorization_server, recorder.port)


def test_no_request_fails_while_the_real_server_rotates_its_keys(
    start_gate: StartGate,
    server: AuthorizationServer,
    tools: Processes,
    place: Ports,
    recorder: Recorder,
) -> None:
    def quick(policy: Json) -> None:
        policy["issuers"][0]["keys"]["discovery"] |= {"retry_seconds": 1, "refresh_seconds": 2}

    issuer = Issuer(place.authorization_server)
    gate = start_gate(Setup(PLAIN, 2, policy=quick), issuer, at(place, recorder))
    running = threading.Event()
    running.set()

    def requests() -> list[int]:
        statuses = []
        while running.is_set():
            headers = {"authorization": f"Bearer {issuer.note(sign_in(server, gate.resource))}"}
            for _ in range(5):
                response = gate.client().post(ENDPOINT, json=ECHO, headers=headers)
                statuses.append(response.status_code)
        return statuses

    with ThreadPoolExecutor(3) as pool:
        under_way = [pool.submit(requests) for _ in range(3)]
        for _ in range(3):
            server.rotate_keys(tools)
            time.sleep(0.5)
        running.clear()
        statuses = [status for each in under_way for status in each.result()]
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_the_real_server_tells_a_good_token_from_a_revoked_one(
    start_gate: StartGate, server: AuthorizationServer, place: Ports, recorder: Recorder
) -> None:
    def opaque(policy: Json) -> None:
        issuer, entry = policy["issuers"][0], policy["servers"][0]
        del issuer["keys"], issuer["algorithms"]
        issuer["introspection"] = {
            "uri": f"{issuer['issuer']}/token/introspection",
            "cluster": "authorization-server",
            "client_id": GATE.client_id,
            "client_secret": GATE.client_secret,
            "cache_seconds": 1,
        }
        entry["resource"] = f"{place.gate_url}/opaque/mcp"
        entry["path"] = ENDPOINT

    issuer = Issuer(place.authorization_server)
    gate = start_gate(Setup(policy=opaque), issuer, at(place, recorder))
    good, bad = (issuer.note(sign_in(server, f"{place.gate_url}/opaque/mcp")) for _ in range(2))
    gate.use_token("reader", good)
    gate.post(ECHO, token=bad).passed()
    form = {"token": bad, "client_id": Client.for_tokens(server.issuer).client_id}
    urllib.request.urlopen(
        f"{server.issuer}/token/revocation", urllib.parse.urlencode(form).encode(), timeout=10
    ).close()
    deadline = time.monotonic() + 10
    while gate.post(ECHO, token=bad).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    gate.post(ECHO, token=bad).refused(401, "inactive")
    gate.post(ECHO, token=good).passed()


def test_the_everything_server_answers_through_the_gate(
    start_gate: StartGate, server: AuthorizationServer, tools: Processes, place: Ports
) -> None:
    def shipped_route(config: Json) -> None:
        """The path that the everything server has."""
        route = {"cluster": "everything", "prefix_rewrite": "/mcp", "timeout": "0s"}
        virtual_host(config)["routes"] = [{"match": {"path": ENDPOINT}, "route": route}]

    everything_server.install(tools)
    child = everything_server.start(tools, place.everything_server)
    try:
        issuer = Issuer(place.authorization_server)
        gate: Gate = start_gate(Setup(envoy=shipped_route), issuer, place)
        headers = {
            "authorization": f"Bearer {issuer.note(sign_in(server, place.everything))}",
            "accept": "application/json, text/event-stream",
        }
        hello = request(
            "initialize",
            protocolVersion="2025-11-25",
            capabilities={},
            clientInfo={"name": "e2e", "version": "1"},
        )
        began = gate.client().post(ENDPOINT, json=hello, headers=headers)
        assert began.status_code == 200, began.text
        headers["mcp-session-id"] = began.headers["mcp-session-id"]
        answer = gate.client().post(ENDPOINT, json=ECHO, headers=headers)
        assert "Echo: hello" in answer.text
        hidden = gate.client().post(ENDPOINT, json=call("get-env"), headers=headers)
        assert hidden.json()["error"]["message"] == "Unknown tool: get-env"
        ended = gate.client().delete(ENDPOINT, headers=headers)
        assert ended.status_code == 200
    finally:
        tools.stop_child(child)
